"""Decoders: from the embeddings of two nodes to the logit of an edge."""

import torch
from torch import Tensor, nn


class PairDecoder(nn.Module):
    """A perceptron on what two embeddings have in common.

    `hadamard` takes the product z_u * z_v, `difference` takes |z_u - z_v|, which can express
    distance where a product cannot. For a directed relation z_u and z_v are put beside it in that
    order, so that direction can be learned; otherwise the decoder is symmetric.
    """

    def __init__(self, kind: str, width: int, directed: bool) -> None:
        super().__init__()
        self.kind, self.directed = kind, directed
        self.layers = nn.Sequential(
            nn.Linear(3 * width if directed else width, width), nn.ReLU(), nn.Linear(width, 1)
        )

    def forward(self, z: Tensor, pairs: Tensor) -> Tensor:
        """Logits (P,) of the pairs (P, 2), from embeddings (n, width)."""
        source, target = z[pairs[:, 0]], z[pairs[:, 1]]
        joint = source * target if self.kind == "hadamard" else (source - target).abs()
        if self.directed:
            joint = torch.cat([joint, source, target], dim=1)
        return self.layers(joint).squeeze(1)
