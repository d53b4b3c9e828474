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
    """A linear map of each hop's inputs, side by side, then a perceptron."""

    def __init__(self, inputs: int, hidden: int, layers: int, dropout: float, count: int) -> None:
        from torch_geometric.nn.models import MLP

        super().__init__()
        self.count = count
        self.maps = nn.ModuleList(nn.Linear(inputs, hidden) for _ in range(count + 1))
        widths = [hidden * (count + 1)] + [hidden] * layers
        self.mlp = MLP(widths, dropout=dropout, norm=None)

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        pairs = zip(self.maps, hops(view, self.count), strict=True)
        return self.mlp(torch.cat([linear(x) for linear, x in pairs], dim=1).relu())
