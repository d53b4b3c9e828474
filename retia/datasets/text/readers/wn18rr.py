"""Read WN18RR: the synsets of WordNet with their glosses, and eleven relations among them.

The files train.txt, valid.txt and test.txt are read as one graph. Their split is not used: three
relations are symmetric and stand in both directions, so that 35 % of the test triples have their
reverse among the training ones (measured on the files). These three are undirected here.
"""

from pathlib import Path

import numpy as np

from retia.datasets.sources import files_in
from retia.datasets.text.graph import TextGraph, TextRelation, find_rows, make_text_graph
from retia.datasets.text.readers.lines import read_fields
from retia.datasets.text.readers.tables import relation_names

TEXT = "gloss"
TRIPLES = ("train.txt", "valid.txt", "test.txt")
ENTITY = r"^(?P<id>\S+)\t(?P<text>.*)$"
TRIPLE = r"^(?P<src>\S+)\t(?P<relation>\S+)\t(?P<dst>\S+)\s*$"
SYMMETRIC = ("derivationally-related-form", "similar-to", "verb-group")


def wn18rr_files(folder: Path) -> tuple[Path, ...]:
    """The texts and the triples; raises `InputError` where a file lacks."""
    return files_in(folder, "entity2text.txt", *TRIPLES)


def read_wn18rr(folder: Path) -> TextGraph:
    """The graph of a folder, one relation for each of the source's. Raises `InputError`."""
    texts, *triples = wn18rr_files(folder)
    entities = read_fields(texts, ENTITY, "an id, a tab and a text")
    ids, report, relations, pairs = entities["id"], {}, [], []
    for path in triples:
        fields = read_fields(path, TRIPLE, "two ids with a relation between, and tabs")
        ends = [find_rows(str(path), ids, fields[end], "triple") for end in ("src", "dst")]
        pairs.append(np.column_stack(ends))
        relations.append(relation_names(str(path), fields["relation"]))
        report[f"triples_in_{path.stem}"] = len(ends[0])
    edges, names = np.concatenate(pairs), np.concatenate(relations)
    found = [
        TextRelation(name, name not in SYMMETRIC, edges[names == name])
        for name in np.unique(names).tolist()
    ]
    return make_text_graph(str(folder), ids, {TEXT: entities["text"]}, found, report=report)
