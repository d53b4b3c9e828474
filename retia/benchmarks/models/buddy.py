"""BUDDY with exact counts: how many nodes are 1 or 2 hops from each end of a pair."""

from typing import TYPE_CHECKING

from retia.benchmarks.models.model import EncoderSize, Model, Options
from retia.benchmarks.models.sign import encoder

if TYPE_CHECKING:
    from torch import nn


def decoder(size: EncoderSize, options: Options, directed: bool) -> "nn.Module":
    """A perceptron on the product of both ends and the counts of nodes by both distances."""
    from retia.benchmarks.layers.pairs import CountDecoder

    return CountDecoder(size.hidden, directed)


MODEL = Model(
    name="buddy",
    summary="inputs propagated over hops; pairs by counts of nodes 1 or 2 hops from each end",
    paper="Chamberlain et al. 2023, arXiv:2209.15486",
    tasks=("link", "edge-regression"),
    encoder=encoder,
    decoder=decoder,
)
