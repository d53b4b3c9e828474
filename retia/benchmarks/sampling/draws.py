"""Random numbers that depend on a key and on what is drawn for, never on the order of drawing.

SplitMix64: Steele, G. L., Lea, D., Flood, C. H. (2014). Fast splittable pseudorandom number
generators. OOPSLA. Numbers are uint64, or arrays of them.
"""

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_HALF = np.uint64(32)


def new_key(rng: np.random.Generator) -> np.uint64:
    """A key of 64 random bits."""
    return rng.integers(2**64, dtype=np.uint64)


@njit(cache=True, nogil=True)
def mix(z):
    """The bits of z, so mixed that each depends on all."""
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def draw(stream, step, bound):
    """Number `step` of a stream, an integer in [0, bound) for a bound up to 2^32.

    A stream is 64 bits. The bias, from multiplying instead of rejecting, is at most bound / 2^32.
    """
    bits = mix(stream + (step + np.uint64(1)) * _GOLDEN)
    return ((bits >> _HALF) * bound) >> _HALF


@njit(cache=True, nogil=True)
def stream_of(key, number):
    """The stream that a key has for something of that number: a node, a walk."""
    return mix(key ^ mix(number + _GOLDEN))
