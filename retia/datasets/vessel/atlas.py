"""Regions of an atlas: which one a point lies in, by lookup within bounds.

NIfTI: https://nifti.nimh.nih.gov. An ontology is a table or a tree of `id` and `acronym`, such as
the Allen Institute's structure graph (https://atlas.brain-map.org).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retia.shards.errors import InputError, MissingExtraError

GROUPS = ("group", "color_hex_triplet", "acronym")
MICROMETRES = {"meter": 1e6, "mm": 1e3, "micron": 1.0, "unknown": 1.0}
INSIDE_SHARE = 0.5


@dataclass(frozen=True)
class Ontology:
    """The named regions: `id` (R,) ascending, the `group` (R,) of each, and the groups' names."""

    id: NDArray[np.int64]
    group: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Atlas:
    """A volume of region ids, and the (4, 4) matrix from micrometres to its indices."""

    regions: NDArray[Any]
    to_index: NDArray[np.float64]


@dataclass(frozen=True)
class Located:
    """(n,) the group of each point, -1 where none; how many lie outside, and in unknown regions."""

    group: NDArray[np.int64]
    outside: int
    unknown: int


def read_atlas(path: Path) -> Atlas:
    """A NIfTI volume of integers; its affine and its unit say where it lies."""
    try:
        import nibabel
        from nibabel.filebasedimages import ImageFileError
    except ImportError as error:
        raise MissingExtraError("build", "nibabel") from error
    try:
        image: Any = nibabel.load(path)
        values = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ImageFileError, ValueError) as error:
        raise InputError(f"{path}: this is no NIfTI volume that can be read: {error}") from error
    if values.ndim != 3:
        raise InputError(f"{path}: the volume has the shape {values.shape}; three axes are needed")
    if values.dtype.kind == "f" and (values != np.round(values)).any():
        raise InputError(f"{path}: the volume is {values.dtype} with fractions, not ids of regions")
    scale = MICROMETRES[image.header.get_xyzt_units()[0]]
    affine = np.diag([scale, scale, scale, 1.0]) @ image.affine
    return Atlas(values, np.linalg.inv(affine))


def read_ontology(path: Path) -> Ontology:
    """The regions of a CSV table or a JSON tree.

    Regions are grouped by `group` where there is such a column, else by `color_hex_triplet`, else
    by `acronym`; the groups stand in the order of the file, whatever a brain holds.
    """
    table = _table(path)
    missing = {"id", "acronym"} - set(table.columns)
    if missing:
        raise InputError(f"{path}: the ontology lacks {', '.join(sorted(missing))}")
    number = pd.to_numeric(table["id"], errors="coerce")
    if (bad := number.isna() | (number % 1 != 0)).any():
        raise InputError(f"{path}: entry {int(bad.argmax()) + 1}: the id is not an integer")
    ids = number.to_numpy(dtype=np.int64)
    if len(np.unique(ids)) < len(ids):
        raise InputError(f"{path}: an id stands twice")
    column = next(name for name in GROUPS if name in table)
    group, names = pd.factorize(table[column].astype(str))
    order = np.argsort(ids)
    return Ontology(ids[order], group[order].astype(np.int64), tuple(map(str, names)))


def locate(atlas: Atlas, ontology: Ontology, position_um: NDArray[np.float64]) -> Located:
    """The group of the voxel whose centre is nearest to each of (n, 3) points.

    Region 0 is background and belongs to no group. Raises `InputError` where over half of the
    points lie outside the volume: then it is of another shape or stands elsewhere.
    """
    if position_um.shape[1] != 3:
        raise InputError("--atlas needs a graph in three dimensions")
    index = position_um @ atlas.to_index[:3, :3].T + atlas.to_index[:3, 3]
    voxel = np.floor(index + 0.5)
    shape = np.array(atlas.regions.shape)
    inside = np.asarray(((voxel >= 0) & (voxel < shape)).all(axis=1))
    if inside.sum() < INSIDE_SHARE * len(inside):
        raise InputError(
            f"--atlas: {(~inside).sum()} of {len(inside)} nodes lie outside its "
            f"{' x '.join(map(str, shape))} voxels; give the atlas in the space of the graph"
        )
    region = np.zeros(len(voxel), dtype=np.int64)
    region[inside] = atlas.regions[tuple(voxel[inside].astype(np.int64).T)]
    place = np.minimum(np.searchsorted(ontology.id, region), len(ontology.id) - 1)
    known = (ontology.id[place] == region) & (region != 0)
    group = np.where(known, ontology.group[place], -1)
    return Located(group, int((~inside).sum()), int(((region != 0) & ~known).sum()))


def _table(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() == ".json":
            return pd.DataFrame(list(_flat(json.loads(path.read_text(encoding="utf-8")))))
        return pd.read_csv(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this is no ontology that can be read: {error}") from error


def _flat(tree: Any) -> Iterator[dict[str, Any]]:
    """The entries of a tree of `children`, parents first; `msg` wraps the Allen Institute's."""
    waiting = list(tree) if isinstance(tree, list) else [tree]
    while waiting:
        entry = waiting.pop(0)
        if not isinstance(entry, dict):
            raise ValueError("an entry is not an object")
        if "id" in entry:
            yield {key: value for key, value in entry.items() if key != "children"}
        waiting = [*entry.get("msg", ()), *entry.get("children", ()), *waiting]
