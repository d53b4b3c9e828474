"""Read the airports of struc2vec: graphs without text, whose labels are quarters of activity."""

from pathlib import Path

import numpy as np

from retia.datasets.sources import files_in
from retia.datasets.text.graph import (
    TextGraph,
    TextRelation,
    find_rows,
    make_text_graph,
)
from retia.datasets.text.readers.labels import single_labels
from retia.datasets.text.readers.lines import PAIR, read_fields, read_pairs

RELATION = "flights"
LABEL = "activity"
HEADER = "node"


def airport_files(folder: Path, country: str) -> tuple[Path, Path]:
    """The edges and the labels of a country; raises `InputError` where one lacks."""
    edges, labels = files_in(
        folder, f"{country}-airports.edgelist", f"labels-{country}-airports.txt"
    )
    return edges, labels


def read_airports(folder: Path, country: str) -> TextGraph:
    """The airports of a country: undirected, in the order of the labels. Raises `InputError`."""
    edges, labelled = airport_files(folder, country)
    fields = read_fields(labelled, PAIR, "an airport and its class")
    rows = slice(int(fields["src"][0] == HEADER), None)
    ids, words = fields["src"][rows], fields["dst"][rows]
    pairs = np.column_stack([find_rows(str(edges), ids, end) for end in read_pairs(edges)])
    relations = [TextRelation(RELATION, False, pairs)]
    labels = {LABEL: single_labels(words)}
    return make_text_graph(f"{folder}, {country}", ids, {}, relations, labels=labels)
