"""Directed graphs for tests: drawn ones, and the worm's chemical synapses."""

from pathlib import Path

import igraph
import networkx as nx
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.sparse import csr_array

Matrix = NDArray[np.bool_]


@st.composite
def digraphs(draw: st.DrawFn, max_nodes: int = 12) -> Matrix:
    """The adjacency (n, n) of a graph without self-loops, from empty to complete."""
    size = draw(st.integers(0, max_nodes))
    density = draw(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return (rng.random((size, size)) < density) & ~np.eye(size, dtype=bool)


def as_networkx(graph: Matrix) -> nx.DiGraph:
    return nx.from_numpy_array(graph.astype(int), create_using=nx.DiGraph)


def as_igraph(graph: Matrix | csr_array) -> igraph.Graph:
    pairs = np.stack(graph.nonzero(), axis=1)
    return igraph.Graph(n=graph.shape[0], edges=pairs.tolist(), directed=True)


def varshney(data: Path) -> csr_array:
    """The chemical synapses of Varshney et al. 2011: 279 neurons, no self-loops, no weights."""
    path = data / "connectome" / "varshney" / "ConnOrdered_040903.mat"
    synapses = np.asarray(loadmat(path)["A_init_t_ordered"].todense()) > 0
    return csr_array(synapses & ~np.eye(len(synapses), dtype=bool))
