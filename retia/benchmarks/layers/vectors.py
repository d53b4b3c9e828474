"""Vectors between the nodes of a graph in space, and attention among those at one node.

Nothing but lengths and angles is looked at, so that nothing changes when the graph is moved,
turned or mirrored.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn.models.schnet import GaussianSmearing
from torch_geometric.utils import softmax

from retia.benchmarks.view import View

ANGLES = 12
LENGTHS = 8
FARTHEST = 4.0
VECTORS_AT_ONCE = 1 << 20


class VectorAttention(nn.Module):
    """What a vector finds among the vectors of the edges at its foot.

    The vector a of edge (u, w) has, for the asking vector q at u, the state

        m = LeakyReLU(A angle(q, a) + B |q| + C |a| + D z_u + E z_w)

    with the angle and both lengths smeared over Gaussians, and the share softmax(c · m) in the sum
    of all V m, by heads (Brody et al. 2022, GATv2, equation 7, on vectors). Without edges: zero.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.angles = GaussianSmearing(0.0, torch.pi, ANGLES)
        self.lengths = GaussianSmearing(0.0, FARTHEST, LENGTHS)
        self.geometry = nn.Linear(ANGLES + LENGTHS, width)
        self.asking = nn.Linear(LENGTHS, width, bias=False)
        self.foot = nn.Linear(width, width, bias=False)
        self.tip = nn.Linear(width, width, bias=False)
        self.share = nn.Parameter(torch.empty(heads, width // heads))
        self.output = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.share)

    def forward(self, z: Tensor, query: Tensor, foot: Tensor, tip: Tensor, view: View) -> Tensor:
        """(Q, width) of vectors (Q, d) from the nodes `foot` (Q,), with states z (n, width).

        `tip` (Q,) is the node that a vector leads to: an edge does not look at itself.
        """
        assert view.positions is not None
        row, edge = edges_at(view, foot)
        other = view.adjacency.col_indices()[edge]
        apart = other != tip[row]
        row, other = row[apart], other[apart]
        vector = view.positions[other] - view.positions[foot[row]]
        geometry = [self.angles(angle(query[row], vector)), self.lengths(vector.norm(dim=1))]
        asking = self.asking(self.lengths(query.norm(dim=1))) + self.foot(z)[foot]
        state = self.geometry(torch.cat(geometry, dim=1)) + asking[row] + self.tip(z)[other]
        heads = functional.leaky_relu(state, 0.2).unflatten(1, self.share.shape)
        share = softmax((heads * self.share).sum(dim=2), row, num_nodes=len(query))
        weighted = (heads * share.unsqueeze(2)).flatten(1)
        found = weighted.new_zeros(len(query), weighted.shape[1]).index_add(0, row, weighted)
        return self.output(found)


class VectorEncoder(nn.Module):
    """States of nodes from what the vectors of their edges find of each other, layer by layer."""

    def __init__(self, hidden: int, layers: int, dropout: float, heads: int) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(hidden))
        self.attention = nn.ModuleList(VectorAttention(hidden, heads) for _ in range(layers))
        self.update = nn.ModuleList(nn.Linear(2 * hidden, hidden) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        assert view.positions is not None
        z = self.start.expand(view.num_nodes, -1)
        for attention, update in zip(self.attention, self.update, strict=True):
            found = torch.zeros_like(z)
            for foot, tip in view.edge_index.split(VECTORS_AT_ONCE, dim=1):
                vector = view.positions[tip] - view.positions[foot]
                state = attention(z, vector, foot, tip, view).relu()
                found = found.index_add(0, foot, state)
            z = self.dropout(update(torch.cat([z, found], dim=1)).relu())
        return z


class VectorDecoder(nn.Module):
    """Whether the vector between two nodes goes with those that are there, at both ends."""

    def __init__(self, hidden: int, heads: int, directed: bool) -> None:
        super().__init__()
        self.attention = VectorAttention(hidden, heads)
        self.lengths = GaussianSmearing(0.0, FARTHEST, LENGTHS)
        self.source = nn.Linear(2 * hidden + LENGTHS, hidden)
        self.target = nn.Linear(2 * hidden + LENGTHS, hidden) if directed else self.source
        self.output = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, z: Tensor, pairs: Tensor, view: View) -> Tensor:
        """Logits (P,) of pairs (P, 2) and states z (n, hidden)."""
        assert view.positions is not None
        foot, tip = torch.cat([pairs, pairs.flip(1)]).unbind(1)
        vector = view.positions[tip] - view.positions[foot]
        found = self.attention(z, vector, foot, tip, view)
        length = self.lengths(vector.norm(dim=1))
        source, target = torch.cat([found, z[foot], length], dim=1).chunk(2)
        return self.output(self.source(source).relu() + self.target(target).relu()).squeeze(1)


def edges_at(view: View, nodes: Tensor) -> tuple[Tensor, Tensor]:
    """All edges at each of the nodes (Q,): which of them, and the place in `edge_index` (T,)."""
    count = view.degree[nodes]
    row = torch.repeat_interleave(count)
    first = view.adjacency.crow_indices()[nodes] - (count.cumsum(0) - count)
    return row, first[row] + torch.arange(len(row), device=row.device)


def angle(a: Tensor, b: Tensor) -> Tensor:
    """(T,) radians between vectors (T, d), of any dimension; with a vector of no length π / 2.

    Kahan's formula, 2 atan2(‖a |b| - b |a|‖, ‖a |b| + b |a|‖), has no loss near 0 and π.
    """
    scaled_a, scaled_b = a * b.norm(dim=1, keepdim=True), b * a.norm(dim=1, keepdim=True)
    apart, along = (scaled_a - scaled_b).norm(dim=1), (scaled_a + scaled_b).norm(dim=1)
    return torch.where(apart + along > 0, 2 * torch.atan2(apart, along), torch.pi / 2)
