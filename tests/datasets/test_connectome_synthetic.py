"""The generator of connectomes: every stated part of its rule, against independent counts."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow.csv as csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, mannwhitneyu

from retia.datasets.connectome.generator import neurons, statistics
from retia.datasets.connectome.generator.copies import closing_odds
from retia.datasets.connectome.generator.dyads import Dyads
from retia.datasets.connectome.generator.oracle import wiring_scores
from retia.datasets.connectome.generator.rule import DistanceRule, distance
from retia.datasets.connectome.generator.wiring import CellClass, Wiring, apportion
from retia.datasets.connectome.synthetic import (
    DEFAULT_WIRING,
    GeneratedConnectome,
    generate_connectome,
    usual_connections,
    write_synthetic,
)
from retia.protocol.pairs import contains
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

NEURONS = 4000
CONNECTIONS = 60_000


def generate(
    num_neurons: int = NEURONS, num_connections: int = CONNECTIONS, seed: int = 1, **rule: object
) -> GeneratedConnectome:
    wiring = replace(DEFAULT_WIRING, **rule)
    return generate_connectome(num_neurons, num_connections, Randomness.from_seed(seed), wiring)


@pytest.fixture(scope="module")
def made() -> GeneratedConnectome:
    return generate()


def as_graph(pairs: np.ndarray) -> nx.DiGraph:
    return nx.DiGraph(pairs.tolist())


def test_numbers_are_exact_and_no_connection_stands_twice(made: GeneratedConnectome) -> None:
    assert len(made.neurons.homolog) == NEURONS
    assert len(made.connections) == len(made.weight) == CONNECTIONS
    graph = as_graph(made.connections)
    assert graph.number_of_edges() == CONNECTIONS
    assert nx.number_of_selfloops(graph) == 0
    assert made.weight.min() >= 1


def test_reciprocity_is_as_asked(made: GeneratedConnectome) -> None:
    assert nx.reciprocity(as_graph(made.connections)) == pytest.approx(0.2, abs=1e-4)
    for asked in (0.0, 0.5):
        some = generate(600, 5000, reciprocity=asked).connections
        assert nx.reciprocity(as_graph(some)) == pytest.approx(asked, abs=1e-3)


def test_blocks_of_classes_have_their_shares(made: GeneratedConnectome) -> None:
    share = np.zeros((3, 3))
    ends = made.neurons.cell_class[made.connections]
    np.add.at(share, (ends[:, 0], ends[:, 1]), 1 / CONNECTIONS)
    np.testing.assert_allclose(share, DEFAULT_WIRING.blocks, atol=1e-4)


def test_any_number_of_classes_can_be_asked_for() -> None:
    classes = tuple(CellClass(name, 0.25, (0.5, 0.5)) for name in "abcd")
    blocks = tuple(tuple(0.15 if i == j else 0.4 / 12 for j in range(4)) for i in range(4))
    some = generate(800, 6000, classes=classes, transmitters=("x", "y"), blocks=blocks)
    np.testing.assert_allclose(np.bincount(some.neurons.cell_class), 200, atol=12)
    np.testing.assert_allclose(some.achieved["blocks"], blocks, atol=1e-3)


def decay_um(position: np.ndarray, pairs: np.ndarray, reach: float) -> float:
    """The length over which connections become e times rarer among the pairs of a distance."""
    anything = np.random.default_rng(0).integers(len(position), size=(1_000_000, 2))
    bins = np.linspace(reach / 4, reach, 11)
    there = np.histogram(distance(position, anything), bins)[0]
    joined = np.histogram(distance(position, pairs), bins)[0]
    middle = (bins[1:] + bins[:-1]) / 2
    weight = np.sqrt(joined)
    return float(-1 / np.polyfit(middle, np.log(joined / there), 1, w=weight)[0])


@pytest.mark.parametrize("length", [25.0, 40.0])
def test_connections_fall_off_with_distance_at_the_stated_scale(length: float) -> None:
    some = generate(10_000, 60_000, length_um=length, closed=0.3)
    fitted = decay_um(some.neurons.position, some.connections, 5 * length)
    assert fitted == pytest.approx(length, rel=0.06)


def test_gap_junctions_join_near_neurons_of_a_class_once(made: GeneratedConnectome) -> None:
    cells = made.neurons
    assert len(made.gaps) == round(517 / 279 * NEURONS)
    assert (made.gaps[:, 0] < made.gaps[:, 1]).all()
    assert len(np.unique(made.gaps, axis=0)) == len(made.gaps)
    ends = cells.cell_class[made.gaps]
    assert (ends[:, 0] == ends[:, 1]).all()
    assert decay_um(cells.position, made.gaps, 60) == pytest.approx(12, rel=0.1)


def test_drawn_pairs_follow_propensity_and_distance_exactly() -> None:
    rng = np.random.default_rng(3)
    position = rng.random((40, 3)) * [300, 100, 100]
    sending, receiving = rng.lognormal(size=(2, 40))
    cell_class = np.zeros(40, dtype=np.int8)
    rule = DistanceRule(position, cell_class, (sending, receiving), 50.0, rng)
    drawn = rule.propose(np.array([[400_000]]))
    counts = np.zeros((40, 40))
    np.add.at(counts, tuple(drawn.T), 1 / len(drawn))
    apart = np.linalg.norm(position[:, None] - position, axis=2)
    exact = sending[:, None] * receiving * np.exp(-apart / 50)
    exact /= exact.sum()
    assert np.abs(counts - exact).sum() / 2 < 0.03
    usual = np.sqrt(exact / len(drawn))
    assert np.abs((counts - exact) / usual).max() < 5.5


def test_closing_odds_leave_the_kernel_that_steps_have() -> None:
    rng = np.random.default_rng(0)
    towards = rng.standard_normal((2, 400_000, 3))
    towards /= np.linalg.norm(towards, axis=2, keepdims=True)
    steps = towards * rng.gamma(3, size=(2, 400_000, 1))
    apart = np.linalg.norm(steps.sum(axis=0), axis=1)
    kept = apart[rng.random(len(apart)) < closing_odds(apart)]
    assert ks_2samp(kept, rng.gamma(3, size=len(kept))).pvalue > 0.01


def test_closing_plants_feed_forward_triads_and_no_cycles() -> None:
    off, on = (
        nx.triadic_census(as_graph(generate(400, 3000, closed=share).connections))
        for share in (0.0, 0.3)
    )
    assert on["030T"] > 1.3 * off["030T"]
    assert on["030C"] < 1.2 * off["030C"]


def test_reported_triads_equal_networkx() -> None:
    some = generate(300, 2500)
    census = nx.triadic_census(as_graph(some.connections))
    assert some.achieved["triads_030T"] == census["030T"]
    assert some.achieved["triads_030C"] == census["030C"]


def test_expected_triads_are_those_of_rewired_connections() -> None:
    rng = np.random.default_rng(5)
    pairs = np.unique(rng.integers(500, size=(4000, 2)), axis=0)
    one_way = pairs[(pairs[:, 0] != pairs[:, 1]) & ~statistics.has_reverse(pairs, 500)]
    expected = statistics.triads(one_way, 500)[2]
    found = []
    for _ in range(20):
        shuffled = np.column_stack([one_way[:, 0], rng.permutation(one_way[:, 1])])
        proper = shuffled[shuffled[:, 0] != shuffled[:, 1]]
        found.append(statistics.triads(proper, 500)[0])
    assert np.mean(found) == pytest.approx(expected, rel=0.1)


def test_homologs_mirror_each_other(made: GeneratedConnectome) -> None:
    cells = made.neurons
    paired = np.flatnonzero(cells.homolog >= 0)
    partner = cells.homolog[paired]
    assert len(paired) / NEURONS == pytest.approx(0.95, abs=0.001)
    np.testing.assert_array_equal(cells.homolog[partner], paired)
    assert set(cells.side[paired]) == {neurons.LEFT, neurons.RIGHT}
    assert (cells.side[paired] != cells.side[partner]).all()
    assert (cells.side[cells.homolog < 0] == neurons.CENTRE).all()
    np.testing.assert_array_equal(cells.cell_class[paired], cells.cell_class[partner])
    np.testing.assert_array_equal(cells.transmitter[paired], cells.transmitter[partner])
    offset = cells.position[paired] * [-1, 1, 1] - cells.position[partner]
    assert np.abs(offset).max() < 8 * neurons.JITTER_UM


def mirrored_share(some: GeneratedConnectome) -> float:
    """How many connections between paired neurons have their mirror image."""
    image = some.neurons.homolog[some.connections]
    image = image[(image >= 0).all(axis=1)]
    keys = np.sort(some.connections @ [NEURONS, 1])
    return float(contains(keys, image @ np.array([NEURONS, 1])).mean())


def test_mirrored_connections_occur_on_both_sides(made: GeneratedConnectome) -> None:
    assert mirrored_share(made) > mirrored_share(generate(mirrored=0.0)) + 0.15


def test_transmitter_goes_with_class_and_is_not_settled_by_it(made: GeneratedConnectome) -> None:
    cells = made.neurons
    table = np.zeros((3, 3))
    np.add.at(table, (cells.cell_class, cells.transmitter), 1)
    table /= table.sum(axis=1, keepdims=True)
    stated = [one.transmitters for one in DEFAULT_WIRING.classes]
    np.testing.assert_allclose(table, stated, atol=0.07)


def test_degrees_are_heavy_tailed_and_go_with_the_propensities(made: GeneratedConnectome) -> None:
    cells = made.neurons
    for end, propensity in ((0, cells.sending), (1, cells.receiving)):
        degree = np.bincount(made.connections[:, end], minlength=NEURONS)
        assert degree.max() > 12 * degree.mean()
        assert degree.var() > 10 * degree.mean()
        assert np.corrcoef(degree, propensity)[0, 1] > 0.8


def test_weights_follow_transmitter_distance_and_receiver(made: GeneratedConnectome) -> None:
    sender, receiver = made.connections.T
    cells = made.neurons
    columns = [
        np.ones(CONNECTIONS),
        cells.transmitter[sender],
        distance(cells.position, made.connections) / DEFAULT_WIRING.length_um,
        np.log(cells.receiving[receiver]),
    ]
    wanted = np.log(made.weight - 0.5)
    strong = np.linalg.lstsq(np.column_stack(columns), wanted, rcond=None)[0]
    np.testing.assert_allclose(strong[1:], [-0.5, -0.2, 0.3], atol=0.05)
    assert made.weight.max() > 20 * np.median(made.weight)


def degree_matched(made: GeneratedConnectome) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Visible connections, hidden ones, and non-edges of equal visible degrees."""
    rng = np.random.default_rng(0)
    edges = rng.permutation(made.connections)
    hidden, visible = np.split(edges, [CONNECTIONS // 10])
    into = np.bincount(visible[:, 1], minlength=NEURONS)
    hidden = hidden[np.argsort(into[hidden[:, 1]], kind="stable")]
    other = np.roll(hidden[:, 1], 1)
    fake = np.column_stack([hidden[:, 0], other])
    known = np.sort(edges @ [NEURONS, 1])
    proper = (into[hidden[:, 1]] == into[other]) & (fake[:, 0] != fake[:, 1])
    proper &= ~contains(known, fake @ np.array([NEURONS, 1]))
    return visible, hidden[proper], fake[proper]


def area(positive: np.ndarray, negative: np.ndarray) -> float:
    statistic = mannwhitneyu(positive, negative).statistic
    return float(statistic) / (len(positive) * len(negative))


def test_rule_tells_hidden_connections_from_pairs_of_equal_degrees(
    made: GeneratedConnectome,
) -> None:
    visible, hidden, fake = degree_matched(made)
    real, unreal = (
        wiring_scores(made.neurons, visible, pairs, DEFAULT_WIRING) for pairs in (hidden, fake)
    )
    assert len(hidden) > 3000
    assert area(real.degree, unreal.degree) == pytest.approx(0.5, abs=0.001)
    for part in ("near", "block", "closing", "mirror", "reverse"):
        assert area(getattr(real, part), getattr(unreal, part)) > 0.53
    assert area(real.whole, unreal.whole) > 0.78


def test_closing_score_sums_the_shares_of_middle_neurons() -> None:
    some = generate(60, 90)
    visible, pairs = some.connections, np.argwhere(~np.eye(60, dtype=bool))
    graph = as_graph(visible)
    graph.add_nodes_from(range(60))
    expected = [
        sum(1 / graph.out_degree(j) for j in graph.successors(i) if graph.has_edge(j, k))
        for i, k in pairs.tolist()
    ]
    odds = closing_odds(distance(some.neurons.position, pairs) / DEFAULT_WIRING.length_um)
    scores = wiring_scores(some.neurons, visible, pairs, DEFAULT_WIRING)
    np.testing.assert_allclose(scores.closing, expected * odds)
    np.testing.assert_array_equal(scores.reverse, [graph.has_edge(k, i) for i, k in pairs.tolist()])


@settings(max_examples=40)
@given(st.integers(0, 1000), st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_apportioned_numbers_add_up_and_are_within_one(total: int, share: list[float]) -> None:
    shares = np.array(share)
    if shares.sum() < 1e-3:
        return
    counts = apportion(total, shares)
    assert counts.sum() == total
    assert (np.abs(counts - total * shares / shares.sum()) < 1 + 1e-9).all()


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=60), st.integers(0, 5))
def test_joined_pairs_are_the_earliest_of_their_block(
    proposals: list[tuple[int, int]], quota: int
) -> None:
    dyads = Dyads(np.arange(8, dtype=np.int8) % 2, 2)
    pairs = np.array(proposals, dtype=np.int64).reshape(-1, 2)
    taken = dyads.fill(lambda _: pairs, np.full((2, 2), quota), rounds=1)
    room = dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], quota)
    wanted = []
    for place, (i, k) in enumerate(proposals):
        earlier = {frozenset(pair) for pair in proposals[:place]}
        if i != k and frozenset((i, k)) not in earlier and room[i % 2, k % 2]:
            room[i % 2, k % 2] -= 1
            wanted.append((i, k))
    assert [tuple(pair) for pair in taken.tolist()] == wanted
    again = dyads.fill(lambda _: pairs, np.full((2, 2), 99), rounds=2)
    both = np.sort(np.concatenate([taken, again]), axis=1)
    assert len(np.unique(both, axis=0)) == len(both)
    assert {tuple(pair) for pair in both.tolist()} == {
        (min(pair), max(pair)) for pair in proposals if pair[0] != pair[1]
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(50, 400), st.floats(0, 1.2), st.integers(0, 99))
def test_small_connectomes_are_whole(num_neurons: int, crowded: float, seed: int) -> None:
    asked = max(round(crowded * usual_connections(num_neurons)), 1)
    some = generate(num_neurons, asked, seed)
    assert len(np.unique(some.connections, axis=0)) == asked
    assert some.connections.max() < num_neurons
    assert (some.connections[:, 0] != some.connections[:, 1]).all()


