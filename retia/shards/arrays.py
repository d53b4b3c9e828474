"""The numpy form of a version's tables: what the PyG and the OGB hand-over are made from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.shards.manifest import Column, Part, Role, Task
from retia.shards.version import Version

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

EDGE_ROLES: tuple[Role, ...] = ("feature", "weight")


@dataclass(frozen=True)
class PairItems:
    """The items of a part of a link task: item (I,), pairs (2, I)."""

    item: Ints
    pairs: Ints


@dataclass(frozen=True)
class PairAnswers:
    """The answers of a part of a link task.

    label (I,) in the order of the items; `candidates` maps a candidate set's name to its item (C,)
    and group (C,), -1 where it is not grouped.
    """

    label: Ints
    candidates: dict[str, tuple[Ints, Ints]]


def integers(table: pa.Table, name: str) -> Ints:
    """A column as int64."""
    return np.asarray(table[name].to_numpy().astype(np.int64))


def column_array(column: pa.ChunkedArray) -> NDArray[Any]:
    """A numeric column: (rows,), or (rows, d) where it holds lists of d numbers; a null is NaN."""
    values, is_list = column.combine_chunks(), False
    while pa.types.is_fixed_size_list(values.type):
        values, is_list = values.flatten(), True
    flat = np.asarray(values.to_numpy(zero_copy_only=False))
    return flat.reshape(len(column), -1) if is_list else flat


def label_lists(labels: NDArray[np.bool_]) -> pa.Array:
    """(rows, C) of a multi-label task as lists of int16: the classes of each row, ascending."""
    ends = np.cumsum(labels.sum(axis=1), dtype=np.int64)
    starts = np.concatenate([[0], ends]).astype(np.int32)
    return pa.ListArray.from_arrays(starts, np.nonzero(labels)[1].astype(np.int16))


def label_matrix(table: pa.Table, num_classes: int) -> NDArray[np.bool_]:
    """The `label` column of a multi-label task, (rows, C); the inverse of `label_lists`."""
    lists = table["label"].combine_chunks()
    labels = np.zeros((len(lists), num_classes), dtype=bool)
    rows = np.repeat(np.arange(len(lists)), np.diff(lists.offsets.to_numpy()))
    labels[rows, lists.flatten().to_numpy()] = True
    return labels


def pairs(table: pa.Table) -> Ints:
    """The `src` and `dst` columns, (2, rows)."""
    return np.stack([integers(table, "src"), integers(table, "dst")])


def node_matrix(version: Version, role: Role) -> Floats | None:
    """The numeric node columns of a role side by side, (num_nodes, F), or none."""
    columns = _numeric(version.manifest.columns, (role,))
    if not columns:
        return None
    return _matrix(version.nodes([column.name for column in columns]), columns)


def column_places(version: Version, role: Role) -> dict[str, int]:
    """Where each numeric node column of a role begins in `node_matrix`."""
    columns = _numeric(version.manifest.columns, (role,))
    widths = [int(np.prod(column.shape)) for column in columns]
    begins = np.cumsum([0, *widths]).tolist()
    return {column.name: begin for column, begin in zip(columns, begins, strict=False)}


def encoding_matrix(version: Version, name: str) -> Floats:
    """The vectors of an encoding, (num_nodes, d) float32."""
    vectors = column_array(version.encoding(name)["vector"])
    return np.asarray(vectors, dtype=np.float32)


def feature_matrix(version: Version, encoding: str | None = None) -> Floats | None:
    """The numeric feature columns, then the vectors of an encoding, (num_nodes, F); or none."""
    features = node_matrix(version, "feature")
    if encoding is None:
        return features
    vectors = encoding_matrix(version, encoding)
    return vectors if features is None else np.concatenate([features, vectors], axis=1)


def edge_arrays(version: Version, relation: str) -> tuple[Ints, Floats | None]:
    """The visible edges as edge_index (2, E) and edge_attr (E, F), or none without attributes.

    The edges of an undirected relation stand in both directions: all as stored, then all reversed.
    """
    described = version.manifest.relation(relation)
    columns = _numeric(described.columns, EDGE_ROLES)
    table = version.edges(relation, ["src", "dst", *(column.name for column in columns)])
    index = pairs(table)
    attributes = _matrix(table, columns) if columns else None
    if described.directed:
        return index, attributes
    doubled = None if attributes is None else np.concatenate([attributes, attributes])
    return np.concatenate([index, index[::-1]], axis=1), doubled


def node_labels(version: Version, task: Task) -> Ints:
    """The public labels of a node task, (num_nodes,); -1 where a label is hidden or absent."""
    labels = np.full(version.manifest.num_nodes, -1)
    for nodes, table in _public_labels(version, task):
        labels[nodes] = integers(table, "label")
    return labels


def node_label_sets(version: Version, task: Task) -> Floats:
    """The public labels of a multi-label task, (num_nodes, C): 1, 0, or NaN for none."""
    classes = len(task.classes)
    labels = np.full((version.manifest.num_nodes, classes), np.nan, dtype=np.float32)
    for nodes, table in _public_labels(version, task):
        labels[nodes] = label_matrix(table, classes)
    return labels


def _public_labels(version: Version, task: Task) -> Iterator[tuple[Ints, pa.Table]]:
    """The nodes of each public table that has their labels, and the table."""
    parts: tuple[Part, ...] = ("valid", "test") if task.secrecy == "open" else ("valid",)
    for split in range(task.num_splits):
        train = version.task_table(task.name, split, "train")
        yield integers(train, "node"), train
        for part in parts:
            answers = version.answers(task.name, split, part)
            yield integers(answers, "item"), answers


def pair_items(version: Version, task: str, split: int, part: Part) -> PairItems:
    """What a part of a link task asks."""
    table = version.task_table(task, split, part)
    return PairItems(integers(table, "item"), pairs(table))


def pair_answers(version: Version, task: str, split: int, part: Part) -> PairAnswers:
    """The answers of a part of a link task."""
    label = integers(version.answers(task, split, part), "label")
    table = version.answers(task, split, part, "candidates")
    item, group = integers(table, "item"), integers(table, "group")
    names = np.asarray(table["candidates"].to_pylist(), dtype=object)
    chosen = {name: names == name for name in dict.fromkeys(names)}
    return PairAnswers(label, {name: (item[mask], group[mask]) for name, mask in chosen.items()})


def _numeric(columns: tuple[Column, ...], roles: tuple[Role, ...]) -> list[Column]:
    return [column for column in columns if column.role in roles and column.dtype != "string"]


def _matrix(table: pa.Table, columns: list[Column]) -> Floats:
    blocks = [column_array(table[column.name]) for column in columns]
    return np.column_stack([block.astype(np.float32, copy=False) for block in blocks])
