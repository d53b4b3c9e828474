"""The columns of datasets with texts: the texts, degrees, and the table of ids."""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from retia.datasets.assemble import EdgeColumns, NodeColumn, degree_column
from retia.datasets.text.graph import TextGraph, TextRelation
from retia.shards.errors import InputError
from retia.shards.manifest import Column

MISSING_TEXT = "missing_text"
EDGE_TEXT = "text"
ID = "name"
FIXED_IDS = ("node", ID)


def text_columns(graph: TextGraph, about: Mapping[str, str]) -> tuple[NodeColumn, ...]:
    """The texts as the source has them, and whether a node has none; nothing without texts.

    `about` says what a text is, by its name, where there is more to say than that.
    """
    if not graph.texts:
        return ()
    columns = [
        NodeColumn(
            _text_column(column_name(name), about.get(name, f"{name} of the node, '' for none")),
            values,
        )
        for name, values in graph.texts.items()
    ]
    flag = Column(
        name=MISSING_TEXT, dtype="bool", description="the node has no text", role="feature"
    )
    return (*columns, NodeColumn(flag, graph.missing_text))


def degree_columns(relations: Iterable[TextRelation]) -> tuple[NodeColumn, ...]:
    """Number of the visible edges in each relation and direction, log(1 + x)."""
    columns = []
    for relation in relations:
        for direction in ("in", "out") if relation.directed else ("both",):
            where = column_name(relation.name) + ("" if direction == "both" else f"_{direction}")
            columns.append(
                degree_column(
                    f"{where}_degree",
                    f"log(1 + number) of the visible {relation.name} edges, direction {direction}",
                    relation=relation.name,
                    direction=direction,
                    log1p=True,
                )
            )
    return tuple(columns)


def edge_columns(relation: TextRelation) -> EdgeColumns:
    """The edges of a relation, with their text where they have any."""
    if relation.text is None:
        return EdgeColumns(relation.name, relation.directed, relation.pairs)
    text = (_text_column(EDGE_TEXT, "text of the edge, '' for none"), relation.text)
    return EdgeColumns(relation.name, relation.directed, relation.pairs, (text,))


def id_table(graph: TextGraph) -> pa.Table:
    """Node number, what the source calls the node, and the groups it is in, "" for none."""
    table = pa.table(
        {"node": np.arange(graph.num_nodes, dtype=np.int32), ID: pa.array(graph.ids, pa.string())}
    )
    for name, values in graph.groups.items():
        table = table.append_column(group_column(name), pa.array(values, pa.string()))
    return table


def group_column(name: str) -> str:
    """The column of ids that holds these groups."""
    column = column_name(name)
    return f"group_{column}" if column in FIXED_IDS else column


def column_name(name: str) -> str:
    """A name that a manifest takes as that of a column, from any."""
    word = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:50].lower()
    return word if word[:1].isalpha() else f"column_{word}".rstrip("_")


def task_name(name: str) -> str:
    """A name that a manifest takes as that of a task, from any."""
    word = column_name(name).replace("_", "-")
    return word if len(word) > 1 else f"label-{word}"


def check_columns(columns: Iterable[NodeColumn]) -> None:
    """Raise `InputError` where two columns have one name."""
    names = [node.column.name for node in columns]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two columns of the nodes would be called '{name}'; rename one")


def _text_column(name: str, description: str) -> Column:
    return Column(name=name, dtype="string", description=description[:300], role="text")
