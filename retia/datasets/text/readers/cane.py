"""Read the layout of CANE: data.txt, graph.txt and, where nodes have classes, group.txt.

Line i of data.txt is the text of node i, counted from 0; a line of graph.txt is an edge; line i of
group.txt is the class of node i, a blank one that it has none.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retia.datasets.sources import files_in
from retia.datasets.text.graph import TextGraph, TextRelation, find_rows, make_text_graph
from retia.datasets.text.readers.labels import single_labels
from retia.datasets.text.readers.lines import read_lines, read_pairs
from retia.shards.errors import InputError

RELATION = "cites"
TEXT = "abstract"
LABEL = "topic"


def cane_files(folder: Path) -> tuple[Path, ...]:
    """The files of the layout that are there; raises `InputError` where one lacks."""
    needed = files_in(folder, "data.txt", "graph.txt")
    groups = folder / "group.txt"
    return (*needed, groups) if groups.is_file() else needed


def read_cane(folder: Path) -> TextGraph:
    """The graph of a folder: undirected edges, one text column, one label. Raises `InputError`."""
    data, graph, *groups = cane_files(folder)
    texts = read_lines(data)
    if not len(texts):
        raise InputError(f"{data}: there is nothing in it; a line a node belongs there")
    ids = np.arange(len(texts)).astype(np.str_).astype(object)
    pairs = np.column_stack([find_rows(str(graph), ids, end) for end in read_pairs(graph)])
    labels = {}
    for path in groups:
        words = pa.array(read_lines(path), pa.string())
        if len(words) != len(ids):
            raise InputError(f"{path}: {len(words)} lines for {len(ids)} nodes of {data.name}")
        trimmed = pc.utf8_trim_whitespace(words).to_numpy(zero_copy_only=False)
        labels[LABEL] = single_labels(trimmed)
    relations = [TextRelation(RELATION, False, pairs)]
    return make_text_graph(str(folder), ids, {TEXT: texts}, relations, labels=labels)
