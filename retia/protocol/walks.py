"""Walks between the two nodes of a pair: short ones, all of them, and a random one that restarts.

A graph is the symmetric 0/1 `csr_array` (n, n) of `LinkGraph.neighbours`, its rows sorted. Two
steps are a merge of two rows; longer walks go through the pairs by source, and spread from each
source once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retia.protocol.triads import compiled

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def shared_weights(graph: csr_array, inner: Floats, pairs: Ints) -> Floats:
    """(P,) the sum of `inner` (n,) over the common neighbours of the nodes of each pair (P, 2)."""
    result = np.zeros(len(pairs))
    _meet(graph.indptr, graph.indices, inner, np.ascontiguousarray(pairs), result)
    return result


def walk_weights(graph: csr_array, inner: Floats, pairs: Ints, longest: int) -> Floats:
    """The weight of all walks of 1 to `longest` (3 or 4) steps between the nodes of each pair.

    A walk weighs the product of `inner` (n,) over the nodes between its ends. For pairs (P, 2),
    (P, longest): column l - 1 is (A (G A)^(l - 1))ᵤᵥ with G = diag(inner). A walk may pass a node
    again, which in 3 steps happens just where the pair is joined. Work is that of the two-step
    neighbourhoods of the sources and, for 4 steps, of the targets.
    """
    result, order = np.zeros((len(pairs), longest)), np.argsort(pairs[:, 0], kind="stable")
    _walk(graph.indptr, graph.indices, inner, np.ascontiguousarray(pairs), order, result)
    return result


def pagerank(graph: csr_array, pairs: Ints, restart: float, tolerance: float) -> Floats:
    """(P,) the personalised PageRank of each pair's target for its source.

    Forward push (Andersen, Chung and Lang 2006, FOCS, section 3), without laziness; the residual at
    the target counts by its first step. The result is too low by at most `tolerance` times the
    target's degree. Work is at most 1 / (restart * tolerance) steps a source.
    """
    result, order = np.zeros(len(pairs)), np.argsort(pairs[:, 0], kind="stable")
    ends = np.ascontiguousarray(pairs)
    _push(graph.indptr, graph.indices, restart, tolerance, ends, order, result)
    return result


@compiled
def _meet(
    start: NDArray[Any], nodes: NDArray[Any], inner: Floats, pairs: Ints, result: Floats
) -> None:
    for p in range(len(pairs)):
        i, j = start[pairs[p, 0]], start[pairs[p, 1]]
        last_i, last_j = start[pairs[p, 0] + 1], start[pairs[p, 1] + 1]
        while i < last_i and j < last_j:
            one, other = nodes[i], nodes[j]
            if one == other:
                result[p] += inner[one]
            i += one <= other
            j += other <= one


@compiled
def _walk(
    start: NDArray[Any],
    nodes: NDArray[Any],
    inner: Floats,
    pairs: Ints,
    order: Ints,
    result: Floats,
) -> None:
    longest = result.shape[1]
    near, reach = np.zeros(len(inner)), np.zeros(len(inner))
    last = -1
    for p in order:
        u, v = pairs[p]
        if u != last:
            if last >= 0:
                for i in range(start[last], start[last + 1]):
                    near[nodes[i]] = 0
                    for j in range(start[nodes[i]], start[nodes[i] + 1]):
                        reach[nodes[j]] = 0
            for i in range(start[u], start[u + 1]):
                x = nodes[i]
                near[x] = 1
                for j in range(start[x], start[x + 1]):
                    reach[nodes[j]] += inner[x]
            last = u
        result[p, 0] = near[v]
        for i in range(start[v], start[v + 1]):
            y = nodes[i]
            result[p, 1] += inner[y] * near[y]
            result[p, 2] += inner[y] * reach[y]
            if longest > 3:
                for j in range(start[y], start[y + 1]):
                    z = nodes[j]
                    result[p, 3] += inner[y] * inner[z] * reach[z]


@compiled
def _push(
    start: NDArray[Any],
    nodes: NDArray[Any],
    restart: float,
    tolerance: float,
    pairs: Ints,
    order: Ints,
    result: Floats,
) -> None:
    n = len(start) - 1
    mass, residual = np.zeros(n), np.zeros(n)
    touched, queue = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    waiting = np.zeros(n, dtype=np.bool_)
    last, met = -1, 0
    for p in order:
        u, v = pairs[p]
        if u != last:
            for i in range(met):
                mass[touched[i]] = 0
                residual[touched[i]] = 0
            residual[u], touched[0], met, last = 1, u, 1, u
            queue[0], head, length = u, 0, 1
            waiting[u] = True
            while length > 0:
                x = queue[head]
                head = (head + 1) % n
                length -= 1
                waiting[x] = False
                degree = start[x + 1] - start[x]
                mass[x] += restart * residual[x]
                share = (1 - restart) * residual[x] / max(degree, 1)
                residual[x] = 0
                for i in range(start[x], start[x + 1]):
                    y = nodes[i]
                    if mass[y] == 0 and residual[y] == 0:
                        touched[met] = y
                        met += 1
                    residual[y] += share
                    enough = tolerance * (start[y + 1] - start[y])
                    if residual[y] >= enough and not waiting[y]:
                        waiting[y] = True
                        queue[(head + length) % n] = y
                        length += 1
        result[p] = mass[v] + restart * residual[v]
