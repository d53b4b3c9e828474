from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import kstest

from retia.datasets.connectome.motifs.draws import Draws, Plan, draw
from retia.datasets.connectome.motifs.significance import assess, diagnose
from retia.datasets.connectome.motifs.wiring import Wiring
from retia.shards.errors import InputError


def transitive(graph: csr_array) -> np.ndarray:
    """Two counts that need no census: feed-forward triples and mutual pairs."""
    graph = graph.astype(np.int64)
    return np.array([((graph @ graph) * graph).sum(), (graph * graph.T).sum() // 2])


@pytest.fixture(scope="module")
def wiring() -> Wiring:
    """Two groups of nodes, joined more within than between."""
    rng = np.random.default_rng(0)
    group = np.arange(60) < 30
    pairs = np.argwhere(rng.random((60, 60)) < np.where(group[:, None] == group, 0.25, 0.02))
    return Wiring.of(60, pairs, rng.integers(1, 9, len(pairs)).astype(float), rng.random((60, 3)))


@pytest.fixture
def plan(wiring: Wiring, tmp_path: Path) -> Plan:
    return Plan(wiring, "degree", {"motifs": transitive}, tmp_path / "draws")


def same(one: Draws, other: Draws) -> bool:
    return all(
        np.array_equal(getattr(one, name)[key], getattr(other, name)[key])
        for name in ("counts", "halfway_counts")
        for key in one.counts
    ) and np.array_equal(one.overlap, other.overlap)


def test_draws_do_not_depend_on_workers_or_on_their_number(plan: Plan, tmp_path: Path) -> None:
    one = draw(plan, 50, workers=1)
    assert same(one, draw(replace(plan, folder=tmp_path / "two"), 50, workers=2))
    more = draw(replace(plan, folder=tmp_path / "more"), 70)
    np.testing.assert_array_equal(more.counts["motifs"][:50], one.counts["motifs"])
    other = draw(replace(plan, seed=1), 50)
    assert not same(one, other)


def test_an_interrupted_run_goes_on_where_it_was(plan: Plan, tmp_path: Path) -> None:
    done = []

    def interrupt(number: int) -> None:
        done.append(number)
        if len(done) == 45:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw(plan, 80, on_draw=interrupt)
    kept = {path: path.stat().st_mtime_ns for path in plan.place.glob("*.parquet")}
    assert len(kept) == 2
    told: list[int] = []
    resumed = draw(plan, 80, on_draw=told.append)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert sum(told) == 80
    assert same(resumed, draw(replace(plan, folder=tmp_path / "whole"), 80))


def test_a_damaged_block_is_drawn_again(plan: Plan) -> None:
    before = draw(plan, 40)
    path = plan.place / "00000.parquet"
    content = bytearray(path.read_bytes())
    for place in range(20, len(content), 40):
        content[place] ^= 0xFF
    path.write_bytes(content)
    assert same(draw(plan, 40), before)
    assert path.read_bytes() != content


def test_a_changed_graph_seed_or_length_has_its_own_folder(plan: Plan, wiring: Wiring) -> None:
    others = [
        replace(plan, seed=1),
        replace(plan, swaps=5),
        replace(plan, null="mutual"),
        replace(plan, wiring=replace(wiring, min_weight=3.0)),
        replace(plan, wiring=replace(wiring, colour=np.full(60, "red"))),
        replace(plan, counts={"others": transitive}),
    ]
    assert len({one.place for one in [plan, *others]}) == 7


def test_figures_follow_their_definitions() -> None:
    rng = np.random.default_rng(3)
    drawn, observed = rng.poisson(20, size=(99, 4)), np.array([20, 45, 3, 25])
    found = assess(observed, drawn)
    for k in range(4):
        column = drawn[:, k].tolist()
        mean = sum(column) / 99
        std = (sum((x - mean) ** 2 for x in column) / 98) ** 0.5
        tail = min(sum(x >= observed[k] for x in column), sum(x <= observed[k] for x in column))
        assert found.z[k] == pytest.approx((observed[k] - mean) / std)
        assert found.ratio[k] == pytest.approx(observed[k] / mean)
        assert found.p[k] == pytest.approx(min(1, 2 * (tail + 1) / 100))
    ranked = np.sort(found.p)
    by_hand = [min(ranked[j] * 4 / (j + 1) for j in range(i, 4)) for i in range(4)]
    np.testing.assert_allclose(np.sort(found.q), by_hand)


def test_a_count_that_never_varies_has_no_z() -> None:
    found = assess(np.array([5, 0]), np.tile([5, 0], (20, 1)))
    assert np.isnan(found.z).all()
    assert found.p.tolist() == [1, 1]
    assert found.ratio[0] == 1
    assert np.isnan(found.ratio[1])


def test_p_is_uniform_where_the_null_is_true() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 1 << 40, size=(500, 200))
    p = assess(rng.integers(0, 1 << 40, size=200), drawn).p
    assert kstest(p, "uniform").pvalue > 0.01


def test_short_chains_are_found_out(plan: Plan, wiring: Wiring) -> None:
    edges = len(wiring.strong)
    short = diagnose(draw(replace(plan, swaps=1), 100), edges)
    long = diagnose(draw(replace(plan, swaps=20), 100), edges)
    assert short is not None and long is not None
    assert not short.mixed
    assert short.halfway_overlap > short.overlap + 0.05
    assert long.mixed
    assert long.steps == 20
    assert 5 < long.accepted < 20


def test_graphs_drawn_outright_need_no_mixing(plan: Plan, wiring: Wiring) -> None:
    assert diagnose(draw(replace(plan, null="spatial"), 20), len(wiring.strong)) is None


@pytest.mark.parametrize("number", [-1, 0, 1, 10**7])
def test_a_number_of_draws_out_of_range_is_refused(plan: Plan, number: int) -> None:
    with pytest.raises(InputError, match="draws"):
        draw(plan, number)


def test_an_unknown_null_is_named(plan: Plan) -> None:
    with pytest.raises(InputError, match="no null model 'nil'; there are: degree"):
        draw(replace(plan, null="nil"), 10)