def test_connectome_of_mutual_pairs_alone_closes_nothing() -> None:
    one = {
        "classes": (CellClass("cell", 1.0, (1.0,)),),
        "transmitters": ("x",),
        "blocks": ((1.0,),),
    }
    some = generate(60, 100, reciprocity=1.0, closed=0.0, mirrored=0.0, **one)
    assert nx.reciprocity(as_graph(some.connections)) == 1
    assert some.achieved["triads_030T"] == 0


def test_usual_connectomes_are_as_dense_as_the_worm_or_flywire() -> None:
    assert usual_connections(279) == 2194
    assert usual_connections(139_255) == 2_701_601


def test_same_seed_same_files(tmp_path: Path) -> None:
    for folder, seed in (("one", 3), ("two", 3), ("other", 4)):
        write_synthetic(200, 900, seed, tmp_path / folder)
    for name in ("neurons.csv", "connections.csv", "gap.csv", "generator.json"):
        one, two, other = (
            (tmp_path / folder / name).read_bytes() for folder in ("one", "two", "other")
        )
        assert one == two
        assert one != other


def test_command_writes_the_connectome_and_how_it_was_made(
    retia: Callable[..., int], tmp_path: Path
) -> None:
    words = ("--nodes", 300, "--edges", 1500, "--seed", 2, "--out", tmp_path)
    assert retia("synth", "connectome", *words) == 0
    some = generate(300, 1500, seed=2)
    cells, edges, gaps = (
        csv.read_csv(tmp_path / f"{name}.csv") for name in ("neurons", "connections", "gap")
    )
    assert edges.column_names == gaps.column_names == ["pre", "post", "weight"]
    assert edges["pre"].to_pylist() == [f"n{i}" for i in some.connections[:, 0]]
    assert edges["weight"].to_pylist() == some.weight.tolist()
    assert gaps.num_rows == len(some.gaps)
    assert cells["name"].to_pylist() == [f"n{i}" for i in range(300)]
    assert cells["x"].to_pylist() == some.neurons.position[:, 0].tolist()
    partner = ["" if i < 0 else f"n{i}" for i in some.neurons.homolog]
    assert cells["homolog"].to_pylist() == partner
    assert set(cells["class"].to_pylist()) == {"sensory", "inter", "motor"}
    assert set(cells["side"].to_pylist()) == set(neurons.SIDES)
    note = json.loads((tmp_path / "generator.json").read_text())
    assert note["synthetic"] and note["seed"] == 2
    assert note["parameters"]["closed"] == DEFAULT_WIRING.closed
    assert note["achieved"] == json.loads(json.dumps(some.achieved))


