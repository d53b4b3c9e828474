"""Decoders: from the embeddings of two nodes to the logit of an edge.

All are called as `decoder(z, pairs, view)`: embeddings (n, width) and pairs (P, 2) give logits
(P,). For a directed relation each end has a linear map of its own, so that direction can be
learned; otherwise a decoder is symmetric.
"""

from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from retia.benchmarks.layers.snowflake import Snowflake

if TYPE_CHECKING:
    from retia.benchmarks.view import View

DecoderKind = Literal["dot", "hadamard", "difference", "distance", "metric"]
PERCEPTRONS = ("hadamard", "difference")


def pair_decoder(kind: str, width: int, directed: bool) -> nn.Module:
    """The decoder of that kind."""
    assert kind in get_args(DecoderKind)
    if kind in PERCEPTRONS:
        return PairPerceptron(kind, width, directed)
    return WITHOUT_PERCEPTRON[kind](width, directed)


class PairPerceptron(nn.Module):
    """A perceptron with one hidden layer on what two embeddings have in common.

    `hadamard` takes the product z_u * z_v, `difference` takes |z_u - z_v|, which can express
    distance where a product cannot. For a directed relation it takes z_u and z_v beside it.
    """

    def __init__(self, kind: str, width: int, directed: bool) -> None:
        super().__init__()
        self.kind = kind
        self.joint = nn.Linear(width, width)
        self.source = nn.Linear(width, width, bias=False) if directed else None
        self.target = nn.Linear(width, width, bias=False) if directed else None
        self.output = nn.Linear(width, 1)

    def forward(self, z: Tensor, pairs: Tensor, view: "View") -> Tensor:
        """Logits (P,)."""
        src, dst = pairs.unbind(1)
        source, target = z[src], z[dst]
        joint = source * target if self.kind == "hadamard" else (source - target).abs()
        hidden = self.joint(joint)
        if self.source is not None and self.target is not None:
            hidden = hidden + self.source(z)[src] + self.target(z)[dst]
        return self.output(hidden.relu()).squeeze(1)


class TwoEnds(nn.Module):
    """The embeddings of both ends of a pair, through a linear map each where directed."""

    def __init__(self, width: int, directed: bool) -> None:
        super().__init__()
        self.source = nn.Linear(width, width, bias=False) if directed else nn.Identity()
        self.target = nn.Linear(width, width, bias=False) if directed else nn.Identity()

    def forward(self, z: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """(P, width) twice."""
        return self.source(z)[pairs[:, 0]], self.target(z)[pairs[:, 1]]


class DotDecoder(nn.Module):
    """z_u · z_v, plus a bias."""

    def __init__(self, width: int, directed: bool) -> None:
        super().__init__()
        self.ends = TwoEnds(width, directed)
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor, pairs: Tensor, view: "View") -> Tensor:
        """Logits (P,)."""
        source, target = self.ends(z, pairs)
        return (source * target).sum(dim=1) + self.bias


class DistanceDecoder(nn.Module):
    """a - b ‖z_u - z_v‖, with b > 0."""

    def __init__(self, width: int, directed: bool) -> None:
        super().__init__()
        self.ends = TwoEnds(width, directed)
        self.bias, self.slope = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor, pairs: Tensor, view: "View") -> Tensor:
        """Logits (P,)."""
        source, target = self.ends(z, pairs)
        distance = functional.pairwise_distance(source, target)
        return self.bias - functional.softplus(self.slope) * distance


class MetricDecoder(nn.Module):
    """a - f(‖z_u - z_v‖), with a metric f that is learned: a neural snowflake."""

    def __init__(self, width: int, directed: bool) -> None:
        super().__init__()
        self.ends = TwoEnds(width, directed)
        self.bias, self.metric = nn.Parameter(torch.zeros(())), Snowflake()

    def forward(self, z: Tensor, pairs: Tensor, view: "View") -> Tensor:
        """Logits (P,)."""
        source, target = self.ends(z, pairs)
        return self.bias - self.metric((source - target).norm(dim=1))


WITHOUT_PERCEPTRON = {"dot": DotDecoder, "distance": DistanceDecoder, "metric": MetricDecoder}
