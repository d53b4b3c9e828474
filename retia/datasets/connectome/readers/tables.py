"""Read a connectome from a table of connections and, where there is one, a table of neurons."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retia.datasets.connectome.graph import (
    NONE,
    UNLABELLED,
    Connectome,
    Floats,
    Ints,
    Layer,
    Texts,
    find_rows,
    make_connectome,
    mutual,
)
from retia.datasets.table_file import SPACES, TableFile, read_table_file
from retia.shards.errors import InputError

LAYER = "chemical"
GAP = "gap"
GAP_NAMES = ("gap", "gap_junction", "gap junction", "gapjunction", "electrical", "generic_gj", "ej")
MOST_LAYERS = 32
NO_LABEL = ("na", "n/a", "#n/a", "nan", "none", "null")
AXES = ("x", "y", "z")
SIDE_NAMES = {
    "l": "left",
    "left": "left",
    "r": "right",
    "right": "right",
    "c": "center",
    "m": "center",
    "center": "center",
    "centre": "center",
    "central": "center",
    "middle": "center",
}


@dataclass(frozen=True)
class EdgeMapping:
    """The columns of a table of connections.

    With `weight` none each row counts 1. With `layer` none all rows are chemical connections; else
    that column names the layer of each, in lower case; those of `GAP_NAMES` are `gap`, undirected.
    Without `directed` every layer is undirected.
    """

    pre: str = "pre"
    post: str = "post"
    weight: str | None = "weight"
    layer: str | None = None
    directed: bool = True


@dataclass(frozen=True)
class NodeMapping:
    """The columns of a table of neurons; all but `name` are read where they are there.

    A column that is named otherwise than here must be there. Positions are in micrometres.
    """

    name: str = "name"
    cell_class: str = "class"
    transmitter: str = "transmitter"
    side: str = "side"
    homolog: str = "homolog"
    x: str = "x"
    y: str = "y"
    z: str = "z"


def read_tables(
    edges: Path,
    nodes: Path | None = None,
    *,
    edge_mapping: EdgeMapping | None = None,
    node_mapping: NodeMapping | None = None,
    header: bool = True,
    unit: str | None = None,
) -> Connectome:
    """A connectome from tables: CSV, TSV, blank-separated text or Parquet, by their endings.

    Without a table of neurons the neurons are those of the connections, in the order of their
    names. Without a `header` in the table of connections its columns are 1, 2, 3, and those are
    pre, post and weight unless the mapping says otherwise. Raises `InputError`.
    """
    default = EdgeMapping() if header else EdgeMapping("1", "2", "3")
    edge_table = read_table_file(edges, header=header, separator=SPACES)
    node_table = None if nodes is None else read_table_file(nodes, separator=SPACES)
    return from_tables(edge_table, node_table, edge_mapping or default, node_mapping, unit)


def from_tables(
    edges: TableFile,
    nodes: TableFile | None,
    edge_mapping: EdgeMapping,
    node_mapping: NodeMapping | None = None,
    unit: str | None = None,
) -> Connectome:
    """A connectome from tables in memory; as `read_tables`."""
    by = edge_mapping
    edges.need(column for column in (by.pre, by.post, by.weight, by.layer) if column is not None)
    if nodes is None:
        names, neurons, where = _names(edges, edge_mapping), None, edges.where
    else:
        neurons, where = _Neurons(nodes, node_mapping or NodeMapping()), nodes.where
        names = neurons.names
    layers = _layers(edges, edge_mapping, names, where, unit)
    if neurons is None:
        return make_connectome(edges.where, names, layers)
    homolog, odd = neurons.homolog()
    return make_connectome(
        f"{where} and {edges.where}",
        names,
        layers,
        report={} if homolog is None else {"homologs_not_mutual": odd},
        cell_class=neurons.labels("cell_class"),
        transmitter=neurons.labels("transmitter"),
        side=neurons.side(),
        position=neurons.position(),
        homolog=homolog,
    )


def names_of(table: TableFile, column: str) -> Texts:
    """Names of neurons, none empty."""
    return table.ids(column).to_numpy(zero_copy_only=False).astype(np.str_)


def labels_of(table: TableFile, column: str) -> Texts:
    """Texts, "" where a cell is empty or says nan, none, null or n/a."""
    return table.labels(column, NO_LABEL).to_numpy(zero_copy_only=False).astype(np.str_)


def sides(labels: Texts) -> Texts | None:
    """Sides in their one spelling, from L, left and the like in any case; none for other words."""
    rows = find_rows(np.array([*SIDE_NAMES, UNLABELLED]), np.strings.lower(labels))
    spelling = np.array([*SIDE_NAMES.values(), UNLABELLED])
    return None if (rows == NONE).any() else spelling[rows]


class _Neurons:
    """A table of neurons, read by its mapping."""

    def __init__(self, table: TableFile, mapping: NodeMapping) -> None:
        self.table, self.mapping = table, mapping
        given = ((getattr(mapping, f.name), f.default) for f in fields(mapping))
        table.need(column for column, default in given if column != default)
        table.need([mapping.name])
        self.names = names_of(table, mapping.name)

    def labels(self, field: str) -> Texts | None:
        column = getattr(self.mapping, field)
        return labels_of(self.table, column) if column in self.table else None

    def side(self) -> Texts | None:
        labels = self.labels("side")
        if labels is None:
            return None
        if (side := sides(labels)) is None:
            odd = ~np.isin(np.strings.lower(labels), [*SIDE_NAMES, UNLABELLED])
            row = int(np.argmax(odd))
            what = f"'{labels[row]}' is no side; left, right, center or nothing belongs there"
            raise self.table.bad(row, self.mapping.side, what)
        return side

    def position(self) -> Floats | None:
        columns = [getattr(self.mapping, axis) for axis in AXES]
        there = [column in self.table for column in columns]
        if not any(there):
            return None
        self.table.need(columns)
        return np.column_stack([self.table.numbers(column) for column in columns])

    def homolog(self) -> tuple[Ints | None, int]:
        if self.mapping.homolog not in self.table:
            return None, 0
        partner = find_rows(self.names, labels_of(self.table, self.mapping.homolog))
        return mutual(partner)


def _names(edges: TableFile, mapping: EdgeMapping) -> Texts:
    both = pa.chunked_array([edges.ids(mapping.pre), edges.ids(mapping.post)])
    return np.sort(pc.unique(both).to_numpy(zero_copy_only=False).astype(np.str_))


def _layers(
    edges: TableFile, mapping: EdgeMapping, names: Texts, where: str, unit: str | None
) -> list[Layer]:
    ends = [edges.rows(column, names, where) for column in (mapping.pre, mapping.post)]
    pairs = np.column_stack(ends)
    ones = np.ones(len(edges))
    weight = ones if mapping.weight is None else edges.numbers(mapping.weight)
    if mapping.layer is None:
        return [Layer(LAYER, mapping.directed, pairs, weight, unit)]
    kind = _kinds(edges, mapping.layer)
    return [
        Layer(
            name, mapping.directed and name != GAP, pairs[kind == name], weight[kind == name], unit
        )
        for name in np.unique(kind).tolist()
    ]


def _kinds(edges: TableFile, column: str) -> Texts:
    """The layer of each connection: lower case, all spellings of a gap junction as one."""
    labels = np.strings.lower(labels_of(edges, column))
    if (labels == "").any():
        raise edges.bad(int(np.argmax(labels == "")), column, "is empty; a layer belongs there")
    kind = np.where(np.isin(labels, GAP_NAMES), GAP, labels)
    clean = pc.replace_substring_regex(pa.array(kind, pa.string()), r"[^a-z0-9]+", "-")
    kind = pc.utf8_trim(clean, "-").to_numpy(zero_copy_only=False).astype(np.str_)
    if len(found := np.unique(kind)) > MOST_LAYERS:
        raise InputError(
            f"{edges.where}: column {column} names {len(found)} layers, {found[0]} and "
            f"{found[1]} among them; at most {MOST_LAYERS} can be read"
        )
    return kind
