"""Sheaf diffusion against the dense Laplacian δᵀδ, and its symmetries."""

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import block_diag, fractional_matrix_power
from torch import Tensor
from torch.autograd import gradcheck

from retia.benchmarks.layers.sheaf import (
    SheafEncoder,
    SheafLayer,
    SheafLearner,
    householder,
    inverse_square_root,
    sheaf_laplacian,
)
from retia.benchmarks.models import EncoderSize, model
from retia.benchmarks.settings import read_settings
from retia.benchmarks.view import View
from retia.shards.errors import InputError

KINDS = ("identity", "diagonal", "orthogonal", "general")
STALK, CHANNELS = 3, 4


@pytest.fixture(autouse=True)
def double() -> None:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Tensor]:
    """Nodes and edges (2, E), src < dst, each once; nodes may be isolated, edges may be none."""
    num_nodes = draw(st.integers(1, 8))
    pairs = [(u, v) for v in range(num_nodes) for u in range(v)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return num_nodes, torch.tensor(chosen, dtype=torch.long).reshape(-1, 2).T


def view_of(x: Tensor, ends: Tensor) -> View:
    return View(x, ends, torch.zeros(ends.shape[1], dtype=torch.long), (False,), None)


def dense_laplacian(maps: np.ndarray, ends: np.ndarray, num_nodes: int) -> np.ndarray:
    """(D + I)^{-½} δᵀδ (D + I)^{-½}, with D the diagonal blocks of δᵀδ."""
    d, edges = maps.shape[-1], ends.shape[1]
    delta = np.zeros((edges * d, num_nodes * d))
    for e in range(edges):
        for end, sign in ((0, 1), (1, -1)):
            v, block = ends[end, e], slice(e * d, (e + 1) * d)
            delta[block, v * d : (v + 1) * d] = sign * maps[end, e]
    laplacian = delta.T @ delta
    blocks = [laplacian[v * d : (v + 1) * d, v * d : (v + 1) * d] for v in range(num_nodes)]
    root = block_diag(*(fractional_matrix_power(block + np.eye(d), -0.5).real for block in blocks))
    return root @ laplacian @ root


def as_matrices(maps: Tensor) -> np.ndarray:
    return (maps if maps.ndim == 4 else torch.diag_embed(maps)).detach().numpy()


def learned(kind: str, h: Tensor, ends: Tensor, sparse: bool = False) -> tuple[Tensor, Tensor]:
    return SheafLearner((STALK, CHANNELS), STALK, kind, sparse)(h, ends)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(graph=graphs(), seed=st.integers(0, 1000))
def test_laplacian_is_the_dense_one(kind: str, graph: tuple[int, Tensor], seed: int) -> None:
    num_nodes, ends = graph
    torch.manual_seed(seed)
    h, x = torch.randn(2, num_nodes, STALK, CHANNELS)
    maps, root = learned(kind, 5 * h, ends)
    found = sheaf_laplacian(x, ends, maps, root).detach().numpy()
    dense = dense_laplacian(as_matrices(maps), ends.numpy(), num_nodes)
    wanted = dense @ x.numpy().reshape(-1, CHANNELS)
    np.testing.assert_allclose(found.reshape(-1, CHANNELS), wanted, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(graph=graphs(), seed=st.integers(0, 1000))
def test_a_layer_is_the_equation(kind: str, graph: tuple[int, Tensor], seed: int) -> None:
    """H ← (1 + tanh ε) ⊙ H - ELU(Δ (I ⊗ W₁) H W₂), with dense matrices."""
    num_nodes, ends = graph
    torch.manual_seed(seed)
    h = torch.randn(num_nodes, STALK, CHANNELS)
    layer = SheafLayer((STALK, CHANNELS), STALK, kind, [], False, 0.0)
    torch.nn.init.normal_(layer.epsilon)
    torch.nn.init.normal_(layer.left)
    with torch.no_grad():
        maps, _ = layer.sheaf(h, ends)
        found = layer(h, h, ends).reshape(-1, CHANNELS)
        dense = torch.from_numpy(dense_laplacian(as_matrices(maps), ends.numpy(), num_nodes))
        mixed = torch.kron(torch.eye(num_nodes), layer.left) @ h.reshape(-1, CHANNELS) @ layer.right
        kept = (1 + layer.epsilon.tanh()).repeat(num_nodes, 1) * h.reshape(-1, CHANNELS)
        wanted = kept - torch.nn.functional.elu(dense @ mixed)
    torch.testing.assert_close(found, wanted, atol=1e-10, rtol=0)


@pytest.mark.parametrize("sparse", [False, True])
def test_each_end_has_a_map_of_both_states_in_its_order(sparse: bool) -> None:
    h, ends = torch.randn(5, STALK, CHANNELS), torch.tensor([[0, 1, 3], [2, 4, 4]])
    learner = SheafLearner((STALK, CHANNELS), STALK, "general", sparse)
    maps, _ = learner(h, ends)
    state = h.sum(1) if sparse else h.flatten(1)
    for e, (v, u) in enumerate(ends.T.tolist()):
        for end, (own, other) in enumerate(((v, u), (u, v))):
            phi = torch.tanh(learner.phi.linear(torch.cat([state[own], state[other]])))
            torch.testing.assert_close(maps[end, e], phi.reshape(STALK, STALK))


def test_orthogonal_maps_are_orthogonal_but_for_the_weight_of_their_edge() -> None:
    h, ends = torch.randn(5, STALK, CHANNELS), torch.tensor([[0, 1, 3], [2, 4, 4]])
    learner = SheafLearner((STALK, CHANNELS), STALK, "orthogonal", False)
    maps, _ = learner(h, ends)
    pairs = torch.stack([torch.cat([h[a].flatten(), h[b].flatten()]) for a, b in ends.T.tolist()])
    back = torch.cat([pairs[:, 12:], pairs[:, :12]], dim=1)
    weight = learner.weight.linear(pairs).sigmoid() * learner.weight.linear(back).sigmoid()
    gram = (weight**2).unsqueeze(-1) * torch.eye(STALK)
    torch.testing.assert_close(maps @ maps.mT, gram.expand(2, -1, -1, -1))


@pytest.mark.parametrize("size", [2, 3, 4, 6])
def test_reflections_are_those_of_lapack(size: int) -> None:
    parameters = torch.randn(7, size * (size - 1) // 2)
    columns = torch.zeros(7, size, size)
    place = torch.triu_indices(size, size, 1)
    columns[:, place[1], place[0]] = parameters
    tau = 2 / (1 + columns.square().sum(1))
    tau[:, -1] = 0  # the last would turn the sign of a coordinate alone, and is left out
    wanted = torch.linalg.householder_product(columns, tau)
    torch.testing.assert_close(householder(parameters, size), wanted)


def test_inverse_square_root_is_scipys_and_bears_equal_eigenvalues() -> None:
    factor = torch.randn(6, 4, 4)
    matrices = factor @ factor.mT + torch.eye(4)
    wanted = [fractional_matrix_power(matrix, -0.5).real for matrix in matrices.numpy()]
    np.testing.assert_allclose(inverse_square_root(matrices), np.stack(wanted), atol=1e-12)
    equal = torch.diag_embed(torch.tensor([[1.0, 1, 1], [2, 2, 5]]))
    for start in (factor[:2, :3, :3], torch.zeros(2, 3, 3)):
        start = start.clone().requires_grad_()
        assert gradcheck(lambda a: inverse_square_root(equal + a @ a.mT + a + a.mT), (start,))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(kind: str) -> None:
    ends = torch.tensor([[0, 0, 1], [1, 2, 2]])  # node 3 is isolated
    h = torch.randn(4, 2, 2, requires_grad=True)
    layer = SheafLayer((2, 2), 2, kind, [], False, 0.0)
    weights = [w for w in layer.parameters() if w.requires_grad]

    def run(state: Tensor, *given: Tensor) -> Tensor:
        names = [name for name, _ in layer.named_parameters()]
        values = dict(zip(names, given, strict=True))
        return torch.func.functional_call(layer, values, (state, state, ends))

    assert gradcheck(run, (h, *weights))


def test_a_change_of_basis_in_each_stalk_changes_nothing_else() -> None:
    """With X_v → Q_v X_v and F_{v⊴e} → P_e F_{v⊴e} Q_vᵀ, ΔX becomes Q ΔX."""
    n, ends = 6, torch.tensor([[0, 0, 1, 2, 3], [1, 2, 2, 3, 4]])
    x, maps = torch.randn(n, STALK, CHANNELS), torch.randn(2, 5, STALK, STALK)
    q, _ = torch.linalg.qr(torch.randn(n, STALK, STALK))
    p, _ = torch.linalg.qr(torch.randn(5, STALK, STALK))

    def diffuse(x: Tensor, maps: Tensor) -> Tensor:
        blocks = torch.eye(STALK).repeat(n, 1, 1)
        for end in (0, 1):
            blocks = blocks.index_add(0, ends[end], maps[end].mT @ maps[end])
        return sheaf_laplacian(x, ends, maps, inverse_square_root(blocks))

    torch.testing.assert_close(diffuse(q @ x, p @ maps @ q[ends].mT), q @ diffuse(x, maps))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(graph=graphs(), seed=st.integers(0, 1000))
def test_embeddings_follow_a_renumbering(kind: str, graph: tuple[int, Tensor], seed: int) -> None:
    num_nodes, ends = graph
    torch.manual_seed(seed)
    x = torch.randn(num_nodes, 5)
    encoder = SheafEncoder(
        5, CHANNELS, STALK, 2, 0.5, maps=kind, low_pass=True, high_pass=True
    ).eval()
    order = torch.randperm(num_nodes)
    moved = torch.empty_like(x)
    moved[order] = x
    with torch.no_grad():
        found = encoder(view_of(moved, order[ends]))[order]
        assert found.isfinite().all()
        torch.testing.assert_close(found, encoder(view_of(x, ends)))


def test_identity_is_the_laplacian_of_the_graph() -> None:
    graph = nx.karate_club_graph()
    ends = torch.tensor(list(graph.edges)).T
    x = torch.randn(34, STALK, CHANNELS)
    laplacian = nx.laplacian_matrix(graph, weight=None).toarray()
    root = np.diag((np.diag(laplacian) + 1.0) ** -0.5)
    wanted = np.einsum("uv,vdf->udf", root @ laplacian @ root, x.numpy())
    np.testing.assert_allclose(sheaf_laplacian(x, ends, *learned("identity", x, ends)), wanted)


@pytest.mark.parametrize(("fixed", "sign"), [("low_pass", 1), ("high_pass", -1)])
def test_fixed_dimensions_are_the_signless_and_the_ordinary_laplacian(
    fixed: str, sign: int
) -> None:
    graph = nx.karate_club_graph()
    ends = torch.tensor(list(graph.edges)).T
    encoder = SheafEncoder(3, CHANNELS, STALK, 1, 0.0, maps="diagonal", **{fixed: True})
    (layer,) = encoder.layers
    h = torch.randn(34, STALK + 1, CHANNELS)
    adjacency = nx.to_numpy_array(graph, weight=None)
    degree = adjacency.sum(1)
    root = np.diag((degree + 1) ** -0.5)
    operator = root @ (np.diag(degree) + sign * adjacency) @ root
    with torch.no_grad():
        found = layer(h, h, ends)[:, -1]
        flow = torch.from_numpy(operator) @ (h[:, -1] @ layer.right)
    torch.testing.assert_close(found, h[:, -1] - torch.nn.functional.elu(flow))


@pytest.mark.parametrize(
    ("hidden", "options", "message"),
    [
        (32, {"stalk": 3}, "--hidden 32 does not divide into a stalk of 3; 33 does"),
        (32, {"low_pass": True}, "stalk of 5 with its fixed dimensions; 30 does"),
        (32, {"stalk": 1, "maps": "orthogonal"}, "give stalk 2 or more"),
    ],
)
def test_sizes_that_do_not_fit_are_named(
    hidden: int, options: dict[str, object], message: str
) -> None:
    sheaf = model("sheaf")
    size = EncoderSize(5, hidden, 2, 0.0, 10, 2, 0)
    with pytest.raises(InputError, match=message):
        sheaf.encoder(size, read_settings(sheaf.options, options, "model 'sheaf'"))


@pytest.mark.slow
def test_maps_carry_over_what_the_identity_averages_away() -> None:
    """Two classes and two kinds of node: across kinds, edges join unlike classes, seven in ten."""
    share: dict[str, list[float]] = {"identity": [], "general": []}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        block = rng.permutation(np.arange(400) % 4)
        label, kind = block % 2, block // 2
        like, alike = label[:, None] == label, kind[:, None] == kind
        rate = np.where(like & alike, 0.024, np.where(~like & ~alike, 0.056, 0.0))
        ends = torch.from_numpy(np.argwhere(np.triu(rng.random(rate.shape) < rate, k=1)).T.copy())
        assert (label[ends[0]] != label[ends[1]]).mean() > 0.6
        signal = np.where(label, 0.5, -0.5)[:, None] + 2 * rng.normal(size=(400, 4))
        x = torch.from_numpy(np.column_stack([signal, 2 * kind - 1])).float()
        for maps, found in share.items():
            found.append(learn(maps, view_of(x, ends), torch.from_numpy(label), seed))
    assert np.mean(share["general"]) > np.mean(share["identity"]) + 0.1


def learn(maps: str, view: View, label: Tensor, seed: int) -> float:
    """Accuracy on the second half of the nodes, after 150 steps on the first."""
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        SheafEncoder(5, 8, 3, 2, 0.2, maps=maps), torch.nn.ReLU(), torch.nn.Linear(24, 2)
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    for _ in range(150):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(view)[:200], label[:200]).backward()
        optimiser.step()
    with torch.no_grad():
        return float((model.eval()(view).argmax(1) == label)[200:].float().mean())
