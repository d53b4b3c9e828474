"""Texts that were generated for the nodes of a graph: a column beside its own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from retia.datasets.sources import LocalFile, fetch
from retia.datasets.table_file import PARQUET, read_table_file
from retia.datasets.text.graph import TextGraph, as_texts, clean_texts, from_arrow
from retia.datasets.text.inputs import Raw
from retia.datasets.text.tans.record import about, read_record
from retia.protocol.llm_only import GENERATED_TEXT
from retia.shards.errors import InputError

ID, TEXT = "id", "description"
GENERATED = "The column generated_text was generated: "
PREDICTION = (
    "a language model wrote it that was given the names of the classes, so it holds the model's "
    "prediction of the class, and a result on it needs the model's own beside it."
)


def with_generated(raw: Raw, path: Path) -> Raw:
    """The graph with the texts of a table of ids and descriptions; their origin is stated.

    A node that the table does not name has no such text. Raises `InputError` for a table that is
    none, an id that is not in the graph or stands twice, and a graph that has such texts already.
    """
    graph = _add(raw.graph, path)
    record = read_record(path) if path.suffix.lower() in PARQUET else None
    source = fetch(LocalFile(path, raw.license))[0].as_source()
    return replace(
        raw,
        graph=graph,
        sources=(*raw.sources, source),
        description=f"{raw.description} {GENERATED}{_told(record)}",
        parameters=raw.parameters | {GENERATED_TEXT: record},
        about_texts=raw.about_texts | ({GENERATED_TEXT: about(record)} if record else {}),
    )


def _add(graph: TextGraph, path: Path) -> TextGraph:
    if GENERATED_TEXT in graph.texts:
        raise InputError(f"{path}: the graph has a column {GENERATED_TEXT} already; rename that")
    table = read_table_file(path)
    table.need((ID, TEXT))
    rows = table.rows(ID, graph.ids, "the graph")
    if len(np.unique(rows)) < len(rows):
        again = int(np.argmax(np.bincount(rows, minlength=graph.num_nodes) > 1))
        raise InputError(f"{path}: node '{graph.ids[again]}' has two rows; leave one of them out")
    given = from_arrow(table.texts(TEXT))
    texts, removed = clean_texts(f"{path}, column {TEXT}", given, graph.ids[rows])
    column = np.full(graph.num_nodes, "", dtype=object)
    column[rows] = texts
    report = (
        graph.report | {f"{GENERATED_TEXT}_nul_characters_removed": removed}
        if removed
        else graph.report
    )
    added = replace(graph, texts={**graph.texts, GENERATED_TEXT: as_texts(column)}, report=report)
    missing = {"nodes_without_text": int(added.missing_text.sum())}
    return replace(added, report=added.report | missing)


def _told(record: dict[str, Any] | None) -> str:
    """How the texts were made, where that is recorded."""
    if record is None:
        return "how is not recorded."
    if record["llm_prediction"]:
        return PREDICTION
    made = f"by {record['with']}, in the setting {record['setting']}"
    return f"{made}, from what is visible in {record['dataset']}."
