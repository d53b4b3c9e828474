"""The graph convolutional network."""

from typing import TYPE_CHECKING

from retia.benchmarks.models.model import TRAINED_TASKS, EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


def encoder(size: EncoderSize, options: Options) -> "nn.Module":
    """Convolutions with symmetric normalisation and self-loops, ReLU and dropout between them."""
    from torch_geometric.nn.models import GCN

    from retia.benchmarks.layers.propagation import OnAdjacency

    return OnAdjacency(
        GCN(size.inputs, size.hidden, size.layers, size.hidden, dropout=size.dropout)
    )


MODEL = Model(
    name="gcn",
    summary="graph convolutions on the undirected message graph",
    paper="Kipf and Welling 2017, arXiv:1609.02907",
    tasks=TRAINED_TASKS,
    encoder=encoder,
)
