"""Relational graph convolutions: a weight matrix for each type of edge."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import RGCNConv

from retia.benchmarks.view import View


class RelationalEncoder(nn.Module):
    """R-GCN layers on `View.typed_edges`, with ReLU and dropout between them.

    With `bases`, the matrices of the types are mixtures of that many (Schlichtkrull et al. 2018,
    equation 3).
    """

    def __init__(
        self, inputs: int, hidden: int, layers: int, dropout: float, types: int, bases: int | None
    ) -> None:
        super().__init__()
        widths = [inputs] + [hidden] * layers
        self.dropout = dropout
        self.layers = nn.ModuleList(
            RGCNConv(before, after, types, num_bases=bases) for before, after in pairwise(widths)
        )

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        edges, types = view.typed_edges
        x = self.layers[0](view.x, edges, types)
        for layer in list(self.layers)[1:]:
            x = functional.dropout(x.relu(), self.dropout, self.training)
            x = layer(x, edges, types)
        return x
