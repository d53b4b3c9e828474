"""Inputs that count or sum the visible edges at a node, kept true when edges are taken out.

A degree that still counts an edge that is asked for gives it away: where a node has fewer
neighbours than its degree says, an edge is missing. At test time none is, so what is learnt from
that is worse than nothing.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class EdgeCounts:
    """The k inputs that are sums over the edges of a view.

    `columns` are their places in x, `ends` the ends of an edge that each sums at (0 source, 1
    target), `log` whether it is log(1 + sum). An input is that less `mean`, over `spread`.
    `amounts` (E, k) is what each edge adds; 0 for an edge of another relation.
    """

    columns: tuple[int, ...]
    ends: tuple[tuple[int, ...], ...]
    log: tuple[bool, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    amounts: Tensor

    def at(self, places: Tensor) -> Self:
        """Of the edges at those places, or where a mask is true."""
        return replace(self, amounts=self.amounts[places])

    def less(self, x: Tensor, edges: Tensor, amounts: Tensor) -> Tensor:
        """x (n, F) without what edges (2, P), in its numbers, with amounts (P, k) add to it."""
        x = x.clone()
        for place, column in enumerate(self.columns):
            gone = torch.zeros(len(x), dtype=amounts.dtype, device=x.device)
            for end in self.ends[place]:
                gone.index_add_(0, edges[end], amounts[:, place])
            touched = gone.nonzero().squeeze(1)
            total = x[touched, column] * self.spread[place] + self.mean[place]
            total = torch.expm1(total) if self.log[place] else total
            total = (total - gone[touched]).clamp(min=0)
            total = torch.log1p(total) if self.log[place] else total
            x[touched, column] = (total - self.mean[place]) / self.spread[place]
        return x
