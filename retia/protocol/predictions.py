"""The form of predictions, and the check that they are whole.

A Parquet table with the columns `seed`, `part` (`valid` or `test`), `item`, then `score` for a
link task, `pred` (a value) for an edge-regression task, or for a node task `pred` (a class index)
or one column a class (`class_0`, `class_1`, ...), which a multi-label task must have. For every
seed, every item of both parts stands exactly once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retia.shards.errors import InputError
from retia.shards.manifest import Part, Task
from retia.shards.version import Version

PARTS: tuple[Part, Part] = ("valid", "test")


@dataclass(frozen=True)
class Predictions:
    """Predictions as columns, sorted by seed, part and item."""

    seeds: tuple[int, ...]
    values: dict[tuple[int, Part], NDArray[Any]]


def value_columns(task: Task, names: list[str]) -> list[str]:
    """The columns that hold the predictions of this task, in order."""
    if task.type == "link":
        return ["score"]
    if task.type == "edge-regression":
        return ["pred"]
    if task.type == "node" and "pred" in names:
        return ["pred"]
    return [f"class_{i}" for i in range(len(task.classes))]


class Items(dict[tuple[int, Part], NDArray[np.int64]]):
    """The items of a task by split and part, ascending, read when they are first asked for."""

    def __init__(self, version: Version, task: str) -> None:
        self._version, self._task = version, task

    def __missing__(self, key: tuple[int, Part]) -> NDArray[np.int64]:
        split, part = key
        column = self._version.task_table(self._task, split, part)["item"]
        self[key] = np.sort(column.to_numpy().astype(np.int64))
        return self[key]


def read_predictions(
    table: pa.Table, task: Task, items: dict[tuple[int, Part], NDArray[np.int64]]
) -> Predictions:
    """Check a table of predictions against the items of a task, and align it with them.

    `items[split, part]` are the item ids in ascending order; seed s uses split s modulo the
    number of splits. Raises `InputError` that names the first offender. The returned values are
    scores for a link task, values for an edge-regression task, class indices for a node task and
    (I, C) scores for a multi-label task, in the order of the items.
    """
    columns = value_columns(task, table.column_names)
    _check_columns(table, ["seed", "part", "item", *columns])
    seed = _integers(table, "seed")
    item = _integers(table, "item")
    part = _parts(table)
    read = _integers if columns == ["pred"] and task.type != "edge-regression" else _values
    values = np.column_stack([read(table, name) for name in columns])
    order = np.lexsort((item, part, seed))
    seed, item, part, values = seed[order], item[order], part[order], values[order]
    result: dict[tuple[int, Part], NDArray[Any]] = {}
    seeds = tuple(int(s) for s in np.unique(seed))
    for s in seeds:
        if s < 0:
            raise InputError(f"predictions: seed {s} is negative")
        for number, name in enumerate(PARTS):
            start = np.searchsorted(seed, s, "left")
            stop = np.searchsorted(seed, s, "right")
            begin = start + np.searchsorted(part[start:stop], number, "left")
            end = start + np.searchsorted(part[start:stop], number, "right")
            where = f"seed {s}, part {name}"
            _check_items(item[begin:end], items[s % task.num_splits, name], where)
            _check_finite(values[begin:end], item[begin:end], where)
            result[s, name] = _reduce(values[begin:end], item[begin:end], task, columns, where)
    return Predictions(seeds, result)


def _check_columns(table: pa.Table, expected: list[str]) -> None:
    for name in expected:
        if name not in table.column_names:
            raise InputError(f"predictions: column '{name}' is missing")
    for name in table.column_names:
        if name not in expected:
            raise InputError(f"predictions: column '{name}' is not one of {', '.join(expected)}")
    if not table.num_rows:
        raise InputError("predictions: the table is empty")


def _integers(table: pa.Table, name: str) -> NDArray[np.int64]:
    column = table[name]
    if not pa.types.is_integer(column.type):
        raise InputError(f"predictions: column '{name}' is {column.type}, not an integer")
    _check_nulls(column, name)
    try:
        return np.asarray(pc.cast(column, pa.int64()).to_numpy())
    except pa.ArrowInvalid as error:
        raise InputError(f"predictions: column '{name}': {error}") from error


def _parts(table: pa.Table) -> NDArray[np.int64]:
    column = table["part"]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise InputError(f"predictions: column 'part' is {column.type}, not text")
    number = pc.index_in(column, pa.array(PARTS, type=column.type))
    if number.null_count:
        row = int(np.flatnonzero(number.is_null().to_numpy())[0])
        found = str(column[row].as_py())[:40]
        raise InputError(f"predictions: row {row}: part {found!r} is neither valid nor test")
    return np.asarray(number.to_numpy(), dtype=np.int64)


def _values(table: pa.Table, name: str) -> NDArray[Any]:
    column = table[name]
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise InputError(f"predictions: column '{name}' is {kind}, not a number")
    _check_nulls(column, name)
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _check_nulls(column: pa.ChunkedArray, name: str) -> None:
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise InputError(f"predictions: row {row}: column '{name}' has no value")


def _check_items(found: NDArray[np.int64], wanted: NDArray[np.int64], where: str) -> None:
    if len(found) == len(wanted) and (found == wanted).all():
        return
    doubled = found[1:][found[1:] == found[:-1]]
    unknown = found[~np.isin(found, wanted)]
    missing = wanted[~np.isin(wanted, found)]
    offenders = ((doubled, "stands twice"), (unknown, "is unknown"), (missing, "is missing"))
    for offending, what in offenders:
        if len(offending):
            raise InputError(f"predictions: {where}: item {offending[0]} {what}")


def _check_finite(values: NDArray[Any], item: NDArray[np.int64], where: str) -> None:
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise InputError(f"predictions: {where}: item {item[bad][0]} is not finite")


def _reduce(
    values: NDArray[Any], item: NDArray[np.int64], task: Task, columns: list[str], where: str
) -> NDArray[Any]:
    if task.type in ("link", "edge-regression"):
        return np.asarray(values[:, 0])
    if task.type == "node-multilabel":
        return values
    if columns != ["pred"]:
        return np.asarray(values.argmax(axis=1))
    bad = (values[:, 0] < 0) | (values[:, 0] >= len(task.classes))
    if bad.any():
        raise InputError(
            f"predictions: {where}: item {item[bad][0]} has class {values[bad][0, 0]}, "
            f"the classes are 0 to {len(task.classes) - 1}"
        )
    return np.asarray(values[:, 0])
