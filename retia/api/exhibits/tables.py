"""The first rows of a version's tables, and sample texts of its nodes."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from retia.shards.arrays import node_labels
from retia.shards.manifest import Manifest, Task
from retia.shards.version import Version

ROWS = 6
SAMPLES = 6
TEXT = 420
CELL = 80
LONGEST_LIST = 4


class Rows(BaseModel):
    """The first rows of a table, as texts."""

    title: str
    columns: list[str]
    rows: list[list[str]]


class Sample(BaseModel):
    """The text of a node, cut where it is long, and its public class."""

    node: int
    column: str
    text: str
    label: str | None


def first_rows(version: Version) -> list[Rows]:
    """Of the nodes and of each relation's edges."""
    manifest = version.manifest
    tables = [("Nodes", "node", version.nodes().slice(0, ROWS))]
    for relation in manifest.relations:
        edges = version.edges(relation.name).slice(0, ROWS)
        tables.append((f"Edges, {relation.name}", "", edges))
    found = []
    for title, number, table in tables:
        columns = ([number] if number else []) + table.column_names
        cells = [[_cell(value) for value in column.to_pylist()] for column in table.columns]
        rows = [list(row) for row in zip(*cells, strict=True)] if cells else []
        if number:
            rows = [[str(place), *row] for place, row in enumerate(rows)] if cells else []
        found.append(Rows(title=title, columns=columns, rows=rows))
    return [table for table in found if table.rows]


def sample_texts(version: Version) -> list[Sample]:
    """Some nodes that have a text, evenly spaced."""
    column = next((c for c in version.manifest.columns if c.role == "text"), None)
    if column is None:
        return []
    texts = version.nodes([column.name])[column.name]
    filled = np.flatnonzero(pc.greater(pc.utf8_length(pc.fill_null(texts, "")), 0).to_numpy())
    if len(filled) == 0:
        return []
    chosen = filled[np.unique(np.linspace(0, len(filled) - 1, SAMPLES).astype(int))]
    task = _labelled(version.manifest)
    labels = None if task is None else node_labels(version, task)
    samples = []
    for node, text in zip(chosen.tolist(), texts.take(pa.array(chosen)).to_pylist(), strict=True):
        label = None if labels is None or task is None else int(labels[node])
        named = None if label is None or label < 0 or task is None else task.classes[label]
        short = text if len(text) <= TEXT else f"{text[:TEXT].rsplit(' ', 1)[0]} …"
        samples.append(Sample(node=node, column=column.name, text=short, label=named))
    return samples


def _labelled(manifest: Manifest) -> Task | None:
    return next((task for task in manifest.tasks if task.type == "node"), None)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        shown = ", ".join(_cell(item) for item in value[:LONGEST_LIST])
        return f"[{shown}{', …' if len(value) > LONGEST_LIST else ''}]"
    text = str(value)
    return text if len(text) <= CELL else f"{text[:CELL]} …"
