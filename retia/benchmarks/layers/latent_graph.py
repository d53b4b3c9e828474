"""A graph that is inferred: the discrete differentiable graph module, dDGM.

Kazi et al. 2022, arXiv:2002.04999, with the learned metric of Borde and Kratsios 2023,
arXiv:2310.15003.
"""

import torch
from torch import Tensor, nn
from torch_geometric.nn.models import GCN, MLP

from retia.benchmarks.layers.nearest import nearest
from retia.benchmarks.layers.snowflake import Snowflake
from retia.benchmarks.view import View

ALL_PAIRS = 10_000
CANDIDATES = 64
AT_ONCE = 1 << 22
KNOTS = 1024
MEMORY = 0.95


class LatentGraphEncoder(nn.Module):
    """Convolutions on the k neighbours that each node draws by their latent distance.

    A neighbour j of i is drawn with weight p_ij = exp(-τ d(z_i, z_j)), without replacement, from
    all nodes where there are at most 10,000, else from the 64 with the nearest inputs. In
    evaluation the k nearest are taken. The edges of the visible graph are not looked at.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        layers: int,
        dropout: float,
        num_nodes: int,
        *,
        metric: str,
        dimensions: int,
        neighbours: int,
    ) -> None:
        super().__init__()
        self.k = neighbours
        self.latent = MLP([inputs, hidden, dimensions], norm=None)
        self.metric = Snowflake() if metric == "snowflake" else nn.Identity()
        self.log_temperature = nn.Parameter(torch.tensor(5.0))
        self.convolutions = GCN(inputs, hidden, layers, hidden, dropout=dropout)
        self.expected: Tensor
        self.register_buffer("expected", torch.full((num_nodes,), 0.5))
        self._log_p = torch.zeros(0)
        self._candidates: tuple[Tensor, Tensor] | None = None

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        z = self.latent(view.x).float()
        neighbours = self._draw(z.detach(), view.x)
        if self.training:
            other = z.index_select(0, neighbours.flatten()).view(*neighbours.shape, -1)
            distance = self.metric((z.unsqueeze(1) - other).norm(dim=2))
            self._log_p = -self._temperature() * distance
        target = torch.arange(len(z), device=z.device).repeat_interleave(neighbours.shape[1])
        return self.convolutions(view.x, torch.stack([neighbours.flatten(), target]))

    def graph_loss(self, nodes: Tensor, correct: Tensor) -> Tensor:
        """Mean over the nodes of (E[correct_i] - correct_i) Σ_j log p_ij, over their neighbours.

        The expectation is a running mean, a node.
        """
        expected = self.expected[nodes]
        self.expected[nodes] = MEMORY * expected + (1 - MEMORY) * correct
        return ((expected - correct) * self._log_p[nodes].sum(dim=1)).mean()

    @torch.no_grad()
    def _draw(self, z: Tensor, x: Tensor) -> Tensor:
        """(n, k) neighbours of each node, from z (n, dimensions)."""
        nodes, k = torch.arange(len(z), device=z.device), min(self.k, len(z) - 1)
        candidates = self._nearest(x) if len(z) > ALL_PAIRS else None
        width = len(z) if candidates is None else candidates.shape[1]
        drawn = []
        for rows in nodes.split(max(1, AT_ONCE // width)):
            if candidates is None:
                distance = torch.cdist(z[rows], z)
                distance[rows - rows[0], rows] = torch.inf
                drawn.append(self._log_weights(distance).topk(k).indices)
            else:
                among = candidates[rows]
                distance = (z[rows].unsqueeze(1) - z[among]).norm(dim=2)
                drawn.append(among.gather(1, self._log_weights(distance).topk(k).indices))
        return torch.cat(drawn)

    def _log_weights(self, distance: Tensor) -> Tensor:
        """log p, plus Gumbel noise in training, so that the largest k are a draw.

        In evaluation minus the distance: the metric does not change the order.
        """
        if not self.training:
            return -distance
        gumbel = -torch.empty_like(distance).exponential_().log()
        return gumbel - self._temperature() * self._interpolate(distance)

    def _interpolate(self, distance: Tensor) -> Tensor:
        """The metric of many distances, interpolated between a few; infinite stays."""
        finite = distance.isfinite()
        top = distance[finite].max().clamp(min=1e-12)
        grid = torch.linspace(0, 1, KNOTS, device=distance.device).square()  # it is steep at 0
        values = self.metric(grid * top)
        place = (distance / top).clamp(max=1).sqrt() * (KNOTS - 1)
        low = place.long().clamp(max=KNOTS - 2)
        found = torch.lerp(values[low], values[low + 1], place - low)
        return torch.where(finite, found, torch.inf)

    def _temperature(self) -> Tensor:
        return self.log_temperature.clamp(-5, 10).exp()

    def _nearest(self, x: Tensor) -> Tensor:
        """Found once for the same inputs."""
        if self._candidates is None or self._candidates[0] is not x:
            self._candidates = x, nearest(x, CANDIDATES)
        return self._candidates[1]
