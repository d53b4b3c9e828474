"""Differences of positions, and what a perceptron makes of them."""

from itertools import pairwise

from torch import Tensor, nn

from retia.benchmarks.view import View


class LinearPlace(nn.Module):
    """A linear map of positions, without a bias."""

    def __init__(self, dimensions: int, hidden: int) -> None:
        super().__init__()
        self.map = nn.Linear(dimensions, hidden, bias=False)

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        return self.map(view.positions)


class DifferencePerceptron(nn.Module):
    """A perceptron on |z_u - z_v|, or on z_u - z_v where direction counts."""

    def __init__(self, hidden: int, layers: int, dropout: float, directed: bool) -> None:
        super().__init__()
        self.directed = directed
        parts: list[nn.Module] = []
        for before, after in pairwise([hidden] * (layers + 1)):
            parts += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*parts, nn.Linear(hidden, 1))

    def forward(self, z: Tensor, pairs: Tensor, view: View) -> Tensor:
        """Logits (P,)."""
        difference = z[pairs[:, 0]] - z[pairs[:, 1]]
        return self.layers(difference if self.directed else difference.abs()).squeeze(1)
