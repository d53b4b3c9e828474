"""SIGN: inputs propagated over several hops, then a perceptron."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from retia.benchmarks.models.model import TRAINED_TASKS, EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


class SignOptions(Options):
    """How many hops the inputs are propagated over."""

    hops: Annotated[int, Field(ge=1, le=20)] = 3


def encoder(size: EncoderSize, options: SignOptions) -> "nn.Module":
    """A linear map of the inputs at 0, 1, ... hops, side by side, and a perceptron on them.

    The hops are taken on the graph of the step, so that an edge that is asked for is in none.
    """
    from retia.benchmarks.layers.propagation import Sign

    return Sign(size.inputs, size.hidden, size.layers, size.dropout, options.hops)


MODEL = Model(
    name="sign",
    summary="inputs propagated over several hops without weights, then a perceptron",
    paper="Frasca et al. 2020, arXiv:2004.11198",
    tasks=TRAINED_TASKS,
    options=SignOptions,
    encoder=encoder,
)
