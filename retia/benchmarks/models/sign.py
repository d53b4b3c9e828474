"""SIGN: inputs propagated over several hops, then a perceptron."""

from typing import TYPE_CHECKING

from retia.benchmarks.models.model import TRAINED_TASKS, EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


def encoder(size: EncoderSize, options: Options) -> "nn.Module":
    """A linear map of the inputs at 0 to `layers` hops, side by side, and a perceptron on them.

    The hops are taken on the graph of the step, so that an edge that is asked for is in none.
    """
    from retia.benchmarks.layers.propagation import Sign

    return Sign(size.inputs, size.hidden, size.layers, size.dropout)


MODEL = Model(
    name="sign",
    summary="inputs propagated over as many hops as layers, without weights, then a perceptron",
    paper="Frasca et al. 2020, arXiv:2004.11198",
    tasks=TRAINED_TASKS,
    encoder=encoder,
)
