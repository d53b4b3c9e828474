"""Graph attention, version 2."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from retia.benchmarks.models.model import TRAINED_TASKS, EncoderSize, Model, Options
from retia.shards.errors import InputError

if TYPE_CHECKING:
    from torch import nn


class AttentionOptions(Options):
    """The number of attention heads; it divides the hidden width."""

    heads: Annotated[int, Field(ge=1, le=64)] = 4


def encoder(size: EncoderSize, options: AttentionOptions) -> "nn.Module":
    """Dynamic attention over the neighbours and the node itself, heads side by side."""
    from torch_geometric.nn.models import GAT

    from retia.benchmarks.layers.propagation import OnEdges

    if size.hidden % options.heads:
        raise InputError(f"gat: hidden {size.hidden} is not a multiple of heads {options.heads}")
    return OnEdges(
        GAT(
            size.inputs,
            size.hidden,
            size.layers,
            size.hidden,
            dropout=size.dropout,
            heads=options.heads,
            v2=True,
        )
    )


MODEL = Model(
    name="gat",
    summary="attention over the neighbours, weights that depend on both ends",
    paper="Brody, Alon and Yahav 2022, arXiv:2105.14491",
    tasks=TRAINED_TASKS,
    options=AttentionOptions,
    encoder=encoder,
)
