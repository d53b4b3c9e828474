"""Read the fields of TEG-DB's graphs, texts on nodes and edges, from files that are no pickles.

TEG-DB publishes one pickle a graph, which is never opened. Its fields are read from a folder that
holds each as `edge_index` (2, E) or (E, 2), `text_nodes`, `text_edges` and `node_labels`, as .npy,
.parquet or .csv, the last three with one column; -1 is a node without a label.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retia.datasets.text.graph import (
    Labels,
    TextGraph,
    TextRelation,
    Texts,
    as_texts,
    make_text_graph,
)
from retia.datasets.text.readers.table_file import (
    PICKLES,
    read_table_file,
    refuse_pickle,
    single_labels,
)
from retia.shards.errors import InputError

RELATION = "linked"
TEXT = "text"
LABEL = "label"
ENDINGS = (".npy", ".parquet", ".csv")
NEEDED = ("edge_index", "text_nodes")
OPTIONAL = ("text_edges", "node_labels")


def tegdb_files(folder: Path) -> dict[str, Path]:
    """The file of each field that is there; raises `InputError` where a needed one lacks."""
    found: dict[str, Path] = {}
    for field in (*NEEDED, *OPTIONAL):
        there = [path for ending in ENDINGS if (path := folder / f"{field}{ending}").is_file()]
        if there:
            found[field] = there[0]
    for field in NEEDED:
        if field not in found:
            for path in sorted(folder.glob("**/*")):
                if path.suffix.lower() in PICKLES:
                    refuse_pickle(path)
            raise InputError(f"{folder}: there is no {field}{', '.join(ENDINGS)} in it")
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


def load_npy(path: Path) -> NDArray[Any]:
    """An array of numbers or texts; raises `InputError` for one of objects, which are pickled."""
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path}: {' '.join(str(error).split())[:150]}; no pickle is read"
        ) from None


def _texts(path: Path) -> Texts:
    if path.suffix != ".npy":
        table = read_table_file(path)
        return table.texts(table.table.column_names[-1])
    array = load_npy(path)
    if array.ndim != 1 or array.dtype.kind != "U":
        raise InputError(f"{path}: an array {array.shape} of {array.dtype}; texts belong there")
    return as_texts(array)


def _pairs(path: Path, num_nodes: int) -> NDArray[np.int64]:
    if path.suffix == ".npy":
        array = load_npy(path)
    else:
        table = read_table_file(path)
        array = np.column_stack([table.ids(name) for name in table.table.column_names[:2]])
        if not all(np.strings.isdecimal(array.astype(np.str_)).ravel()):
            raise InputError(f"{path}: an end of an edge is no number of a node")
        array = array.astype(np.int64)
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


def _labels(path: Path) -> Labels:
    if path.suffix != ".npy":
        table = read_table_file(path)
        words = table.words(table.table.column_names[-1])
        return single_labels(np.where(words == "-1", "", words))
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
