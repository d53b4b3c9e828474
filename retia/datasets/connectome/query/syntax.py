"""What a query says: variables, edges between them, and tests of nodes and edges."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from retia.shards.errors import InputError

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in"]

MAX_LENGTH: Final = 10_000
MAX_VARIABLES: Final = 10
MAX_CLAUSES: Final = 200


@dataclass(frozen=True)
class Place:
    """Where something stands in the text; lines and columns count from 1."""

    line: int
    column: int

    def error(self, what: str) -> InputError:
        """The error that something is wrong here."""
        return InputError(f"query, line {self.line}, column {self.column}: {what}")


@dataclass(frozen=True, order=True)
class Value:
    """A value as it was written, and as a number where it is one."""

    text: str
    number: float | None = None


@dataclass(frozen=True)
class Test:
    """An attribute against a value; against several with `in`."""

    attribute: str
    operator: Operator
    values: tuple[Value, ...]
    place: Place = field(compare=False)


@dataclass(frozen=True)
class Edge:
    """An edge from one variable to another that is there, or that is absent."""

    source: str
    target: str
    absent: bool
    undirected: bool
    tests: frozenset[Test]
    place: Place = field(compare=False)


@dataclass(frozen=True)
class NodeTest:
    """A test of the node that a variable stands for."""

    variable: str
    test: Test


@dataclass(frozen=True)
class PairTest:
    """An attribute of one variable against an attribute of another."""

    left: str
    left_attribute: str
    operator: Operator
    right: str
    right_attribute: str
    place: Place = field(compare=False)


@dataclass(frozen=True)
class Query:
    """A motif.

    variables: in the order in which the text names them.
    edge_tests: what all edges have to pass; the search sees no others.
    induced: whether the variables may have no further edges among them.
    mappings: whether every assignment of nodes counts, or each occurrence once.
    """

    variables: tuple[str, ...]
    edges: tuple[Edge, ...]
    node_tests: tuple[NodeTest, ...]
    pair_tests: tuple[PairTest, ...]
    edge_tests: frozenset[Test]
    induced: bool = False
    mappings: bool = False

    def neighbours(self, variable: str) -> Iterator[str]:
        """The variables that an edge joins to this one; absent edges do not."""
        for edge in self.edges:
            if not edge.absent and variable in (edge.source, edge.target):
                yield edge.target if edge.source == variable else edge.source
