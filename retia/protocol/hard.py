"""Hard candidates of a graph in space: each source's target among other likely targets.

On a small graph all non-neighbours are. On a large one a sample is, after HeaRT (Li et al. 2023,
arXiv 2306.10453): targets are ranked by resource allocation, by personalised PageRank and, in
space, by distance; the rankings are merged by the better rank, and negatives are drawn from the top
of the merged one. Only near nodes are ever ranked, so the cost is that of the sources'
neighbourhoods.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.spatial import cKDTree

from retia.protocol.pairs import LinkGraph, Pairs, contains, disjoint

GROUP_SIZE = 100
POOL_FACTOR = 10
MAX_GROUPS = 4_900
NODES_PER_GROUP = 256
TRIED = 8  # positives for a group that is wanted; most may lie outside their source's pool
GROUPS_PER_TIME = 4  # so that most sources are left for what a target lacks
ROUNDS = 40
SOURCES_PER_CHUNK = 512
RESTART = 0.15
STEPS = 6
UNLIKELY = 1e-5  # a step so improbable is not taken

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class HardGroups:
    """The listed pairs (M, 2), source first; a group is a source.

    `labels` (M,) tell edges, `scored` (M,) what ranks in its group: not the edges of other parts.
    """

    pairs: Pairs
    labels: NDArray[np.bool_]
    scored: NDArray[np.bool_]


def whole_groups(
    graph: LinkGraph,
    positives: Pairs,
    count: int,
    allowed: NDArray[np.bool_],
    rng: np.random.Generator,
) -> HardGroups:
    """All non-neighbours of at most `count` sources of positives, for a small graph.

    Nodes are those of the (n,) mask `allowed`, and no source is another one's target.
    """
    directed = positives if graph.directed else rng.permuted(positives, axis=1)
    directed = rng.permutation(directed[allowed[directed].all(axis=1)])
    chosen = directed[disjoint(directed, graph.num_nodes)][:count]
    open_to = allowed.copy()
    open_to[chosen[:, 0]] = False
    targets = np.flatnonzero(open_to)
    rows = np.column_stack([np.repeat(chosen[:, 0], len(targets)), np.tile(targets, len(chosen))])
    visible = np.sort(graph.keys(graph.visible))
    rows = rows[~contains(visible, graph.keys(rows)) & ~graph.is_tied(rows, visible)]
    rows = rows[~graph.is_joined(rows)]
    labels = graph.is_edge(rows)
    own = contains(np.sort(graph.keys(positives)), graph.keys(rows))
    others = np.setdiff1d(graph.keys(graph.hidden), graph.keys(positives))
    return HardGroups(rows, labels, own | (~labels & ~graph.is_tied(rows, others)))


def hard_groups(
    graph: LinkGraph,
    positives: Pairs,
    rows: int,
    allowed: NDArray[np.bool_],
    rng: np.random.Generator,
) -> HardGroups:
    """Groups of one positive each, whose target is among the top 1,000 of its source.

    A node is the source of one group, or a target in as many rows as all other targets, so that
    the numbers of its rows tell nothing; rows that no group scores make up for what is missing.
    There are at most `rows` rows. Nodes are those of the (n,) mask `allowed`; positives share none,
    and no target is a true neighbour of its source.
    """
    chosen = rng.permutation(rng.permuted(positives, axis=1) if not graph.directed else positives)
    chosen = chosen[allowed[chosen].all(axis=1)]
    chosen = chosen[disjoint(chosen, graph.num_nodes)]
    free = max(int(allowed.sum()), 1)
    count = min(len(chosen), MAX_GROUPS)
    count = min(count, free * _times(count, free, rows) // NODES_PER_GROUP)
    chosen = chosen[: TRIED * count]
    open_to = allowed.copy()
    open_to[chosen[:, 0]] = False
    group, target = _pools(graph, _Ranker.of(graph, open_to), chosen, count, rng)
    inside = np.unique(group[target == chosen[group, 1]])[:count]
    fit = np.isin(group, inside)
    group, target = group[fit], target[fit]
    fit = ~graph.is_settled(np.column_stack([chosen[group, 0], target]))
    asked = np.bincount(chosen[inside, 1], minlength=graph.num_nodes)
    times = _times(len(inside), free, rows)
    while True:
        shared = _share_out(group[fit], target[fit], times - asked, rng)
        whole, first = np.unique(shared[0], return_index=True)
        if times == 1 or len(whole) >= GROUPS_PER_TIME * times:
            break
        times //= 2
    target = shared[1]
    others = target[first[:, None] + np.arange(GROUP_SIZE)]
    negatives = np.column_stack([np.repeat(chosen[whole, 0], GROUP_SIZE), others.ravel()])
    scored = np.concatenate([chosen[whole], negatives])
    pairs = np.concatenate([scored, _made_up(graph, chosen[whole, 0], scored, times, rng)])
    place = np.arange(len(pairs))
    return HardGroups(pairs, place < len(whole), place < len(scored))


def _times(groups: int, free: int, rows: int) -> int:
    """In how many rows each of the free nodes may stand, for that many groups."""
    return max(min(-(-groups * NODES_PER_GROUP // free), rows // free), 1)


def _rank(values: Ints) -> Ints:
    """How often each value stands before, (m,)."""
    order = np.argsort(values, kind="stable")
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values)) - np.searchsorted(values[order], values[order])
    return rank


def _share_out(
    group: Ints, target: Ints, room: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """The targets shared out so that every group that is left has `GROUP_SIZE` or more.

    A target stands in `room[target]` groups at most. While some have too few, half of those are
    given up, the poorest first, to the others' gain. Sorted by group, in random order within.
    """
    while True:
        kept = rng.permutation(len(group))
        kept = kept[_rank(target[kept]) < room[target[kept]]]
        kept = kept[np.argsort(group[kept], kind="stable")]
        left, size = np.unique(group), np.bincount(group[kept], minlength=group.max(initial=0) + 1)
        short = left[size[left] < GROUP_SIZE]
        if not len(short):
            return group[kept], target[kept]
        poorest = short[np.argsort(size[short], kind="stable")][: (len(short) + 1) // 2]
        rest = ~np.isin(group, poorest)
        group, target = group[rest], target[rest]


def _made_up(
    graph: LinkGraph, sources: Ints, listed: Pairs, times: int, rng: np.random.Generator
) -> Pairs:
    """Non-edges with which each listed target stands in `times` rows, and sources in equally many.

    Targets are dealt to the sources; what is listed, no candidate or dealt twice is dealt again
    among as many others. What cannot be dealt in `ROUNDS` is left out.
    """
    nodes, count = np.unique(listed[:, 1], return_counts=True)
    target = rng.permutation(np.repeat(nodes, times - count))
    source = sources[np.arange(len(target)) % max(len(sources), 1)]
    before = np.sort(listed[:, 0] * graph.num_nodes + listed[:, 1])
    for _ in range(ROUNDS):
        pairs = np.column_stack([source, target])
        key = source * graph.num_nodes + target
        unfit = contains(before, key) | graph.is_settled(pairs) | (_rank(key) > 0)
        if not unfit.any():
            break
        dealt = np.union1d(np.flatnonzero(unfit), rng.integers(len(key), size=int(unfit.sum())))
        target[dealt] = target[rng.permutation(dealt)]
    return pairs[~unfit] if len(target) else np.zeros((0, 2), dtype=np.int64)


@dataclass(frozen=True)
class _Ranker:
    """What the rankings are computed from: the random walk's steps, and a tree of the targets."""

    open_to: NDArray[np.bool_]
    transition: csr_array
    inverse_degree: NDArray[np.float64]
    nodes: Ints
    positions: NDArray[np.float64] | None
    tree: cKDTree | None

    @classmethod
    def of(cls, graph: LinkGraph, open_to: NDArray[np.bool_]) -> "_Ranker":
        ends = np.concatenate([graph.visible, graph.context])
        ends = np.concatenate([ends, ends[:, ::-1]])
        shape = (graph.num_nodes, graph.num_nodes)
        adjacency = csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=shape)
        adjacency.data[:] = 1
        degree: NDArray[np.float64] = np.asarray(adjacency.sum(axis=1))
        inverse = np.divide(1, degree, out=np.zeros(len(degree)), where=degree > 0)
        nodes = np.flatnonzero(open_to)
        tree = None if graph.positions is None else cKDTree(graph.positions[nodes])
        transition = csr_array(diags_array(inverse) @ adjacency)
        return cls(open_to, transition, inverse, nodes, graph.positions, tree)

    def scores(self, sources: Ints) -> list[tuple[Ints, Ints, NDArray[np.float64]]]:
        """Each ranking's entries: place of the source, target, score; only targets it reaches."""
        start = csr_array(
            (np.ones(len(sources)), (np.arange(len(sources)), sources)),
            shape=(len(sources), self.transition.shape[0]),
        )
        neighbours = csr_array(start @ self.transition)
        neighbours.data[:] = 1
        walk = start
        for _ in range(STEPS):
            steps = walk.copy()
            steps.data *= 1 - RESTART
            steps.data[steps.data * self.inverse_degree[steps.indices] < UNLIKELY] = 0
            steps.eliminate_zeros()
            walk = csr_array(steps @ self.transition + RESTART * start)
        allocation = neighbours @ self.transition
        return [_entries(allocation), _entries(walk), *self._nearest(sources)]

    def _nearest(self, sources: Ints) -> list[tuple[Ints, Ints, NDArray[np.float64]]]:
        if self.tree is None or self.positions is None:
            return []
        near = min(POOL_FACTOR * GROUP_SIZE, len(self.nodes))
        distance, index = self.tree.query(self.positions[sources], k=near)
        row = np.repeat(np.arange(len(sources)), near)
        flat = np.asarray(distance).reshape(-1)
        return [(row, self.nodes[np.asarray(index).reshape(-1)], -flat)]


