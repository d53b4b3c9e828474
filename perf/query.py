"""Motif queries against networkx and a sparse product, on generated connectomes.

    python perf/query.py [NODES EDGES]

The first table is a small graph, where networkx's matcher can follow. The second one, by default of
the size of a fly's brain, has the time and the most memory of a few queries. Degrees are
heavy-tailed, and two fifths of the edges have their reverse beside them.
"""

import resource
import sys
import time

import numpy as np
from networkx import DiGraph
from networkx.algorithms.isomorphism import DiGraphMatcher
from scipy import sparse

from retia.datasets.connectome.query import Graph, Layer, parse, search

FEED_FORWARD = "A -> B; B -> C; A -> C"
QUERIES = (
    FEED_FORWARD,
    f"{FEED_FORWARD}; match induced",
    "A -> B -> C -> A",
    "A <-> B <-> C <-> A",
    "A -> B -> C",
    "A -> B; A -> C; B -> D; C -> D; match induced",
    "A -> B -> C -> D -> E -> F -> G",
)


def main() -> None:
    """Print seconds and ratios."""
    nodes, edges = (
        (int(word) for word in sys.argv[1:3]) if len(sys.argv) > 2 else (140_000, 2_700_000)
    )
    search(parse(FEED_FORWARD), make_graph(100, 500), table=False)
    beside_networkx(make_graph(279, 2_194))
    graph, made = timed(lambda: make_graph(nodes, edges))
    print(f"\n{nodes:,} nodes, {len(graph.layers[0].indices):,} edges, made in {made:.1f} s")
    matrix = as_matrix(graph)
    product, seconds = timed(lambda: ((matrix @ matrix) * matrix).sum())
    print(f"{product:>15,}  {seconds:8.2f} s  feed-forward loops by scipy's product")
    for text in QUERIES:
        found, seconds = timed(lambda text=text: search(parse(text), graph, table=False))
        print(
            f"{found.count:>15,}  {seconds:8.2f} s  {text}{'' if found.complete else '  (stopped)'}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"most memory {peak:.1f} GB")


def beside_networkx(graph: Graph) -> None:
    """Count in a small graph with both."""
    network = DiGraph(np.argwhere(as_matrix(graph).toarray()).tolist())
    print(f"{graph.num_nodes:,} nodes, {len(graph.layers[0].indices):,} edges")
    for text in QUERIES[:4]:
        query = parse(f"{text}; count mappings")
        found, ours = timed(lambda query=query: search(query, graph, table=False))
        motif = DiGraph([(edge.source, edge.target) for edge in query.edges])
        matcher = DiGraphMatcher(network, motif)
        matches = (
            matcher.subgraph_isomorphisms_iter
            if query.induced
            else matcher.subgraph_monomorphisms_iter
        )
        count, theirs = timed(lambda matches=matches: sum(1 for _ in matches()))
        assert count == found.count
        print(
            f"{count:>15,}  {ours:8.4f} s, networkx {theirs:.2f} s, {theirs / ours:,.0f} x  {text}"
        )


def make_graph(nodes: int, edges: int) -> Graph:
    """A graph with heavy-tailed degrees, some of whose edges are answered."""
    rng = np.random.default_rng(0)
    ends = (rng.random((2, edges)) ** 2 * nodes).astype(np.int64)
    ends[1] = rng.permutation(nodes)[ends[1]]
    answered = edges // 5
    both = np.concatenate([ends[:, : edges - answered], ends[::-1, :answered]], axis=1)
    pairs = np.unique(both, axis=1)
    return Graph(nodes, (Layer.of("chemical", True, nodes, pairs),))


def as_matrix(graph: Graph) -> sparse.csr_array:
    """The adjacency matrix."""
    layer = graph.layers[0]
    ones = np.ones(len(layer.indices), dtype=np.int64)
    size = graph.num_nodes
    return sparse.csr_array((ones, layer.indices, layer.indptr), shape=(size, size))


def timed(work):
    """What a call returns, and its seconds."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


if __name__ == "__main__":
    main()
