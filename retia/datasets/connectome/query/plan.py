"""Plan a search: who can stand for each variable, in which order to bind them, what to check."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retia.datasets.connectome.query.filters import (
    COMPARE,
    Link,
    edge_matrix,
    links_of,
    node_mask,
    pair_columns,
)
from retia.datasets.connectome.query.graph import Graph
from retia.datasets.connectome.query.symmetry import MIRROR, Symmetry, symmetry_of
from retia.datasets.connectome.query.syntax import Query

Ints = NDArray[np.int64]
Masks = NDArray[np.bool_]

NARROWINGS: Final = 2
OPERATORS: Final = tuple(COMPARE)


class Program(NamedTuple):
    """What the search runs: tables of numbers, level after level.

    A matrix is a row of `indptr` (matrices, num_nodes + 1), its columns in `indices`; the nodes of
    the first level are `indices[roots[0] : roots[1]]`. The checks of level l are the rows
    `begin[l] : begin[l + 1]` of their table. `required` and `forbidden` have a matrix and the
    level of its row, `above` and `below` a level whose node has to be less or greater, `compared`
    an operator, a row of `values` for this level, one for another, and that level.
    """

    indptr: Ints
    indices: NDArray[np.int32]
    roots: Ints
    required: Ints
    required_begin: Ints
    forbidden: Ints
    forbidden_begin: Ints
    above: Ints
    above_begin: Ints
    below: Ints
    below_begin: Ints
    compared: Ints
    compared_begin: Ints
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """order: the variable of each level; roles: for each variable that whose role it has."""

    order: tuple[int, ...]
    roles: tuple[int, ...]
    program: Program


def plan(query: Query, graph: Graph) -> Plan:
    """Plan the search of a graph; raises `InputError` where the graph lacks what a query names."""
    links = links_of(query, graph)
    allowed = np.stack([node_mask(query, variable, graph) for variable in query.variables])
    compared = _comparisons(query, graph)
    nothing = Symmetry((), tuple(range(len(query.variables))))
    symmetry = nothing if query.mappings else symmetry_of(query, links)
    matrices = {
        key: edge_matrix(*key, graph) for key in {(link.layers, link.tests) for link in links}
    }
    present = {
        link: matrices[link.layers, link.tests] for link in _ordered(links) if not link.absent
    }
    present, allowed = _narrow(present, allowed)
    absent = {link: matrices[link.layers, link.tests] for link in _ordered(links) if link.absent}
    order = _join_order(present, allowed.sum(axis=1))
    program = _compile(order, allowed, present, absent, symmetry.before, compared)
    return Plan(order, symmetry.roles, program)


Matrices = dict[Link, sparse.csr_array]


@dataclass(frozen=True)
class _Comparison:
    """An attribute of one variable against one of another; values (2, num_nodes)."""

    left: int
    operator: int
    right: int
    values: NDArray[np.float64]


def _comparisons(query: Query, graph: Graph) -> list[_Comparison]:
    found = []
    for test in query.pair_tests:
        columns = pair_columns(test, graph)
        left, right = query.variables.index(test.left), query.variables.index(test.right)
        values = np.stack([column.values for column in columns])
        found.append(_Comparison(left, OPERATORS.index(test.operator), right, values))
    return found


def _ordered(links: Iterable[Link]) -> list[Link]:
    """Links in an order that no hash of a text decides."""
    return sorted(
        links,
        key=lambda link: (
            link.source,
            link.target,
            sorted(link.layers),
            repr(sorted(link.tests, key=repr)),
        ),
    )


def _narrow(present: Matrices, allowed: Masks) -> tuple[Matrices, Masks]:
    """Drop nodes that lack an edge of their variable, a few times over, and the edges to them."""
    allowed = allowed.copy()
    for _ in range(NARROWINGS):
        for link, matrix in present.items():
            present[link] = matrix = _within(matrix, allowed[link.source], allowed[link.target])
            allowed[link.source] &= np.diff(matrix.indptr) > 0
            allowed[link.target] &= np.bincount(matrix.indices, minlength=matrix.shape[1]) > 0
    return present, allowed


def _within(matrix: sparse.csr_array, rows: Masks, columns: Masks) -> sparse.csr_array:
    """The entries of those rows and columns."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    keep = rows[row] & columns[matrix.indices]
    begin = np.concatenate([[0], np.cumsum(keep)])[matrix.indptr]
    return sparse.csr_array((matrix.data[keep], matrix.indices[keep], begin), shape=matrix.shape)