def _entries(matrix: csr_array) -> tuple[Ints, Ints, NDArray[np.float64]]:
    entries = matrix.tocoo()
    return entries.row.astype(np.int64), entries.col.astype(np.int64), entries.data


def _pools(
    graph: LinkGraph, ranker: _Ranker, positives: Pairs, count: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """The pools of the positives' sources, as (place of the positive, target).

    Positives are gone through in order until the pools of `count` of them hold their target.
    """
    groups, targets = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(positives), SOURCES_PER_CHUNK):
        chunk = positives[start : start + SOURCES_PER_CHUNK]
        row, target = _pool(graph, ranker, chunk, rng)
        groups.append(row + start)
        targets.append(target)
        count -= int((target == chunk[row, 1]).sum())
        if count <= 0:
            break
    return np.concatenate(groups), np.concatenate(targets)


def _pool(
    graph: LinkGraph, ranker: _Ranker, positives: Pairs, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """The top `POOL_FACTOR * GROUP_SIZE` targets of each source, sorted by source."""
    most = POOL_FACTOR * GROUP_SIZE
    keys, ranks = [], []
    for row, target, score in ranker.scores(positives[:, 0]):
        fit = ranker.open_to[target]
        row, target, score = row[fit], target[fit], score[fit]
        order = _best_first(row, score, rng)
        row, target = row[order], target[order]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        first = rank < most
        keys.append(row[first] * graph.num_nodes + target[first])
        ranks.append(rank[first])
    key, place = np.unique(np.concatenate(keys), return_inverse=True)
    best = np.full(len(key), np.iinfo(np.int64).max)
    np.minimum.at(best, place, np.concatenate(ranks))
    row, target = np.divmod(key, graph.num_nodes)
    order = np.lexsort((rng.random(len(row)), best, row))
    row, target = row[order], target[order]
    kept = np.arange(len(row)) - np.searchsorted(row, row) < most
    return row[kept], target[kept]


def _best_first(row: Ints, score: NDArray[np.float64], rng: np.random.Generator) -> Ints:
    """The order of rows, best scores first in each, chance among equal ones.

    One integer a place, since that sorts much faster than three keys: 32 bits of the score, whose
    order as integers is that of numbers of one sign, and 16 of chance.
    """
    bits = np.abs(score).astype(np.float32).view(np.int32).astype(np.int64)
    descending = np.where(score > 0, np.iinfo(np.int32).max - bits, bits)
    chance = rng.integers(1 << 16, size=len(row))
    return np.argsort((row << 48) | (descending << 16) | chance)
