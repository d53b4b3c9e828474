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
TRIED = 8  # positives for a group that is wanted; most may lie outside their source's pool
SOURCES_PER_CHUNK = 512
RESTART = 0.15
STEPS = 6
UNLIKELY = 1e-4  # a walk there is so improbable that the node is not followed further

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
    labels = graph.is_edge(rows)
    own = contains(np.sort(graph.keys(positives)), graph.keys(rows))
    others = np.setdiff1d(graph.keys(graph.hidden), graph.keys(positives))
    return HardGroups(rows, labels, own | (~labels & ~graph.is_tied(rows, others)))


def hard_groups(
    graph: LinkGraph,
    positives: Pairs,
    count: int,
    allowed: NDArray[np.bool_],
    rng: np.random.Generator,
) -> HardGroups:
    """At most `count` groups, from positives whose target is among the top 1,000 of its source.

    No node stands in two groups, so the number of its rows tells nothing. Nodes are those of the
    (n,) mask `allowed`; no target is a true neighbour of its source.
    """
    chosen = rng.permutation(rng.permuted(positives, axis=1) if not graph.directed else positives)
    chosen = chosen[allowed[chosen].all(axis=1)]
    chosen = chosen[disjoint(chosen, graph.num_nodes)][: TRIED * count]
    open_to = allowed.copy()
    open_to[chosen[:, 0]] = False
    group, target = _pools(graph, _Ranker.of(graph, open_to), chosen, count, rng)
    inside = np.unique(group[target == chosen[group, 1]])[:count]
    open_to[chosen[inside, 1]] = False
    fit = np.isin(group, inside) & open_to[target]
    pairs = np.column_stack([chosen[group[fit], 0], target[fit]])
    fit[fit] = ~graph.is_edge(pairs) & ~graph.is_tied(pairs, graph.known)
    group, target = _share_out(group[fit], target[fit], rng)
    whole, first = np.unique(group, return_index=True)
    others = target[first[:, None] + np.arange(GROUP_SIZE)]
    negatives = np.column_stack([np.repeat(chosen[whole, 0], GROUP_SIZE), others.ravel()])
    pairs = np.concatenate([chosen[whole], negatives])
    labels = np.arange(len(pairs)) < len(whole)
    return HardGroups(pairs, labels, np.ones(len(pairs), dtype=bool))


def _share_out(group: Ints, target: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """The targets shared out so that every group that is left has `GROUP_SIZE` or more.

    While some have too few, half of those are given up, the poorest first, to the others' gain.
    """
    while True:
        shared, given = _one_group_a_node(group, target, rng)
        left, size = np.unique(group), np.bincount(shared, minlength=group.max(initial=0) + 1)
        short = left[size[left] < GROUP_SIZE]
        if not len(short):
            return shared, given
        poorest = short[np.argsort(size[short], kind="stable")][: (len(short) + 1) // 2]
        kept = ~np.isin(group, poorest)
        group, target = group[kept], target[kept]


def _one_group_a_node(group: Ints, target: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Each target in one of its groups, by chance; sorted by group, in random order within."""
    shuffle = rng.permutation(len(group))
    _, first = np.unique(target[shuffle], return_index=True)
    kept = shuffle[first]
    order = kept[np.lexsort((rng.random(len(kept)), group[kept]))]
    return group[order], target[order]


@dataclass(frozen=True)
class _Ranker:
    """What the rankings are computed from: the random walk's steps, and a tree of the targets."""

    open_to: NDArray[np.bool_]
    transition: csr_array
    nodes: Ints
    positions: NDArray[np.float64] | None
    tree: cKDTree | None

    @classmethod
    def of(cls, graph: LinkGraph, open_to: NDArray[np.bool_]) -> "_Ranker":
        inverse = 1 / np.maximum(graph.neighbour_count, 1)
        nodes = np.flatnonzero(open_to)
        tree = None if graph.positions is None else cKDTree(graph.positions[nodes])
        transition = csr_array(diags_array(inverse) @ graph.neighbours)
        return cls(open_to, transition, nodes, graph.positions, tree)

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
            walk = csr_array((1 - RESTART) * (walk @ self.transition) + RESTART * start)
            walk.data[walk.data < UNLIKELY] = 0
            walk.eliminate_zeros()
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
    keys, ranks = [], []
    for row, target, score in ranker.scores(positives[:, 0]):
        fit = ranker.open_to[target]
        row, target, score = row[fit], target[fit], score[fit]
        order = np.lexsort((rng.random(len(row)), -score, row))
        row, target = row[order], target[order]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        keys.append(row * graph.num_nodes + target)
        ranks.append(rank)
    key, place = np.unique(np.concatenate(keys), return_inverse=True)
    best = np.full(len(key), np.iinfo(np.int64).max)
    np.minimum.at(best, place, np.concatenate(ranks))
    row, target = np.divmod(key, graph.num_nodes)
    order = np.lexsort((rng.random(len(row)), best, row))
    row, target = row[order], target[order]
    kept = np.arange(len(row)) - np.searchsorted(row, row) < POOL_FACTOR * GROUP_SIZE
    return row[kept], target[kept]
