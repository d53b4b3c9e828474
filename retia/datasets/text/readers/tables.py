"""Read a text-attributed graph from a table of nodes and a table of edges."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from retia.datasets.table_file import TableFile, read_table_file
from retia.datasets.text.graph import TextGraph, TextRelation, Texts, from_arrow, make_text_graph
from retia.datasets.text.readers.labels import NO_LABEL, multi_labels, single_labels
from retia.shards.errors import InputError

RELATION = "edge"
MOST_RELATIONS = 64
SHORTEST_NAME, LONGEST_NAME = 2, 63


@dataclass(frozen=True)
class NodeMapping:
    """The columns of a table of nodes.

    `labels` hold one class each, `multilabels` lists of classes, joined by semicolons in a CSV.
    """

    id: str = "id"
    texts: tuple[str, ...] = ("text",)
    labels: tuple[str, ...] = ()
    multilabels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class EdgeMapping:
    """The columns of a table of edges.

    With `relation` none all edges are of one kind; else that column names the kind of each.
    """

    src: str = "src"
    dst: str = "dst"
    relation: str | None = None
    text: str | None = None
    directed: bool = True


def read_tables(
    nodes: Path,
    edges: Path,
    node_mapping: NodeMapping | None = None,
    edge_mapping: EdgeMapping | None = None,
) -> TextGraph:
    """A graph from tables: CSV, TSV or Parquet. Raises `InputError`."""
    of_nodes, of_edges = node_mapping or NodeMapping(), edge_mapping or EdgeMapping()
    table = read_table_file(nodes)
    table.need([of_nodes.id, *of_nodes.texts])
    ids = from_arrow(table.ids(of_nodes.id))
    labels = {name: single_labels(labels_of(table, name)) for name in of_nodes.labels}
    for name in of_nodes.multilabels:
        rows, words = table.lists(name)
        where = f"{nodes}, column {name}"
        labels[name] = multi_labels(where, len(table), rows, from_arrow(words))
    return make_text_graph(
        f"{nodes} and {edges}",
        ids,
        {name: from_arrow(table.texts(name)) for name in of_nodes.texts},
        _relations(read_table_file(edges), of_edges, ids, str(nodes)),
        labels=labels,
        groups={name: labels_of(table, name) for name in of_nodes.groups},
    )


def labels_of(table: TableFile, column: str) -> Texts:
    """The words of a column, "" for a cell that is empty or says nan."""
    return from_arrow(table.labels(column, NO_LABEL))


def relation_names(where: str, words: Texts) -> Texts:
    """Names of relations as a manifest has them: lower case, with hyphens; raises `InputError`."""
    place, kinds = pd.factorize(words)
    lower = pc.utf8_lower(pa.array(kinds, pa.large_string()))
    clean = pc.utf8_trim(pc.replace_substring_regex(lower, r"[^a-z0-9]+", "-"), "-")
    length = pc.utf8_length(clean).to_numpy(zero_copy_only=False)
    nameless = (length < SHORTEST_NAME) | (length > LONGEST_NAME)
    if nameless.any():
        row = int(np.argmax(nameless[place]))
        raise InputError(
            f"{where}: edge {row + 1} is of the relation '{words[row][:40]}'; a name has "
            f"{SHORTEST_NAME} to {LONGEST_NAME} letters or digits"
        )
    names = from_arrow(clean)
    found = np.unique(names)
    if len(found) > MOST_RELATIONS:
        raise InputError(
            f"{where}: {len(found)} relations, '{found[0]}' and '{found[1]}' among them; at most "
            f"{MOST_RELATIONS} can be read"
        )
    return names[place]


def _relations(
    edges: TableFile, mapping: EdgeMapping, ids: Texts, nodes: str
) -> list[TextRelation]:
    edges.need([mapping.src, mapping.dst])
    pairs = np.column_stack([edges.rows(end, ids, nodes) for end in (mapping.src, mapping.dst)])
    text = None if mapping.text is None else from_arrow(edges.texts(mapping.text))
    if mapping.relation is None:
        return [TextRelation(RELATION, mapping.directed, pairs, text)]
    where = f"{edges.where}, column {mapping.relation}"
    names = relation_names(where, labels_of(edges, mapping.relation))
    place, found = pd.factorize(names, sort=True)
    return [
        TextRelation(
            name,
            mapping.directed,
            pairs[place == i],
            None if text is None else text[place == i],
        )
        for i, name in enumerate(found)
    ]
