"""Training negatives, drawn afresh for every step."""

import torch
from torch import Tensor

from retia.benchmarks.inputs import LinkInputs


def draw_negatives(
    inputs: LinkInputs,
    positives: Tensor,
    generator: torch.Generator,
    among: Tensor | None = None,
) -> Tensor:
    """Up to two negatives a positive, (N, 2), in no order.

    One is a pair drawn uniformly from `among` (m,), all nodes by default. The other keeps one end
    of the positive, chosen by a coin, and replaces the other: by one of the kept node's nearest in
    space where there are positions, so that something is learnt beyond distance, else by any node
    of `among`. Visible edges and self-loops are left out.
    """
    anywhere = _nodes(inputs, positives.shape, among, generator)
    pairs = torch.cat([anywhere, _corrupt(inputs, positives, among, generator)])
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) & ~_visible(inputs, pairs)]
    order = torch.randperm(len(pairs), generator=generator)
    return pairs[order.to(pairs.device)]


def _corrupt(
    inputs: LinkInputs, positives: Tensor, among: Tensor | None, generator: torch.Generator
) -> Tensor:
    count, device = len(positives), positives.device
    rows = torch.arange(count, device=device)
    side = _integers(2, (count,), device, generator)
    kept = positives[rows, side]
    if inputs.nearest is None:
        other = _nodes(inputs, (count,), among, generator)
    else:
        place = _integers(inputs.nearest.shape[1], (count,), device, generator)
        other = inputs.nearest[kept, place].long()
    pairs = positives.clone()
    pairs[rows, 1 - side] = other
    return pairs


def _nodes(
    inputs: LinkInputs,
    shape: tuple[int, ...],
    among: Tensor | None,
    generator: torch.Generator,
) -> Tensor:
    device = inputs.positives.device
    if among is None:
        return _integers(inputs.view.num_nodes, shape, device, generator)
    return among.to(device)[_integers(len(among), shape, device, generator)]


def _visible(inputs: LinkInputs, pairs: Tensor) -> Tensor:
    """Whether each pair is a visible edge of the relation."""
    ordered = pairs if inputs.directed else pairs.sort(dim=1).values
    keys = ordered[:, 0] * inputs.view.num_nodes + ordered[:, 1]
    known = inputs.visible_keys
    place = torch.searchsorted(known, keys).clamp(max=len(known) - 1)
    return known[place] == keys


def _integers(
    high: int, shape: tuple[int, ...], device: torch.device, generator: torch.Generator
) -> Tensor:
    return torch.randint(high, tuple(shape), generator=generator).to(device)
