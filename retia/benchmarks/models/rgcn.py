"""The relational graph convolutional network."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from retia.benchmarks.models.model import TRAINED_TASKS, EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


class RelationOptions(Options):
    """How many matrices the types of edges share; none: each has its own."""

    bases: Annotated[int, Field(ge=1, le=1000)] | None = None


def encoder(size: EncoderSize, options: RelationOptions) -> "nn.Module":
    """A matrix for each relation and, where it is directed, each direction; mean of neighbours."""
    from retia.benchmarks.layers.relations import RelationalEncoder

    return RelationalEncoder(
        size.inputs, size.hidden, size.layers, size.dropout, size.num_edge_types, options.bases
    )


MODEL = Model(
    name="rgcn",
    summary="convolutions with a matrix for each relation and direction",
    paper="Schlichtkrull et al. 2018, arXiv:1703.06103",
    tasks=TRAINED_TASKS,
    options=RelationOptions,
    encoder=encoder,
)
