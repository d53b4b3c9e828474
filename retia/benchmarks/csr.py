"""A graph as rows of incoming neighbours: what samplers, halos and partitions walk on."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from retia.shards.errors import InputError

Ints = NDArray[np.int64]
Nodes = NDArray[np.int32]


@dataclass(frozen=True)
class Csr:
    """The edges (source, target) of a graph, by target.

    Entries `start[v]` to `start[v + 1]` are the edges that end at v, by source: `source` (E,) where
    they come from, `edge` (E,) where they stand in the list that the graph was made of. `start` is
    (n + 1,). Parallel edges and self-loops are entries of their own.
    """

    start: Ints
    source: Nodes
    edge: Ints

    @classmethod
    def of(cls, edge_index: Ints, num_nodes: int) -> Self:
        """The graph of edges (2, E); raises `InputError` where an end is no node."""
        source, target = edge_index
        if edge_index.size and not (edge_index.min() >= 0 and edge_index.max() < num_nodes):
            raise InputError(f"an edge ends outside the {num_nodes:,} nodes of its graph")
        if num_nodes > np.iinfo(np.int32).max:
            raise InputError(f"{num_nodes:,} nodes are more than an int32 numbers")
        edge = np.argsort(target * num_nodes + source, kind="stable")
        start = np.zeros(num_nodes + 1, dtype=np.int64)
        np.cumsum(np.bincount(target, minlength=num_nodes), out=start[1:])
        return cls(start, source[edge].astype(np.int32), edge)

    @property
    def num_nodes(self) -> int:
        """The number of nodes, n."""
        return len(self.start) - 1

    @property
    def num_edges(self) -> int:
        """The number of edges, E."""
        return len(self.source)


@dataclass(frozen=True)
class Subgraph:
    """A part of a graph.

    `nodes` (m,) are its nodes in the whole graph; `edge_index` (2, e) its edges (source, target) in
    numbers of its own, which are places in `nodes`; `edge` (e,) the same edges in the list that the
    whole graph was made of.
    """

    nodes: Ints
    edge_index: Ints
    edge: Ints
