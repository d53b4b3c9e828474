"""Linear layers with ReLU and dropout between them."""

from itertools import pairwise

from torch import Tensor, nn

from retia.benchmarks.view import View


class NodePerceptron(nn.Module):
    """A perceptron on the inputs of each node; the graph is not looked at."""

    def __init__(self, inputs: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        widths = [inputs] + [hidden] * layers
        parts: list[nn.Module] = [nn.Linear(widths[0], widths[1])]
        for before, after in pairwise(widths[1:]):
            parts += [nn.ReLU(), nn.Dropout(dropout), nn.Linear(before, after)]
        self.layers = nn.Sequential(*parts)

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        return self.layers(view.x)
