"""Counts of the stronger connections alone, at several thresholds of their weight."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retia.protocol.triads import TRIADS, triad_census
from retia.shards.errors import InputError

Ints: TypeAlias = NDArray[np.int64]


def counts_by_threshold(
    weights: csr_array,
    thresholds: Sequence[float],
    names: Sequence[str] = TRIADS,
    count: Callable[[csr_array], Ints] = triad_census,
) -> pa.Table:
    """A row a threshold and motif: `threshold`, `edges`, `motif`, `count`.

    An edge stands where its weight (n, n) is at least the threshold. `count` maps an adjacency to
    (M,) counts, as `names`. Raises `InputError` for a threshold that is not a positive number.
    """
    rows = []
    for threshold in thresholds:
        if not (np.isfinite(threshold) and threshold > 0):
            raise InputError(f"a weight threshold has to be a positive number, not {threshold}")
        strong = at_least(weights, threshold)
        columns = {
            "threshold": np.full(len(names), float(threshold)),
            "edges": np.full(len(names), strong.nnz),
            "motif": np.array(names),
            "count": count(strong),
        }
        rows.append(pa.table(columns))
    return pa.concat_tables(rows)


def at_least(weights: csr_array, threshold: float) -> csr_array:
    """The (n, n) adjacency of the edges whose weight is at least a threshold above 0."""
    return csr_array(weights >= threshold)
