"""Volumes with a known graph: tubes of known radii along the segments of a lattice."""

from dataclasses import dataclass
from itertools import product

import networkx as nx
import numpy as np
from numpy.typing import NDArray

SPACING = 22
MARGIN = 12


@dataclass(frozen=True)
class Drawing:
    """A mask (x, y, z), and the graph it was drawn from: positions and radii in voxels."""

    mask: NDArray[np.bool_]
    graph: "nx.Graph[int]"


def draw(
    size: tuple[int, int, int],
    edges: list[tuple[int, int, float]],
    jitter: NDArray[np.float64] | None = None,
) -> Drawing:
    """Tubes (a, b, radius) between points of a lattice, numbered in C order, moved by jitter."""
    place = np.array(list(product(*map(range, size))), dtype=float) * SPACING + MARGIN
    if jitter is not None:
        place += jitter
    mask = np.zeros(tuple(n * SPACING + 2 for n in size), dtype=bool)
    graph = nx.Graph()
    for a, b, radius in edges:
        tube(mask, place[a], place[b], radius)
        length = float(np.linalg.norm(place[a] - place[b]))
        graph.add_edge(a, b, radius=radius, length=length)
    nx.set_node_attributes(graph, {node: place[node] for node in graph}, "position")
    return Drawing(mask, graph)


def tube(
    mask: NDArray[np.bool_], a: NDArray[np.float64], b: NDArray[np.float64], radius: float
) -> None:
    """Set the voxels whose centre is within `radius` of the segment."""
    low = np.floor(np.minimum(a, b) - radius - 1).astype(int).clip(0)
    high = np.ceil(np.maximum(a, b) + radius + 2).astype(int)
    box = tuple(slice(i, j) for i, j in zip(low, high, strict=True))
    at = np.stack(np.indices(mask[box].shape), axis=-1) + low
    along = np.clip((at - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    mask[box] |= np.linalg.norm(at - a - along[..., None] * (b - a), axis=-1) <= radius


def lattice_edges(size: tuple[int, int, int]) -> list[tuple[int, int]]:
    """The edges of the lattice graph, by number of point."""
    grid = nx.grid_graph(dim=size[::-1])
    number = {node: i for i, node in enumerate(product(*map(range, size)))}
    return sorted((min(number[a], number[b]), max(number[a], number[b])) for a, b in grid.edges)


def without_bends(graph: "nx.Graph[int]") -> "nx.MultiGraph[int]":
    """The graph with every node of two edges taken out and its edges joined; rings keep one."""
    plain = nx.MultiGraph(graph.edges)
    for node in list(plain):
        near = [other for _, other in plain.edges(node)]
        if len(near) == 2 and node not in near:
            plain.remove_node(node)
            plain.add_edge(*near)
    return plain
