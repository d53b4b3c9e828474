"""Neural snowflakes are metrics; the inferred graph is drawn as its weights say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.benchmarks import MODELS
from retia.benchmarks.layers import latent_graph
from retia.benchmarks.layers.latent_graph import LatentGraphEncoder
from retia.benchmarks.layers.nearest import nearest
from retia.benchmarks.layers.snowflake import STEEP, Snowflake
from retia.benchmarks.training import torch_settings
from retia.benchmarks.view import View
from tests.benchmarks.planted import accuracy, noisy_sites

seeds = st.integers(0, 2**32)
lengths = st.lists(st.floats(0, 1e3, width=32), min_size=2, max_size=20)


def snowflake(seed: int, p: float) -> Snowflake:
    """One with any matrices, exponents between 0 and 1, and that p."""
    torch.manual_seed(seed)
    metric = Snowflake(width=4).double()
    with torch.no_grad():
        for parameter in metric.parameters():
            parameter.copy_(3 * torch.randn_like(parameter))
        metric.p.fill_(p)
    return metric


def view_of(x: torch.Tensor) -> View:
    none = torch.zeros(2, 0, dtype=torch.long)
    return View(x, none, none[0], (False,), None)


def latent(num_nodes: int, metric: str = "snowflake", neighbours: int = 3) -> LatentGraphEncoder:
    torch.manual_seed(0)
    return LatentGraphEncoder(
        2, 8, 2, 0.0, num_nodes, metric=metric, dimensions=2, neighbours=neighbours
    )


def softplus(parameter: torch.Tensor) -> np.ndarray:
    return np.log1p(np.exp(parameter.detach().numpy()))


@given(seeds, st.floats(-2, 2), st.floats(STEEP * 1e4, 50))
def test_snowflake_is_the_formula_of_the_paper(seed: int, p: float, t: float) -> None:
    metric = snowflake(seed, p)
    state = np.array([t])
    for layer in metric.layers:
        a, b = 1 / (1 + np.exp(-layer.exponents.detach().numpy()))
        state = softplus(layer.A) @ state
        psi = np.stack([1 - np.exp(-state), state**a, np.log(1 + state) ** b], axis=1)
        if (state < STEEP).any() or (np.log1p(state) < STEEP).any():
            return
        state = softplus(layer.B) @ psi @ softplus(layer.C)
    found = metric(torch.tensor(t, dtype=torch.float64))
    assert found.item() == pytest.approx(float(state[0] ** (1 + abs(p))), rel=1e-9)


@given(seeds, st.floats(-2, 2), lengths)
def test_snowflake_rises_from_zero(seed: int, p: float, values: list[float]) -> None:
    metric = snowflake(seed, p)
    found = metric(torch.tensor([0.0, *sorted(values)], dtype=torch.float64))
    assert found[0] == 0
    assert (found.diff() >= -1e-12 * found[1:]).all()


@given(seeds, st.floats(-2, 2) | st.just(0.0), st.integers(1, 4))
def test_triangle_inequality_is_relaxed_by_two_to_the_p(seed: int, p: float, size: int) -> None:
    """By one for p = 0; for any points, and for points on a line, where it is tight."""
    metric = snowflake(seed, p)
    x = torch.randn(3, 50, size, dtype=torch.float64) * torch.logspace(-6, 3, 50).unsqueeze(1)
    x[2, ::2] = x[0, ::2] + (x[1, ::2] - x[0, ::2]) * torch.rand(25, 1)
    direct = metric((x[0] - x[1]).norm(dim=1))
    around = metric((x[0] - x[2]).norm(dim=1)) + metric((x[2] - x[1]).norm(dim=1))
    assert (direct <= 2 ** abs(p) * around * (1 + 1e-9)).all()


def test_gradients_are_finite_where_points_agree() -> None:
    metric, z = Snowflake(), torch.zeros(4, 3, requires_grad=True)
    metric((z - z.detach()).norm(dim=1)).sum().backward()
    for tensor in (z, *metric.parameters()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


@settings(max_examples=20)
@given(seeds, st.integers(2, 60), st.integers(1, 4), st.integers(1, 8))
def test_nearest_are_those_of_a_full_sort(seed: int, n: int, size: int, k: int) -> None:
    x = torch.randn(n, size, generator=torch.Generator().manual_seed(seed))
    distance = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(1e9)
    found = nearest(x, k)
    assert found.shape == (n, min(k, n - 1))
    torch.testing.assert_close(
        distance.gather(1, found), distance.sort().values[:, : found.shape[1]]
    )


def test_evaluation_takes_the_nearest_in_latent_space() -> None:
    encoder, x = latent(40).eval(), torch.randn(40, 2)
    z = encoder.latent(x).detach()
    wanted = nearest(z, 3).sort().values
    torch.testing.assert_close(encoder._draw(z, x).sort().values, wanted)


def test_candidates_stand_for_all_pairs_on_large_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, x = latent(60).eval(), torch.randn(60, 2)
    z = encoder.latent(x).detach()
    all_pairs = encoder._draw(z, x).sort().values
    monkeypatch.setattr(latent_graph, "ALL_PAIRS", 10)
    monkeypatch.setattr(latent_graph, "CANDIDATES", 59)
    torch.testing.assert_close(encoder._draw(z, x).sort().values, all_pairs)
    monkeypatch.setattr(latent_graph, "CANDIDATES", 5)
    encoder._candidates = None
    drawn, among = encoder._draw(z, x), nearest(x, 5)
    assert (drawn.unsqueeze(2) == among.unsqueeze(1)).any(dim=2).all()


@pytest.mark.parametrize("metric", ["snowflake", "euclidean"])
def test_neighbours_are_drawn_by_their_weights(metric: str) -> None:
    """With one neighbour, how often j is drawn is p_ij / Σ p_ij, by the metric itself."""
    encoder = latent(6, metric, neighbours=1)
    encoder.log_temperature.data.fill_(0.5)
    z = torch.randn(6, 2)
    with torch.no_grad():
        p = (-encoder._temperature() * encoder.metric(torch.cdist(z, z))).exp().fill_diagonal_(0)
    distance = torch.cdist(z, z).fill_diagonal_(torch.inf).repeat(20_000, 1)
    with torch.no_grad():
        weights = encoder._log_weights(distance)
    drawn = weights.topk(1).indices.view(-1, 6)
    share = torch.nn.functional.one_hot(drawn, 6).float().mean(dim=0)
    torch.testing.assert_close(share, p / p.sum(dim=1, keepdim=True), atol=0.02, rtol=0)


def test_graph_loss_draws_near_what_helps_and_parts_what_does_not() -> None:
    encoder, x = latent(30, "euclidean"), torch.randn(30, 2)
    nodes = torch.arange(20)
    encoder(view_of(x))
    before = encoder._log_p
    loss = encoder.graph_loss(nodes, torch.tensor([1.0, 0.0]).repeat(10))
    (slope,) = torch.autograd.grad(loss, before)
    assert (slope[:20:2] < 0).all()
    assert (slope[1:20:2] > 0).all()
    assert (slope[20:] == 0).all()
    assert encoder.expected[0] > 0.5 > encoder.expected[1]
    assert encoder.expected[25] == 0.5


def test_latent_metric_is_learned_by_the_graph_loss() -> None:
    problem = noisy_sites(0, n=100)
    encoders = []
    chosen = MODELS["snowflake"]
    make = chosen.encoder

    def keep(size, options):
        encoders.append(make(size, options))
        encoders.append({k: v.clone() for k, v in encoders[0].state_dict().items()})
        return encoders[0]

    object.__setattr__(chosen, "encoder", keep)
    try:
        accuracy(problem, "snowflake", 0, epochs=5)
    finally:
        object.__setattr__(chosen, "encoder", make)
    after, before = encoders[0].state_dict(), encoders[1]
    for name in ("latent.lins.0.weight", "metric.layers.0.A", "metric.p", "log_temperature"):
        assert not torch.equal(after[name], before[name]), name


def test_same_seed_draws_the_same_graph() -> None:
    x = torch.randn(50, 2)
    with torch_settings(1):
        first, second = (latent(50)(view_of(x)) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
