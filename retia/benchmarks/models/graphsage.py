"""GraphSAGE with the mean aggregator."""

from typing import TYPE_CHECKING

from retia.benchmarks.models.model import TRAINED_TASKS, EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


def encoder(size: EncoderSize, options: Options) -> "nn.Module":
    """A node's own state beside the mean of its neighbours', ReLU and dropout between layers."""
    from torch_geometric.nn.models import GraphSAGE

    from retia.benchmarks.layers.propagation import OnAdjacency

    return OnAdjacency(
        GraphSAGE(size.inputs, size.hidden, size.layers, size.hidden, dropout=size.dropout)
    )


MODEL = Model(
    name="graphsage",
    summary="mean of the neighbours beside the own state, undirected message graph",
    paper="Hamilton, Ying and Leskovec 2017, arXiv:1706.02216",
    tasks=TRAINED_TASKS,
    encoder=encoder,
)
