"""Nodes with all that reaches them in so many steps: what an exact output at them needs."""

import numpy as np

from retia.benchmarks.csr import Csr, Ints, Subgraph
from retia.benchmarks.sampling.hops import sample_hops
from retia.benchmarks.sampling.induced import induced


def halo(csr: Csr, nodes: Ints, hops: int) -> Subgraph:
    """The nodes, then all from which one is reached in `hops` steps, and the edges between them.

    A model of `hops` layers gives the nodes what it gives them on the whole graph. One that divides
    by the degrees of senders needs one hop more, since those of the outermost ring are cut.
    """
    everything = sample_hops(csr, nodes, [-1] * hops, key=np.uint64(0))
    return induced(csr, everything.graph.nodes)
