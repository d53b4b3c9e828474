"""Decoders that look at what lies between and around the two nodes of a pair."""

import torch
from torch import Tensor, nn

from retia.benchmarks.decoders import PairPerceptron
from retia.benchmarks.surroundings import COUNTS, Ints, common_neighbours, distance_counts
from retia.benchmarks.view import View


class CommonNeighbourDecoder(PairPerceptron):
    """A perceptron on z_u * z_v and on the sum of z over the common neighbours of u and v.

    Wang, Yang and Zhang 2024, equation 7, with a hidden layer that is the sum of a linear map of
    each.
    """

    def __init__(self, width: int, directed: bool) -> None:
        super().__init__("hadamard", width, directed)
        self.shared = nn.Linear(width, width, bias=False)

    def forward(self, z: Tensor, pairs: Tensor, view: View) -> Tensor:
        """Logits (P,)."""
        found = common_neighbours(*rows(view), pairs.cpu().numpy())
        pair, node = (torch.from_numpy(part).to(z.device) for part in found)
        total = z.new_zeros(len(pairs), z.shape[1]).index_add(0, pair, z[node])
        return self.output((self.hidden(z, pairs) + self.shared(total)).relu()).squeeze(1)


class CountDecoder(PairPerceptron):
    """A perceptron on z_u * z_v and on log(1 + `distance_counts`) of u and v.

    Chamberlain et al. 2023, equation 8. For an undirected relation, counts that differ by the order
    of the two are added.
    """

    def __init__(self, width: int, directed: bool) -> None:
        super().__init__("hadamard", width, directed)
        self.directed = directed
        self.counts = nn.Linear(len(COUNTS), width, bias=False)

    def forward(self, z: Tensor, pairs: Tensor, view: View) -> Tensor:
        """Logits (P,)."""
        found = torch.from_numpy(distance_counts(*rows(view), pairs.cpu().numpy()))
        if not self.directed:
            found = found + found[:, [COUNTS.index((j, i)) for i, j in COUNTS]]
        logs = found.to(z.device, z.dtype).log1p()
        return self.output((self.hidden(z, pairs) + self.counts(logs)).relu()).squeeze(1)


def rows(view: View) -> tuple[Ints, Ints]:
    """The rows of the adjacency, `start` and `column`, as numpy arrays."""
    adjacency = view.adjacency
    return adjacency.crow_indices().cpu().numpy(), adjacency.col_indices().cpu().numpy()
