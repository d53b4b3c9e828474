"""The edges and triangles of a graph of near points, as a simplicial complex."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Complex:
    """Edges (E, 2) and triangles (T, 3) of nodes, smaller numbers first, each once.

    `sides` (T, 3) are the places of a triangle's edges.
    """

    edges: Tensor
    triangles: Tensor
    sides: Tensor


def make_complex(neighbours: Tensor, most: int, salt: int) -> Complex:
    """The edges from each node to its `neighbours` (n, k), and at most so many of their triangles.

    Where there are more, those are kept whose hash with the salt is smallest.
    """
    near, device = neighbours.cpu().numpy(), neighbours.device
    num_nodes = len(near)
    pairs = np.column_stack([np.repeat(np.arange(num_nodes), near.shape[1]), near.ravel()])
    keys = np.unique(pairs.min(axis=1) * num_nodes + pairs.max(axis=1))
    edges = np.column_stack([keys // num_nodes, keys % num_nodes])
    triangles, sides = _triangles(edges, keys, num_nodes)
    if len(triangles) > most:
        chosen = np.sort(np.argsort(_hash(triangles, salt), kind="stable")[:most])
        triangles, sides = triangles[chosen], sides[chosen]
    tensors = (torch.as_tensor(part, device=device) for part in (edges, triangles, sides))
    return Complex(*tensors)


def _triangles(edges: Ints, keys: Ints, num_nodes: int) -> tuple[Ints, Ints]:
    """Each edge (a, b) is extended by the edges (b, c); (a, b, c) stays where (a, c) is an edge."""
    count = np.bincount(edges[:, 0], minlength=num_nodes)
    start = np.concatenate([[0], np.cumsum(count)])
    fan = count[edges[:, 1]]
    first = np.repeat(np.arange(len(edges)), fan)
    within = np.arange(len(first)) - np.repeat(np.cumsum(fan) - fan, fan)
    second = start[edges[first, 1]] + within
    wanted = edges[first, 0] * num_nodes + edges[second, 1]
    third = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    closed = keys[third] == wanted
    sides = np.column_stack([first, second, third])[closed]
    return np.column_stack([edges[sides[:, 0]], edges[sides[:, 1], 1]]), sides


def _hash(simplices: Ints, salt: int) -> NDArray[np.uint64]:
    """A 64-bit mix (SplitMix64, Steele et al. 2014) of the salt and the nodes, in their order."""
    state = np.full(len(simplices), salt, dtype=np.uint64)
    for nodes in simplices.T.astype(np.uint64):
        state = (state ^ nodes) + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return state
