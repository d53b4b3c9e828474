"""How a vessel graph is to be built, and which options go together."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

import numpy as np

from retia.datasets.assemble import check_names, check_sealing
from retia.datasets.vessel.cleaning import Isolated, Rules
from retia.datasets.vessel.inputs import VoxelSize, check_voxel_size
from retia.shards.errors import InputError

Sibling = Literal["link", "node", "junction"]
Boundaries = tuple[float, ...] | Literal["quantiles"]
JunctionLabels = Path | Literal["atlas", "source"]
Number = TypeVar("Number")

BOUNDARIES_UM = (15.0, 40.0)
QUANTILES: Final = "quantiles"


@dataclass(frozen=True)
class VesselOptions:
    """How to build: `seed` for open builds; `sealed` the sibling whose answers stay secret.

    `voxel_size_um` one number or one an axis; `roi` the low, then the high corner of a box, and
    `bloch` the origin of the angles, both in the unit of the graph; `junction` where the classes
    of the nodes stand.
    """

    name: str
    version: str = "1.0.0"
    seed: int | None = None
    sealed: Sibling | None = None
    only: Sibling | None = None
    workers: int = 1
    split: Literal["random", "block"] = "random"
    boundaries: Boundaries = BOUNDARIES_UM
    voxel_size_um: float | VoxelSize | None = None
    license: str | None = None
    isolated: Isolated = "keep"
    rules: Rules = "retia"
    roi: tuple[float, ...] | None = None
    bloch: tuple[float, ...] | None = None
    atlas: Path | None = None
    ontology: Path | None = None
    junction: JunctionLabels | None = None

    @property
    def siblings(self) -> tuple[Sibling, ...]:
        """The datasets to build."""
        if self.only:
            return (self.only,)
        return ("link", "node", "junction") if self.junction else ("link", "node")

    @property
    def voxel_size(self) -> VoxelSize | None:
        """The size of a voxel in micrometres, one number or one an axis."""
        size = self.voxel_size_um
        return (float(size),) if isinstance(size, int | float) else size


def check_options(options: VesselOptions) -> None:
    """Raise `InputError` for options that do not go together."""
    names = [f"{options.name}-{sibling}" for sibling in options.siblings]
    check_names(*names, version=options.version, license_=options.license)
    check_sealing(options.sealed, options.only, options.seed)
    if "junction" in (options.only, options.sealed) and options.junction is None:
        raise InputError("NAME-junction needs the classes of its nodes: give --junction-labels")
    if (options.atlas is None) != (options.ontology is None):
        raise InputError("--atlas and --ontology go together: the one numbers what the other names")
    if options.junction == "atlas" and options.atlas is None:
        raise InputError("--junction-labels atlas needs --atlas and --ontology")
    check_voxel_size(options.voxel_size)


def parse_boundaries(text: str) -> Boundaries:
    """`quantiles`, or ascending radii in micrometres such as `15,40`."""
    if text == QUANTILES:
        return QUANTILES
    values = _split(text, float)
    if not values or not (np.isfinite(values).all() and (np.diff((0.0, *values)) > 0).all()):
        raise InputError(
            f"--boundaries {text}: give ascending radii in micrometres such as 15,40, "
            f"or '{QUANTILES}'"
        )
    return values


def parse_numbers(option: str, text: str | None, *counts: int) -> tuple[float, ...] | None:
    """Numbers joined by commas, as many as one of `counts`; nothing for nothing."""
    if text is None:
        return None
    values = _split(text, float)
    if len(values) not in counts:
        wanted = " or ".join(map(str, counts))
        raise InputError(f"{option} {text}: give {wanted} numbers joined by commas")
    return values


def parse_roi(text: str | None) -> tuple[float, ...] | None:
    """The low and the high corner of a box, `x0,y0[,z0],x1,y1[,z1]`."""
    corners = parse_numbers("--roi", text, 4, 6)
    if corners and not (np.diff(np.reshape(corners, (2, -1)), axis=0) >= 0).all():
        raise InputError(f"--roi {text}: the first corner must not exceed the second")
    return corners


def parse_junction(text: str | None) -> JunctionLabels | None:
    """`atlas`, `source`, or the path of a table of ids and labels."""
    named: dict[str | None, JunctionLabels | None] = {
        None: None,
        "atlas": "atlas",
        "source": "source",
    }
    return named[text] if text in named else Path(str(text))


def _split(text: str, number: Callable[[str], Number]) -> tuple[Number, ...]:
    try:
        return tuple(number(part) for part in text.split(","))
    except ValueError:
        return ()
