"""`sample_hops` in plain numpy: what the compiled one is tested and timed against."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retia.benchmarks.csr import Csr, Ints, Subgraph
from retia.benchmarks.sampling.draws import draw, stream_of
from retia.benchmarks.sampling.hops import NONE_HIDDEN, Sample


def sample_hops_numpy(
    csr: Csr,
    seeds: Ints,
    fan_out: Sequence[int],
    key: np.uint64,
    hidden: NDArray[np.bool_] = NONE_HIDDEN,
) -> Sample:
    """As `sample_hops`, to the last edge."""
    if len(hidden):
        shown = np.concatenate([[0], np.cumsum(~hidden)])
        csr = Csr(shown[csr.start], csr.source[~hidden], csr.edge[~hidden])
    local = np.full(csr.num_nodes, -1)
    nodes = _first_seen(seeds)
    local[nodes] = np.arange(len(nodes))
    parts, targets, entries = [nodes], [], []
    for most in fan_out:
        target, entry = _draw_entries(csr, np.sort(parts[-1]), most, key)
        sources = csr.source[entry].astype(np.int64)
        new = _first_seen(sources[local[sources] < 0])
        found = sum(map(len, parts))
        local[new] = found + np.arange(len(new))
        parts.append(new)
        targets.append(target)
        entries.append(entry)
    none = np.zeros(0, dtype=np.int64)
    entry, target = np.concatenate([*entries, none]), np.concatenate([*targets, none])
    ends = np.stack([local[csr.source[entry]], local[target]])
    graph = Subgraph(np.concatenate(parts), ends, csr.edge[entry])
    return Sample(graph, local[seeds], [len(p) for p in parts], [len(e) for e in entries])


def _first_seen(nodes: Ints) -> Ints:
    """The distinct ones, in the order of their first appearance."""
    distinct, first = np.unique(nodes, return_index=True)
    return distinct[np.argsort(first)]


def _draw_entries(csr: Csr, nodes: Ints, most: int, key: np.uint64) -> tuple[Ints, Ints]:
    """The target and the entry of each edge drawn at the nodes, node by node."""
    first, degree = csr.start[nodes], np.diff(csr.start)[nodes]
    wide = (degree > most) & (most >= 0)
    wanted = np.where(wide, most, degree)
    begin = np.cumsum(wanted) - wanted
    place = np.arange(wanted.sum()) - np.repeat(begin, wanted)
    if wide.any():
        rows = begin[wide][:, None] + np.arange(most)
        place[rows] = _choose(degree[wide], most, stream_of(key, nodes[wide].astype(np.uint64)))
    return np.repeat(nodes, wanted), np.repeat(first, wanted) + place


def _choose(size: Ints, most: int, stream: NDArray[np.uint64]) -> Ints:
    """(n, most) distinct places in [0, size) a row, by Floyd's method."""
    drawn = np.full((len(size), most), -1)
    for j in range(most):
        last = size - most + j
        place = draw(stream, np.uint64(j), (last + 1).astype(np.uint64)).astype(np.int64)
        drawn[:, j] = np.where((drawn == place[:, None]).any(axis=1), last, place)
    return drawn
