"""The nodes whose inputs are nearest to those of each node."""

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor


def nearest(x: Tensor, k: int) -> Tensor:
    """(n, k) int64, by Euclidean distance of x (n, F), without the node itself.

    k is at most n - 1.
    """
    index = NearestNeighbors(n_neighbors=min(k, len(x) - 1))
    found = index.fit(x.detach().cpu().numpy()).kneighbors(return_distance=False)
    return torch.as_tensor(found, dtype=torch.long, device=x.device)
