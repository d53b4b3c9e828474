"""The graph that a query is put to: layers as CSR arrays, and columns of nodes and edges."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retia.shards.arrays import node_labels, pairs
from retia.shards.manifest import Column
from retia.shards.version import Version

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NAME = "name"
MAX_EXACT = 1 << 53


@dataclass(frozen=True)
class Attribute:
    """A value a node or an edge: numbers, or words and the place of each value among them.

    values (rows,): float64, NaN where there is no value; words: sorted, None for numbers.
    """

    values: Floats
    words: tuple[str, ...] | None = None

    @classmethod
    def of(cls, column: pa.ChunkedArray | pa.Array | NDArray[np.generic]) -> "Attribute":
        """From a column of one number, truth value or text a row; null is no value.

        Whole numbers too great for a float64 (identifiers, most often) are taken for text.
        """
        array = pa.array(column) if isinstance(column, np.ndarray) else column
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if not _is_number(array):
            return cls(*_coded(array.cast(pa.string())))
        return cls(array.cast(pa.float64()).to_numpy(zero_copy_only=False))


@dataclass(frozen=True)
class Layer:
    """A relation: row i of the CSR arrays holds the nodes that an edge from node i leads to.

    indptr (num_nodes + 1,), indices (edges,) ascending in each row, columns (edges,) beside them.
    An edge of an undirected layer stands in both rows.
    """

    name: str
    directed: bool
    indptr: Ints
    indices: Ints
    columns: Mapping[str, Attribute] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        directed: bool,
        num_nodes: int,
        edge_index: Ints,
        columns: Mapping[str, Attribute] | None = None,
    ) -> "Layer":
        """From edges (2, E), those of an undirected layer once; self-loops are left out."""
        source, target = edge_index
        row = np.arange(len(source))
        if not directed:
            source, target = np.concatenate([source, target]), np.concatenate([target, source])
            row = np.concatenate([row, row])
        order = np.lexsort((target, source))
        order = order[source[order] != target[order]]
        return cls(
            name,
            directed,
            np.searchsorted(source[order], np.arange(num_nodes + 1)),
            target[order],
            {
                key: Attribute(column.values[row[order]], column.words)
                for key, column in (columns or {}).items()
            },
        )


@dataclass(frozen=True)
class Graph:
    """Nodes 0 to num_nodes - 1, their columns by name, and layers of edges.

    The column `name`, where there is one, names the nodes of a match.
    """

    num_nodes: int
    layers: tuple[Layer, ...]
    columns: Mapping[str, Attribute] = field(default_factory=dict)


def graph_of(version: Version) -> Graph:
    """The visible graph of a dataset version.

    Nodes have the columns of the node table, then those of the table of ids, then the public labels
    of open node tasks; a name that is taken is not taken again. Columns of several values a row,
    such as positions, are left out.
    """
    manifest = version.manifest
    layers = tuple(
        _layer(version, relation.name, relation.directed, _flat(relation.columns))
        for relation in manifest.relations
    )
    return Graph(manifest.num_nodes, layers, _node_columns(version))


def _layer(version: Version, name: str, directed: bool, columns: list[str]) -> Layer:
    table = version.edges(name, ["src", "dst", *columns])
    attributes = {column: Attribute.of(table[column]) for column in columns}
    return Layer.of(name, directed, version.manifest.num_nodes, pairs(table), attributes)


def _node_columns(version: Version) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    columns = _flat(version.manifest.columns)
    if columns:
        found |= _attributes(version.nodes(columns))
    if version.has("ids"):
        found = _attributes(version.table("ids").drop_columns("node")) | found
    for task in version.manifest.tasks:
        if task.type == "node" and task.secrecy == "open" and task.label is not None:
            label = node_labels(version, task)
            words = pa.array(task.classes).take(pa.array(label, mask=label < 0))
            found = {task.label: Attribute.of(words)} | found
    return found


def _attributes(table: pa.Table) -> dict[str, Attribute]:
    return {
        name: Attribute.of(table[name])
        for name in table.column_names
        if not pa.types.is_nested(table.schema.field(name).type)
    }


def _flat(columns: tuple[Column, ...]) -> list[str]:
    return [column.name for column in columns if not column.shape]


def _is_number(array: pa.Array) -> bool:
    if pa.types.is_integer(array.type) and len(array) > array.null_count:
        least, greatest = pc.min_max(array).as_py().values()
        return least >= -MAX_EXACT and greatest <= MAX_EXACT
    return pa.types.is_integer(array.type) or pa.types.is_floating(array.type)


def _coded(text: pa.Array) -> tuple[Floats, tuple[str, ...]]:
    words = tuple(sorted(word for word in text.unique().to_pylist() if word is not None))
    places = pc.index_in(text, value_set=pa.array(words, pa.string()))
    return places.cast(pa.float64()).to_numpy(zero_copy_only=False), words
