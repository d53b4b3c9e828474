"""The search itself, compiled: depth first over the levels of a program, without recursion.

It stops after a number of steps and goes on where it was, so that its caller can watch the clock.
The nodes that a level may have come from a row that a node bound before requires. What an earlier
node than the last one requires or forbids is marked when it is bound, a bit a check, so that one
look at a node's marks answers all of these; what the last one does is searched for in its row.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from retia.datasets.connectome.query.program import BOUND, UNMARKED, Program

DONE, PAUSED, FULL, LIMIT = range(4)

SEARCH = 8
ROW_SPEED = 8


class State(NamedTuple):
    """How far a search is.

    level (1,), found (1,), filled (1,): the open level, matches, and rows written of `rows`.
    at, stop, pivot (levels,): what is left of each level's row in `indices`, and which of the
    required rows it is; searched (levels,): whether marks do not tell all. node (levels,): the
    nodes; bound (levels,): whether they are marked.
    marks (num_nodes,): the checks that each node passes, as bits.
    rows (capacity, levels): matches, where its capacity is not 0.
    part (levels, num_nodes): matches that have a node at a level; where it is not empty.
    """

    level: NDArray[np.int64]
    found: NDArray[np.int64]
    filled: NDArray[np.int64]
    at: NDArray[np.int64]
    stop: NDArray[np.int64]
    pivot: NDArray[np.int64]
    searched: NDArray[np.bool_]
    node: NDArray[np.int32]
    bound: NDArray[np.bool_]
    marks: NDArray[np.int64]
    rows: NDArray[np.int32]
    part: NDArray[np.int64]


def start(program: Program, capacity: int, parts: int) -> State:
    """A search that has not begun; `parts` is the number of nodes to take part counts of, or 0."""
    levels = len(program.want)
    state = State(
        level=np.zeros(1, dtype=np.int64),
        found=np.zeros(1, dtype=np.int64),
        filled=np.zeros(1, dtype=np.int64),
        at=np.zeros(levels, dtype=np.int64),
        stop=np.zeros(levels, dtype=np.int64),
        pivot=np.full(levels, -1, dtype=np.int64),
        searched=np.zeros(levels, dtype=np.bool_),
        node=np.zeros(levels, dtype=np.int32),
        bound=np.zeros(levels, dtype=np.bool_),
        marks=np.zeros(program.indptr.shape[1] - 1, dtype=np.int64),
        rows=np.empty((capacity, levels), dtype=np.int32),
        part=np.zeros((levels, parts), dtype=np.int64),
    )
    state.at[0], state.stop[0] = program.roots
    return state


@njit(cache=True)
def advance(program, state, steps, limit):
    """Go on for so many steps, or until the rows are full, the limit is passed, or all is done."""
    last = len(state.at) - 1
    only_counts = len(state.rows) == 0 and state.part.shape[1] == 0
    level = state.level[0]
    status = DONE
    while level >= 0:
        if state.bound[level]:
            _unbind(program, state, level)
        if state.at[level] == state.stop[level]:
            level -= 1
            continue
        if steps <= 0:
            status = PAUSED
            break
        if level == last and len(state.rows) > 0 and state.filled[0] == len(state.rows):
            status = FULL
            break
        steps -= 1
        node = program.indices[state.at[level]]
        state.at[level] += 1
        if state.marks[node] & program.among[level] != program.want[level]:
            continue
        if state.searched[level] and not _fits(program, state, level, node):
            continue
        state.node[level] = node
        found = 1
        if level < last:
            _bind(program, state, level)
            level += 1
            _open(program, state, level)
            if level < last or not only_counts:
                continue
            steps -= (state.stop[level] - state.at[level]) // ROW_SPEED
            found = _count(program, state, level)
        if found > limit - state.found[0]:
            state.found[0] = limit
            status = LIMIT
            break
        state.found[0] += found
        if not only_counts:
            _record(state, last)
    state.level[0] = level
    return status


@njit(cache=True)
def _bind(program, state, level):
    node = state.node[level]
    state.bound[level] = True
    state.marks[node] |= BOUND
    for mark in range(program.marked_begin[level], program.marked_begin[level + 1]):
        matrix, bit = program.marked[mark]
        for place in range(program.indptr[matrix, node], program.indptr[matrix, node + 1]):
            state.marks[program.indices[place]] |= 1 << bit


@njit(cache=True)
def _unbind(program, state, level):
    node = state.node[level]
    state.bound[level] = False
    state.marks[node] &= ~BOUND
    for mark in range(program.marked_begin[level], program.marked_begin[level + 1]):
        matrix, bit = program.marked[mark]
        for place in range(program.indptr[matrix, node], program.indptr[matrix, node + 1]):
            state.marks[program.indices[place]] &= ~(1 << bit)


@njit(cache=True)
def _open(program, state, level):
    """Take the required row that is soonest gone through, between the nodes that bound it."""
    unmarked = 0
    for check in range(program.required_begin[level], program.required_begin[level + 1]):
        unmarked += program.required[check, 2] == UNMARKED
    best = low = high = np.int64(-1)
    for check in range(program.required_begin[level], program.required_begin[level + 1]):
        matrix, row, bit = program.required[check]
        begin, end = (
            program.indptr[matrix, state.node[row]],
            program.indptr[matrix, state.node[row] + 1],
        )
        cost = (end - begin) * (1 + SEARCH * (unmarked - (bit == UNMARKED)))
        if best < 0 or cost < best:
            best, low, high = cost, begin, end
            state.pivot[level] = check
            state.searched[level] = program.searched[level] or unmarked > (bit == UNMARKED)
    for check in range(program.above_begin[level], program.above_begin[level + 1]):
        low = _find(program.indices, low, high, state.node[program.above[check, 0]] + 1)
    for check in range(program.below_begin[level], program.below_begin[level + 1]):
        high = _find(program.indices, low, high, state.node[program.below[check, 0]])
    state.at[level] = low
    state.stop[level] = high


@njit(cache=True)
def _count(program, state, level):
    """The nodes of an open level that fit, gone through at once."""
    low, high = state.at[level], state.stop[level]
    state.at[level] = high
    found = 0
    if program.length_tells:
        found = high - low
        for bound in range(level):
            found -= _holds(program.indices, low, high, state.node[bound])
        return found
    among, want = program.among[level], program.want[level]
    if not state.searched[level]:
        return _count_marked(program.indices[low:high], state.marks, among, want)
    for node in program.indices[low:high]:
        if state.marks[node] & among == want:
            found += _fits(program, state, level, node)
    return found


@njit(cache=True)
def _count_marked(nodes, marks, among, want):
    found = 0
    for node in nodes:
        found += marks[node] & among == want
    return found


@njit(cache=True)
def _fits(program, state, level, node):
    """Whether a node with the right marks passes the other checks of its level."""
    for check in range(program.required_begin[level], program.required_begin[level + 1]):
        unseen = program.required[check, 2] == UNMARKED and check != state.pivot[level]
        if unseen and not _joined(program, state, program.required[check], node):
            return False
    for check in range(program.forbidden_begin[level], program.forbidden_begin[level + 1]):
        unseen = program.forbidden[check, 2] == UNMARKED
        if unseen and _joined(program, state, program.forbidden[check], node):
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
    """The operators in the order of `program.OPERATORS`; none holds of NaN."""
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