@pytest.mark.parametrize(
    ("num_neurons", "num_connections", "rule", "told"),
    [
        (3, 10, {}, "50 or more"),
        (100, 0, {}, "one or more"),
        (100, 5000, {}, "too many"),
        (400, 900, {"reciprocity": 0.9}, "0 to 0.68"),
        (400, 900, {"reciprocity": -0.1}, "0 to 0.68"),
        (400, 900, {"reciprocity": 0.6, "closed": 0.5}, "one-way"),
        (400, 900, {"closed": 0.6, "mirrored": 0.5}, "below 1"),
        (400, 900, {"length_um": 0.0}, "above 0"),
        (400, 900, {"blocks": ((1.0,),)}, "3 rows of 3"),
        (400, 900, {"blocks": ((0.2,) * 3,) * 3}, "add up to 1"),
        (400, 900, {"transmitters": ("x",)}, "1 shares"),
    ],
)
def test_what_cannot_be_made_is_refused(
    num_neurons: int, num_connections: int, rule: dict[str, object], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        generate(num_neurons, num_connections, **rule)


def test_command_refuses_too_many_connections_in_one_line(
    retia: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--nodes", 100, "--edges", 9000, "--out", tmp_path / "new")
    assert retia("synth", "connectome", *words) == 2
    assert "ask for fewer" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "new").exists()


def test_neurons_of_a_wiring_without_spread_are_alike() -> None:
    cells = neurons.draw_neurons(100, Wiring(spread=0.0), np.random.default_rng(0))
    np.testing.assert_allclose(cells.sending, 1)
