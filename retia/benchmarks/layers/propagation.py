"""PyG's models as encoders of a view."""

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
