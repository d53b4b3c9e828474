"""Plan a search: who can stand for each variable, in which order to bind them, what to check."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retia.datasets.connectome.query.filters import (
    Link,
    comparisons_of,
    edge_matrix,
    links_of,
    node_mask,
)
from retia.datasets.connectome.query.graph import Graph
from retia.datasets.connectome.query.program import Program, compile_program
from retia.datasets.connectome.query.symmetry import Symmetry, symmetry_of
from retia.datasets.connectome.query.syntax import Query

Ints = NDArray[np.int64]
Masks = NDArray[np.bool_]
Matrices = dict[Link, sparse.csr_array]

NARROWINGS: Final = 2


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
    comparisons = comparisons_of(query, graph)
    matrices = {
        key: edge_matrix(*key, graph) for key in {(link.layers, link.tests) for link in links}
    }
    edges = {link: matrices[link.layers, link.tests] for link in _ordered(links)}
    absent = {link: matrix for link, matrix in edges.items() if link.absent}
    present = {link: matrix for link, matrix in edges.items() if not link.absent}
    present, allowed = _narrow(present, allowed)
    order = _join_order(present, allowed.sum(axis=1))
    symmetry = _no_symmetry(query) if query.mappings else symmetry_of(query, links)
    first = np.flatnonzero(allowed[order[0]])
    program = compile_program(order, first, present, absent, symmetry.before, comparisons)
    return Plan(order, symmetry.roles, program)


def _no_symmetry(query: Query) -> Symmetry:
    return Symmetry(before=(), roles=tuple(range(len(query.variables))))


def _ordered(links: Iterable[Link]) -> list[Link]:
    """Links in an order that does not depend on the hash of a text."""
    return sorted(links, key=lambda link: (link.source, link.target, link.absent, link.said))


def _narrow(present: Matrices, allowed: Masks) -> tuple[Matrices, Masks]:
    """Drop nodes that lack an edge of their variable, a few times over, and the edges to them."""
    present, allowed = dict(present), allowed.copy()
    for _ in range(NARROWINGS):
        for link, matrix in present.items():
            within = _within(matrix, allowed[link.source], allowed[link.target])
            allowed[link.source] &= np.diff(within.indptr) > 0
            allowed[link.target] &= np.bincount(within.indices, minlength=len(allowed[0])) > 0
            present[link] = within
    return present, allowed


def _within(
    matrix: sparse.csr_array, rows: NDArray[np.bool_], columns: NDArray[np.bool_]
) -> sparse.csr_array:
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
    return min(_order_from(first, chance, sizes) for first in range(len(sizes)))[1]


def _order_from(
    first: int, chance: dict[Link, float], sizes: Ints
) -> tuple[float, tuple[int, ...]]:
    """The assignments to be expected on the way, and the order that takes the least next."""
    order, expected = [first], [float(sizes[first])]
    while len(order) < len(sizes):
        choices = []
        for variable in set(range(len(sizes))) - set(order):
            joined = [link for link in chance if _joins(link, variable, order)]
            factor = float(sizes[variable]) * float(np.prod([chance[link] for link in joined]))
            if joined:
                choices.append((factor, -len(joined), variable))
        factor, _, variable = min(choices)
        order.append(variable)
        expected.append(expected[-1] * factor)
    return sum(expected), tuple(order)


def _joins(link: Link, variable: int, order: Sequence[int]) -> bool:
    return (link.source == variable and link.target in order) or (
        link.target == variable and link.source in order
    )
