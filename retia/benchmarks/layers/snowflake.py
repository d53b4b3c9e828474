"""Neural snowflakes: a metric that is learned (Borde and Kratsios 2023, arXiv:2310.15003)."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

STEEP = 1e-4  # t^a is a chord below this, so that its slope at 0 is finite


class Snowflake(nn.Module):
    """f(t) = t_J^{1 + |p|} of a Euclidean distance t = t_0, where t_j = B_j ψ(A_j t_{j-1}) C_j.

    ψ is that of `SnowflakeLayer`; A, B, C are non-negative. All is concave, rises and is 0 at 0,
    so that f(‖x - y‖) is a metric for p = 0; otherwise its triangle inequality is relaxed by
    2^|p|.
    """

    def __init__(self, width: int = 8, layers: int = 2) -> None:
        super().__init__()
        widths = [1] + [width] * (layers - 1) + [1]
        self.layers = nn.Sequential(
            *(SnowflakeLayer(before, width, after) for before, after in pairwise(widths))
        )
        self.p = nn.Parameter(torch.tensor(0.1))

    def forward(self, distance: Tensor) -> Tensor:
        """f of each distance, of any shape."""
        return self.layers(distance.unsqueeze(-1)).squeeze(-1) ** (1 + self.p.abs())


class SnowflakeLayer(nn.Module):
    """B ψ(A t) C, with ψ(t) = (1 - e^{-t}, t^a, log(1 + t)^b) and 0 < a, b < 1."""

    def __init__(self, before: int, width: int, after: int) -> None:
        super().__init__()
        self.A = nn.Parameter(_positive(width, before))
        self.B = nn.Parameter(_positive(after, width))
        self.C = nn.Parameter(_positive(3))
        self.exponents = nn.Parameter(torch.full((2,), 2.0))

    def forward(self, t: Tensor) -> Tensor:
        """(..., after), from t (..., before) without a negative."""
        t = functional.linear(t, functional.softplus(self.A))
        a, b = self.exponents.sigmoid()
        c = functional.softplus(self.C)
        psi = c[0] * -torch.expm1(-t) + c[1] * _power(t, a) + c[2] * _power(torch.log1p(t), b)
        return functional.linear(psi, functional.softplus(self.B))


def _positive(*shape: int) -> Tensor:
    """What softplus makes 1 / fan-in of, with some noise."""
    return torch.randn(shape) / 4 + math.log(math.expm1(1 / shape[-1]))


def _power(t: Tensor, exponent: Tensor) -> Tensor:
    return t * t.clamp(min=STEEP) ** (exponent - 1)
