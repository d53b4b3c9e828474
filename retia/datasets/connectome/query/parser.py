"""Read a query.

The grammar (docs/query.md) nests nothing, so a parser of it is a loop over clauses: a library would
bring a second grammar to learn and messages of its own. Nothing of the text is ever evaluated, and
no text is taken for a file's name.
"""

import math
import re
from dataclasses import dataclass, field
from typing import Final, get_args

from retia.datasets.connectome.query.lexer import Kind, Token, shorten, tokens
from retia.datasets.connectome.query.syntax import (
    MAX_CLAUSES,
    MAX_VARIABLES,
    Edge,
    NodeTest,
    Operator,
    PairTest,
    Query,
    Test,
    Value,
)
from retia.shards.errors import InputError

ARROWS: Final = ("->", "<->", "--", "!>")
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
DIRECTIVES: Final = {
    "match": ("monomorphism", "induced"),
    "count": ("occurrences", "mappings"),
}
"""A directive's word, and its two settings, the default first."""


@dataclass
class _Draft:
    """A query as far as it has been read; dicts are ordered sets."""

    variables: dict[str, None] = field(default_factory=dict)
    edges: dict[Edge, None] = field(default_factory=dict)
    node_tests: dict[NodeTest, None] = field(default_factory=dict)
    pair_tests: dict[PairTest, None] = field(default_factory=dict)
    edge_tests: set[Test] = field(default_factory=set)
    settings: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> Query:
    """Read a query; raises `InputError` that names line, column and what was expected there."""
    reader = _Reader(tokens(text))
    draft = _Draft()
    clauses = 0
    while reader.next.kind != "end":
        if reader.take("separator") is not None:
            continue
        clauses += 1
        if clauses > MAX_CLAUSES:
            raise reader.next.place.error(f"more than {MAX_CLAUSES} clauses")
        _read_clause(reader, draft)
        if reader.next.kind not in ("separator", "end"):
            raise reader.unexpected("';' or a new line")
    return _finish(draft)


class _Reader:
    """The tokens, and how far they are read."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    @property
    def after(self) -> Token:
        """The token behind the next one."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def skip(self) -> Token:
        token = self.next
        self._at += 1
        return token

    def take(self, kind: Kind, *texts: str) -> Token | None:
        """The next token if it is of that kind and one of these texts."""
        if self.next.kind != kind or (texts and self.next.text not in texts):
            return None
        return self.skip()

    def need(self, expected: str, kind: Kind, *texts: str) -> Token:
        token = self.take(kind, *texts)
        if token is None:
            raise self.unexpected(expected)
        return token

    def unexpected(self, expected: str) -> InputError:
        return self.next.place.error(f"expected {expected}, found {self.next.shown}")


def _read_clause(reader: _Reader, draft: _Draft) -> None:
    word = reader.need(
        "a variable, an attribute of edges, 'match' or 'count' to begin a clause", "word"
    )
    if word.text in DIRECTIVES and reader.next.kind == "word" and reader.next.text != "in":
        _read_directive(reader, draft, word)
    elif reader.next.kind == "sign" and reader.next.text in ARROWS:
        _read_edges(reader, draft, word)
    elif reader.take("sign", ".") is not None:
        _read_node_test(reader, draft, word)
    elif reader.next.kind == "sign" or reader.next.text == "in":
        draft.edge_tests.add(_read_edge_test(reader, word))
    else:
        raise reader.unexpected(f"an edge ({' '.join(ARROWS)}), '.' or an operator")


def _read_directive(reader: _Reader, draft: _Draft, word: Token) -> None:
    settings = DIRECTIVES[word.text]
    setting = reader.need(" or ".join(map(repr, settings)), "word", *settings)
    before = draft.settings.setdefault(word.text, setting.text)
    if before != setting.text:
        raise setting.place.error(f"expected '{before}' as before, found '{setting.text}'")


def _read_edges(reader: _Reader, draft: _Draft, word: Token) -> None:
    source = _variable(draft, word)
    while (arrow := reader.take("sign", *ARROWS)) is not None:
        target = _variable(draft, reader.need(f"a variable after '{arrow.text}'", "word"))
        if source == target:
            raise arrow.place.error(f"expected two variables, found {shorten(source)} twice")
        tests = _read_brackets(reader)
        ends = [(source, target), (target, source)] if arrow.text == "<->" else [(source, target)]
        for start, end in ends:
            edge = Edge(start, end, arrow.text == "!>", arrow.text == "--", tests, arrow.place)
            draft.edges.setdefault(edge)
        source = target


