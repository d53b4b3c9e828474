"""The one form of a text-attributed graph between readers, encoders and tasks.

Texts are object arrays of Python strings: a fixed-width array would give every node the room of
the longest text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from retia.shards.errors import InputError, NotFoundError

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Texts = NDArray[np.object_]
Report = dict[str, int]

UNLABELLED = -1
MISSING = ""
MAX_TEXT_BYTES = 1_000_000
MAX_ID_BYTES = 500
MAX_CLASSES = 10_000
MAX_CLASS_LENGTH = 300


@dataclass(frozen=True)
class TextRelation:
    """Edges of one kind: `pairs` (E, 2) int64 rows of the nodes; `text` (E,) texts, or none.

    In a `TextGraph` pairs are unique and sorted by (src, dst), none joins a node with itself, and
    a pair of an undirected relation stands once, with src < dst. A reader may hand pairs of any
    other order and number to `make_text_graph`.
    """

    name: str
    directed: bool
    pairs: Ints
    text: Texts | None = None

    def matrix(self, num_nodes: int) -> sparse.csr_array:
        """The (n, n) adjacency of 0 and 1, row to column; symmetric if undirected."""
        src, dst = self.pairs.T
        shape = (num_nodes, num_nodes)
        matrix = sparse.csr_array((np.ones(len(src), dtype=np.int8), (src, dst)), shape=shape)
        return matrix if self.directed else sparse.csr_array(matrix + matrix.T)


@dataclass(frozen=True)
class Labels:
    """The classes of nodes, by `values`.

    Of one class a node: (n,) int64, a place in `classes`, -1 for none. Of any number: (n, C) bool,
    and `labelled` (n,) bool says which nodes have been looked at at all.
    """

    classes: tuple[str, ...]
    values: Ints | Bools
    labelled: Bools | None = None

    @property
    def multi(self) -> bool:
        """Whether a node may have several classes."""
        return self.values.ndim == 2

    @property
    def known(self) -> Bools:
        """(n,) which nodes have labels."""
        return self.values != UNLABELLED if self.labelled is None else self.labelled

    def take(self, nodes: Ints) -> "Labels":
        """Those of these rows, in this order."""
        labelled = None if self.labelled is None else self.labelled[nodes]
        return replace(self, values=self.values[nodes], labelled=labelled)


@dataclass(frozen=True)
class TextGraph:
    """n nodes with texts, and the relations among them.

    `ids` (n,) texts, unique: what the source calls its nodes. `texts` names (n,) columns, "" where
    a node has none; the first is the main one; a graph without text has no columns. `groups`
    names (n,) columns of texts for grouped splits; a node with "" is a group of its own. `report`
    counts what was dropped, merged or is missing.
    """

    ids: Texts
    texts: dict[str, Texts]
    relations: tuple[TextRelation, ...]
    labels: dict[str, Labels] = field(default_factory=dict)
    groups: dict[str, Texts] = field(default_factory=dict)
    report: Report = field(default_factory=dict)

    @property
    def num_nodes(self) -> int:
        """The number of nodes."""
        return len(self.ids)

    @property
    def missing_text(self) -> Bools:
        """(n,) which nodes have no text in any column."""
        return _none_of(self.texts.values(), self.num_nodes)

    def relation(self, name: str) -> TextRelation:
        """The relation of that name; raises `NotFoundError`."""
        for relation in self.relations:
            if relation.name == name:
                return relation
        there = ", ".join(relation.name for relation in self.relations) or "none"
        raise NotFoundError(f"no relation '{name}' in this graph; there are: {there}")

    def joined_text(self, columns: Iterable[str] | None = None) -> Texts:
        """(n,) the texts of these columns, of all by default, those that are there, by a blank."""
        joined = np.full(self.num_nodes, MISSING, dtype=object)
        for name in self.texts if columns is None else columns:
            text = self.texts[name]
            both = (joined != MISSING) & (text != MISSING)
            joined = joined + np.where(both, " ", MISSING).astype(object) + text
        return joined

    def group_names(self, name: str) -> Texts:
        """(n,) the group of each node; raises `NotFoundError` for an unknown column."""
        if name not in self.groups:
            there = ", ".join(self.groups) or "none"
            raise NotFoundError(f"no column of groups '{name}' in this graph; there are: {there}")
        return self.groups[name]

    def subset(self, nodes: Ints) -> "TextGraph":
        """The nodes of those rows, in that order, and the edges among them.

        Raises `InputError` for a row that is given twice.
        """
        row = np.full(self.num_nodes, -1, dtype=np.int64)
        row[nodes] = np.arange(len(nodes))
        if (row >= 0).sum() != len(nodes):
            raise InputError("a node stands twice in the selection; give each row once")
        return replace(
            self,
            ids=self.ids[nodes],
            texts={name: values[nodes] for name, values in self.texts.items()},
            relations=tuple(_renumber(relation, row) for relation in self.relations),
            labels={name: labels.take(nodes) for name, labels in self.labels.items()},
            groups={name: values[nodes] for name, values in self.groups.items()},
        )

    def reorder(self, order: Ints) -> "TextGraph":
        """The same graph with row `order[i]` as row i; raises `InputError` for a subset."""
        if len(order) != self.num_nodes:
            raise InputError(f"an order of {len(order)} rows for {self.num_nodes} nodes")
        return self.subset(order)


def make_text_graph(
    where: str,
    ids: Texts | NDArray[np.str_],
    texts: Mapping[str, Texts | NDArray[np.str_]],
    relations: Iterable[TextRelation],
    *,
    labels: Mapping[str, Labels] | None = None,
    groups: Mapping[str, Texts | NDArray[np.str_]] | None = None,
    report: Report | None = None,
) -> TextGraph:
    """A graph from nodes and edges as a source has them; `where` names the source in errors.

    Rows that are equal in all columns are one node. Self-loops are dropped and parallel edges
    merged, the first text that is there standing for all. NUL characters are taken out of texts,
    a text of nothing but blanks is none, and HTML stays as it is. All of it is counted in the
    report. Raises `InputError` for no nodes, an id that is empty, has a NUL or different rows,
    a text that is no Unicode or larger than `MAX_TEXT_BYTES`, and columns of unequal length.
    """
    counts = dict(report or {})
    ids = as_texts(ids)
    _check_ids(where, ids)
    columns = {name: as_texts(values) for name, values in texts.items()}
    given = {name: as_texts(values) for name, values in (groups or {}).items()}
    _check_lengths(where, len(ids), columns | given, labels or {})
    for name, values in columns.items():
        columns[name], removed = clean_texts(f"{where}, column {name}", values, ids)
        _count(counts, f"{name}_nul_characters_removed", removed)
    made = TextGraph(ids, columns, tuple(relations), dict(labels or {}), given)
    made, merged = _merge_nodes(where, made)
    _count(counts, "duplicate_nodes_merged", merged)
    tidied = [_tidy(where, relation, made) for relation in made.relations]
    for relation, counted in tidied:
        counts |= {f"{relation.name}_{what}": number for what, number in counted.items()}
    counts["nodes_without_text"] = int(made.missing_text.sum())
    return replace(made, relations=tuple(relation for relation, _ in tidied), report=counts)


def as_texts(values: Iterable[object]) -> Texts:
    """Any texts as an object array of Python strings, "" for none."""
    array = np.asarray(values, dtype=object)
    return np.where(pd.isna(array), MISSING, array) if len(array) else array


def from_arrow(values: pa.Array) -> Texts:
    """The same texts as an object array of Python strings."""
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=object)


def find_rows(where: str, ids: Texts, wanted: Texts, what: str = "edge") -> Ints:
    """The (m,) rows of `ids` that `wanted` names.

    Raises `InputError` with the first id that is not among them; `what` and its number name it.
    """
    rows = known_rows(ids, wanted)
    if (rows < 0).any():
        first, number = int(np.argmax(rows < 0)), int((rows < 0).sum())
        raise InputError(
            f"{where}: {what} {first + 1} names the node '{wanted[first][:80]}', which is not "
            f"there, the first of {number} such {what}s; add the nodes, or leave these {what}s out"
        )
    return rows


def known_rows(ids: Texts, wanted: Texts) -> Ints:
    """The (m,) rows of `ids` that `wanted` names, -1 for an id that is not there."""
    names = pa.array(ids, pa.large_string())
    found = pc.index_in(pa.array(wanted, pa.large_string()), value_set=names)
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def clean_texts(where: str, texts: Texts, ids: Texts | None = None) -> tuple[Texts, int]:
    """Texts without NUL, "" for blanks alone, and how many NUL characters were taken out.

    Raises `InputError`, naming the node or the row, for a text with code points that no UTF-8 can
    hold, or of more than `MAX_TEXT_BYTES`.
    """
    column = _arrow(where, texts, ids)
    size = pc.binary_length(column).to_numpy(zero_copy_only=False)
    if (size > MAX_TEXT_BYTES).any():
        first = int(np.argmax(size > MAX_TEXT_BYTES))
        raise InputError(
            f"{where}: the text of {_named(ids, first)} has {size[first]:,} bytes, more than "
            f"{MAX_TEXT_BYTES:,}; shorten it, or leave it empty"
        )
    removed = int(pc.sum(pc.count_substring(column, "\x00")).as_py() or 0)
    column = pc.replace_substring(column, "\x00", "")
    blank = pc.equal(pc.utf8_trim_whitespace(column), MISSING)
    return pc.if_else(blank, MISSING, column).to_numpy(zero_copy_only=False), removed


def _arrow(where: str, texts: Texts, ids: Texts | None) -> pa.Array:
    try:
        return pa.array(texts, pa.large_string())
    except UnicodeEncodeError:
        first = next(i for i, text in enumerate(texts) if not _encodes(text))
        raise InputError(
            f"{where}: the text of {_named(ids, first)} is not valid Unicode; "
            "save the source as UTF-8"
        ) from None
    except pa.ArrowTypeError:
        first = next(i for i, text in enumerate(texts) if not isinstance(text, str))
        raise InputError(
            f"{where}: the text of {_named(ids, first)} is {texts[first]!r:.40}, not a text"
        ) from None


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _named(ids: Texts | None, row: int) -> str:
    return f"row {row + 1}" if ids is None else f"node '{str(ids[row])[:80]}'"


def _check_ids(where: str, ids: Texts) -> None:
    if not len(ids):
        raise InputError(f"{where}: there is no node in it")
    column = _arrow(f"{where}, ids", ids, None)
    size = pc.binary_length(column).to_numpy(zero_copy_only=False)
    if (size == 0).any():
        raise InputError(f"{where}: node {int(np.argmax(size == 0)) + 1} has no id; give it one")
    nul = pc.match_substring(column, "\x00").to_numpy(zero_copy_only=False)
    if nul.any():
        raise InputError(
            f"{where}: the id of node {int(np.argmax(nul)) + 1} has a NUL; give another"
        )
    if (size > MAX_ID_BYTES).any():
        first = int(np.argmax(size > MAX_ID_BYTES))
        raise InputError(
            f"{where}: the id of node {first + 1} has {size[first]:,} bytes, more than "
            f"{MAX_ID_BYTES}; is it the column of ids?"
        )


def _check_lengths(
    where: str, num_nodes: int, columns: dict[str, Texts], labels: Mapping[str, Labels]
) -> None:
    lengths = {name: len(values) for name, values in columns.items()}
    lengths |= {name: len(one.values) for name, one in labels.items()}
    for name, length in lengths.items():
        if length != num_nodes:
            raise InputError(f"{where}: {length} values of {name} for {num_nodes} nodes")
    for name, one in labels.items():
        check_classes(f"{where}, {name}", one.classes)


def check_classes(where: str, classes: tuple[str, ...]) -> None:
    """Raise `InputError` for classes that are no names of classes."""
    if len(classes) > MAX_CLASSES:
        raise InputError(
            f"{where}: {len(classes):,} classes, '{classes[0][:40]}' among them, more than "
            f"{MAX_CLASSES:,}; is it a column of labels?"
        )
    for name in classes:
        if len(name) > MAX_CLASS_LENGTH or not name.isprintable():
            raise InputError(
                f"{where}: a class is named {name[:40]!r}; a name is one line of at most "
                f"{MAX_CLASS_LENGTH} characters"
            )


def _count(report: Report, what: str, number: int) -> None:
    if number:
        report[what] = number


def _merge_nodes(where: str, graph: TextGraph) -> tuple[TextGraph, int]:
    """Rows with the same id as one node, and how many went; refuses those that differ."""
    number, _ = pd.factorize(graph.ids)
    _, first = np.unique(number, return_index=True)
    if len(first) == graph.num_nodes:
        return graph, 0
    origin = first[number]
    for name, differs in _differences(graph, origin):
        if differs.any():
            row = int(np.argmax(differs))
            raise InputError(
                f"{where}: '{graph.ids[row]}' is the id of two nodes, number {origin[row] + 1} "
                f"and {row + 1}, whose {name} differs; give each its own id, or remove one"
            )
    relations = tuple(replace(one, pairs=number[one.pairs]) for one in graph.relations)
    bare = replace(graph, relations=()).subset(first)
    return replace(bare, relations=relations), graph.num_nodes - len(first)


def _differences(graph: TextGraph, origin: Ints) -> Iterable[tuple[str, Bools]]:
    """By column (n,) whether a row differs from the first row of its id."""
    for name, values in (graph.texts | graph.groups).items():
        yield name, values != values[origin]
    for name, labels in graph.labels.items():
        same = labels.values == labels.values[origin]
        yield name, ~(same.all(axis=1) if labels.multi else same)


def _tidy(where: str, relation: TextRelation, graph: TextGraph) -> tuple[TextRelation, Report]:
    """The relation with the form that a graph has, and what was dropped or merged."""
    where = f"{where}, {relation.name}"
    text = relation.text
    counts: Report = {}
    if text is not None:
        if len(text) != len(relation.pairs):
            raise InputError(f"{where}: {len(text)} texts for {len(relation.pairs)} edges")
        text, removed = clean_texts(f"{where}, text of edges", as_texts(text))
        _count(counts, "nul_characters_removed", removed)
    pairs = relation.pairs if relation.directed else np.sort(relation.pairs, axis=1)
    loop = pairs[:, 0] == pairs[:, 1]
    key, place = np.unique(pairs[~loop] @ [graph.num_nodes, 1], return_inverse=True)
    _count(counts, "self_loops_dropped", int(loop.sum()))
    _count(counts, "duplicates_merged", int((~loop).sum()) - len(key))
    if text is not None:
        text, left_out = _first_texts(text[~loop], place, len(key))
        _count(counts, "texts_of_duplicates_left_out", left_out)
    pairs = np.column_stack(np.divmod(key, graph.num_nodes)).astype(np.int64)
    return replace(relation, pairs=pairs, text=text), counts


def _first_texts(text: Texts, place: Ints, size: int) -> tuple[Texts, int]:
    """(size,) the first text that is there at each place, and how many other ones there were."""
    there = np.flatnonzero(text != MISSING)
    places, first = np.unique(place[there], return_index=True)
    kept = np.full(size, MISSING, dtype=object)
    kept[places] = text[there[first]]
    return kept, int((text[there] != kept[place[there]]).sum())


def _renumber(relation: TextRelation, row: Ints) -> TextRelation:
    """The edges among the nodes that have a new row."""
    pairs = row[relation.pairs]
    inside = (pairs >= 0).all(axis=1)
    pairs = pairs[inside] if relation.directed else np.sort(pairs[inside], axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    text = None if relation.text is None else relation.text[inside][order]
    return replace(relation, pairs=pairs[order], text=text)


def _none_of(columns: Iterable[Texts], num_nodes: int) -> Bools:
    none = np.ones(num_nodes, dtype=bool)
    for values in columns:
        none &= values == MISSING
    return none
