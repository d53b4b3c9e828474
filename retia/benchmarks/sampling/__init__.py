"""Parts of a graph to train on: sampled neighbours, halos of blocks, subgraphs of random walks."""

from retia.benchmarks.sampling.halo import halo
from retia.benchmarks.sampling.hiding import Hidden
from retia.benchmarks.sampling.neighbours import NeighbourSampler
from retia.benchmarks.sampling.saint import RandomWalks

__all__ = ["Hidden", "NeighbourSampler", "RandomWalks", "halo"]
