"""Matrix factorisation: a learned vector for every node."""

from typing import TYPE_CHECKING

from retia.benchmarks.models.model import EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


def encoder(size: EncoderSize, options: Options) -> "nn.Module":
    """A table of vectors; with the `dot` decoder, a factorisation of the adjacency matrix."""
    from retia.benchmarks.layers.tables import EmbeddingTable

    return EmbeddingTable(size.num_nodes, size.hidden)


MODEL = Model(
    name="matrix-factorisation",
    summary="a learned vector a node, no inputs and no message passing",
    paper="Koren, Bell and Volinsky 2009, doi:10.1109/MC.2009.263",
    tasks=("link", "edge-regression"),
    whole_graph=True,
    encoder=encoder,
)
