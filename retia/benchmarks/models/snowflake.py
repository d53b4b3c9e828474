"""Latent graph inference with a neural snowflake."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from retia.benchmarks.models.model import EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


class SnowflakeOptions(Options):
    """`neighbours` a node draws by the `metric` of its latent coordinates, (n, dimensions)."""

    metric: Literal["snowflake", "euclidean"] = "snowflake"
    dimensions: Annotated[int, Field(ge=1, le=256)] = 8
    neighbours: Annotated[int, Field(ge=1, le=64)] = 8


def encoder(size: EncoderSize, options: SnowflakeOptions) -> "nn.Module":
    """Graph convolutions on a graph drawn anew in each step."""
    from retia.benchmarks.layers.latent_graph import LatentGraphEncoder

    return LatentGraphEncoder(
        size.inputs,
        size.hidden,
        size.layers,
        size.dropout,
        size.num_nodes,
        metric=options.metric,
        dimensions=options.dimensions,
        neighbours=options.neighbours,
    )


MODEL = Model(
    name="snowflake",
    summary="graph inferred from features by a learned metric, no given edges",
    paper="Borde and Kratsios 2023, arXiv:2310.15003",
    tasks=("node", "node-multilabel"),
    needs=("features",),
    whole_graph=True,
    options=SnowflakeOptions,
    encoder=encoder,
)
