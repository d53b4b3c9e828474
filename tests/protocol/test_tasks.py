from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from retia.protocol.blocks import draw_blocks, hide_in_blocks
from retia.protocol.candidates import (
    DENSE_DISTANCE_TOLERANCE,
    Listing,
    list_dense,
    list_sparse,
)
from retia.protocol.hard import GROUP_SIZE, _Ranker
from retia.protocol.link_task import LinkGraph, TaskTables, draw_parts, make_link_task
from retia.protocol.negatives import DEGREE_TOLERANCE, DISTANCE_TOLERANCE
from retia.protocol.node_task import make_node_task
from retia.protocol.pairs import contains, disjoint
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError


def spatial_graph(num_nodes: int = 4000, seed: int = 0) -> LinkGraph:
    """Nodes at random, each linked to some of its nearest: most near pairs stay non-edges."""
    rng = np.random.default_rng(seed)
    positions = rng.random((num_nodes, 3)) * 100
    _, near = cKDTree(positions).query(positions, k=9)
    chosen = near[np.arange(num_nodes)[:, None], rng.integers(1, 9, size=(num_nodes, 2))]
    pairs = np.column_stack([np.repeat(np.arange(num_nodes), 2), chosen.ravel()])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    hidden = rng.random(len(pairs)) < 0.2
    return LinkGraph(num_nodes, False, pairs[~hidden], pairs[hidden], positions)


def directed_graph(num_nodes: int = 60, seed: int = 0) -> LinkGraph:
    rng = np.random.default_rng(seed)
    adjacency = rng.random((num_nodes, num_nodes)) < rng.random(num_nodes)[None, :] * 0.4
    np.fill_diagonal(adjacency, False)
    pairs = np.argwhere(adjacency)
    hidden = rng.random(len(pairs)) < 0.2
    return LinkGraph(num_nodes, True, pairs[~hidden], pairs[hidden])


def anywhere(graph: LinkGraph) -> np.ndarray:
    return np.ones(graph.num_nodes, dtype=bool)


@pytest.fixture(scope="module")
def spatial() -> LinkGraph:
    return spatial_graph()


def test_listed_pairs_share_no_node_and_no_negative_is_an_edge(spatial: LinkGraph) -> None:
    listing = list_sparse(spatial, spatial.hidden, np.random.default_rng(0), anywhere(spatial))
    names = ("matched", "box", "uniform")
    item = np.unique(np.concatenate([listing.members[name][0] for name in names]))
    assert len(np.unique(listing.pairs[item])) == 2 * len(item)
    edges = {tuple(pair) for pair in np.concatenate([spatial.visible, spatial.hidden]).tolist()}
    truth = [tuple(pair) in edges for pair in listing.pairs.tolist()]
    assert truth == (listing.labels > 0).tolist()
    assert (listing.pairs[:, 0] < listing.pairs[:, 1]).all()


def test_matched_negatives_have_the_degrees_and_the_distance_of_a_positive(
    spatial: LinkGraph,
) -> None:
    listing = list_sparse(spatial, spatial.hidden, np.random.default_rng(0), anywhere(spatial))
    item, _ = listing.members["matched"]
    half = len(item) // 2
    assert half > 100
    positive, negative = listing.pairs[item[:half]], listing.pairs[item[half:]]
    degree = spatial.source_degree
    assert (np.sort(degree[positive], axis=1) == np.sort(degree[negative], axis=1)).all()
    gap = np.abs(spatial.distance(negative) / spatial.distance(positive) - 1)
    assert gap.max() <= DISTANCE_TOLERANCE + 1e-9


