"""What a model sees of a graph in one step."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from retia.benchmarks.counts import EdgeCounts


@dataclass(frozen=True)
class View:
    """The inputs of a graph's nodes, and the visible edges that are not asked for.

    x (n, F) float32; `edges` (2, E) int64, an undirected one once; `relation` (E,) int64, which of
    the relations each edge is of; `directed`, by relation; `positions` (n, d) float32, centred, in
    units of the mean length of a visible edge, the same for every axis, or none; `counts`, the
    inputs that count edges, or none.
    """

    x: Tensor
    edges: Tensor
    relation: Tensor
    directed: tuple[bool, ...]
    positions: Tensor | None
    counts: EdgeCounts | None = None

    @property
    def num_nodes(self) -> int:
        """The number of nodes."""
        return self.x.shape[0]

    @property
    def num_edge_types(self) -> int:
        """How many types `typed_edges` can have: two a relation."""
        return 2 * len(self.directed)

    def without(self, places: Tensor) -> Self:
        """The same, but for the edges at those places, and what inputs count of them.

        A pair stays joined when another visible edge joins it: the reverse, or one of another
        relation.
        """
        keep = torch.ones(self.edges.shape[1], dtype=torch.bool, device=self.edges.device)
        keep[places] = False
        return replace(
            self.uncounted(self.edges[:, places], self.amounts(places)),
            edges=self.edges[:, keep],
            relation=self.relation[keep],
            counts=self.counts and self.counts.at(keep),
        )

    def amounts(self, places: Tensor) -> Tensor | None:
        """What the edges at those places add to the inputs that count edges, (P, k)."""
        return None if self.counts is None else self.counts.amounts[places]

    def uncounted(self, edges: Tensor, amounts: Tensor | None) -> Self:
        """The same edges, with inputs that do not count `edges` (2, P) of those amounts (P, k)."""
        if self.counts is None or amounts is None:
            return self
        return replace(self, x=self.counts.less(self.x, edges, amounts))

    @cached_property
    def edge_index(self) -> Tensor:
        """(2, M): the simple undirected union of all relations, both ways, no loops, sorted."""
        edges = self.edges[:, self.edges[0] != self.edges[1]]
        both = torch.cat([edges, edges.flip(0)], dim=1)
        keys = torch.unique(both[0] * self.num_nodes + both[1])
        return torch.stack([keys // self.num_nodes, keys % self.num_nodes])

    @cached_property
    def degree(self) -> Tensor:
        """(n,) int64: the number of neighbours in `edge_index`."""
        return torch.bincount(self.edge_index[0], minlength=self.num_nodes)

    @cached_property
    def adjacency(self) -> Tensor:
        """`edge_index` as a symmetric 0/1 sparse CSR matrix (n, n) float32."""
        row, column = self.edge_index
        start = torch.zeros(self.num_nodes + 1, dtype=torch.long, device=row.device)
        start[1:] = self.degree.cumsum(0)
        ones = torch.ones(len(row), device=row.device)
        shape = (self.num_nodes, self.num_nodes)
        return torch.sparse_csr_tensor(start, column, ones, shape, check_invariants=False)

    @cached_property
    def typed_edges(self) -> tuple[Tensor, Tensor]:
        """Messages ((2, M), (M,)) from row 0 to row 1, with a type each.

        Type 2r is along an edge of relation r, 2r + 1 against it; both ways of an undirected
        relation are of type 2r.
        """
        against = torch.tensor(self.directed, device=self.edges.device)[self.relation].long()
        both = torch.cat([self.edges, self.edges.flip(0)], dim=1)
        return both, torch.cat([2 * self.relation, 2 * self.relation + against])
