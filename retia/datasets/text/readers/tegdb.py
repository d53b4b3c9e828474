"""Read the fields of TEG-DB's graphs, texts on nodes and edges, from files that are no pickles.

TEG-DB publishes one pickle a graph, which is never opened. Its fields are read from a folder that
holds each as `edge_index` (2, E) or (E, 2), `text_nodes`, `text_edges` and `node_labels`, as .npy,
.parquet or .csv, the last three with one column; -1 is a node without a label.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retia.datasets.table_file import (
    PICKLES,
    TableFile,
    check_file,
    load_npy,
    read_table_file,
)
from retia.datasets.text.graph import (
    Labels,
    TextGraph,
    TextRelation,
    Texts,
    as_texts,
    from_arrow,
    make_text_graph,
)
from retia.datasets.text.readers.labels import single_labels
from retia.datasets.text.readers.tables import labels_of
from retia.shards.errors import InputError

RELATION = "linked"
TEXT = "text"
LABEL = "label"
ENDINGS = (".npy", ".parquet", ".csv")
NEEDED = ("edge_index", "text_nodes")
UNLABELLED = ("-1", "-1.0")
OPTIONAL = ("text_edges", "node_labels")


def tegdb_files(folder: Path) -> dict[str, Path]:
    """The file of each field that is there; raises `InputError` where a needed one lacks."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the one that holds the fields")
    found: dict[str, Path] = {}
    for field in (*NEEDED, *OPTIONAL):
        there = [path for ending in ENDINGS if (path := folder / f"{field}{ending}").is_file()]
        if there:
            found[field] = there[0]
    for field in NEEDED:
        if field not in found:
            for path in sorted(folder.glob("**/*")):
                if path.suffix.lower() in PICKLES:
                    check_file(path)
            raise InputError(f"{folder}: there is no {field} in it, as {', '.join(ENDINGS)}")
    return found


def read_tegdb(folder: Path) -> TextGraph:
    """The graph of a folder, with directed edges. Raises `InputError`."""
    files = tegdb_files(folder)
    texts = _texts(files["text_nodes"])
    pairs = _pairs(files["edge_index"], len(texts))
    edge_texts = _texts(files["text_edges"]) if "text_edges" in files else None
    labels = {LABEL: _labels(files["node_labels"])} if "node_labels" in files else {}
    ids = np.arange(len(texts)).astype(np.str_)
    relations = [TextRelation(RELATION, True, pairs, edge_texts)]
    return make_text_graph(str(folder), ids, {TEXT: texts}, relations, labels=labels)


def _texts(path: Path) -> Texts:
    if path.suffix != ".npy":
        table = read_table_file(path)
        return from_arrow(table.texts(table.columns[-1]))
    array = load_npy(path)
    if array.ndim != 1 or array.dtype.kind != "U":
        raise InputError(f"{path}: an array {array.shape} of {array.dtype}; texts belong there")
    return as_texts(array)


def _pairs(path: Path, num_nodes: int) -> NDArray[np.int64]:
    if path.suffix != ".npy":
        return _pairs_of_table(read_table_file(path), num_nodes)
    array = load_npy(path)
    if array.ndim != 2 or 2 not in array.shape or array.dtype.kind not in "iu":
        raise InputError(
            f"{path}: an array {array.shape} of {array.dtype}; (2, E) integers belong there"
        )
    pairs = np.asarray(array.T if array.shape[0] == 2 else array, dtype=np.int64)
    outside = ((pairs < 0) | (pairs >= num_nodes)).any(axis=1)
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(
            f"{path}: edge {row + 1} joins {pairs[row, 0]} and {pairs[row, 1]}; the nodes are 0 to "
            f"{num_nodes - 1}"
        )
    return pairs


def _pairs_of_table(table: TableFile, num_nodes: int) -> NDArray[np.int64]:
    """(E, 2), a row an edge."""
    if len(table.columns) != 2:
        there = ", ".join(table.columns)[:100]
        raise InputError(f"{table.where}: two columns of node numbers belong there, not {there}")
    numbers = np.arange(num_nodes).astype(np.str_)
    where = f"the numbers of the nodes, 0 to {num_nodes - 1}"
    return np.column_stack([table.rows(column, numbers, where) for column in table.columns])


def _labels(path: Path) -> Labels:
    if path.suffix != ".npy":
        table = read_table_file(path)
        words = labels_of(table, table.columns[-1])
        return single_labels(np.where(np.isin(words, UNLABELLED), "", words))
    array = load_npy(path)
    if array.ndim == 2 and np.isin(array, (0, 1)).all():
        values = array.astype(bool)
        classes = tuple(str(i) for i in range(array.shape[1]))
        return Labels(classes, values, np.asarray(values.any(axis=1)))
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(
            f"{path}: an array {array.shape} of {array.dtype}; one class a node, or a column of 0 "
            "and 1 a class, belongs there"
        )
    words = array.astype(np.str_).astype(object)
    return single_labels(np.where(array < 0, "", words))
