"""Neural common neighbours: what the common neighbours of a pair are, beside its ends."""

from typing import TYPE_CHECKING

from retia.benchmarks.models.gcn import encoder
from retia.benchmarks.models.model import EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


def decoder(size: EncoderSize, options: Options, directed: bool) -> "nn.Module":
    """A perceptron on the product of both ends and the sum over their common neighbours."""
    from retia.benchmarks.layers.pairs import CommonNeighbourDecoder

    return CommonNeighbourDecoder(size.hidden, directed)


MODEL = Model(
    name="ncn",
    summary="graph convolutions; pairs by their ends and the sum of their common neighbours",
    paper="Wang, Yang and Zhang 2024, arXiv:2302.00890",
    tasks=("link", "edge-regression"),
    whole_graph=True,
    encoder=encoder,
    decoder=decoder,
)
