"""How many connections have one back."""

import numpy as np
from scipy.sparse import csr_array

from retia.protocol.triads import skeleton_of


def reciprocity(graph: csr_array) -> float:
    """The share of edges (n, n) whose reverse is an edge too; nan where there are none."""
    kind = skeleton_of(graph).kind
    mutual = np.count_nonzero(kind == 3)
    edges = len(kind) + mutual
    return 2 * mutual / edges if edges else float("nan")
