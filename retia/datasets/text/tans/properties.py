"""What the wiring says of a node: degree, clustering, square clustering, closeness, betweenness.

All of the undirected simple graph, in networkx's definitions. Degree and both clusterings are
exact at any size. Closeness and betweenness take a walk from every node, so in a component of more
than `EXACT_NODES` nodes they come from `PIVOTS` random ones (Brandes, U., Pich, C. (2007).
Centrality estimation in large networks. Int. J. Bifurcat. Chaos 17(7)), and each value has its
standard error beside it. Sums are added in one order, so the workers change nothing.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from retia.datasets.text.tans.kernels import (
    FAR,
    FAR_SQUARED,
    PATHS,
    PATHS_SQUARED,
    Floats,
    Ints,
    Nodes,
    shortest_paths,
    two_steps,
)
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

NAMES = ("degree", "clustering", "square_clustering", "closeness", "betweenness")
SAMPLED = ("closeness", "betweenness")
EXACT_NODES = 8_192
PIVOTS = 2_048
BLOCK_SOURCES = 32
NODE_BLOCKS = 256

T = TypeVar("T")


@dataclass(frozen=True)
class Properties:
    """The properties of n nodes.

    `values` maps each of `NAMES` to (n,) float64. `errors` holds, for those of `SAMPLED` that were
    sampled, the standard errors (n,); it is 0 at nodes of components small enough to be exact.
    """

    values: dict[str, Floats]
    errors: dict[str, Floats]
    pivots: int

    @property
    def num_nodes(self) -> int:
        """The number of nodes."""
        return len(self.values["degree"])

    def ranks(self, name: str) -> Ints:
        """(n,) dense ranks: 1 for the highest value, equal values share one."""
        _, code = np.unique(-self.values[name], return_inverse=True)
        return code.astype(np.int64) + 1

    def quantiles(self, name: str) -> Floats:
        """(n,) the share of the nodes whose value is lower, plus half of those equal to it."""
        values = self.values[name]
        ordered = np.sort(values)
        below = np.searchsorted(ordered, values, "left")
        upto = np.searchsorted(ordered, values, "right")
        return (below + upto) / (2 * len(values))


def undirected(pairs: Ints, num_nodes: int) -> csr_array:
    """The (n, n) adjacency of pairs (E, 2), directions, self-loops and multiplicity dropped."""
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    tail, head = np.concatenate([pairs, pairs[:, ::-1]]).T
    graph = csr_array((np.ones(len(tail), dtype=bool), (tail, head)), shape=(num_nodes, num_nodes))
    graph.sum_duplicates()
    return graph


def compute_properties(
    graph: csr_array,
    randomness: Randomness,
    *,
    workers: int = 1,
    exact_nodes: int = EXACT_NODES,
    pivots: int = PIVOTS,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Properties:
    """The properties of an undirected simple graph, as `undirected` makes it.

    A component of up to `exact_nodes` nodes is walked from all of them, a larger one from `pivots`.
    `on_progress` is told the blocks of walks that are done, and how many there are. Raises
    `InputError` for a graph without nodes.
    """
    n = graph.shape[0]
    if not n:
        raise InputError("a graph without nodes has no properties")
    start, neighbour = graph.indptr.astype(np.int64), graph.indices.astype(np.int32)
    degree = np.diff(start)
    triangles, squares = _two_steps(start, neighbour, degree, workers).T
    count, component = connected_components(graph, directed=False)
    size = np.bincount(component, minlength=count)
    drawn = np.where(size > exact_nodes, np.minimum(pivots, size), size)
    sources = _draw_sources(component, drawn, randomness.stream("tans", "pivots"))
    sums = _walk(start, neighbour, sources, workers, on_progress)
    far, far_error = _totals(sums[FAR], sums[FAR_SQUARED], size[component], drawn[component])
    paths, paths_error = _totals(
        sums[PATHS], sums[PATHS_SQUARED], size[component], drawn[component]
    )
    closeness = _ratio((size[component] - 1) ** 2, far * max(n - 1, 1))
    ordered_pairs = max((n - 1) * (n - 2), 1)
    values = {
        "degree": degree.astype(np.float64),
        "clustering": _ratio(2 * triangles, degree * (degree - 1)),
        "square_clustering": _square_clustering(graph, degree, triangles, squares),
        "closeness": closeness,
        "betweenness": _without_noise(paths / ordered_pairs),
    }
    if (drawn == size).all():
        return Properties(values, {}, 0)
    errors = {
        "closeness": closeness * _ratio(far_error, far),
        "betweenness": paths_error / ordered_pairs,
    }
    return Properties(values, errors, pivots)


def _square_clustering(graph: csr_array, degree: Ints, triangles: Ints, squares: Ints) -> Floats:
    """Squares over possible squares (Lind, P. et al. (2005). Phys. Rev. E 72, 056127, equation 3).

    Summed over pairs of neighbours u, w of a node: q common neighbours beside it, out of
    k_u + k_w - 2 - q - 2 [u and w are joined].
    """
    around = graph @ degree
    pairs = degree * (degree - 1)
    possible = (degree - 1) * around - pairs - squares - 2 * triangles
    return _ratio(squares, possible)


def _two_steps(start: Ints, neighbour: Nodes, degree: Ints, workers: int) -> Ints:
    """(n, 2): triangles and squares of every node, in blocks of about equal work."""
    steps = np.concatenate([[0], np.cumsum(degree[neighbour])])[start]
    ends = np.searchsorted(steps, np.linspace(0, steps[-1], NODE_BLOCKS + 1)[1:-1])
    bounds = np.unique([0, *ends, len(degree)])
    blocks = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
    found = _in_threads(lambda b: two_steps(start, neighbour, b[0], b[1]), blocks, workers)
    return np.concatenate(list(found))


def _draw_sources(component: Ints, drawn: Ints, rng: np.random.Generator) -> Nodes:
    """Ascending nodes: of each component c, `drawn[c]` at random."""
    order = rng.permutation(len(component))
    order = order[np.argsort(component[order], kind="stable")]
    first = np.searchsorted(component[order], component[order], "left")
    place = np.arange(len(order)) - first
    return np.sort(order[place < drawn[component[order]]]).astype(np.int32)


def _walk(
    start: Ints,
    neighbour: Nodes,
    sources: Nodes,
    workers: int,
    on_progress: Callable[[int, int], None],
) -> Floats:
    """The sums of `shortest_paths`, block after block."""
    blocks = [sources[i : i + BLOCK_SOURCES] for i in range(0, len(sources), BLOCK_SOURCES)]
    sums = np.zeros((4, len(start) - 1))
    found = _in_threads(lambda block: shortest_paths(start, neighbour, block), blocks, workers)
    for done, block in enumerate(found, 1):
        sums += block
        on_progress(done, len(blocks))
    if not np.isfinite(sums[PATHS]).all():
        raise InputError("more than 1e308 shortest paths join two nodes; no betweenness is defined")
    return sums


def _totals(sums: Floats, squares: Floats, size: Ints, drawn: Ints) -> tuple[Floats, Floats]:
    """The sum over all sources of a node's component from those drawn, and its standard error."""
    mean = sums / drawn
    variance = np.maximum(squares / drawn - mean**2, 0) * _ratio(drawn, drawn - 1)
    error = np.sqrt(variance / drawn * (1 - drawn / size), dtype=np.float64)
    return size * mean, np.multiply(size, error)


def _without_noise(values: Floats) -> Floats:
    """Values to 40 bits: sums of the same parts in another order are equal, and share a rank."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(mantissa, 40)), exponent - 40)


def _in_threads(
    call: Callable[[T], np.ndarray], blocks: list[T], workers: int
) -> Iterator[np.ndarray]:
    """The results in the order of the blocks; an interrupt leaves the rest undone."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield from pool.map(call, blocks)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _ratio(above: np.ndarray, below: np.ndarray) -> Floats:
    """A quotient, 0 where it is not defined."""
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