def _read_brackets(reader: _Reader) -> frozenset[Test]:
    found: set[Test] = set()
    if reader.take("sign", "[") is None:
        return frozenset()
    while True:
        found.add(_read_edge_test(reader, reader.need("an attribute of edges", "word")))
        if reader.take("sign", "]") is not None:
            return frozenset(found)
        reader.need("',' or ']'", "sign", ",")


def _read_edge_test(reader: _Reader, word: Token) -> Test:
    attribute = _name(word, "an attribute")
    operator = _read_operator(reader)
    return Test(attribute, *_read_values(reader, operator), word.place)


def _read_node_test(reader: _Reader, draft: _Draft, word: Token) -> None:
    variable = _variable(draft, word)
    attribute = _name(reader.need("an attribute after '.'", "word"), "an attribute")
    operator = _read_operator(reader)
    if reader.next.kind != "word" or reader.after.kind != "sign" or reader.after.text != ".":
        test = Test(attribute, *_read_values(reader, operator), word.place)
        draft.node_tests.setdefault(NodeTest(variable, test))
        return
    if operator == "in":
        raise reader.unexpected("'{'")
    other = _variable(draft, reader.skip())
    reader.skip()
    other_attribute = _name(reader.need("an attribute after '.'", "word"), "an attribute")
    if variable == other:
        raise word.place.error(f"expected two variables, found {shorten(variable)} twice")
    pair = PairTest(variable, attribute, operator, other, other_attribute, word.place)
    draft.pair_tests.setdefault(pair)


def _read_operator(reader: _Reader) -> Operator:
    known = get_args(Operator)
    if reader.next.kind not in ("sign", "word") or reader.next.text not in known:
        raise reader.unexpected(f"one of {' '.join(known)}")
    return reader.skip().text  # type: ignore[return-value]


def _read_values(reader: _Reader, operator: Operator) -> tuple[Operator, tuple[Value, ...]]:
    """The operator and its values in order; `in` a set of one is `=`."""
    if operator != "in":
        return operator, (_read_value(reader),)
    reader.need("'{'", "sign", "{")
    found = {_read_value(reader)}
    while reader.take("sign", "}") is None:
        reader.need("',' or '}'", "sign", ",")
        found.add(_read_value(reader))
    return "in" if len(found) > 1 else "=", tuple(sorted(found, key=lambda value: value.text))


def _read_value(reader: _Reader) -> Value:
    token = reader.next
    if token.kind not in ("word", "quoted", "number"):
        raise reader.unexpected("a value: a word, a number or quoted text")
    reader.skip()
    if token.kind != "number":
        return Value(token.text)
    number = float(token.text)
    if not math.isfinite(number):
        raise token.place.error(f"expected a finite number, found {token.shown}")
    return Value(token.text, number)


def _variable(draft: _Draft, token: Token) -> str:
    name = _name(token, "a variable")
    draft.variables.setdefault(name)
    if len(draft.variables) > MAX_VARIABLES:
        raise token.place.error(f"expected at most {MAX_VARIABLES} variables")
    return name


def _name(token: Token, what: str) -> str:
    if not NAME.fullmatch(token.text):
        raise token.place.error(
            f"expected {what} of letters, digits and '_' (at most 63), found {token.shown}"
        )
    return token.text


def _finish(draft: _Draft) -> Query:
    """The query; raises where an edge does not join all variables to one another."""
    query = Query(
        variables=tuple(draft.variables),
        edges=tuple(draft.edges),
        node_tests=tuple(draft.node_tests),
        pair_tests=tuple(draft.pair_tests),
        edge_tests=frozenset(draft.edge_tests),
        induced=draft.settings.get("match") == "induced",
        mappings=draft.settings.get("count") == "mappings",
    )
    if not any(not edge.absent for edge in query.edges):
        raise InputError("the query needs an edge such as A -> B; an absent one joins nothing")
    reached = {query.variables[0]}
    todo = list(reached)
    while todo:
        fresh = set(query.neighbours(todo.pop())) - reached
        reached |= fresh
        todo.extend(fresh)
    apart = [name for name in query.variables if name not in reached]
    if apart:
        raise InputError(
            f"no edges of the query lead from {query.variables[0]} to {apart[0]}; "
            "join all variables by edges, or ask in two queries"
        )
    return query
