"""The graph isomorphism network."""

from typing import TYPE_CHECKING

from retia.benchmarks.models.model import TRAINED_TASKS, EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


def encoder(size: EncoderSize, options: Options) -> "nn.Module":
    """A perceptron on the sum over a node and its neighbours; batch normalisation."""
    from torch_geometric.nn.models import GIN

    from retia.benchmarks.layers.propagation import OnAdjacency

    return OnAdjacency(
        GIN(
            size.inputs,
            size.hidden,
            size.layers,
            size.hidden,
            dropout=size.dropout,
            norm="batch_norm",
            train_eps=True,
        )
    )


MODEL = Model(
    name="gin",
    summary="perceptron on the sum of the neighbours, which counts them",
    paper="Xu et al. 2019, arXiv:1810.00826",
    tasks=TRAINED_TASKS,
    encoder=encoder,
)
