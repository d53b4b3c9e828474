"""Neural Sheaf Diffusion."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from retia.benchmarks.models.model import TRAINED_TASKS, EncoderSize, Model, Options
from retia.shards.errors import InputError

if TYPE_CHECKING:
    from torch import nn

MapKind = Literal["identity", "diagonal", "orthogonal", "general"]


class SheafOptions(Options):
    """The restriction maps and the dimension of the stalk they act on.

    `sparse_learner` learns maps from a state summed over its stalk. `low_pass` and `high_pass` add
    a dimension each to the stalk, with fixed maps: the signless Laplacian, and the ordinary one.
    """

    maps: MapKind = "diagonal"
    stalk: Annotated[int, Field(ge=1, le=64)] = 4
    sparse_learner: bool = False
    low_pass: bool = False
    high_pass: bool = False


def encoder(size: EncoderSize, options: SheafOptions) -> "nn.Module":
    """Sheaf diffusion on the undirected message graph; a state is (stalk, hidden / stalk)."""
    from retia.benchmarks.layers.sheaf import SheafEncoder

    stalk = options.stalk + options.low_pass + options.high_pass
    if size.hidden % stalk:
        raise InputError(
            f"model 'sheaf': --hidden {size.hidden} does not divide into a stalk of {stalk}"
            f"{' with its fixed dimensions' if stalk > options.stalk else ''}; "
            f"{max(1, round(size.hidden / stalk)) * stalk} does"
        )
    if options.stalk == 1 and options.maps in ("orthogonal", "general"):
        raise InputError(
            f"model 'sheaf': a stalk of 1 has diagonal maps alone; for maps={options.maps} give "
            "stalk 2 or more"
        )
    return SheafEncoder(
        size.inputs,
        size.hidden // stalk,
        options.stalk,
        size.layers,
        size.dropout,
        maps=options.maps,
        sparse_learner=options.sparse_learner,
        low_pass=options.low_pass,
        high_pass=options.high_pass,
    )


MODEL = Model(
    name="sheaf",
    summary="diffusion with learned restriction maps on the undirected message graph",
    paper="Bodnar et al. 2022, arXiv:2202.04579",
    tasks=TRAINED_TASKS,
    options=SheafOptions,
    encoder=encoder,
)
