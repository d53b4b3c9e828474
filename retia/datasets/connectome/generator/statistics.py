"""What a generated connectome turned out to be, beside what was asked for."""

from typing import Any

import numpy as np
from scipy import sparse

from retia.datasets.connectome.generator.dyads import Flags
from retia.datasets.connectome.generator.neurons import Ids, Neurons
from retia.datasets.connectome.generator.rule import distance
from retia.datasets.connectome.generator.wiring import Floats, Wiring
from retia.protocol.pairs import contains

ROWS = 20_000


def describe(neurons: Neurons, pairs: Ids, wiring: Wiring) -> dict[str, Any]:
    """Counts, blocks, reciprocity, degrees, lengths and triads of (E, 2) chemical connections."""
    number, classes = len(neurons.cell_class), len(wiring.classes)
    block = neurons.cell_class[pairs].astype(np.int64) @ [classes, 1]
    blocks = np.bincount(block, minlength=classes**2).reshape(classes, classes) / len(pairs)
    one_way = pairs[~has_reverse(pairs, number)]
    transitive, cyclic, expected = triads(one_way, number)
    return {
        "connections": len(pairs),
        "mean_degree": round(len(pairs) / number, 3),
        "max_out_degree": int(np.bincount(pairs[:, 0]).max()),
        "max_in_degree": int(np.bincount(pairs[:, 1]).max()),
        "reciprocity": round(1 - len(one_way) / len(pairs), 5),
        "blocks": np.round(blocks, 5).tolist(),
        "median_length_um": round(float(np.median(distance(neurons.position, pairs))), 2),
        "triads_030T": transitive,
        "triads_030C": cyclic,
        "triads_030T_expected_by_degree": round(expected, 1),
    }


def has_reverse(pairs: Ids, num_neurons: int) -> Flags:
    """(E,) whether the reverse of each connection is one too."""
    keys = np.sort(pairs[:, 0] * num_neurons + pairs[:, 1])
    return contains(keys, pairs[:, 1] * num_neurons + pairs[:, 0])


def explained(values: Floats, expected: Floats) -> float:
    """The share of the variance of (E,) values that their expectations explain."""
    return float(1 - (values - expected).var() / max(values.var(), np.finfo(float).tiny))


def triads(one_way: Ids, num_neurons: int) -> tuple[int, int, float]:
    """Induced triads 030T and 030C, and the 030T expected from the degrees alone.

    `one_way` (E, 2) are the connections without a reverse, which these triads are made of. The
    expectation is that of the directed configuration model, whose connections join ends at random:
    Σ o(o - 1) · Σ i o · Σ i(i - 1) / E³ with in- and out-degrees i and o.
    """
    ones = np.ones(len(one_way), dtype=np.int32)
    shape = (num_neurons, num_neurons)
    matrix = sparse.csr_array((ones, (one_way[:, 0], one_way[:, 1])), shape=shape)
    reverse = matrix.T.tocsr()
    transitive = cyclic = 0
    for start in range(0, num_neurons, ROWS):
        rows = slice(start, start + ROWS)
        two_paths = matrix[rows] @ matrix
        transitive += int(two_paths.multiply(matrix[rows]).sum(dtype=np.int64))
        cyclic += int(two_paths.multiply(reverse[rows]).sum(dtype=np.int64))
    out = np.bincount(one_way[:, 0], minlength=num_neurons).astype(np.float64)
    into = np.bincount(one_way[:, 1], minlength=num_neurons).astype(np.float64)
    wedges = (out * (out - 1)).sum() * (into * out).sum() * (into * (into - 1)).sum()
    return transitive, cyclic // 3, float(wedges / max(len(one_way), 1) ** 3)
