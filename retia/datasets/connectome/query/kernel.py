"""The search itself, compiled: depth first over the levels of a program, without recursion.

It stops after a number of steps and goes on where it was, so that its caller can watch the clock.
A node of a level comes from the shortest of the rows that the nodes before it require; the others
are searched for it.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from retia.datasets.connectome.query.plan import Program

DONE, PAUSED, FULL, LIMIT = range(4)


class State(NamedTuple):
    """How far a search is.

    level (1,), count (1,), filled (1,): the open level, matches, and rows written of `rows`.
    at, stop, pivot (levels,): what is left of each level's row in `indices`, and which of the
    required rows it is. node (levels,): the nodes that are bound.
    rows (capacity, levels): matches, where its capacity is not 0.
    part (levels, num_nodes): matches that have a node at a level; where it is not empty.
    """

    level: NDArray[np.int64]
    count: NDArray[np.int64]
    filled: NDArray[np.int64]
    at: NDArray[np.int64]
    stop: NDArray[np.int64]
    pivot: NDArray[np.int64]
    node: NDArray[np.int32]
    rows: NDArray[np.int32]
    part: NDArray[np.int64]


def start(program: Program, capacity: int, parts: int) -> State:
    """A search that has not begun; `parts` is the number of nodes to take part counts of, or 0."""
    levels = len(program.required_begin) - 1
    state = State(
        level=np.zeros(1, dtype=np.int64),
        count=np.zeros(1, dtype=np.int64),
        filled=np.zeros(1, dtype=np.int64),
        at=np.zeros(levels, dtype=np.int64),
        stop=np.zeros(levels, dtype=np.int64),
        pivot=np.full(levels, -1, dtype=np.int64),
        node=np.zeros(levels, dtype=np.int32),
        rows=np.empty((capacity, levels), dtype=np.int32),
        part=np.zeros((levels, parts), dtype=np.int64),
    )
    state.at[0], state.stop[0] = program.roots
    return state


@njit(cache=True)
def advance(program, state, steps, limit):
    """Go on for so many steps, or until the rows are full, the limit is passed, or all is done."""
    last = len(state.at) - 1
    sizes_do = _sizes_do(program, last) and len(state.rows) == 0 and state.part.shape[1] == 0
    level = state.level[0]
    while level >= 0:
        if state.at[level] == state.stop[level]:
            level -= 1
            continue
        if steps == 0:
            state.level[0] = level
            return PAUSED
        steps -= 1
        if level == last and len(state.rows) > 0 and state.filled[0] == len(state.rows):
            state.level[0] = level
            return FULL
        node = program.indices[state.at[level]]
        state.at[level] += 1
        if not _fits(program, state, level, node):
            continue
        state.node[level] = node
        if level < last:
            level += 1
            _open(program, state, level)
            if level < last or not sizes_do:
                continue
            found = _room(program, state, level)
            state.at[level] = state.stop[level]
        else:
            found = 1
        if found > limit - state.count[0]:
            state.count[0] = limit
            state.level[0] = level
            return LIMIT
        state.count[0] += found
        if not sizes_do:
            _record(state, last)
    state.level[0] = level
    return DONE


@njit(cache=True)
def _sizes_do(program, last):
    """Whether the number of nodes for the last level is the length of a row, but for those bound."""
    return (
        program.required_begin[last + 1] - program.required_begin[last] == 1
        and program.forbidden_begin[last + 1] == program.forbidden_begin[last]
        and program.compared_begin[last + 1] == program.compared_begin[last]
    )


@njit(cache=True)
def _open(program, state, level):
    """Take the shortest required row, between the nodes that bound it from above and below."""
    shortest = -1
    low = high = np.int64(0)
    for check in range(program.required_begin[level], program.required_begin[level + 1]):
        matrix = program.required[check, 0]
        row = state.node[program.required[check, 1]]
        begin, end = program.indptr[matrix, row], program.indptr[matrix, row + 1]
        if shortest < 0 or end - begin < high - low:
            shortest, low, high = check, begin, end
    for check in range(program.above_begin[level], program.above_begin[level + 1]):
        low = _find(program.indices, low, high, state.node[program.above[check, 0]] + 1)
    for check in range(program.below_begin[level], program.below_begin[level + 1]):
        high = _find(program.indices, low, high, state.node[program.below[check, 0]])
    state.pivot[level] = shortest
    state.at[level] = low
    state.stop[level] = high


@njit(cache=True)
def _room(program, state, level):
    """The nodes of an open level's row that are not bound."""
    low, high = state.at[level], state.stop[level]
    found = high - low
    for bound in range(level):
        if _holds(program.indices, low, high, state.node[bound]):
            found -= 1
    return found


@njit(cache=True)
def _fits(program, state, level, node):
    """Whether a node passes the checks of a level that its row does not see to."""
    for bound in range(level):
        if state.node[bound] == node:
            return False
    for check in range(program.required_begin[level], program.required_begin[level + 1]):
        if check != state.pivot[level] and not _joined(
            program, state, program.required[check], node
        ):
            return False
    for check in range(program.forbidden_begin[level], program.forbidden_begin[level + 1]):
        if _joined(program, state, program.forbidden[check], node):
            return False
    for check in range(program.compared_begin[level], program.compared_begin[level + 1]):
        operator, mine, other, bound = program.compared[check]
        left = program.values[mine, node]
        right = program.values[other, state.node[bound]]
        if not _compares(operator, left, right):
            return False
    return True


@njit(cache=True)
def _joined(program, state, check, node):
    matrix, row = check[0], state.node[check[1]]
    return _holds(
        program.indices, program.indptr[matrix, row], program.indptr[matrix, row + 1], node
    )


@njit(cache=True)
def _compares(operator, left, right):
    """The operators in the order of `plan.OPERATORS`; none holds of NaN."""
    if operator == 0:
        return left == right
    if operator == 1:
        return left < right or left > right
    if operator == 2:
        return left < right
    if operator == 3:
        return left <= right
    if operator == 4:
        return left > right
    return left >= right


@njit(cache=True)
def _find(indices, low, high, node):
    """The first place of an ascending stretch that has no lesser node."""
    while low < high:
        middle = (low + high) >> 1
        if indices[middle] < node:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def _holds(indices, low, high, node):
    place = _find(indices, low, high, node)
    return place < high and indices[place] == node


@njit(cache=True)
def _record(state, last):
    """Write the match to the rows, and count it for its nodes."""
    if len(state.rows) > 0:
        state.rows[state.filled[0]] = state.node
        state.filled[0] += 1
    if state.part.shape[1] > 0:
        for level in range(last + 1):
            state.part[level, state.node[level]] += 1
