"""Labels spread over the edges, without features: local and global consistency."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

Floats = NDArray[np.float64]

ALPHA = 0.9
SETTLED = 1e-6
MOST_STEPS = 500


def spread_labels(graph: csr_array, nodes: NDArray[np.int64], labels: Floats) -> Floats:
    """The share of each class among the labels that reach a node, (n, C).

    F = αSF + (1 - α)Y with S = D^-½ A D^-½ and α = 0.9 (Zhou et al. 2004, Learning with local and
    global consistency, section 2), divided by the same of a column of ones for known nodes.
    `graph` is a symmetric 0/1 matrix (n, n); `labels` (T, C) are 1 for the classes of the known
    `nodes` (T,). A node that no label reaches gets the shares of all labels.
    """
    known = np.zeros((graph.shape[0], labels.shape[1] + 1))
    known[nodes] = np.column_stack([labels, np.ones(len(nodes))])
    scale = diags_array(1 / np.sqrt(np.maximum(np.diff(graph.indptr), 1)))
    step = ALPHA * csr_array(scale @ graph @ scale)
    spread = known * (1 - ALPHA)
    for _ in range(MOST_STEPS):
        before, spread = spread, step @ spread + (1 - ALPHA) * known
        if np.abs(spread - before).max() < SETTLED * (1 - ALPHA):
            break
    reached = spread[:, -1:] > 0
    shares = np.divide(
        spread[:, :-1], spread[:, -1:], where=reached, out=np.zeros_like(spread[:, :-1])
    )
    return np.where(reached, shares, labels.mean(axis=0))
