"""Hold a query against a graph: which nodes a variable may be, which edges join two of them."""

import difflib
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retia.datasets.connectome.query.graph import Attribute, Graph, Layer
from retia.datasets.connectome.query.lexer import shorten
from retia.datasets.connectome.query.syntax import (
    Edge,
    Operator,
    PairTest,
    Place,
    Query,
    Test,
    Value,
)
from retia.shards.errors import InputError

Mask = NDArray[np.bool_]

RELATION: Final = "relation"
MAX_NAMED: Final = 20
EQUALITY: Final = ("=", "!=", "in")

COMPARE: Final[Mapping[Operator, Callable[[Any, Any], Mask]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""Comparisons; none holds of a value that is not there."""


@dataclass(frozen=True)
class Link:
    """An edge of a query on a graph: some layers, and the tests that the edge passes.

    A symmetric link holds in both directions or in none; its source stands before its target in
    the query's variables.
    """

    source: int
    target: int
    absent: bool
    symmetric: bool
    layers: frozenset[int]
    tests: frozenset[Test]

    @property
    def said(self) -> str:
        """What it says of its ends, as a text to sort links by."""
        return f"{sorted(self.layers)} {sorted(self.tests, key=repr)}"


@dataclass(frozen=True)
class Comparison:
    """An attribute of one variable against one of another; values (2, num_nodes)."""

    left: int
    operator: Operator
    right: int
    values: NDArray[np.float64]


def links_of(query: Query, graph: Graph) -> frozenset[Link]:
    """The links of a query, with those that an induced one forbids."""
    found = {_link(query, edge, graph) for edge in query.edges}
    return frozenset(found | _forbidden(query, found, graph) if query.induced else found)


def node_mask(query: Query, variable: str, graph: Graph) -> Mask:
    """The nodes (num_nodes,) that pass the tests of a variable."""
    allowed = np.ones(graph.num_nodes, dtype=bool)
    for node_test in query.node_tests:
        if node_test.variable == variable:
            test = node_test.test
            column = _column(graph, test.attribute, test.place)
            _check(column, test)
            allowed &= _passes(column, test)
    return allowed


def edge_matrix(layers: frozenset[int], tests: frozenset[Test], graph: Graph) -> sparse.csr_array:
    """The pairs (num_nodes, num_nodes) that an edge of one of the layers joins, which passes."""
    size = graph.num_nodes
    keys = np.concatenate([_keys(graph.layers[layer], tests, size) for layer in sorted(layers)])
    keys.sort(kind="stable")  # layers are sorted, so this merges them; np.unique would hash
    keys = keys[np.diff(keys, prepend=-1) > 0]
    source, target = np.divmod(keys, max(size, 1))
    ones = np.ones(len(source), dtype=bool)
    return sparse.csr_array((ones, (source, target)), shape=(size, size))


def comparisons_of(query: Query, graph: Graph) -> list[Comparison]:
    """The tests of two nodes."""
    return [
        Comparison(
            query.variables.index(test.left),
            test.operator,
            query.variables.index(test.right),
            np.stack([column.values for column in _pair_columns(test, graph)]),
        )
        for test in query.pair_tests
    ]


def _link(query: Query, edge: Edge, graph: Graph) -> Link:
    named = {test for test in edge.tests | query.edge_tests if test.attribute == RELATION}
    tests = edge.tests | query.edge_tests - named
    layers = {i for i, layer in enumerate(graph.layers) if layer.directed != edge.undirected}
    if any(test.operator != "!=" for test in named):
        layers = set(range(len(graph.layers)))
    for test in named:
        layers &= _named_layers(test, graph)
    directed = [graph.layers[i].name for i in layers if graph.layers[i].directed]
    if edge.undirected and directed:
        raise edge.place.error(f"relation '{directed[0]}' is directed; write -> for --")
    if not layers:
        kind, other = ("undirected", "->") if edge.undirected else ("directed", "--")
        known = ", ".join(layer.name for layer in graph.layers)
        what = "such relation" if named else f"{kind} relation; try {other}"
        raise edge.place.error(f"the graph has no {what} (it has {known})")
    for test in tests - named:
        _check_edges(test, [graph.layers[i] for i in sorted(layers)])
    symmetric = not any(graph.layers[i].directed for i in layers)
    places = query.variables.index(edge.source), query.variables.index(edge.target)
    source, target = sorted(places) if symmetric else places
    return Link(source, target, edge.absent, symmetric, frozenset(layers), tests - named)


def _forbidden(query: Query, links: set[Link], graph: Graph) -> set[Link]:
    """An absent link for each pair and relation that the query uses elsewhere, and not here."""
    joined = {
        (ends, layer)
        for link in links
        if not link.absent
        for layer in link.layers
        for ends in _ends(link, graph.layers[layer])
    }
    used = {layer for _, layer in joined}
    tests = frozenset(test for test in query.edge_tests if test.attribute != RELATION)
    return {
        Link(a, b, True, not graph.layers[layer].directed, frozenset({layer}), tests)
        for layer in used
        for a in range(len(query.variables))
        for b in range(len(query.variables))
        if a != b and ((a, b), layer) not in joined and (graph.layers[layer].directed or a < b)
    }


def _ends(link: Link, layer: Layer) -> list[tuple[int, int]]:
    ends = [(link.source, link.target)]
    return ends if layer.directed else [*ends, (link.target, link.source)]


def _named_layers(test: Test, graph: Graph) -> set[int]:
    if test.operator not in EQUALITY:
        raise test.place.error("compare 'relation' with =, != or in")
    names = [layer.name for layer in graph.layers]
    for value in test.values:
        if value.text not in names:
            raise test.place.error(
                f"no relation {shorten(value.text)}; the graph has {', '.join(names)}"
            )
    wanted = {names.index(value.text) for value in test.values}
    return set(range(len(names))) - wanted if test.operator == "!=" else wanted


def _check_edges(test: Test, layers: list[Layer]) -> None:
    """Raise where none of the layers has the column, or a value of the test."""
    found = [layer.columns[test.attribute] for layer in layers if test.attribute in layer.columns]
    if not found:
        names = dict.fromkeys(name for layer in layers for name in layer.columns)
        known = ", ".join([RELATION, *names])
        raise test.place.error(
            f"edges have no attribute {shorten(test.attribute)}; these have {known}"
        )
    words = [word for column in found for word in column.words or ()]
    numeric = any(column.words is None for column in found)
    _check(Attribute(found[0].values, None if numeric else tuple(sorted({*words}))), test)


def _keys(layer: Layer, tests: frozenset[Test], size: int) -> NDArray[np.int64]:
    """The edges of a layer that pass, each as source · size + target."""
    keep = np.ones(len(layer.indices), dtype=bool)
    for test in tests:
        column = layer.columns.get(test.attribute)
        keep &= _passes(column, test) if column is not None else False
    source = np.repeat(np.arange(size), np.diff(layer.indptr))
    return source[keep] * size + layer.indices[keep]


def _column(graph: Graph, name: str, place: Place) -> Attribute:
    if name not in graph.columns:
        known = ", ".join(graph.columns) or "none"
        raise place.error(f"nodes have no attribute {shorten(name)}; they have {known}")
    return graph.columns[name]


def _passes(column: Attribute, test: Test) -> Mask:
    wanted = [_as_stored(column, value) for value in test.values]
    if test.operator == "in":
        return np.isin(column.values, wanted)
    return COMPARE[test.operator](column.values, wanted[0]) & ~np.isnan(column.values)


def _as_stored(column: Attribute, value: Value) -> float:
    """A value as the column has it; one that no row has equals none."""
    if column.words is None:
        return math.nan if value.number is None else value.number
    return float(column.words.index(value.text)) if value.text in column.words else -1.0


def _check(column: Attribute, test: Test) -> None:
    """Raise where a test cannot be made of a column, or names what no row has."""
    if column.words is None:
        if any(value.number is None for value in test.values):
            raise test.place.error(f"'{test.attribute}' holds numbers; compare it with a number")
        return
    if test.operator not in EQUALITY:
        raise _no_order(test.attribute, test.place)
    for value in test.values:
        if value.text not in column.words:
            raise test.place.error(
                f"nothing has the {test.attribute} {shorten(value.text)}"
                + _near(value.text, column.words)
            )


def _near(word: str, words: tuple[str, ...]) -> str:
    known = words if len(words) <= MAX_NAMED else difflib.get_close_matches(word, words, n=5)
    return f"; there is {', '.join(shorten(text) for text in known)}" if known else ""


def _no_order(attribute: str, place: Place) -> InputError:
    return place.error(f"'{attribute}' holds text; compare it with =, != or in")


def _pair_columns(test: PairTest, graph: Graph) -> tuple[Attribute, Attribute]:
    """The two columns of a test of two nodes, made comparable: words share their numbers."""
    left, right = (
        _column(graph, name, test.place) for name in (test.left_attribute, test.right_attribute)
    )
    if left.words is None and right.words is None:
        return left, right
    if left.words is None or right.words is None:
        raise test.place.error(
            f"'{test.left_attribute}' and '{test.right_attribute}': one holds text, one numbers"
        )
    if test.operator not in EQUALITY:
        raise _no_order(test.left_attribute, test.place)
    words = tuple(sorted({*left.words, *right.words}))
    return _recoded(left, words), _recoded(right, words)


def _recoded(column: Attribute, words: tuple[str, ...]) -> Attribute:
    places = np.searchsorted(np.array(words, np.str_), np.array(column.words, np.str_))
    values = np.full(len(column.values), np.nan)
    known = ~np.isnan(column.values)
    values[known] = places[column.values[known].astype(np.int64)]
    return Attribute(values, words)
