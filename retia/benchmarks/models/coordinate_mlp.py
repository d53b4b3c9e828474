"""A perceptron on the difference of two positions: what is known of a pair without any edge."""

from typing import TYPE_CHECKING

from retia.benchmarks.models.model import EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


def encoder(size: EncoderSize, options: Options) -> "nn.Module":
    """A linear map of positions: differences do not change when the graph is moved."""
    from retia.benchmarks.layers.differences import LinearPlace

    return LinearPlace(size.dimensions, size.hidden)


def decoder(size: EncoderSize, options: Options, directed: bool) -> "nn.Module":
    """The perceptron, with `layers` hidden layers."""
    from retia.benchmarks.layers.differences import DifferencePerceptron

    return DifferencePerceptron(size.hidden, size.layers, size.dropout, directed)


MODEL = Model(
    name="coordinate-mlp",
    summary="perceptron on the difference of two positions, no edges",
    tasks=("link",),
    needs=("positions",),
    encoder=encoder,
    decoder=decoder,
)
