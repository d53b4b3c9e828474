"""SEAL: a graph network on the subgraph that encloses a pair."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from retia.benchmarks.models.model import EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


class EnclosingOptions(Options):
    """The subgraph's `hops`, and what of it is pooled.

    `sort` keeps that many nodes of the highest ones (`kept`), `mean` takes the mean. In training,
    `share` of each step's pairs are asked for.
    """

    hops: Annotated[int, Field(ge=1, le=2)] = 1
    pooling: Literal["sort", "mean"] = "sort"
    kept: Annotated[int, Field(ge=10, le=1000)] = 16
    share: Annotated[float, Field(gt=0, le=1)] = 1.0


def encoder(size: EncoderSize, options: EnclosingOptions) -> "nn.Module":
    """A linear map of the inputs: all that is learned of the graph is in the decoder."""
    from retia.benchmarks.layers.perceptron import NodePerceptron

    return NodePerceptron(size.inputs, size.hidden, 1, size.dropout)


def decoder(size: EncoderSize, options: EnclosingOptions, directed: bool) -> "nn.Module":
    """Graph convolutions on the subgraph of each pair, whose nodes have labels, and pooling."""
    from retia.benchmarks.layers.seal import EnclosingDecoder

    return EnclosingDecoder(
        size.hidden,
        size.layers,
        size.dropout,
        directed,
        hops=options.hops,
        pooling=options.pooling,
        kept=options.kept,
        share=options.share,
    )


MODEL = Model(
    name="seal",
    summary="graph convolutions on the labelled subgraph that encloses a pair",
    paper="Zhang and Chen 2018, arXiv:1802.09691",
    tasks=("link", "edge-regression"),
    options=EnclosingOptions,
    encoder=encoder,
    decoder=decoder,
)