def test_a_small_graph_in_space_ranks_among_all_nodes_that_no_other_pair_uses(
    spatial: LinkGraph,
) -> None:
    positives = spatial.hidden[::2]
    listing = list_sparse(spatial, positives, np.random.default_rng(0), anywhere(spatial))
    pairs, (item, source) = listing.pairs, listing.members["hard"]
    others = np.setdiff1d(
        np.concatenate([listing.members[name][0] for name in ("matched", "box", "uniform")]), item
    )
    free = np.setdiff1d(np.arange(spatial.num_nodes), pairs[others])
    sources = np.unique(source)
    targets = np.setdiff1d(np.delete(pairs, others, axis=0), sources)
    assert len(targets) + len(sources) == len(free) - 2 * listing.dropped
    assert np.isin(targets, free).all()
    visible = {tuple(pair) for pair in spatial.visible.tolist()}
    wanted = {(min(s, t), max(s, t)) for s in sources for t in targets} - visible
    listed = np.delete(pairs, others, axis=0)
    assert len(listed) == len(wanted) and {tuple(pair) for pair in listed.tolist()} == wanted
    own = {tuple(pair) for pair in positives.tolist()}
    scored = [tuple(pair) for pair in pairs[item].tolist()]
    labels = listing.labels[item] > 0
    assert {pair for pair, label in zip(scored, labels, strict=True) if label} <= own
    unranked = wanted - set(scored)
    assert unranked <= {tuple(pair) for pair in spatial.hidden[1::2].tolist()}
    assert set(np.unique(source[labels]).tolist()) == set(sources.tolist())
    once = [len(listing.members["matched"][0]) // 2, int(labels.sum())]
    assert listing.positives == sum(once)


@pytest.fixture(scope="module")
def grouped() -> tuple[LinkGraph, Listing]:
    graph = spatial_graph(8000)
    rng = np.random.default_rng(0)
    return graph, list_sparse(graph, graph.hidden, rng, anywhere(graph))


def test_no_number_of_rows_tells_a_hard_positive(grouped: tuple[LinkGraph, Listing]) -> None:
    """Of all rows on the nodes of groups: also those that no group scores."""
    graph, listing = grouped
    item, source = listing.members["hard"]
    sources, size = np.unique(source, return_counts=True)
    assert len(sources) > 200
    assert (size == GROUP_SIZE + 1).all()
    pairs, labels = listing.pairs[item], listing.labels[item]
    assert ((pairs == source[:, None]).sum(axis=1) == 1).all()
    assert (np.bincount(np.searchsorted(sources, source), weights=labels) == 1).all()
    assert (graph.is_edge(listing.pairs) == (listing.labels > 0)).all()
    targets = np.unique(pairs.sum(axis=1) - source)
    assert not np.isin(targets, sources).any()
    of_groups = np.isin(listing.pairs, sources).any(axis=1)
    assert (np.isin(listing.pairs[of_groups], targets).sum(axis=1) == 1).all()
    rows = np.bincount(listing.pairs.ravel(), minlength=graph.num_nodes)
    assert len(np.unique(rows[targets])) == 1
    assert np.ptp(rows[sources]) <= 1
    assert len(np.unique(graph.keys(listing.pairs))) == len(listing.pairs)
    others = listing.pairs[~of_groups]
    assert len(np.unique(others)) == others.size


@pytest.mark.parametrize("nodes", [1_500, 2_500])
def test_few_groups_share_their_targets_evenly_too(nodes: int) -> None:
    graph = spatial_graph(5_000)
    allowed = np.arange(graph.num_nodes) < nodes
    inside = graph.hidden[allowed[graph.hidden].all(axis=1)]
    listing = list_sparse(graph, inside, np.random.default_rng(0), allowed)
    item, source = listing.members["hard"]
    rows = np.bincount(listing.pairs.ravel(), minlength=graph.num_nodes)
    assert len(np.unique(rows[listing.pairs[item].sum(axis=1) - source])) == 1
    assert np.ptp(rows[source]) <= 1


def test_hard_targets_are_the_likeliest(grouped: tuple[LinkGraph, Listing]) -> None:
    graph, listing = grouped
    item, source = listing.members["hard"]
    assert graph.positions is not None
    network = nx.Graph(graph.visible.tolist())
    one = source[0]
    targets = listing.pairs[item[source == one]].sum(axis=1) - one
    distance = np.linalg.norm(graph.positions - graph.positions[one], axis=1)
    nearest = set(np.argsort(distance)[: 4 * 1000].tolist())
    reached = set(nx.single_source_shortest_path_length(network, one, cutoff=6))
    assert set(targets.tolist()) <= nearest | reached
    assert np.median(distance[targets]) < 0.6 * np.median(distance)


def test_allocation_and_walk_equal_networkx() -> None:
    graph = spatial_graph(300)
    ranker = _Ranker.of(graph, anywhere(graph))
    network = nx.Graph(graph.visible.tolist())
    allocation, walk, _ = ranker.scores(np.array([7]))
    pairs = [(7, int(t)) for t in allocation[1] if t != 7 and not network.has_edge(7, int(t))]
    expected = {t: value for _, t, value in nx.resource_allocation_index(network, pairs)}
    found = dict(zip(allocation[1].tolist(), allocation[2].tolist(), strict=True))
    assert expected
    assert {t: found[t] for t in expected} == pytest.approx(expected)
    exact = nx.pagerank(network, alpha=0.85, personalization={7: 1}, tol=1e-12, max_iter=500)
    near = dict(zip(walk[1].tolist(), walk[2].tolist(), strict=True))
    best = sorted(exact, key=exact.__getitem__, reverse=True)[:4]
    assert sorted(near, key=near.__getitem__, reverse=True)[:4] == best


def test_box_negatives_lie_in_the_cube_and_fill_it(spatial: LinkGraph) -> None:
    listing = list_sparse(spatial, spatial.hidden, np.random.default_rng(0), anywhere(spatial))
    item, _ = listing.members["box"]
    pairs = listing.pairs[item[len(item) // 2 :]]
    half_side = float(listing.sets[1].parameters["half_side"])  # type: ignore[arg-type]
    assert spatial.positions is not None
    offset = np.abs(spatial.positions[pairs[:, 0]] - spatial.positions[pairs[:, 1]]).max(axis=1)
    assert offset.max() <= half_side + 1e-6
    assert abs(np.median(offset) / half_side - 0.5 ** (1 / 3)) < 0.12


def test_a_small_directed_graph_lists_every_non_neighbour_of_its_sources() -> None:
    graph = directed_graph()
    listing = list_dense(graph, graph.hidden, np.random.default_rng(0), anywhere(graph))
    visible = {tuple(pair) for pair in graph.visible.tolist()}
    sources = set(graph.hidden[:, 0].tolist())
    expected = {
        (s, t) for s in sources for t in range(graph.num_nodes) if s != t and (s, t) not in visible
    }
    assert {tuple(pair) for pair in listing.pairs.tolist()} == expected
    assert len(listing.pairs) == len(expected)


def test_hard_groups_hold_the_source_and_no_other_hidden_edge() -> None:
    graph = directed_graph()
    positives, others = graph.hidden[::2], graph.hidden[1::2]
    listing = list_dense(graph, positives, np.random.default_rng(0), anywhere(graph))
    item, group = listing.members["hard"]
    assert (listing.pairs[item, 0] == group).all()
    listed = {tuple(pair) for pair in listing.pairs[item].tolist()}
    assert {tuple(pair) for pair in positives.tolist()} <= listed
    assert not {tuple(pair) for pair in others.tolist()} & listed


def test_undirected_groups_serve_both_ends() -> None:
    directed = directed_graph()
    visible, hidden = (
        np.unique(np.sort(pairs, axis=1), axis=0) for pairs in (directed.visible, directed.hidden)
    )
    hidden = hidden[
        ~contains(np.sort(visible[:, 0] * 60 + visible[:, 1]), hidden[:, 0] * 60 + hidden[:, 1])
    ]
    graph = LinkGraph(60, False, visible, hidden)
    listing = list_dense(graph, hidden, np.random.default_rng(0), anywhere(graph))
    assert (listing.pairs[:, 0] < listing.pairs[:, 1]).all()
    assert len(np.unique(listing.pairs, axis=0)) == len(listing.pairs)
    item, group = listing.members["hard"]
    assert ((listing.pairs[item] == group[:, None]).sum(axis=1) == 1).all()
    positives = listing.labels[item] > 0
    assert positives.sum() == len(hidden)


def test_matched_negatives_of_a_directed_graph_share_the_source() -> None:
    graph = directed_graph()
    listing = list_dense(graph, graph.hidden, np.random.default_rng(0), anywhere(graph))
    item, _ = listing.members["matched"]
    half = len(item) // 2
    positive, negative = listing.pairs[item[:half]], listing.pairs[item[half:]]
    assert (np.sort(positive[:, 0]) == np.sort(negative[:, 0])).all()
    assert len(np.unique(item)) == len(item)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_disjoint_pairs_are_the_greedy_matching(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, 30, size=(40, 2))
    taken: set[int] = set()
    greedy = []
    for a, b in pairs.tolist():
        fits = a != b and a not in taken and b not in taken
        taken |= {a, b} if fits else set()
        greedy.append(fits)
    assert disjoint(pairs, 30).tolist() == greedy


def test_pooled_splits_never_show_a_test_edge_as_validation() -> None:
    graph = directed_graph()
    randomness = Randomness.from_secret(b"\x07" * 32)
    parts = [draw_parts(graph, split, randomness, pooled=True) for split in range(10)]
    valid = {tuple(pair) for part in parts for pair in part["valid"][0].tolist()}
    test = {tuple(pair) for part in parts for pair in part["test"][0].tolist()}
    assert not valid & test
    assert len({part["test"][0].tobytes() for part in parts}) == 10


def test_workers_and_repetition_do_not_change_the_tables(spatial: LinkGraph) -> None:
    def make(workers: int) -> dict:
        tables = make_link_task(
            spatial,
            name="link",
            relation="vessel",
            description="d",
            randomness=Randomness.from_seed(3),
            sealed=False,
            workers=workers,
        )
        return tables.public

    one, two = make(1), make(2)
    assert one.keys() == two.keys()
    assert all(one[name].equals(two[name]) for name in one)


@pytest.fixture(scope="module")
def blocked() -> LinkGraph:
    graph = spatial_graph(6000)
    assert graph.positions is not None
    edges = np.concatenate([graph.visible, graph.hidden])
    edges = edges[np.lexsort((edges[:, 1], edges[:, 0]))]
    blocks = draw_blocks(graph.positions, np.random.default_rng(1))
    hidden = hide_in_blocks(edges, blocks, np.random.default_rng(2))
    return LinkGraph(6000, False, edges[~hidden], edges[hidden], graph.positions, blocks)


def test_every_edge_of_a_block_split_is_accounted_for(blocked: LinkGraph) -> None:
    tables = make_blocked(blocked)
    found = tables.task.split.parameters
    assert tables.task.split.scheme == "block"
    total = found["context_edges"] + found["hidden_edges"]  # type: ignore[operator]
    total += found["train_edges"][0] + found["buffer_edges"][0]  # type: ignore[index]
    assert total == len(blocked.visible) + len(blocked.hidden)
    assert blocked.blocks is not None
    inside = blocked.blocks.inside(np.concatenate([blocked.visible, blocked.hidden])).sum()
    assert len(blocked.hidden) == int(0.2 * inside)
    assert found["context_edges"] == inside - len(blocked.hidden)
    assert min(found["train_edges"][0], found["buffer_edges"][0]) > 100  # type: ignore[index]


def test_no_supervised_pair_is_within_the_buffer_of_an_item(blocked: LinkGraph) -> None:
    tables = make_blocked(blocked)
    assert blocked.positions is not None
    train = pairs_of(tables.public["tasks/link/0/train"])
    width = float(tables.task.split.parameters["buffer"])  # type: ignore[arg-type]
    steps = np.linspace(0, 1, 11)[:, None, None]
    ends = blocked.positions[train]
    along = (1 - steps) * ends[:, 0] + steps * ends[:, 1]
    for part in ("valid", "test"):
        listed = pairs_of(tables.public[f"tasks/link/0/{part}"])
        tree = cKDTree(blocked.positions[np.unique(listed)])
        assert tree.query(along.reshape(-1, 3))[0].min() > width


def test_items_of_a_part_stay_in_its_blocks(blocked: LinkGraph) -> None:
    tables = make_blocked(blocked)
    assert blocked.blocks is not None
    block = {
        part: set(blocked.blocks.of_node[pairs_of(tables.public[f"tasks/link/0/{part}"])].ravel())
        for part in ("valid", "test")
    }
    assert not block["valid"] & block["test"]
    assert all(blocked.blocks.held_out[list(blocks)].all() for blocks in block.values())


def make_blocked(graph: LinkGraph) -> TaskTables:
    return make_link_task(
        graph,
        name="link",
        relation="vessel",
        description="d",
        randomness=Randomness.from_seed(3),
        sealed=False,
    )


def pairs_of(table: pa.Table) -> np.ndarray:
    return np.column_stack([table["src"].to_numpy(), table["dst"].to_numpy()])


def test_node_parts_are_drawn_within_classes_and_apart() -> None:
    labels = np.r_[np.full(50, -1), np.zeros(200, int), np.ones(20, int)]
    tables = make_node_task(
        labels,
        name="kind",
        label="kind",
        classes=("a", "b"),
        description="d",
        randomness=Randomness.from_seed(0),
        sealed=False,
    )
    for split in range(10):
        parts = [
            tables.public[f"tasks/kind/{split}/{part}"][column].to_numpy()
            for part, column in (("train", "node"), ("valid", "item"), ("test", "item"))
        ]
        assert sorted(np.concatenate(parts)) == list(range(50, 270))
        assert [int(labels[part].sum()) for part in parts] == [12, 4, 4]


def test_a_sealed_node_task_never_publishes_a_test_label() -> None:
    labels = np.arange(300) % 3
    tables = make_node_task(
        labels,
        name="kind",
        label="kind",
        classes=("a", "b", "c"),
        description="d",
        randomness=Randomness.from_secret(b"\x01" * 32),
        sealed=True,
    )
    shown: set[int] = set()
    asked: set[int] = set()
    for split in range(10):
        shown |= set(tables.public[f"tasks/kind/{split}/train"]["node"].to_pylist())
        shown |= set(tables.public[f"tasks/kind/{split}/valid-answers"]["item"].to_pylist())
        asked |= set(tables.sealed[f"tasks/kind/{split}/test-answers"]["item"].to_pylist())
        assert f"tasks/kind/{split}/test-answers" not in tables.public
    assert not shown & asked


def test_streams_depend_on_key_and_name_alone() -> None:
    one = Randomness.from_seed(1)
    assert one.stream("a", 2).random() == Randomness.from_seed(1).stream("a", 2).random()
    values = {one.stream("a", i).random() for i in range(50)}
    assert len(values | {Randomness.from_seed(2).stream("a", 0).random()}) == 51


def test_too_few_hidden_edges_are_refused(tmp_path: Path) -> None:
    graph = LinkGraph(10, True, np.array([[0, 1]]), np.array([[1, 2]]))
    with pytest.raises(InputError, match="1 hidden edges are too few"):
        make_link_task(
            graph,
            name="link",
            relation="e",
            description="d",
            randomness=Randomness.from_seed(0),
            sealed=False,
        )


def test_public_answers_of_a_sealed_task_tell_of_no_test_edge() -> None:
    """Not even among the non-neighbours that a small graph lists whole."""
    tables = make_link_task(
        directed_graph(),
        name="link",
        relation="edge",
        description="d",
        randomness=Randomness.from_secret(b"\x07" * 32),
        sealed=True,
    )
    told: set[tuple[int, int]] = set()
    left_out: set[tuple[int, int]] = set()
    asked: set[tuple[int, int]] = set()
    for split in range(10):
        folder = f"tasks/link/{split}"
        valid = pairs_of(tables.public[f"{folder}/valid"])
        labels = tables.public[f"{folder}/valid-answers"]["label"].to_numpy()
        told |= set(map(tuple, valid[labels > 0].tolist()))
        scored = np.unique(tables.public[f"{folder}/valid-candidates"]["item"].to_numpy())
        unscored = np.delete(np.arange(len(valid)), scored)
        left_out |= set(map(tuple, valid[unscored].tolist()))
        candidates = tables.sealed[f"{folder}/test-candidates"]
        hard = np.array(candidates["candidates"].to_pylist()) == "hard"
        item = np.unique(candidates["item"].to_numpy()[hard])
        answers = tables.sealed[f"{folder}/test-answers"]["label"].to_numpy()
        test = pairs_of(tables.public[f"{folder}/test"])
        asked |= set(map(tuple, test[item[answers[item] > 0]].tolist()))
    assert len(asked) > 10
    assert not asked & (told | left_out)


def crowded_graph(num_nodes: int, edges: int, seed: int = 0) -> LinkGraph:
    """A directed graph with hubs, most of whose edges join nodes that are near on a ring."""
    rng = np.random.default_rng(seed)
    popular = np.flatnonzero(rng.random(num_nodes) < 0.05)
    source = rng.integers(num_nodes, size=edges)
    target = (source + rng.geometric(0.02, edges)) % num_nodes
    to_hub = rng.random(edges) < 0.2
    target[to_hub] = popular[rng.integers(len(popular), size=int(to_hub.sum()))]
    pairs = np.unique(np.column_stack([source, target])[source != target], axis=0)
    hidden = rng.random(len(pairs)) < 0.2
    return LinkGraph(num_nodes, True, pairs[~hidden], pairs[hidden])


def test_a_large_graph_without_positions_has_hard_groups_and_is_matched_by_degree() -> None:
    graph = crowded_graph(12_000, 120_000)
    listing = list_sparse(graph, graph.hidden, np.random.default_rng(0), anywhere(graph))
    assert [candidates.name for candidates in listing.sets] == ["matched", "uniform", "hard"]
    assert (graph.is_edge(listing.pairs) == (listing.labels > 0)).all()
    item, _ = listing.members["matched"]
    half = len(item) // 2
    assert half > 200
    for degree, side in ((graph.source_degree, 0), (graph.target_degree, 1)):
        positive, negative = (degree[listing.pairs[part, side]] for part in np.split(item, 2))
        assert (np.abs(positive - negative) <= 1 + DEGREE_TOLERANCE * (positive + 1)).all()
    item, source = listing.members["hard"]
    assert len(np.unique(source)) > 300
    assert (np.unique(source, return_counts=True)[1] == GROUP_SIZE + 1).all()
    rows = np.bincount(listing.pairs[:, 1], minlength=graph.num_nodes)
    assert len(np.unique(rows[listing.pairs[item, 1]])) == 1


def test_what_another_relation_joins_is_listed_nowhere() -> None:
    """No edge of another relation joins the ends of a hidden one, so it would tell a negative."""
    graph = crowded_graph(6_000, 60_000)
    near = np.column_stack([np.arange(5_999), np.arange(1, 6_000)])
    context = near[~graph.is_edge(near) & ~graph.is_edge(near[:, ::-1])]
    graph = replace(graph, context=context)
    listing = list_sparse(graph, graph.hidden, np.random.default_rng(0), anywhere(graph))
    assert len(np.unique(listing.members["hard"][1])) > 100
    assert not graph.is_joined(listing.pairs).any()
    assert graph.is_joined(context[:, ::-1]).all()
    small = directed_graph()
    pairs = np.argwhere(~np.eye(small.num_nodes, dtype=bool))
    small = replace(small, context=pairs[~small.is_edge(pairs)][::3])
    dense = list_dense(small, small.hidden, np.random.default_rng(0), anywhere(small))
    assert len(dense.pairs) and not small.is_joined(dense.pairs).any()


def test_hard_targets_are_reached_through_other_relations() -> None:
    """Children of a tree whose only edge is hidden have no neighbour but in another relation."""
    rng = np.random.default_rng(0)
    parent = rng.integers(np.maximum(np.arange(1, 8_000) // 40, 1))
    pairs = np.column_stack([np.arange(1, 8_000), parent])
    hidden = rng.random(len(pairs)) < 0.3
    alone = LinkGraph(8_000, True, pairs[~hidden], pairs[hidden])
    sibling = np.column_stack([pairs[:, 0], rng.permutation(pairs[:, 0])])
    sibling = sibling[~alone.is_edge(sibling) & ~alone.is_edge(sibling[:, ::-1])]
    joined = replace(alone, context=sibling[sibling[:, 0] != sibling[:, 1]])
    found = [
        len(list_sparse(one, one.hidden, np.random.default_rng(0), anywhere(one)).members)
        for one in (alone, joined)
    ]
    assert found == [2, 3]


def test_a_node_whose_only_edge_is_hidden_is_matched_by_one_without_edges() -> None:
    rng = np.random.default_rng(0)
    parent = rng.integers(np.maximum(np.arange(1, 8_000) // 4, 1))
    pairs = np.column_stack([np.arange(1, 8_000), parent])  # a tree: each child names one parent
    hidden = rng.random(len(pairs)) < 0.3
    graph = LinkGraph(9_000, True, pairs[~hidden], pairs[hidden])
    listing = list_sparse(graph, graph.hidden, rng, anywhere(graph))
    positive, negative = np.split(listing.pairs[listing.members["matched"][0]], 2)
    assert len(positive) > 200
    assert (graph.source_degree[positive[:, 0]] == 0).all()
    assert (graph.source_degree[negative[:, 0]] == 0).all()


def test_a_task_on_a_large_graph_without_positions_ranks_within_groups() -> None:
    graph = crowded_graph(6_000, 60_000)
    task = make_link_task(
        graph,
        name="link",
        relation="edge",
        description="d",
        randomness=Randomness.from_seed(0),
        sealed=False,
    ).task
    assert task.primary.key == "hard.mrr"
    assert task.num_splits == 1


def test_matched_negatives_of_a_dense_list_in_space_are_as_far_away() -> None:
    plain = directed_graph(200)
    positions = np.random.default_rng(1).random((200, 3))
    graph = LinkGraph(200, True, plain.visible, plain.hidden, positions)
    listing = list_dense(graph, graph.hidden, np.random.default_rng(0), anywhere(graph))
    item, _ = listing.members["matched"]
    positive, negative = (listing.pairs[part] for part in np.split(item, 2))
    assert len(positive) > 0.5 * listing.positives
    ratio = graph.distance(negative) / graph.distance(positive)
    assert (np.abs(np.log(ratio)) <= np.log1p(DENSE_DISTANCE_TOLERANCE) + 1e-3).all()
    assert (positive[:, 0] == negative[:, 0]).all()
    assert listing.positives == len(graph.hidden)


def test_crowded_says_that_a_graph_in_space_is_listed_whole() -> None:
    plain = directed_graph(100)
    positions = np.random.default_rng(1).random((100, 3))
    graph = LinkGraph(100, True, plain.visible, plain.hidden, positions)
    task = make_link_task(
        graph,
        name="link",
        relation="edge",
        description="d",
        randomness=Randomness.from_seed(0),
        sealed=False,
        crowded=True,
    ).task
    assert [candidates.name for candidates in task.candidates] == ["hard", "matched", "uniform"]
    assert task.primary.key == "matched.rocauc"
