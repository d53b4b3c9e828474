"""Grouped splits: what tells of each other is in one part, and no candidate is settled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from retia.protocol.candidates import list_sparse
from retia.protocol.groups import (
    Grouping,
    Hemispheres,
    Homologs,
    halve_groups,
    hide_by_homolog,
    hide_by_pair,
    hide_groups,
    hide_in_hemisphere,
)
from retia.protocol.link_task import TaskTables, make_link_task
from retia.protocol.node_task import make_node_task
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

Pair = tuple[int, int]
N = 60


def edges(seed: int = 0, directed: bool = True) -> np.ndarray:
    """A digraph in which half of the edges have their reverse."""
    rng = np.random.default_rng(seed)
    adjacency = rng.random((N, N)) < 0.12
    adjacency |= adjacency.T & (rng.random((N, N)) < 0.5)
    np.fill_diagonal(adjacency, False)
    return np.argwhere(adjacency if directed else np.triu(adjacency))


def homologs(seed: int = 0) -> Homologs:
    """Forty nodes in pairs, twenty without a homolog."""
    order = np.random.default_rng(seed).permutation(N)[:40].reshape(2, 20)
    partner = np.full(N, -1)
    partner[order[0]], partner[order[1]] = order[1], order[0]
    return Homologs(partner)


def sides() -> Hemispheres:
    return Hemispheres(np.array(["left", "right", "left", "right", ""] * (N // 5)))


def link_task(pairs: np.ndarray, hidden: np.ndarray, grouping: Grouping | None) -> TaskTables:
    return make_link_task(
        LinkGraph(N, True, pairs[~hidden], pairs[hidden], grouping=grouping),
        name="link",
        relation="edge",
        description="d",
        randomness=Randomness.from_seed(0),
        sealed=False,
    )


def as_set(pairs: np.ndarray) -> set[Pair]:
    return {(int(a), int(b)) for a, b in pairs}


def table_pairs(tables: TaskTables, name: str) -> np.ndarray:
    table = tables.public[f"tasks/link/{name}"]
    return np.column_stack([table["src"].to_numpy(), table["dst"].to_numpy()]).astype(np.int64)


def positives(tables: TaskTables, split: int, part: str) -> set[Pair]:
    """The positives that a part scores: those of `hard`."""
    labels = tables.public[f"tasks/link/{split}/{part}-answers"]["label"].to_numpy()
    return as_set(scored(tables, split, part)[labels[members(tables, split, part)] > 0])


def negatives(tables: TaskTables, split: int, part: str) -> set[Pair]:
    labels = tables.public[f"tasks/link/{split}/{part}-answers"]["label"].to_numpy()
    return as_set(scored(tables, split, part)[labels[members(tables, split, part)] == 0])


def scored(tables: TaskTables, split: int, part: str) -> np.ndarray:
    return table_pairs(tables, f"{split}/{part}")[members(tables, split, part)]


def members(tables: TaskTables, split: int, part: str) -> np.ndarray:
    table = tables.public[f"tasks/link/{split}/{part}-candidates"]
    names = np.array(table["candidates"].to_pylist())
    return table["item"].to_numpy()[names == "hard"]


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_homolog_groups_are_the_components_of_reverse_and_mirror(seed: int) -> None:
    """Of all ordered pairs: a graph whose nodes are pairs, joined to their reverse and mirror."""
    partner = homologs(seed).partner
    pairs = np.array([(a, b) for a in range(N) for b in range(N)])
    mirror = np.where(partner < 0, np.arange(N), partner)[pairs]
    code = np.arange(N * N)
    tail, head = np.r_[code, code], np.r_[pairs[:, 1] * N + pairs[:, 0], mirror @ [N, 1]]
    graph = coo_array((np.ones(2 * N * N), (tail, head)), shape=(N * N, N * N))
    _, expected = connected_components(graph, directed=False)
    found = homologs(seed).of_pairs(pairs)
    both = np.column_stack([expected, found])
    assert len(np.unique(both, axis=0)) == len(np.unique(expected)) == len(np.unique(found))


@given(st.integers(0, 1000), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_groups_are_taken_whole_up_to_the_share(seed: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(40) * 7, rng.integers(1, largest + 1, 40))
    hidden = hide_groups(groups, 0.2, rng)
    assert not set(groups[hidden]) & set(groups[~hidden])
    assert int(0.2 * len(groups)) <= hidden.sum() < int(0.2 * len(groups)) + largest
    one, two = halve_groups(groups, rng)
    assert sorted([*one, *two]) == list(range(len(groups)))
    assert not set(groups[one]) & set(groups[two])
    assert abs(len(one) - len(two)) <= 2 * largest


def test_both_directions_of_a_pair_are_in_one_part_and_no_candidate_is_settled() -> None:
    pairs = edges()
    hidden, grouping = hide_by_pair(pairs, 0.2, np.random.default_rng(0))
    tables = link_task(pairs, hidden, grouping)
    split = tables.task.split
    assert (split.scheme, split.parameters["by"]) == ("grouped", "pair")
    assert split.parameters["reverse"] == "hidden"
    visible = as_set(pairs[~hidden])
    every = as_set(pairs)
    for i in range(10):
        parts = {part: positives(tables, i, part) for part in ("valid", "test")}
        assert parts["valid"] | parts["test"] == as_set(pairs[hidden])
        for part, other in (("valid", "test"), ("test", "valid")):
            mutual = {(b, a) for a, b in parts[part]} & every
            assert mutual <= parts[part]
            listed = as_set(table_pairs(tables, f"{i}/{part}"))
            assert not {(b, a) for a, b in listed} & visible
            assert not {(b, a) for a, b in negatives(tables, i, part)} & parts[other]


def test_a_random_split_may_show_the_reverse_and_says_so() -> None:
    pairs = edges()
    hidden = np.zeros(len(pairs), dtype=bool)
    hidden[::5] = True
    tables = link_task(pairs, hidden, None)
    assert tables.task.split.scheme == "random"
    assert tables.task.split.parameters["reverse"] == "visible"
    reverses = {(b, a) for a, b in positives(tables, 0, "test")}
    assert reverses & as_set(pairs[~hidden])


def test_mirrored_edges_are_in_one_part() -> None:
    pairs, both = edges(), homologs()
    hidden, grouping = hide_by_homolog(pairs, both, 0.2, np.random.default_rng(0))
    tables = link_task(pairs, hidden, grouping)
    assert tables.task.split.parameters["by"] == "homolog"
    assert tables.task.split.parameters["column"] == "homolog"
    mirror = np.where(both.partner < 0, np.arange(N), both.partner).tolist()

    def images(some: set[Pair]) -> set[Pair]:
        mirrored = {(mirror[a], mirror[b]) for a, b in some}
        return {(b, a) for a, b in some | mirrored} | mirrored

    visible, every = as_set(pairs[~hidden]), as_set(pairs)
    assert images(as_set(pairs[hidden])) & every <= as_set(pairs[hidden])
    assert len(images(visible) & every - visible) == 0
    for i in range(10):
        valid, test = positives(tables, i, "valid"), positives(tables, i, "test")
        assert not images(valid) & test
        assert not images(as_set(table_pairs(tables, f"{i}/test"))) & visible
        assert not images(negatives(tables, i, "test")) & valid


def test_a_hemisphere_is_learned_from_and_the_other_is_told() -> None:
    pairs = edges()
    hidden, grouping = hide_in_hemisphere(pairs, sides(), 0.2, np.random.default_rng(0))
    tables = link_task(pairs, hidden, grouping)
    side = sides().side
    inside = (side[pairs] == "right").all(axis=1)
    assert hidden.sum() == int(0.2 * inside.sum())
    assert (side[pairs[hidden]] == "right").all()
    train = table_pairs(tables, "0/train")
    assert as_set(train) == as_set(pairs[(side[pairs] == "left").all(axis=1)])
    for part in ("valid", "test"):
        assert (side[table_pairs(tables, f"3/{part}")] == "right").all()
    assert tables.task.counts[0].train == len(train)


def test_undirected_pairs_of_homologs_stay_together() -> None:
    pairs, both = edges(directed=False), homologs()
    hidden, grouping = hide_by_homolog(pairs, both, 0.2, np.random.default_rng(0))
    groups = both.of_pairs(pairs)
    assert not set(groups[hidden]) & set(groups[~hidden])
    assert (both.of_pairs(pairs[:, ::-1]) == groups).all()
    assert (grouping.hidden == groups[hidden]).all()


def test_homologs_that_are_not_mutual_are_refused() -> None:
    with pytest.raises(InputError, match="the homolog of node 0 is 1, whose own is 2"):
        Homologs(np.array([1, 2, 1]))


def test_one_group_cannot_be_halved() -> None:
    with pytest.raises(InputError, match="validation and test need one each"):
        halve_groups(np.zeros(5, dtype=int), np.random.default_rng(0))


def test_a_pair_whose_reverse_is_visible_is_not_in_a_sparse_list() -> None:
    pairs = edges()
    hidden, grouping = hide_by_pair(pairs, 0.2, np.random.default_rng(0))
    graph = LinkGraph(N, True, pairs[~hidden], pairs[hidden], grouping=grouping)
    listing = list_sparse(graph, graph.hidden, np.random.default_rng(0), np.ones(N, dtype=bool))
    assert len(listing.pairs) > 50
    assert (graph.is_edge(listing.pairs) == (listing.labels > 0)).all()
    visible = {tuple(pair) for pair in graph.visible.tolist()}
    assert not visible & {tuple(pair) for pair in listing.pairs[:, ::-1].tolist()}
    matched = listing.pairs[listing.members["matched"][0]]
    negatives = matched[len(matched) // 2 :]
    assert len(negatives)
    assert not graph.is_edge(negatives[:, ::-1]).any()


def node_parts(grouping: Homologs | Hemispheres, labels: np.ndarray) -> list[dict[str, set[int]]]:
    tables = make_node_task(
        labels,
        name="kind",
        label="kind",
        classes=("a", "b"),
        description="d",
        randomness=Randomness.from_seed(0),
        sealed=False,
        grouping=grouping,
    )
    assert tables.task.split.scheme == "grouped"
    columns = (("train", "node"), ("valid", "item"), ("test", "item"))
    return [
        {p: set(tables.public[f"tasks/kind/{i}/{p}"][c].to_pylist()) for p, c in columns}
        for i in range(10)
    ]


LABELS = np.where(np.arange(N) % 7 == 0, -1, np.arange(N) % 2)


def test_homologs_are_in_one_part_of_a_node_task() -> None:
    both = homologs()
    for parts in node_parts(both, LABELS):
        assert sorted(set.union(*parts.values())) == np.flatnonzero(LABELS >= 0).tolist()
        assert len(parts["train"]) == pytest.approx(0.6 * (LABELS >= 0).sum(), abs=4)
        for nodes in parts.values():
            partners = {int(both.partner[node]) for node in nodes} - {-1}
            assert {node for node in partners if LABELS[node] >= 0} <= nodes


def test_the_other_hemisphere_is_the_test_part_of_a_node_task() -> None:
    side = sides().side
    drawn = node_parts(sides(), LABELS)
    for parts in drawn:
        assert {str(side[node]) for node in parts["train"] | parts["valid"]} == {"left"}
        assert parts["test"] == set(np.flatnonzero((side == "right") & (LABELS >= 0)).tolist())
    assert drawn[0]["valid"] != drawn[1]["valid"]


def test_an_empty_part_is_refused() -> None:
    with pytest.raises(InputError, match="no node is left for test"):
        node_parts(Hemispheres(np.full(N, "left")), LABELS)


def test_a_list_of_a_small_graph_is_cut_to_whole_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retia.protocol.candidates.MAX_DENSE", 600)
    pairs = edges()
    hidden = np.zeros(len(pairs), dtype=bool)
    hidden[::5] = True
    tables = link_task(pairs, hidden, None)
    visible = as_set(pairs[~hidden])
    sources = set()
    for i in range(10):
        listed = as_set(table_pairs(tables, f"{i}/test"))
        found = {a for a, _ in listed}
        sources |= found
        assert len(found) == 10
        whole = {(a, b) for a in found for b in range(N) if a != b and (a, b) not in visible}
        assert listed == whole
        assert {a for a, _ in positives(tables, i, "test")} == found
    assert len(sources) > 20
