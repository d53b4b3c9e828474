"""List the items of a part: positives and all candidate sets, shuffled, a pair once.

The list must not give itself away. A dense list holds all non-neighbours of every source that it
names, so every source's rows look alike; in a grouped split a pair that a visible edge of its group
settles is not listed. The pairs of a sparse list share no node, so no node's number of rows tells
anything; its groups of `hard` candidates lie on other nodes, and share their source alone, or all
of their targets.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from retia.protocol.hard import GROUP_SIZE, POOL_FACTOR, HardGroups, hard_groups, whole_groups
from retia.protocol.negatives import (
    DEGREE_TOLERANCE,
    FreeNodes,
    box_negatives,
    degree_matched_negatives,
    degree_scale,
    matched_negatives,
    uniform_negatives,
)
from retia.protocol.pairs import LinkGraph, Pairs, contains, disjoint
from retia.shards.manifest import CandidateSet

MAX_POSITIVES = 125_000  # with three negatives each: 500,000 items a part
MAX_ROWS = 495_000  # of groups of hard candidates: as many again
SMALL_GRAPH = 5_000
MAX_DENSE = 100_000  # items of a part of a dense list: 2 million in ten splits
MAX_WHOLE = 75_000  # of the groups of a sparse one: with the others under 2 million
NODES_PER_SOURCE = 16
NODES_PER_POSITIVE = 16
UNIFORM_PER_POSITIVE = 10
DENSE_DISTANCE_TOLERANCE = 0.1
NEAREST = 32
APART = 10.0  # more than near, on the scale of what is to be matched

Members = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Listing:
    """The items of a part.

    `pairs` (I, 2), `labels` (I,) 1 for an edge; `members` maps a candidate set's name to its items
    and groups (-1 where ungrouped); `positives` are those that are scored, `dropped` those that
    found no match.
    """

    pairs: Pairs
    labels: NDArray[np.int64]
    members: dict[str, Members]
    sets: tuple[CandidateSet, ...]
    positives: int
    dropped: int


def list_dense(
    graph: LinkGraph,
    positives: Pairs,
    rng: np.random.Generator,
    allowed: NDArray[np.bool_],
) -> Listing:
    """All non-neighbours of the positives' sources, with the sets `hard`, `matched`, `uniform`.

    Targets are the nodes of the (n,) mask `allowed`. Sources are drawn where all would list more
    than `MAX_DENSE` pairs. No negative is of the group of another part's edge.
    """
    directed = positives if graph.directed else rng.permuted(positives, axis=1)
    sources = np.unique(directed[:, 0])
    targets = np.flatnonzero(allowed)
    if len(sources) * len(targets) > MAX_DENSE:
        most = max(MAX_DENSE // len(targets), 1)
        sources = np.sort(rng.choice(sources, size=most, replace=False))
        directed = directed[np.isin(directed[:, 0], sources)]
    rows = np.column_stack([np.repeat(sources, len(targets)), np.tile(targets, len(sources))])
    visible = np.sort(graph.keys(graph.visible))
    rows = rows[(rows[:, 0] != rows[:, 1]) & ~contains(visible, graph.keys(rows))]
    rows = rows[~graph.is_tied(rows, visible) & ~graph.is_joined(rows)]
    keys, first = np.unique(graph.keys(rows), return_index=True)
    shuffle = rng.permutation(len(keys))
    place = np.empty(len(keys), dtype=np.int64)
    place[shuffle] = np.arange(len(keys))
    pairs = graph.canonical(rows[first])[shuffle]
    item = place[np.searchsorted(keys, graph.keys(rows))]
    is_edge = graph.is_edge(rows)
    wanted = directed[:, 0] * graph.num_nodes + directed[:, 1]
    row_keys = rows[:, 0] * graph.num_nodes + rows[:, 1]
    is_positive = contains(np.sort(wanted), row_keys)
    others = np.setdiff1d(graph.keys(graph.hidden), graph.keys(positives))
    is_negative = ~is_edge & ~graph.is_tied(rows, others)
    negative_rows = np.flatnonzero(is_negative)
    hard = np.flatnonzero(is_positive | is_negative)
    matched, found = _matched_rows(graph, rows, negative_rows, directed, rng)
    positive_item = item[np.searchsorted(row_keys, wanted)]
    count = min(len(negative_rows), UNIFORM_PER_POSITIVE * len(directed))
    uniform = item[rng.choice(negative_rows, size=count, replace=False)]
    return Listing(
        pairs=pairs,
        labels=graph.is_edge(pairs).astype(np.int64),
        members={
            "hard": (item[hard], rows[hard, 0]),
            "matched": _ungrouped(positive_item[found], item[matched]),
            "uniform": _ungrouped(positive_item, uniform),
        },
        sets=_dense_sets(graph),
        positives=len(directed),
        dropped=int((~found).sum()),
    )


def _dense_sets(graph: LinkGraph) -> tuple[CandidateSet, ...]:
    near, tolerances = "nearly the same target degree", {"degree_tolerance": DEGREE_TOLERANCE}
    if graph.positions is not None:
        near += " and distance"
        tolerances["distance_tolerance"] = DENSE_DISTANCE_TOLERANCE
    return (
        CandidateSet(
            name="hard",
            grouped=True,
            description="every positive against all non-neighbours of its source",
            parameters={"listed": "whole"},
        ),
        CandidateSet(
            name="matched",
            grouped=False,
            description=f"a non-edge of the same source and {near} each",
            parameters=dict(tolerances),
        ),
        CandidateSet(
            name="uniform",
            grouped=False,
            description="non-edges drawn uniformly among those listed",
            parameters={"per_positive": UNIFORM_PER_POSITIVE},
        ),
    )


def list_sparse(
    graph: LinkGraph, positives: Pairs, rng: np.random.Generator, allowed: NDArray[np.bool_]
) -> Listing:
    """Pairs that share no node: positives, and as many `matched`, `box` and `uniform` negatives.

    On the nodes that are left, groups of `hard` candidates for other positives: below 5,000 nodes
    all non-neighbours of some sources, so that each such node is listed with each of them, and
    samples above. Without positions there is no `box`, and `matched` negatives are alike in degree
    alone. Pairs join nodes of the (n,) mask `allowed`.
    """
    spatial = graph.positions is not None
    nodes = FreeNodes(allowed.copy())
    single, grouped = rng.permutation(positives), positives
    if not spatial:
        single, grouped = np.array_split(single, 2)
        grouped = grouped[disjoint(grouped, graph.num_nodes)]
        nodes.take(grouped)
        single = single[nodes.free[single].all(axis=1)]
    most = min(int(nodes.free.sum()) // NODES_PER_POSITIVE, MAX_POSITIVES)
    single = single[disjoint(single, graph.num_nodes)][:most]
    nodes.take(single)
    match = matched_negatives if spatial else degree_matched_negatives
    matched, found = match(graph, single, nodes, rng)
    kept = single[found]
    blocks = {"matched": matched[found]}
    if spatial:
        blocks["box"] = box_negatives(graph, len(kept), graph.reach, nodes, rng)
    blocks["uniform"] = uniform_negatives(graph, len(kept), nodes, rng)
    if not spatial:
        nodes.give_back(grouped)
    groups = _groups(graph, grouped, nodes, rng)
    ends = np.cumsum([len(part) for part in (kept, *blocks.values())])
    pairs = graph.canonical(np.concatenate([kept, *blocks.values(), groups.pairs]))
    labels = np.concatenate([np.arange(ends[-1]) < len(kept), groups.labels])
    shuffle = rng.permutation(len(pairs))
    place = np.empty(len(pairs), dtype=np.int64)
    place[shuffle] = np.arange(len(pairs))
    members = {
        name: _ungrouped(place[: len(kept)], place[start:stop])
        for name, start, stop in zip(blocks, ends, ends[1:], strict=False)
    }
    if len(groups.pairs):
        members["hard"] = (place[ends[-1] :][groups.scored], groups.pairs[groups.scored, 0])
    return Listing(
        pairs=pairs[shuffle],
        labels=labels[shuffle].astype(np.int64),
        members=members,
        sets=_sparse_sets(graph, "hard" in members),
        positives=len(kept) + int((groups.labels & groups.scored).sum()),
        dropped=int((~found).sum()),
    )


def _groups(
    graph: LinkGraph, positives: Pairs, nodes: FreeNodes, rng: np.random.Generator
) -> HardGroups:
    if graph.num_nodes < SMALL_GRAPH:
        free = int(nodes.free.sum())
        count = min(free // NODES_PER_SOURCE, MAX_WHOLE // max(free, 1))
        return whole_groups(graph, positives, count, nodes.free, rng)
    return hard_groups(graph, positives, MAX_ROWS, nodes.free, rng)


def _sparse_sets(graph: LinkGraph, hard: bool) -> tuple[CandidateSet, ...]:
    spatial = graph.positions is not None
    sets = [_matched_set(spatial)]
    if spatial:
        sets.append(
            CandidateSet(
                name="box",
                grouped=False,
                description="a random source, a target in the cube of half-side mean + 2 std "
                "length",
                parameters={"half_side": round(graph.reach, 6)},
            )
        )
    sets.append(
        CandidateSet(name="uniform", grouped=False, description="non-edges drawn uniformly")
    )
    if hard:
        sets.append(_hard_set(graph))
    return tuple(sets)


def _matched_set(spatial: bool) -> CandidateSet:
    if spatial:
        return CandidateSet(
            name="matched",
            grouped=False,
            description="a non-edge of the same visible degrees and nearly the same distance each",
        )
    return CandidateSet(
        name="matched",
        grouped=False,
        description="a non-edge of nearly the same visible degrees each",
        parameters={"degree_tolerance": DEGREE_TOLERANCE},
    )


def _hard_set(graph: LinkGraph) -> CandidateSet:
    if graph.num_nodes < SMALL_GRAPH:
        text = "some sources, with all non-neighbours among the nodes of no other pair"
        return CandidateSet(name="hard", grouped=True, description=text)
    text = f"{GROUP_SIZE} of a source's {POOL_FACTOR * GROUP_SIZE} likeliest non-neighbours"
    ranking = "resource allocation, PageRank" + (
        ", distance" if graph.positions is not None else ""
    )
    return CandidateSet(
        name="hard",
        grouped=True,
        description=f"{text}: {ranking}",
        parameters={"group_size": GROUP_SIZE, "pool": POOL_FACTOR * GROUP_SIZE},
    )


def _matched_rows(
    graph: LinkGraph,
    rows: Pairs,
    negative_rows: NDArray[np.int64],
    positives: Pairs,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each positive a listed non-edge of its source, near in target degree and distance.

    Each positive takes the nearest row that no other has taken, among its `NEAREST`. Returns the
    rows of those that found one, and the (P,) mask.
    """
    is_source = np.zeros(graph.num_nodes, dtype=bool)
    is_source[rows[:, 0]] = True
    there = _places(graph, rows[negative_rows], is_source)
    there += rng.random(there.shape) / 1_000  # so that chance decides among equals
    near = min(NEAREST, len(there))
    tree = cKDTree(there)
    _, index = tree.query(
        _places(graph, positives, is_source), k=near, p=np.inf, distance_upper_bound=1.0
    )
    index = np.asarray(index).reshape(len(positives), near)
    taken = np.zeros(len(there) + 1, dtype=bool)
    taken[-1] = True  # the index of a row that is not near
    result = np.full(len(positives), -1)
    while True:
        free = ~taken[index] & (result < 0)[:, None]
        wanted = rng.permutation(np.flatnonzero(free.any(axis=1)))
        if not len(wanted):
            break
        picked, first = np.unique(index[wanted, free[wanted].argmax(axis=1)], return_index=True)
        result[wanted[first]] = picked
        taken[picked] = True
    found = result >= 0
    return negative_rows[result[found]], found


def _places(graph: LinkGraph, pairs: Pairs, is_source: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Pairs as points: those of one source, alike in degree and in distance, are within 1.

    Their targets are alike, too, in whether they are sources of the list: a hidden pair's target
    is one more often where its reverse is hidden with it.
    """
    source, target = pairs.T
    axes = [
        source * APART,
        is_source[target] * APART,
        degree_scale(graph.target_degree)[target],
    ]
    if graph.positions is not None:
        distance = np.maximum(graph.distance(pairs), np.finfo(np.float64).tiny)
        axes.append(np.log(distance) / np.log1p(DENSE_DISTANCE_TOLERANCE))
    return np.column_stack(axes)


def _ungrouped(positives: NDArray[np.int64], negatives: NDArray[np.int64]) -> Members:
    items = np.concatenate([positives, negatives])
    return items, np.full(len(items), -1)
