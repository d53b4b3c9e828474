"""LINKX: the rows of the adjacency matrix and the inputs, each through a perceptron."""

from typing import TYPE_CHECKING

from retia.benchmarks.models.model import EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


def encoder(size: EncoderSize, options: Options) -> "nn.Module":
    """A perceptron on a node's neighbours as a set, another on its inputs, and one on both.

    It holds a vector for every node of the graph that it learns on.
    """
    from torch_geometric.nn.models import LINKX

    from retia.benchmarks.layers.propagation import OnEdges

    return OnEdges(
        LINKX(
            size.num_nodes,
            size.inputs,
            size.hidden,
            size.hidden,
            num_layers=size.layers,
            dropout=size.dropout,
        )
    )


MODEL = Model(
    name="linkx",
    summary="perceptrons on the adjacency row and on the inputs, joined; for heterophily",
    paper="Lim et al. 2021, arXiv:2110.14446",
    tasks=("node", "node-multilabel"),
    whole_graph=True,
    encoder=encoder,
)
