"""Null models: random graphs that share with a wiring what is named, and nothing else.

| null | keeps |
|---|---|
| `degree` | each node's in- and out-degree |
| `mutual` | each node's numbers of mutual partners, of single edges in, and of single edges out |
| `weights` | the graph, and the weights as a set: they are shuffled over the edges |
| `spatial` | the number of edges of each length |

`degree` and `mutual` are Markov chains (`rewiring`) that start from the wiring. All graphs of the
same degrees can be reached by `degree`. `mutual` steps cannot reach every graph of a few nodes with
many mutual pairs, where most exchanges are blocked; it is uniform over those that it reaches.
`weights` and `spatial` are drawn outright.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from retia.datasets.connectome.motifs.edge_table import EMPTY, find_slot, make_table, put
from retia.datasets.connectome.motifs.rewiring import swap_dyads, swap_edges
from retia.datasets.connectome.motifs.wiring import Floats, Ints, Wiring
from retia.protocol.triads import compiled
from retia.shards.errors import InputError

SWAPS = 10
LENGTH_CLASSES = 20


@dataclass(frozen=True)
class Draw:
    """A random graph: its edges (E, 2), how many steps of a chain changed it, its edges halfway.

    A graph that is drawn outright has no steps, and `halfway` is none.
    """

    pairs: Ints
    accepted: int = 0
    halfway: Ints | None = None


@dataclass(frozen=True)
class Null:
    """A null model. `draw` takes the wiring, the number of steps and a generator."""

    name: str
    keeps: str
    draw: Callable[[Wiring, int, np.random.Generator], Draw]
    is_chain: bool = True


def draw_degree(wiring: Wiring, steps: int, rng: np.random.Generator) -> Draw:
    """A graph with the in- and out-degrees of the strong edges, after `steps` tried exchanges."""
    src, dst = (end.copy() for end in wiring.strong.T)
    first = swap_edges(src, dst, wiring.num_nodes, steps // 2, rng)
    halfway = np.column_stack([src, dst])
    second = swap_edges(src, dst, wiring.num_nodes, steps - steps // 2, rng)
    return Draw(np.column_stack([src, dst]), first + second, halfway)


def draw_mutual(wiring: Wiring, steps: int, rng: np.random.Generator) -> Draw:
    """A graph in which each node has as many single edges in and out, and mutual partners."""
    single, mutual = split_mutual(wiring)
    src, dst, low, high = (end.copy() for end in (*single.T, *mutual.T))
    first = swap_dyads(src, dst, low, high, wiring.num_nodes, steps // 2, rng)
    halfway = _join(src, dst, low, high)
    second = swap_dyads(src, dst, low, high, wiring.num_nodes, steps - steps // 2, rng)
    return Draw(_join(src, dst, low, high), first + second, halfway)


def draw_weights(wiring: Wiring, steps: int, rng: np.random.Generator) -> Draw:
    """The edges that are strong once the weights are shuffled over all edges."""
    if wiring.weight is None or wiring.min_weight is None:
        raise InputError(
            "the null 'weights' shuffles weights, which changes a count only above a least "
            "weight: give one (--min-weight), and edges with weights"
        )
    return Draw(wiring.pairs[rng.permutation(wiring.weight) >= wiring.min_weight])


def draw_spatial(wiring: Wiring, steps: int, rng: np.random.Generator) -> Draw:
    """As many directed edges of each length as there are strong ones, between any two nodes.

    The lengths of the strong edges fall into 20 classes of equal size (fewer where lengths
    repeat): the first begins at 0, the last ends with the longest edge. In a class of k edges,
    every set of k of the ordered pairs (i, j), i ≠ j, whose distance lies in the class is equally
    likely. Degrees and mutual pairs are not kept, and no edge is longer than the longest.
    """
    if wiring.position is None:
        raise InputError("the null 'spatial' needs positions of the nodes, and there are none")
    if not np.isfinite(wiring.position).all():
        raise InputError("the null 'spatial' needs a position of every node; one is not finite")
    position = np.ascontiguousarray(wiring.position, dtype=np.float64)
    bounds, counts = length_classes(position, wiring.strong)
    return Draw(_fill_classes(position, bounds, counts, rng))


NULLS: dict[str, Null] = {
    null.name: null
    for null in (
        Null("degree", "in- and out-degrees", draw_degree),
        Null("mutual", "in- and out-degrees and mutual pairs", draw_mutual),
        Null("weights", "the graph, with its weights shuffled", draw_weights, is_chain=False),
        Null("spatial", "the number of edges of each length", draw_spatial, is_chain=False),
    )
}


def split_mutual(wiring: Wiring) -> tuple[Ints, Ints]:
    """The single edges (S, 2), and the mutual pairs (M, 2) once each, lower node first."""
    src, dst = wiring.strong.T
    key, reverse = src * wiring.num_nodes + dst, dst * wiring.num_nodes + src
    is_mutual = np.isin(key, reverse, assume_unique=True)
    return wiring.strong[~is_mutual], wiring.strong[is_mutual & (src < dst)]


def length_classes(position: Floats, pairs: Ints) -> tuple[Floats, Ints]:
    """The upper bounds of the classes of length, each an edge's length, and the edges in each."""
    lengths = _lengths(position, pairs)
    shares = np.arange(1, LENGTH_CLASSES + 1) / LENGTH_CLASSES
    bounds = (
        np.unique(np.quantile(lengths, shares, method="inverted_cdf")) if len(pairs) else lengths
    )
    return bounds, np.bincount(np.searchsorted(bounds, lengths), minlength=len(bounds))


def _join(src: Ints, dst: Ints, low: Ints, high: Ints) -> Ints:
    return np.column_stack([np.concatenate([src, low, high]), np.concatenate([dst, high, low])])


@compiled
def _length(position, one, other):
    total = 0.0
    for axis in range(position.shape[1]):
        total += (position[one, axis] - position[other, axis]) ** 2
    return np.sqrt(total)


@compiled
def _lengths(position, pairs):
    lengths = np.empty(len(pairs))
    for edge in range(len(pairs)):
        lengths[edge] = _length(position, pairs[edge, 0], pairs[edge, 1])
    return lengths


@compiled
def _fill_classes(position, bounds, counts, rng):
    """Draw ordered pairs until every class is full; those of a full class are left."""
    wanted = counts.copy()
    missing = wanted.sum()
    pairs = np.empty((missing, 2), dtype=np.int64)
    keys, places = make_table(missing)
    while missing:
        one, other = rng.integers(0, len(position)), rng.integers(0, len(position))
        place = np.searchsorted(bounds, _length(position, one, other))
        key = one * len(position) + other
        if one == other or place == len(bounds) or not wanted[place]:
            continue
        if keys[find_slot(keys, key)] == EMPTY:
            missing -= 1
            wanted[place] -= 1
            put(keys, places, key, missing)
            pairs[missing, 0], pairs[missing, 1] = one, other
    return pairs
