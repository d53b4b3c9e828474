"""List the items of a part: positives and all candidate sets, shuffled, a pair once.

The list must not give itself away. On a small graph without positions it holds all non-neighbours
of every source that has a positive, or of some of these sources where that would be too many: so
every source's rows look alike. In a grouped split a pair that a visible edge of its group settles
is not listed. On a spatial graph the listed pairs share no node, so no node's number of rows tells
anything; groups of `hard` candidates lie on other nodes, and share their source alone, or all of
their targets.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retia.protocol.hard import GROUP_SIZE, POOL_FACTOR, HardGroups, hard_groups, whole_groups
from retia.protocol.negatives import (
    FreeNodes,
    box_negatives,
    matched_negatives,
    uniform_negatives,
)
from retia.protocol.pairs import LinkGraph, Pairs, contains, disjoint
from retia.shards.manifest import CandidateSet

MAX_POSITIVES = 125_000  # with three negatives each: 500,000 items a part
MAX_GROUPS = 4_900  # of 101 items: as many again
SMALL_GRAPH = 5_000
MAX_DENSE = 100_000  # items of a part of a small graph: 2 million in ten splits
MAX_WHOLE = 75_000  # of them where there are other items too
NODES_PER_SOURCE = 16
NODES_PER_GROUP = 256
NODES_PER_POSITIVE = 16
UNIFORM_PER_POSITIVE = 10
DEGREE_TOLERANCE = 0.15

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
    graph: LinkGraph, positives: Pairs, rng: np.random.Generator, allowed: NDArray[np.bool_]
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
    rows = rows[~graph.is_tied(rows, visible)]
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
        sets=(
            CandidateSet(
                name="hard",
                grouped=True,
                description="every positive against all non-neighbours of its source",
            ),
            CandidateSet(
                name="matched",
                grouped=False,
                description="a non-edge of the same source and nearly the same target degree each",
                parameters={"degree_tolerance": DEGREE_TOLERANCE},
            ),
            CandidateSet(
                name="uniform",
                grouped=False,
                description="non-edges drawn uniformly among those listed",
                parameters={"per_positive": UNIFORM_PER_POSITIVE},
            ),
        ),
        positives=len(directed),
        dropped=int((~found).sum()),
    )


def list_sparse(
    graph: LinkGraph, positives: Pairs, rng: np.random.Generator, allowed: NDArray[np.bool_]
) -> Listing:
    """Pairs that share no node: positives, and as many `matched`, `box` and `uniform` negatives.

    On the nodes that are left, groups of `hard` candidates for other positives: below 5,000 nodes
    all non-neighbours of some sources, so that each such node is listed with each of them, and
    samples above. Pairs join nodes of the (n,) mask `allowed`.
    """
    most = min(int(allowed.sum()) // NODES_PER_POSITIVE, MAX_POSITIVES)
    single = rng.permutation(positives)
    single = single[disjoint(single, graph.num_nodes)][:most]
    nodes = FreeNodes(allowed.copy())
    nodes.take(single)
    half_side = graph.reach
    matched, found = matched_negatives(graph, single, nodes, rng)
    kept = single[found]
    blocks = {
        "matched": matched[found],
        "box": box_negatives(graph, len(kept), half_side, nodes, rng),
        "uniform": uniform_negatives(graph, len(kept), nodes, rng),
    }
    groups = _groups(graph, positives, nodes, rng)
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
        sets=_sparse_sets(half_side, graph.num_nodes < SMALL_GRAPH, "hard" in members),
        positives=len(kept) + int((groups.labels & groups.scored).sum()),
        dropped=int((~found).sum()),
    )


def _groups(
    graph: LinkGraph, positives: Pairs, nodes: FreeNodes, rng: np.random.Generator
) -> HardGroups:
    free = int(nodes.free.sum())
    if graph.num_nodes < SMALL_GRAPH:
        count = min(free // NODES_PER_SOURCE, MAX_WHOLE // max(free, 1))
        return whole_groups(graph, positives, count, nodes.free, rng)
    count = min(free // NODES_PER_GROUP, MAX_GROUPS)
    return hard_groups(graph, positives, count, nodes.free, rng)


def _sparse_sets(half_side: float, small: bool, hard: bool) -> tuple[CandidateSet, ...]:
    sets = (
        CandidateSet(
            name="matched",
            grouped=False,
            description="a non-edge of the same visible degrees and nearly the same distance each",
        ),
        CandidateSet(
            name="box",
            grouped=False,
            description="a random source, a target in the cube of half-side mean + 2 std length",
            parameters={"half_side": round(half_side, 6)},
        ),
        CandidateSet(name="uniform", grouped=False, description="non-edges drawn uniformly"),
    )
    if not hard:
        return sets
    if small:
        text = "some sources, with all non-neighbours among the nodes of no other pair"
        return (*sets, CandidateSet(name="hard", grouped=True, description=text))
    text = f"{GROUP_SIZE} of a source's {POOL_FACTOR * GROUP_SIZE} likeliest non-neighbours"
    return (
        *sets,
        CandidateSet(
            name="hard",
            grouped=True,
            description=f"{text}: resource allocation, PageRank, distance",
            parameters={"group_size": GROUP_SIZE, "pool": POOL_FACTOR * GROUP_SIZE},
        ),
    )


def _matched_rows(
    graph: LinkGraph,
    rows: Pairs,
    negative_rows: NDArray[np.int64],
    positives: Pairs,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each positive a listed non-edge of its source with a near target degree.

    Rows are sorted by (source, target degree, chance); each positive takes the nearest row that no
    other has taken. Returns the rows of those that found one, and the (P,) mask.
    """
    degree = graph.target_degree
    found = np.zeros(len(positives), dtype=bool)
    result = np.zeros(len(positives), dtype=np.int64)
    left = negative_rows[rng.permutation(len(negative_rows))]
    while True:
        wanted = rng.permutation(np.flatnonzero(~found))
        if not len(wanted) or not len(left):
            break
        picked, near = _nearest(rows, left, degree, positives[wanted])
        _, first = np.unique(picked, return_index=True)
        first = first[near[first]]
        if not len(first):
            break
        result[wanted[first]] = left[picked[first]]
        found[wanted[first]] = True
        left = np.delete(left, picked[first])
    return result[found], found


def _nearest(
    rows: Pairs, left: NDArray[np.int64], degree: NDArray[np.int64], positives: Pairs
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The place in `left` of the row of the same source and nearest target degree, and if near."""
    source, target_degree = rows[left, 0], degree[rows[left, 1]]
    width = int(degree.max()) + 2
    order = np.argsort(source * width + target_degree, kind="stable")
    keys = (source * width + target_degree)[order]
    wanted_degree = degree[positives[:, 1]]
    wanted = positives[:, 0] * width + wanted_degree
    right = np.clip(np.searchsorted(keys, wanted), 0, len(keys) - 1)
    options = np.stack([np.maximum(right - 1, 0), right])
    gap = np.abs(target_degree[order][options] - wanted_degree)
    gap = np.where(source[order][options] == positives[:, 0], gap, width)
    best = gap.argmin(axis=0)
    row = np.arange(len(positives))
    near = gap[best, row] <= np.maximum(1, DEGREE_TOLERANCE * wanted_degree)
    return order[options[best, row]], near


def _ungrouped(positives: NDArray[np.int64], negatives: NDArray[np.int64]) -> Members:
    items = np.concatenate([positives, negatives])
    return items, np.full(len(items), -1)
