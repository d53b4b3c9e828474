"""What the nodes and lines of a picture are coloured by: a quantity, or a class."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retia.shards.arrays import column_array, node_labels
from retia.shards.manifest import Column, Relation
from retia.shards.version import Version

ABSENT = 255
MOST_CLASSES = 200
QUANTITIES = ("radius", "length")
WIDE = 30.0

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Colouring:
    """uint8 values for nodes or lines: places between `low` and `high`, or numbers of `classes`."""

    name: str
    on: Literal["nodes", "lines"]
    values: NDArray[np.uint8]
    classes: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    unit: str | None = None

    def header(self) -> dict[str, Any]:
        """The colouring without its values."""
        shared = {"name": self.name, "on": self.on}
        if self.classes:
            return shared | {"classes": list(self.classes)}
        return shared | {"low": self.low, "high": self.high, "log": self.log, "unit": self.unit}


def edge_colourings(version: Version, relation: Relation, edges: Ints) -> Iterator[Colouring]:
    """By the radius or the weight, and by columns of words, of these edges."""
    for column in relation.columns:
        if column.name == "radius" or column.role == "weight":
            values = version.edges(relation.name, [column.name])[column.name]
            yield _quantity(column, "lines", column_array(values)[edges])
        elif column.dtype == "string" and column.role != "text":
            values = version.edges(relation.name, [column.name])[column.name]
            yield from _words(column, "lines", values, edges)


def node_colourings(version: Version, nodes: Ints) -> Iterator[Colouring]:
    """By classes that are public, by columns of words, and by a quantity, of these nodes."""
    for task in version.manifest.tasks:
        if task.type == "node" and len(task.classes) <= MOST_CLASSES:
            labels = node_labels(version, task)[nodes]
            values = np.where(labels < 0, ABSENT, labels).astype(np.uint8)
            yield Colouring(task.name, "nodes", values, classes=task.classes)
    for column in version.manifest.columns:
        if column.dtype == "string" and column.role != "text" and not column.shape:
            yield from _words(column, "nodes", version.nodes([column.name])[column.name], nodes)
    for column in version.manifest.columns:
        is_degree = column.recipe is not None and column.recipe.function == "degree"
        if (is_degree or column.name in QUANTITIES) and not column.shape:
            values = column_array(version.nodes([column.name])[column.name])
            yield _quantity(column, "nodes", values[nodes])


def _quantity(column: Column, on: Literal["nodes", "lines"], found: NDArray[Any]) -> Colouring:
    """Values between their 1 % and 99 % quantiles; logarithmic where these lie far apart."""
    values = found.astype(np.float64)
    finite = np.isfinite(values)
    low, high = np.quantile(values[finite], (0.01, 0.99)) if finite.any() else (0.0, 1.0)
    positive = values[finite & (values > 0)]
    log = bool(low >= 0 and len(positive) and high > WIDE * max(low, positive.min()))
    if log:
        low = max(low, float(np.quantile(positive, 0.01)))
        with np.errstate(divide="ignore", invalid="ignore"):
            place = np.log(np.maximum(values, low) / low) / np.log(high / low)
    else:
        place = (values - low) / ((high - low) or 1.0)
    scaled = np.round(np.clip(np.nan_to_num(place), 0, 1) * (ABSENT - 1))
    shown = np.where(finite, scaled, ABSENT).astype(np.uint8)
    return Colouring(
        column.name, on, shown, low=float(low), high=float(high), log=log, unit=column.unit
    )


def _words(
    column: Column, on: Literal["nodes", "lines"], values: pa.ChunkedArray, rows: Ints
) -> Iterator[Colouring]:
    """A column of few different words, the commonest first; nothing for a column of many."""
    encoded = pc.dictionary_encode(values).combine_chunks()
    if not 2 <= len(encoded.dictionary) <= MOST_CLASSES:
        return
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    counts = np.bincount(codes[codes >= 0], minlength=len(encoded.dictionary))
    order = np.argsort(-counts, kind="stable")
    number = np.empty(len(order) + 1, dtype=np.int64)
    number[order], number[-1] = np.arange(len(order)), ABSENT
    words = encoded.dictionary.take(pa.array(order)).to_pylist()
    yield Colouring(
        column.name,
        on,
        number[codes[rows]].astype(np.uint8),
        classes=tuple(str(word)[:60] for word in words),
    )
