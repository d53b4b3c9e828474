"""A perceptron on a node's own features and position: what is known without any edge."""

from typing import TYPE_CHECKING

from retia.benchmarks.models.model import TRAINED_TASKS, EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


def encoder(size: EncoderSize, options: Options) -> "nn.Module":
    """Linear layers with ReLU and dropout between them; the message graph is not looked at."""
    from retia.benchmarks.layers.perceptron import NodePerceptron

    return NodePerceptron(size.inputs, size.hidden, size.layers, size.dropout)


MODEL = Model(
    name="mlp",
    summary="perceptron on features and positions, no edges; pair decoder for links",
    paper="Rumelhart, Hinton and Williams 1986, doi:10.1038/323533a0",
    tasks=TRAINED_TASKS,
    needs=("features",),
    encoder=encoder,
)
