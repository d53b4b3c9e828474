"""Markov chains over directed graphs with fixed degrees, compiled.

A step picks two edges and exchanges their heads, a->b, c->d to a->d, c->b, unless that makes a
self-loop or a second edge. Where the first edge ends at the start of the second the exchange would
make a self-loop; if the two are part of a directed triangle, a->b->d->a, that is turned round
instead. Exchanges alone do not reach every directed graph without self-loops; with the turns they
do (Rao, A. R., Jana, R., Bandyopadhyay, S. (1996). A Markov chain Monte Carlo method for generating
random (0, 1)-matrices with given marginals. Sankhya A 58). A step is as likely as its reverse, and
a refused step counts, so every graph is as likely as any other in the end.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]

EMPTY = -1
MUTUAL = -2
SPREAD = -7046029254386353131  # 2^64 / golden ratio as int64: Fibonacci hashing
DROPPED_BITS = 20


@njit(cache=True, nogil=True)
def swap_edges(
    src: Ints, dst: Ints, num_nodes: int, attempts: int, rng: np.random.Generator
) -> int:
    """Take `attempts` steps that keep in- and out-degrees, in place.

    Returns how many steps changed the graph.
    """
    keys, places = _make_index(len(src))
    for edge in range(len(src)):
        _put(keys, places, src[edge] * num_nodes + dst[edge], edge)
    accepted = 0
    for _ in range(attempts if len(src) else 0):
        one, two = rng.integers(0, len(src)), rng.integers(0, len(src))
        accepted += _step(src, dst, num_nodes, keys, places, one, two, False)
    return accepted


@njit(cache=True, nogil=True)
def swap_dyads(
    src: Ints,
    dst: Ints,
    low: Ints,
    high: Ints,
    num_nodes: int,
    attempts: int,
    rng: np.random.Generator,
) -> int:
    """Take `attempts` steps that also keep each node's number of mutual partners, in place.

    Single edges src -> dst are exchanged among themselves, and so are mutual pairs low <-> high;
    a step that would join two nodes that are already joined, in either direction, is refused.
    Returns how many steps changed the graph.
    """
    keys, places = _make_index(len(src) + 2 * len(low))
    for edge in range(len(src)):
        _put(keys, places, src[edge] * num_nodes + dst[edge], edge)
    for pair in range(len(low)):
        _put_mutual(keys, places, num_nodes, low[pair], high[pair])
    accepted = 0
    units = len(src) + len(low)
    for _ in range(attempts if units else 0):
        one = rng.integers(0, units)
        if one < len(src):
            two = rng.integers(0, len(src))
            accepted += _step(src, dst, num_nodes, keys, places, one, two, True)
        else:
            two = rng.integers(0, len(low))
            if rng.random() < 0.5:
                low[two], high[two] = high[two], low[two]
            accepted += _step_mutual(low, high, num_nodes, keys, places, one - len(src), two)
    return accepted


@njit(cache=True, nogil=True)
def _step(src, dst, num_nodes, keys, places, one, two, keep_mutual):
    a, b, c, d = src[one], dst[one], src[two], dst[two]
    if b == c:
        return _turn(src, dst, num_nodes, keys, places, one, two)
    if a in (c, d) or b == d:
        return 0
    if _joined(keys, num_nodes, a, d, keep_mutual) or _joined(keys, num_nodes, c, b, keep_mutual):
        return 0
    _remove(keys, places, a * num_nodes + b)
    _remove(keys, places, c * num_nodes + d)
    dst[one], dst[two] = d, b
    _put(keys, places, a * num_nodes + d, one)
    _put(keys, places, c * num_nodes + b, two)
    return 1


@njit(cache=True, nogil=True)
def _turn(src, dst, num_nodes, keys, places, one, two):
    """Turn the triangle a->b->d->a round, if it is one and none of its edges is mutual."""
    a, b, d = src[one], dst[one], dst[two]
    slot = _slot(keys, d * num_nodes + a)
    if a == d or keys[slot] == EMPTY or places[slot] == MUTUAL:
        return 0
    three = places[slot]
    for start, end in ((b, a), (d, b), (a, d)):
        if keys[_slot(keys, start * num_nodes + end)] != EMPTY:
            return 0
    for edge in (one, two, three):
        _remove(keys, places, src[edge] * num_nodes + dst[edge])
    for edge in (one, two, three):
        src[edge], dst[edge] = dst[edge], src[edge]
        _put(keys, places, src[edge] * num_nodes + dst[edge], edge)
    return 1


@njit(cache=True, nogil=True)
def _step_mutual(low, high, num_nodes, keys, places, one, two):
    a, b, c, d = low[one], high[one], low[two], high[two]
    if a in (c, d) or b in (c, d):
        return 0
    if _joined(keys, num_nodes, a, d, True) or _joined(keys, num_nodes, c, b, True):
        return 0
    for start, end in ((a, b), (b, a), (c, d), (d, c)):
        _remove(keys, places, start * num_nodes + end)
    high[one], high[two] = d, b
    _put_mutual(keys, places, num_nodes, a, d)
    _put_mutual(keys, places, num_nodes, c, b)
    return 1


@njit(cache=True, nogil=True)
def _joined(keys, num_nodes, start, end, either_way):
    if keys[_slot(keys, start * num_nodes + end)] != EMPTY:
        return True
    return either_way and keys[_slot(keys, end * num_nodes + start)] != EMPTY


@njit(cache=True, nogil=True)
def _make_index(size):
    """An empty table from the key of an edge to its place, at most half full."""
    capacity = 4
    while capacity < 2 * size:
        capacity *= 2
    return np.full(capacity, EMPTY, dtype=np.int64), np.empty(capacity, dtype=np.int64)


@njit(cache=True, nogil=True)
def _home(keys, key):
    return ((key * SPREAD) >> DROPPED_BITS) & (len(keys) - 1)


@njit(cache=True, nogil=True)
def _slot(keys, key):
    """Where a key stands, or the empty slot where it would."""
    slot = _home(keys, key)
    while keys[slot] != EMPTY and keys[slot] != key:
        slot = (slot + 1) & (len(keys) - 1)
    return slot


@njit(cache=True, nogil=True)
def _put(keys, places, key, place):
    slot = _slot(keys, key)
    keys[slot] = key
    places[slot] = place


@njit(cache=True, nogil=True)
def _put_mutual(keys, places, num_nodes, one, other):
    _put(keys, places, one * num_nodes + other, MUTUAL)
    _put(keys, places, other * num_nodes + one, MUTUAL)


@njit(cache=True, nogil=True)
def _remove(keys, places, key):
    """Take a key out and close the gap, so that no search stops short."""
    mask = len(keys) - 1
    hole = _slot(keys, key)
    slot = (hole + 1) & mask
    while keys[slot] != EMPTY:
        if ((slot - _home(keys, keys[slot])) & mask) >= ((slot - hole) & mask):
            keys[hole], places[hole] = keys[slot], places[slot]
            hole = slot
        slot = (slot + 1) & mask
    keys[hole] = EMPTY
