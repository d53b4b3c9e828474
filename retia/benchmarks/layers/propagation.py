"""PyG's models as encoders of a view, and propagation without parameters."""

import torch
from torch import Tensor, nn

from retia.benchmarks.view import View


class OnAdjacency(nn.Module):
    """A model of `torch_geometric.nn.models` on the sparse CSR message graph of a view."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        return self.model(view.x, view.adjacency)


class OnEdges(nn.Module):
    """A model of `torch_geometric.nn.models` that needs `edge_index`, as attention does."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        return self.model(view.x, view.edge_index)


def propagate(x: Tensor, view: View) -> Tensor:
    """D^-1/2 (A + I) D^-1/2 x, with D the degrees of A + I: (n, F), as in a GCN without weights."""
    root = (view.degree + 1).to(x.dtype).rsqrt().unsqueeze(1)
    scaled = x * root
    return root * (view.adjacency @ scaled + scaled)


def hops(view: View, count: int) -> list[Tensor]:
    """The inputs and what `propagate` makes of them, 0 to `count` times."""
    found = [view.x]
    for _ in range(count):
        found.append(propagate(found[-1], view))
    return found


class Sign(nn.Module):
    """A linear map of the inputs at 0, 1, ... `layers` hops, side by side, then a perceptron."""

    def __init__(self, inputs: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(inputs, hidden) for _ in range(layers + 1))
        self.output = nn.Sequential(
            nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden * (layers + 1), hidden)
        )

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        pairs = zip(self.maps, hops(view, len(self.maps) - 1), strict=True)
        return self.output(torch.cat([linear(x) for linear, x in pairs], dim=1))
