"""Graph attentive vectors: does a vessel go on from those at its ends?"""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from retia.benchmarks.models.model import EncoderSize, Model, Options
from retia.shards.errors import InputError

if TYPE_CHECKING:
    from torch import nn


class VectorOptions(Options):
    """The heads of attention; they share the hidden units."""

    heads: Annotated[int, Field(ge=1, le=64)] = 4


def encoder(size: EncoderSize, options: VectorOptions) -> "nn.Module":
    """Attention among the vectors of the edges at each node; features are not looked at."""
    from retia.benchmarks.layers.vectors import VectorEncoder

    if size.hidden % options.heads:
        raise InputError(f"--hidden {size.hidden} is not a multiple of {options.heads} heads")
    return VectorEncoder(size.hidden, size.layers, size.dropout, options.heads)


def decoder(size: EncoderSize, options: VectorOptions, directed: bool) -> "nn.Module":
    """Attention of the vector between two nodes to those of the edges at both."""
    from retia.benchmarks.layers.vectors import VectorDecoder

    return VectorDecoder(size.hidden, options.heads, directed)


MODEL = Model(
    name="gav",
    summary="attention among the vectors of edges, by their angles and lengths",
    paper="Wittmann et al. 2024, arXiv:2303.14501",
    tasks=("link",),
    needs=("positions",),
    options=VectorOptions,
    encoder=encoder,
    decoder=decoder,
)
