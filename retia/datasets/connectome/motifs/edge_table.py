"""A table from the keys of edges to their places, compiled: an open hash with linear probing.

A key is a number of at least 0, such as `src * num_nodes + dst`; the table is a pair of arrays,
`keys` and `places`, a power of two long and at most half full.
"""

import numpy as np

from retia.protocol.triads import compiled

EMPTY = -1
SPREAD = -7046029254386353131  # 2^64 / golden ratio as int64: Fibonacci hashing
DROPPED_BITS = 20


@compiled
def make_table(size):
    """An empty table for so many edges."""
    capacity = 4
    while capacity < 2 * size:
        capacity *= 2
    return np.full(capacity, EMPTY, dtype=np.int64), np.empty(capacity, dtype=np.int64)


@compiled
def _home(keys, key):
    return ((key * SPREAD) >> DROPPED_BITS) & (len(keys) - 1)


@compiled
def find_slot(keys, key):
    """Where a key stands, or the empty slot where it would."""
    slot = _home(keys, key)
    while keys[slot] != EMPTY and keys[slot] != key:
        slot = (slot + 1) & (len(keys) - 1)
    return slot


@compiled
def put(keys, places, key, place):
    slot = find_slot(keys, key)
    keys[slot] = key
    places[slot] = place


@compiled
def remove(keys, places, key):
    """Take a key out and close the gap, so that no search stops short."""
    mask = len(keys) - 1
    hole = find_slot(keys, key)
    slot = (hole + 1) & mask
    while keys[slot] != EMPTY:
        if ((slot - _home(keys, keys[slot])) & mask) >= ((slot - hole) & mask):
            keys[hole], places[hole] = keys[slot], places[slot]
            hole = slot
        slot = (slot + 1) & mask
    keys[hole] = EMPTY
