"""Simplicial wavelets on several views of the nodes as a point cloud."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from retia.benchmarks.models.model import TRAINED_TASKS, EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


class HiPoNetOptions(Options):
    """`views` of the inputs, the `neighbours` of a node in each, and at most so many `triangles`.

    With `order` 1 wavelets are on nodes alone, with 2 on edges and triangles too.
    """

    views: Annotated[int, Field(ge=1, le=64)] = 2
    neighbours: Annotated[int, Field(ge=1, le=64)] = 8
    order: Literal[1, 2] = 2
    triangles: Annotated[int, Field(ge=0, le=10_000_000)] = 100_000


def encoder(size: EncoderSize, options: HiPoNetOptions) -> "nn.Module":
    """Scattering of each view, batch normalisation and a perceptron; no pooling."""
    from retia.benchmarks.layers.hiponet import HiPoNetEncoder

    return HiPoNetEncoder(
        size.inputs,
        size.hidden,
        size.layers,
        size.dropout,
        views=options.views,
        neighbours=options.neighbours,
        order=options.order,
        triangles=options.triangles,
    )


MODEL = Model(
    name="hiponet",
    summary="simplicial wavelets on learned views of features and positions, no given edges",
    paper="Viswanath et al. 2025, arXiv:2502.07746",
    tasks=TRAINED_TASKS,
    needs=("features",),
    whole_graph=True,
    options=HiPoNetOptions,
    encoder=encoder,
)
