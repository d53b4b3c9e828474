"""SEAL: a graph network on the enclosing subgraph of each pair."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch_geometric.nn import SortAggregation, global_mean_pool

from retia.benchmarks.enclosing import enclosing
from retia.benchmarks.layers.pairs import rows
from retia.benchmarks.layers.propagation import smooth
from retia.benchmarks.view import View

Pooling = Literal["sort", "mean"]

LABELS = 128  # larger ones are the last
PAIRS_AT_ONCE = 1 << 11
KEPT_ARCS = 1 << 24


@dataclass(frozen=True)
class Batch:
    """The subgraphs of P pairs as tensors: `node`, `pair`, `label` (m,), and the 0/1 adjacency."""

    size: int
    node: Tensor
    pair: Tensor
    label: Tensor
    adjacency: Tensor
    degree: Tensor


class EnclosingDecoder(nn.Module):
    """Graph convolutions on the subgraph within `hops` of either node, and pooling over it.

    A node of a subgraph has its embedding, and a vector for its label (Zhang and Chen 2018).
    `sort` is DGCNN's pooling (Zhang et al. 2018, AAAI): the `kept` nodes that are highest in a last
    channel, then convolutions over them. For a directed relation the target has a label of its own.
    In training, `share` of a step's pairs are asked for. Outside of it, the subgraphs of a view are
    kept, up to `KEPT_ARCS`, for when the same pairs are asked for again.
    """

    def __init__(
        self,
        width: int,
        layers: int,
        dropout: float,
        directed: bool,
        *,
        hops: int,
        pooling: Pooling,
        kept: int,
        share: float,
    ) -> None:
        super().__init__()
        self.hops, self.directed, self.share = hops, directed, share
        self.labels = nn.Embedding(LABELS + directed, width)
        widths = [2 * width] + [width] * layers + [1] * (pooling == "sort")
        self.maps = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(widths))
        pool = SortedNodes if pooling == "sort" else MeanOfNodes
        self.pool = pool(sum(widths[1:]), width, kept, dropout)
        self._view: View | None = None
        self._kept: list[tuple[Tensor, list[Batch]]] = []

    def forward(self, z: Tensor, pairs: Tensor, view: View) -> Tensor:
        """Logits (P,)."""
        return torch.cat([self._score(z, batch) for batch in self._batches(pairs, view)])

    def _score(self, z: Tensor, batch: Batch) -> Tensor:
        x, found = torch.cat([z[batch.node], self.labels(batch.label)], dim=1), []
        for linear in self.maps:
            x = smooth(linear(x), batch.adjacency, batch.degree).tanh()
            found.append(x)
        return self.pool(torch.cat(found, dim=1), batch.pair, batch.size)

    def _batches(self, pairs: Tensor, view: View) -> Iterable[Batch]:
        made = (self._extract(part, view) for part in pairs.split(PAIRS_AT_ONCE))
        if self.training:
            return made
        if self._view is not view:
            self._view, self._kept = view, []
        for known, batches in self._kept:
            if torch.equal(known, pairs):
                return batches
        batches = list(made)
        held = [*self._kept, (pairs, batches)]
        if sum(batch.adjacency._nnz() for _, some in held for batch in some) <= KEPT_ARCS:
            self._kept = held
        return batches

    def _extract(self, pairs: Tensor, view: View) -> Batch:
        cut = enclosing(*rows(view), pairs.cpu().numpy(), self.hops)
        labels = cut.label.clip(max=LABELS - 1)
        if self.directed:
            labels[cut.first + 1] = LABELS
        device, size = pairs.device, len(cut.node)
        node, pair, label, start, column = (
            torch.from_numpy(part).to(device)
            for part in (cut.node, cut.pair, labels, cut.start, cut.column)
        )
        ones = torch.ones(len(column), device=device)
        adjacency = torch.sparse_csr_tensor(
            start, column, ones, (size, size), check_invariants=False
        )
        return Batch(len(pairs), node, pair, label, adjacency, start.diff())


class SortedNodes(nn.Module):
    """DGCNN's pooling: nodes in the order of their last channel, two convolutions over them."""

    def __init__(self, inputs: int, width: int, kept: int, dropout: float) -> None:
        super().__init__()
        self.sort = SortAggregation(kept)
        self.convolutions = nn.Sequential(
            nn.Conv1d(1, 16, inputs, inputs),
            nn.ReLU(),
            nn.MaxPool1d(2, 2),
            nn.Conv1d(16, 32, 5),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.output = nn.Sequential(
            nn.Linear(32 * (kept // 2 - 4), width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, 1),
        )

    def forward(self, x: Tensor, pair: Tensor, size: int) -> Tensor:
        """Logits (size,) of nodes (m, inputs)."""
        kept = self.sort(x, pair, dim_size=size)
        return self.output(self.convolutions(kept.unsqueeze(1))).squeeze(1)


class MeanOfNodes(nn.Module):
    """The mean over a subgraph, and a perceptron."""

    def __init__(self, inputs: int, width: int, kept: int, dropout: float) -> None:
        super().__init__()
        self.output = nn.Sequential(
            nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1)
        )

    def forward(self, x: Tensor, pair: Tensor, size: int) -> Tensor:
        """Logits (size,) of nodes (m, inputs)."""
        return self.output(global_mean_pool(x, pair, size)).squeeze(1)
