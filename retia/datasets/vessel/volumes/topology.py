"""Does a graph have the topology of the mask it was traced from? Betti numbers and clDice."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from retia.datasets.vessel.volumes.bits import Bits, Index, euler_number, slab_planes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Labels:
    """The components of a volume: (slabs' labels,) the component of each, and their number."""

    component: Index
    count: int


def fill_cavities(mask: Bits) -> tuple[Bits, int]:
    """The mask without pockets of background that foreground encloses, and how many there were.

    A pocket would stay in the skeleton as a closed sheet. Background is joined by faces.
    """
    labels = _components(mask, background=True)
    if labels.count == 1:
        return mask, 0
    filled = mask.copy()
    outside = labels.component[0]
    for first, label, offset in _labelled(mask, background=True):
        pocket = (label > 0) & (labels.component[label - 1 + offset] != outside)
        filled.data[first : first + len(label)] |= np.packbits(pocket, axis=2, bitorder="little")
    return filled, labels.count - 1


def betti_numbers(mask: Bits) -> tuple[int, int]:
    """Components (26-connected) and loops of a mask without cavities.

    Euler-Poincaré: b1 = b0 + b2 - Euler number, and b2 = 0.
    """
    components = _components(mask, background=False).count
    return components, components - euler_number(mask)


def graph_betti(num_nodes: int, ends: Index) -> tuple[int, int]:
    """Components and independent cycles of a graph; self-loops and parallel edges count."""
    joined = sparse.coo_array((np.ones(len(ends)), tuple(ends.T)), shape=(num_nodes, num_nodes))
    components = int(csgraph.connected_components(joined, directed=False)[0])
    return components, len(ends) - num_nodes + components


def cl_dice(
    mask: Bits, skeleton: Floats, centreline: Floats, radius: Floats, spacing: Floats
) -> float:
    """Centreline Dice between a mask and the tubes of a graph.

    Precision: the share of the (P, 3) `centreline` points inside the mask; sensitivity: the share
    of the mask's own `skeleton`, (n, 3), in the tube about the nearest centreline point, of its
    `radius` (P,) and a voxel. Positions count voxels. Shit, S. et al. (2021). clDice - a novel
    topology-preserving loss function for tubular structure segmentation. CVPR.
    """
    plane, row, _ = mask.strides
    at = np.rint(centreline).astype(np.int64) + 1
    precision = mask.get(at[:, 0] * plane + at[:, 1] * row + at[:, 2]).mean()
    away, near = cKDTree(centreline * spacing).query(skeleton * spacing)
    sensitivity = (away <= radius[near] + spacing.max()).mean()
    return float(2 * precision * sensitivity / (precision + sensitivity))


def _labelled(mask: Bits, background: bool) -> Iterator[tuple[int, NDArray[Any], int]]:
    """Slabs of the volume with its rim: first plane, labels from 1, and those given before."""
    structure = ndimage.generate_binary_structure(3, 1 if background else 3)
    thick, offset = slab_planes(mask.shape), 0
    for first in range(0, len(mask.data), thick):
        inside = np.unpackbits(mask.data[first : first + thick], axis=2, bitorder="little")
        label, count = ndimage.label(inside == (not background), structure)
        yield first, label, offset
        offset += count


def _components(mask: Bits, background: bool) -> Labels:
    pairs, below, total = [np.zeros((0, 2), dtype=np.int64)], None, 0
    for _, label, offset in _labelled(mask, background):
        if below is not None:
            pairs.append(_seam(below, _numbered(label[0], offset), by_corner=not background))
        below = _numbered(label[-1], offset)
        total = offset + int(label.max())
    joined = np.concatenate(pairs)
    graph = sparse.coo_array((np.ones(len(joined)), tuple(joined.T)), shape=(total, total))
    count, component = csgraph.connected_components(graph, directed=False)
    return Labels(component.astype(np.int64), int(count))


def _numbered(plane: NDArray[Any], offset: int) -> Index:
    """Labels as rows of the volume's labels, -1 where there is none."""
    return np.where(plane > 0, plane.astype(np.int64) - 1 + offset, -1)


def _seam(below: Index, above: Index, by_corner: bool) -> Index:
    """(S, 2) labels that touch across two planes."""
    found = []
    moves = (-1, 0, 1) if by_corner else (0,)
    for y in moves:
        for x in moves:
            moved = np.roll(above, (y, x), axis=(0, 1))  # the rim is empty, so nothing comes round
            both = (below >= 0) & (moved >= 0)
            found.append(np.unique(np.column_stack([below[both], moved[both]]), axis=0))
    return np.concatenate(found)
