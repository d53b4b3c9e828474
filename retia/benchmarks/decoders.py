"""Decoders: from the embeddings of two nodes to the logit of an edge."""

from torch import Tensor, nn


class PairDecoder(nn.Module):
    """A perceptron with one hidden layer on what two embeddings have in common.

    `hadamard` takes the product z_u * z_v, `difference` takes |z_u - z_v|, which can express
    distance where a product cannot. For a directed relation it takes z_u and z_v beside it, in
    that order, so that direction can be learned; otherwise the decoder is symmetric.
    """

    def __init__(self, kind: str, width: int, directed: bool) -> None:
        super().__init__()
        self.kind = kind
        self.joint = nn.Linear(width, width)
        self.source = nn.Linear(width, width, bias=False) if directed else None
        self.target = nn.Linear(width, width, bias=False) if directed else None
        self.output = nn.Linear(width, 1)

    def forward(self, z: Tensor, pairs: Tensor) -> Tensor:
        """Logits (P,) of the pairs (P, 2), from embeddings (n, width)."""
        src, dst = pairs.unbind(1)
        source, target = z[src], z[dst]
        joint = source * target if self.kind == "hadamard" else (source - target).abs()
        hidden = self.joint(joint)
        if self.source is not None and self.target is not None:
            hidden = hidden + self.source(z)[src] + self.target(z)[dst]
        return self.output(hidden.relu()).squeeze(1)
