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
from retia.datasets.connectome.readers.text_table import TextTable, read_text_table
from retia.shards.errors import InputError

LAYER = "chemical"
GAP = "gap"
GAP_NAMES = ("gap", "gap_junction", "gap junction", "gapjunction", "electrical", "generic_gj", "ej")
MOST_LAYERS = 32
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
    edge_table = read_text_table(edges, header=header)
    node_table = None if nodes is None else read_text_table(nodes)
    return from_tables(edge_table, node_table, edge_mapping or default, node_mapping, unit)


def from_tables(
    edges: TextTable,
    nodes: TextTable | None,
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


def sides(labels: Texts) -> Texts | None:
    """Sides in their one spelling, from L, left and the like in any case; none for other words."""
    rows = find_rows(np.array([*SIDE_NAMES, UNLABELLED]), np.strings.lower(labels))
    spelling = np.array([*SIDE_NAMES.values(), UNLABELLED])
    return None if (rows == NONE).any() else spelling[rows]


class _Neurons:
    """A table of neurons, read by its mapping."""

    def __init__(self, table: TextTable, mapping: NodeMapping) -> None:
        self.table, self.mapping = table, mapping
        given = ((getattr(mapping, f.name), f.default) for f in fields(mapping))
        table.need(column for column, default in given if column != default)
        table.need([mapping.name])
        self.names = table.names(mapping.name)

    def labels(self, field: str) -> Texts | None:
        column = getattr(self.mapping, field)
        return self.table.labels(column) if column in self.table else None

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
        return mutual(self.table.partners(self.mapping.homolog, self.names))


def _names(edges: TextTable, mapping: EdgeMapping) -> Texts:
    both = pa.chunked_array([edges.ids(mapping.pre), edges.ids(mapping.post)])
    return np.sort(pc.unique(both).to_numpy(zero_copy_only=False).astype(np.str_))


def _layers(
    edges: TextTable, mapping: EdgeMapping, names: Texts, where: str, unit: str | None
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


def _kinds(edges: TextTable, column: str) -> Texts:
    """The layer of each connection: lower case, all spellings of a gap junction as one."""
    labels = np.strings.lower(edges.labels(column))
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
