"""Count triads by the colours of their nodes: a class, a transmitter, a side.

Two triads are the same where an isomorphism keeps the colours. A node without a colour has the
colour "", which is one as good as any: such triads are counted, not dropped.
"""

from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retia.protocol.triad_classes import CLASS, ORDERS, RELABELLED, SHAPE_CODES, TRIADS
from retia.protocol.triads import REVERSED, Kinds, Nodes, Skeleton, compiled, skeleton_of
from retia.shards.errors import InputError

Ints: TypeAlias = NDArray[np.int64]

MAX_COLOURS = 64
KINDS = (1, 2, 3)


def coloured_triads(graph: csr_array, colours: NDArray[np.str_]) -> pa.Table:
    """The connected triads that occur, a row each: `triad`, `a`, `b`, `c`, `count`.

    `colours` is (n,), "" where a node has none. `a`, `b` and `c` are the colours of the nodes that
    `triad_classes.SHAPES` calls so; where nodes may change places, the first in the alphabet comes
    first. Raises `InputError` for more than 64 colours.
    """
    skeleton = skeleton_of(graph)
    if len(colours) != skeleton.num_nodes:
        raise InputError(f"{len(colours)} colours for {skeleton.num_nodes} nodes; give one each")
    palette, colour = np.unique(colours, return_inverse=True)
    if len(palette) > MAX_COLOURS:
        raise InputError(
            f"{len(palette)} colours, and at most {MAX_COLOURS} can be counted; merge some"
        )
    closed = _closed(
        skeleton.start, skeleton.first, skeleton.second, skeleton.kind, colour, len(palette)
    )
    return _table(closed + _open(skeleton, colour, closed), palette)


def _open(skeleton: Skeleton, colour: Ints, closed: Ints) -> Ints:
    """(64, C, C, C): paths by code and colours, node 0 in the middle; each once."""
    size = closed.shape[1]
    paths = np.zeros((size, 3, size, 3, size), dtype=np.int64)
    ends = np.concatenate([skeleton.first, skeleton.second])
    others = np.concatenate([skeleton.second, skeleton.first])
    kinds = np.concatenate([skeleton.kind, REVERSED[skeleton.kind]])
    shape = (skeleton.num_nodes, 3 * size)
    ones = np.ones(len(ends), dtype=np.int64)
    around = csr_array((ones, (ends, (kinds - 1) * size + colour[others])), shape=shape)
    for middle in range(size):
        part = around[colour == middle]
        pairs = (part.T @ part).toarray() - np.diag(part.sum(axis=0))
        paths[middle] = pairs.reshape(3, size, 3, size)
    for code in np.flatnonzero(closed.any(axis=(1, 2, 3))):
        for order, relabelled in zip(ORDERS, RELABELLED[:, code], strict=True):
            x, y = (relabelled & 3) - 1, (relabelled >> 2 & 3) - 1
            paths[:, x, :, y, :] -= closed[code].transpose(order)
    found = np.zeros_like(closed)
    for x in KINDS:
        for y in KINDS[x - 1 :]:
            found[x | y << 2] = paths[:, x - 1, :, y - 1, :]
        found[x | x << 2] = _once(found[x | x << 2])
    return found


def _once(pairs: Ints) -> Ints:
    """Pairs of ends (C, C, C) that were counted in both orders, in one: the lesser colour first."""
    once = np.triu(pairs)
    diagonal = np.arange(pairs.shape[-1])
    once[:, diagonal, diagonal] //= 2
    return once


def _table(counts: Ints, palette: NDArray[np.str_]) -> pa.Table:
    """Bring codes and colours (64, C, C, C) into the form of `SHAPES`."""
    code, *colour = np.nonzero(counts)
    triad, size = CLASS[code], len(palette)
    colours = np.stack(colour, axis=1)
    smallest = np.full(len(code), size**3)
    for order, relabelled in zip(ORDERS, RELABELLED[:, code], strict=True):
        as_listed = relabelled == SHAPE_CODES[triad]
        key = colours[:, order] @ (size ** np.arange(2, -1, -1))
        smallest = np.where(as_listed, np.minimum(smallest, key), smallest)
    kinds, place = np.unique(triad * size**3 + smallest, return_inverse=True)
    total = np.zeros(len(kinds), dtype=np.int64)
    np.add.at(total, place, counts[code, *colour])
    triad, *listed = np.unravel_index(kinds, (len(TRIADS), size, size, size))
    columns = {name: pa.array(palette[c]) for name, c in zip("abc", listed, strict=True)}
    return pa.table({"triad": np.array(TRIADS)[triad], **columns, "count": total})


@compiled
def _closed(
    start: Ints, first: Nodes, second: Nodes, kind: Kinds, colour: Ints, num_colours: int
) -> Ints:
    """(64, C, C, C): triangles by code and the colours of their nodes."""
    counts = np.zeros((64, num_colours, num_colours, num_colours), dtype=np.int64)
    under = np.full(len(start) - 1, -1, dtype=np.int64)
    for u in range(len(start) - 1):
        for d in range(start[u], start[u + 1]):
            under[second[d]] = d
        for d in range(start[u], start[u + 1]):
            v = second[d]
            for f in range(start[v], start[v + 1]):
                w = second[f]
                e = under[w]
                if e >= 0:
                    code = kind[d] | kind[e] << 2 | kind[f] << 4
                    counts[code, colour[u], colour[v], colour[w]] += 1
        for d in range(start[u], start[u + 1]):
            under[second[d]] = -1
    return counts
