"""What the search runs: a plan as tables of numbers, level after level."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from retia.datasets.connectome.query.filters import COMPARE, Comparison, Link
from retia.datasets.connectome.query.symmetry import MIRROR

Ints = NDArray[np.int64]
Matrices = Mapping[Link, sparse.csr_array]
Rows = list[list[list[int]]]

OPERATORS: Final = tuple(COMPARE)
BITS: Final = 62
BOUND: Final = 1 << BITS
UNMARKED: Final = -1


class Program(NamedTuple):
    """A search of num_nodes nodes with a level for each variable.

    A matrix is a row of `indptr` (matrices, num_nodes + 1), its columns in `indices`; the nodes of
    the first level are `indices[roots[0] : roots[1]]`. The checks of level l are the rows
    `begin[l] : begin[l + 1]` of their table:

    required, forbidden: a matrix, the level whose node is its row, and the bit that marks it, or
        `UNMARKED`. marked: a matrix and a bit, to be marked when a node is bound at this level.
    above, below: a level whose node has to be less, or greater.
    compared: an operator, a row of `values` for this level, one for another level, and that level.

    A node that passes the marked checks of level l has `marks & among[l] == want[l]`.
    searched (levels,): whether a level has checks that no mark answers, whatever its row is.
    length_tells: whether all of the last level's row fits, but for the nodes that are bound.
    """

    indptr: Ints
    indices: NDArray[np.int32]
    roots: Ints
    values: NDArray[np.float64]
    required: Ints
    required_begin: Ints
    forbidden: Ints
    forbidden_begin: Ints
    marked: Ints
    marked_begin: Ints
    above: Ints
    above_begin: Ints
    below: Ints
    below_begin: Ints
    compared: Ints
    compared_begin: Ints
    among: Ints
    want: Ints
    searched: NDArray[np.bool_]
    length_tells: bool


def compile_program(
    order: Sequence[int],
    first: Ints,
    present: Matrices,
    absent: Matrices,
    before: Sequence[tuple[int, int]],
    comparisons: Sequence[Comparison],
) -> Program:
    """Compile a plan.

    order: the variable of each level. first: nodes for the first level. present, absent: the edges
    of each link. before: variables whose nodes stand in that order.
    """
    levels = len(order)
    level = {variable: index for index, variable in enumerate(order)}
    stored: list[sparse.csr_array] = []
    tables: list[Rows] = [[[] for _ in order] for _ in range(6)]
    required, forbidden, marked, above, below, compared = tables
    among, want = np.full(levels, BOUND), np.zeros(levels, dtype=np.int64)
    bits = iter(range(BITS))
    for links, table in ((present, required), (absent, forbidden)):
        for link, matrix in links.items():
            source, target = level[link.source], level[link.target]
            row, column = min(source, target), max(source, target)
            bit = next(bits, UNMARKED) if row < column - 1 else UNMARKED
            table[column].append([len(stored), row, bit])
            if bit != UNMARKED:
                marked[row].append([len(stored), bit])
                among[column] |= 1 << bit
                want[column] |= (table is required) << bit
            stored.append(matrix if source < target else matrix.T.tocsr())
    for less, greater in before:
        if level[less] < level[greater]:
            above[level[greater]].append([level[less]])
        else:
            below[level[less]].append([level[greater]])
    for index, test in enumerate(comparisons):
        left, right = level[test.left], level[test.right]
        mirrored = MIRROR.get(test.operator, test.operator) if left < right else test.operator
        rows = (2 * index + 1, 2 * index) if left < right else (2 * index, 2 * index + 1)
        compared[max(left, right)].append([OPERATORS.index(mirrored), *rows, min(left, right)])
    searched = [
        any(bit == UNMARKED for _, _, bit in checks) or bool(tests)
        for checks, tests in zip(forbidden, compared, strict=True)
    ]
    offsets = np.cumsum([0, *(matrix.nnz for matrix in stored)], dtype=np.int64)
    pointers = [matrix.indptr + start for matrix, start in zip(stored, offsets[:-1], strict=True)]
    values = [test.values for test in comparisons]
    return Program(
        np.stack(pointers),
        np.concatenate([*(matrix.indices for matrix in stored), first]).astype(np.int32),
        np.array([offsets[-1], offsets[-1] + len(first)]),
        np.concatenate(values) if values else np.empty((0, stored[0].shape[0])),
        *_table(required, 3),
        *_table(forbidden, 3),
        *_table(marked, 2),
        *_table(above, 1),
        *_table(below, 1),
        *_table(compared, 4),
        among,
        want,
        np.array(searched),
        len(required[-1]) == 1 and not forbidden[-1] and not compared[-1],
    )


def _table(rows: Rows, width: int) -> tuple[Ints, Ints]:
    """The checks of all levels in one table, and where each level's begin."""
    flat = np.array([row for level in rows for row in level], dtype=np.int64).reshape(-1, width)
    return flat, np.cumsum([0, *map(len, rows)])
