"""Training negatives, drawn afresh for every step."""

import torch
from torch import Tensor

from retia.benchmarks.inputs import LinkInputs


def draw_negatives(inputs: LinkInputs, positives: Tensor, generator: torch.Generator) -> Tensor:
    """Up to two negatives a positive, (N, 2).

    One is a pair drawn uniformly. The other keeps one end of the positive, chosen by a coin, and
    replaces the other: by one of the kept node's nearest in space where there are positions, so
    that something is learnt beyond distance, else by any node. Visible edges and self-loops are
    left out.
    """
    anywhere = _integers(inputs.view.num_nodes, positives.shape, positives.device, generator)
    pairs = torch.cat([anywhere, _corrupt(inputs, positives, generator)])
    return pairs[(pairs[:, 0] != pairs[:, 1]) & ~_visible(inputs, pairs)]


def _corrupt(inputs: LinkInputs, positives: Tensor, generator: torch.Generator) -> Tensor:
    count, device = len(positives), positives.device
    rows = torch.arange(count, device=device)
    side = _integers(2, (count,), device, generator)
    kept = positives[rows, side]
    if inputs.nearest is None:
        other = _integers(inputs.view.num_nodes, (count,), device, generator)
    else:
        other = inputs.nearest[
            kept, _integers(inputs.nearest.shape[1], (count,), device, generator)
        ]
    pairs = positives.clone()
    pairs[rows, 1 - side] = other
    return pairs


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
