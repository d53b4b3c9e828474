"""Read a graph as CS-TAG publishes it: one CSV with a text, a class and the neighbours of a node.

The columns are node_id, raw_text (or text), category (or label), and neighbor_ids (or neighbour),
a list such as [3, 17]. The .pt file of a folder holds the same edges and is never opened; urls are
not kept.
"""

from pathlib import Path

import numpy as np

from retia.datasets.table_file import read_table_file
from retia.datasets.text.graph import (
    TextGraph,
    TextRelation,
    find_rows,
    from_arrow,
    make_text_graph,
)
from retia.datasets.text.readers.labels import single_labels
from retia.datasets.text.readers.tables import labels_of

RELATION = "linked"
TEXT = "text"
LABEL = "category"
IDS = ("node_id", "id")
TEXTS = ("raw_text", "text")
CLASSES = ("category", "label")
NEIGHBOURS = ("neighbor_ids", "neighbour", "neighbor", "neighbours", "neighbors")
QUOTES = r"[\[\]'\"()]"


def read_cstag(path: Path) -> TextGraph:
    """The graph of a CSV: undirected edges, one text column, one label. Raises `InputError`."""
    table = read_table_file(path)
    ids, column = from_arrow(table.ids(table.one_of(IDS))), table.one_of(NEIGHBOURS)
    rows, neighbours = table.lists(column, ",", QUOTES)
    others = find_rows(f"{path}, column {column}", ids, from_arrow(neighbours), "neighbour")
    return make_text_graph(
        str(path),
        ids,
        {TEXT: from_arrow(table.texts(table.one_of(TEXTS)))},
        [TextRelation(RELATION, False, np.column_stack([rows, others]))],
        labels={LABEL: single_labels(labels_of(table, table.one_of(CLASSES)))},
    )
