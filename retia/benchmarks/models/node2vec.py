"""Node2Vec: vectors from random walks."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from retia.benchmarks.models.model import TRAINED_TASKS, EncoderSize, Model, Options

if TYPE_CHECKING:
    from torch import nn


class WalkOptions(Options):
    """Steps a walk, walks from each node, and how far apart two nodes of a pair are at most.

    `p` is against going back, `q` against going away; `negatives` random nodes a pair; `walk_lr` is
    the learning rate of the vectors.
    """

    length: Annotated[int, Field(ge=1, le=1000)] = 20
    rounds: Annotated[int, Field(ge=1, le=1000)] = 10
    window: Annotated[int, Field(ge=1, le=100)] = 5
    negatives: Annotated[int, Field(ge=1, le=100)] = 3
    walk_lr: Annotated[float, Field(gt=0, le=1)] = 0.01
    p: Annotated[float, Field(gt=0, le=1000)] = 1.0
    q: Annotated[float, Field(gt=0, le=1000)] = 1.0


def encoder(size: EncoderSize, options: WalkOptions) -> "nn.Module":
    """Vectors by skip-gram on the visible graph, beside the inputs, through a linear map.

    The vectors know the training edges that the decoder is asked for, which those of the test
    part's pairs do not: the price of learning them beforehand.
    """
    from retia.benchmarks.layers.tables import WalkTable

    fields = options.model_dump()
    return WalkTable(size.num_nodes, size.inputs, size.hidden, lr=fields.pop("walk_lr"), **fields)


MODEL = Model(
    name="node2vec",
    summary="skip-gram vectors of biased random walks, then a linear map or a pair decoder",
    paper="Grover and Leskovec 2016, arXiv:1607.00653",
    tasks=TRAINED_TASKS,
    options=WalkOptions,
    whole_graph=True,
    encoder=encoder,
)
