"""Markov chains over directed graphs with fixed degrees, compiled.

A step picks two edges and exchanges their heads, a->b, c->d to a->d, c->b, unless that makes a
self-loop or a second edge. Where the first edge ends at the start of the second the exchange would
make a self-loop; if the two are part of a directed triangle, a->b->d->a, that is turned round
instead. Exchanges alone do not reach every directed graph without self-loops; with the turns they
do (Rao, A. R., Jana, R., Bandyopadhyay, S. (1996). A Markov chain Monte Carlo method for generating
random (0, 1)-matrices with given marginals. Sankhya A 58). A step is as likely as its reverse, and
a refused step counts, so every graph is as likely as any other in the end.
"""

import numpy as np

from retia.datasets.connectome.motifs.edge_table import EMPTY, find_slot, make_table, put, remove
from retia.datasets.connectome.motifs.wiring import Ints
from retia.protocol.triads import compiled

MUTUAL = -2


@compiled
def swap_edges(
    src: Ints, dst: Ints, num_nodes: int, attempts: int, rng: np.random.Generator
) -> int:
    """Take `attempts` steps that keep in- and out-degrees, in place.

    Returns how many steps changed the graph.
    """
    keys, places = make_table(len(src))
    for edge in range(len(src)):
        put(keys, places, src[edge] * num_nodes + dst[edge], edge)
    accepted = 0
    for _ in range(attempts if len(src) else 0):
        one, two = rng.integers(0, len(src)), rng.integers(0, len(src))
        accepted += _step(src, dst, num_nodes, keys, places, one, two, False)
    return accepted


@compiled
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
    keys, places = make_table(len(src) + 2 * len(low))
    for edge in range(len(src)):
        put(keys, places, src[edge] * num_nodes + dst[edge], edge)
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


@compiled
def _step(src, dst, num_nodes, keys, places, one, two, keep_mutual):
    a, b, c, d = src[one], dst[one], src[two], dst[two]
    if b == c:
        return _turn(src, dst, num_nodes, keys, places, one, two)
    if a in (c, d) or b == d:
        return 0
    if _joined(keys, num_nodes, a, d, keep_mutual) or _joined(keys, num_nodes, c, b, keep_mutual):
        return 0
    remove(keys, places, a * num_nodes + b)
    remove(keys, places, c * num_nodes + d)
    dst[one], dst[two] = d, b
    put(keys, places, a * num_nodes + d, one)
    put(keys, places, c * num_nodes + b, two)
    return 1


@compiled
def _turn(src, dst, num_nodes, keys, places, one, two):
    """Turn the triangle a->b->d->a round, if it is one and none of its edges is mutual."""
    a, b, d = src[one], dst[one], dst[two]
    slot = find_slot(keys, d * num_nodes + a)
    if a == d or keys[slot] == EMPTY or places[slot] == MUTUAL:
        return 0
    three = places[slot]
    for start, end in ((b, a), (d, b), (a, d)):
        if keys[find_slot(keys, start * num_nodes + end)] != EMPTY:
            return 0
    for edge in (one, two, three):
        remove(keys, places, src[edge] * num_nodes + dst[edge])
    for edge in (one, two, three):
        src[edge], dst[edge] = dst[edge], src[edge]
        put(keys, places, src[edge] * num_nodes + dst[edge], edge)
    return 1


@compiled
def _step_mutual(low, high, num_nodes, keys, places, one, two):
    a, b, c, d = low[one], high[one], low[two], high[two]
    if a in (c, d) or b in (c, d):
        return 0
    if _joined(keys, num_nodes, a, d, True) or _joined(keys, num_nodes, c, b, True):
        return 0
    for start, end in ((a, b), (b, a), (c, d), (d, c)):
        remove(keys, places, start * num_nodes + end)
    high[one], high[two] = d, b
    _put_mutual(keys, places, num_nodes, a, d)
    _put_mutual(keys, places, num_nodes, c, b)
    return 1


@compiled
def _joined(keys, num_nodes, start, end, either_way):
    if keys[find_slot(keys, start * num_nodes + end)] != EMPTY:
        return True
    return either_way and keys[find_slot(keys, end * num_nodes + start)] != EMPTY


@compiled
def _put_mutual(keys, places, num_nodes, one, other):
    put(keys, places, one * num_nodes + other, MUTUAL)
    put(keys, places, other * num_nodes + one, MUTUAL)
