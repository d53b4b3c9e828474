"""Read SWC: a tree of samples with position and radius.

Format: R. Cannon et al. (1998). An on-line archive of reconstructed hippocampal neurons. J.
Neurosci. Methods 84; columns `id type x y z radius parent`, `#` starts a comment.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retia.datasets.vessel.readers.polyline import Polyline
from retia.shards.errors import InputError

COLUMNS = ("id", "type", "x", "y", "z", "radius", "parent")
ROOT = -1
_BAD_VALUE = re.compile(r"could not convert string '(.*)' to float64 at row (\d+), column (\d+)")
_BAD_WIDTH = re.compile(r"the number of columns changed from \d+ to (\d+) at row (\d+)")


def read_swc(path: Path) -> Polyline:
    """The samples of a file, each joined to its parent; a negative radius is missing.

    Raises `InputError` naming the line.
    """
    table, lines = _table(path)
    ids, parent = (_integers(path, table, lines, name) for name in ("id", "parent"))
    position = table[:, 2:5]
    if not np.isfinite(position).all():
        bad = lines[np.argmin(np.isfinite(position).all(axis=1))]
        raise InputError(f"{path}: line {bad}: a sample needs a finite position")
    order = np.argsort(ids, kind="stable")
    if (again := np.flatnonzero(np.diff(ids[order]) == 0)).size:
        second = order[again[0] + 1]
        raise InputError(f"{path}: line {lines[second]}: sample {ids[second]} stands twice")
    child = np.flatnonzero(parent != ROOT)
    place = np.minimum(np.searchsorted(ids, parent[child], sorter=order), len(ids) - 1)
    row = order[place]
    if (stray := np.flatnonzero(ids[row] != parent[child])).size:
        first = child[stray[0]]
        raise InputError(f"{path}: line {lines[first]}: parent {parent[first]} does not exist")
    segments = np.column_stack([row, child])
    radius = np.where(table[:, 5] >= 0, table[:, 5], np.nan)
    return Polyline(ids, position, segments, radius[segments])


def _table(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The (n, 7) samples and the (n,) numbers of their lines, counted from 1."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    content = [line.partition("#")[0].strip() for line in text]
    lines = np.flatnonzero(np.array(content) != "") + 1
    if not len(lines):
        raise InputError(f"{path}: the file holds no samples")
    try:
        table = np.loadtxt([content[line - 1] for line in lines], ndmin=2)
    except ValueError as error:
        raise InputError(f"{path}: {_explain(str(error), lines)}") from error
    if table.shape[1] != len(COLUMNS):
        raise InputError(
            f"{path}: {table.shape[1]} columns; SWC has {len(COLUMNS)}: {' '.join(COLUMNS)}"
        )
    return table, lines


def _integers(
    path: Path, table: NDArray[np.float64], lines: NDArray[np.int64], name: str
) -> NDArray[np.int64]:
    values = table[:, COLUMNS.index(name)]
    bad = ~np.isfinite(values) | (values != np.round(values))
    if bad.any():
        raise InputError(f"{path}: line {lines[np.argmax(bad)]}: {name} is not an integer")
    return values.astype(np.int64)


def _explain(message: str, lines: NDArray[np.int64]) -> str:
    """numpy's message in the words of the file."""
    if found := _BAD_VALUE.search(message):
        value, row, column = found.groups()
        name = COLUMNS[min(int(column), len(COLUMNS)) - 1]
        return f"line {lines[int(row)]}, {name}: '{value[:40]}' is not a number"
    if found := _BAD_WIDTH.search(message):
        return f"line {lines[int(found[2]) - 1]} has {found[1]} columns; SWC has {len(COLUMNS)}"
    return " ".join(message.split())[:200]