def _join_order(present: Matrices, sizes: Ints) -> tuple[int, ...]:
    """The order, from each first variable, in which the fewest assignments are to be expected."""
    chance = {
        link: matrix.nnz / max(float(sizes[link.source]) * float(sizes[link.target]), 1.0)
        for link, matrix in present.items()
    }
    orders = [_from(first, chance, sizes) for first in range(len(sizes))]
    return min(orders)[1]


def _from(first: int, chance: dict[Link, float], sizes: Ints) -> tuple[float, tuple[int, ...]]:
    """The assignments to be expected on the way, and the order that takes the least next."""
    order, expected, total = [first], float(sizes[first]), float(sizes[first])
    while len(order) < len(sizes):
        choices = []
        for variable in range(len(sizes)):
            joined = [link for link in chance if _joins(link, variable, order)]
            if joined and variable not in order:
                factor = float(sizes[variable]) * float(np.prod([chance[link] for link in joined]))
                choices.append((factor, -len(joined), variable))
        factor, _, variable = min(choices)
        order.append(variable)
        expected *= factor
        total += expected
    return total, tuple(order)


def _joins(link: Link, variable: int, order: Sequence[int]) -> bool:
    return (link.source == variable and link.target in order) or (
        link.target == variable and link.source in order
    )


def _compile(
    order: tuple[int, ...],
    allowed: Masks,
    present: Matrices,
    absent: Matrices,
    before: tuple[tuple[int, int], ...],
    comparisons: list[_Comparison],
) -> Program:
    level = {variable: index for index, variable in enumerate(order)}
    size = len(order)
    stored: list[sparse.csr_array] = []
    tables: list[list[list[list[int]]]] = [[[] for _ in order] for _ in range(5)]
    required, forbidden, above, below, compared = tables
    for links, table in ((present, required), (absent, forbidden)):
        for link, matrix in links.items():
            ends = level[link.source], level[link.target]
            table[max(ends)].append([len(stored), min(ends)])
            stored.append(matrix if ends[0] < ends[1] else matrix.T.tocsr())
    for less, greater in before:
        if level[less] < level[greater]:
            above[level[greater]].append([level[less]])
        else:
            below[level[less]].append([level[greater]])
    for index, test in enumerate(comparisons):
        operator, rows, ends = (
            test.operator,
            (2 * index, 2 * index + 1),
            (level[test.left], level[test.right]),
        )
        if ends[0] < ends[1]:
            mirrored = MIRROR.get(OPERATORS[operator], OPERATORS[operator])
            operator, rows = OPERATORS.index(mirrored), rows[::-1]
        compared[max(ends)].append([operator, *rows, min(ends)])
    roots = np.flatnonzero(allowed[order[0]])
    offsets = np.cumsum([0, *(matrix.nnz for matrix in stored)])
    values = [test.values for test in comparisons]
    return Program(
        np.stack(
            [matrix.indptr + offset for matrix, offset in zip(stored, offsets, strict=False)]
        ).astype(np.int64),
        np.concatenate([*(matrix.indices for matrix in stored), roots]).astype(np.int32),
        np.array([offsets[-1], offsets[-1] + len(roots)]),
        *itertools.chain.from_iterable(
            _table(rows, width) for rows, width in zip(tables, (2, 2, 1, 1, 4), strict=True)
        ),
        values=np.concatenate(values) if values else np.empty((0, allowed.shape[1])),
    )


def _table(rows: list[list[list[int]]], width: int) -> tuple[Ints, Ints]:
    """The checks of all levels in one table, and where each level's begin."""
    flat = np.array([row for level in rows for row in level], dtype=np.int64).reshape(-1, width)
    return flat, np.cumsum([0, *map(len, rows)])
