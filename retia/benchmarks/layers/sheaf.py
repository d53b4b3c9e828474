"""Neural Sheaf Diffusion (Bodnar et al. 2022, arXiv:2202.04579).

A sheaf gives each node a stalk R^d, and each edge e between v and u two restriction maps
F_{v⊴e}, F_{u⊴e} (d, d). Its coboundary is (δX)_e = F_{v⊴e} X_v - F_{u⊴e} X_u, its Laplacian
L = δᵀδ. An edge stands once here, with its two ends in any order: turning it round turns the sign
of δ alone.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from retia.benchmarks.view import View


class SheafEncoder(nn.Module):
    """Diffusion with restriction maps that are learned anew in each layer.

    The state of a node is (stalk, channels); with `low_pass` and `high_pass` the stalk has one more
    dimension each, whose maps are fixed. Embeddings are the state, flattened.
    """

    def __init__(
        self,
        inputs: int,
        channels: int,
        stalk: int,
        layers: int,
        dropout: float,
        *,
        maps: str,
        sparse_learner: bool = False,
        low_pass: bool = False,
        high_pass: bool = False,
    ) -> None:
        super().__init__()
        # Off the diagonal of the Laplacian these stand as +1 (signless) and -1.
        signs = [-1.0] * low_pass + [1.0] * high_pass
        self.shape = (stalk + len(signs), channels)
        self.dropout = nn.Dropout(dropout)
        self.input = nn.Linear(inputs, self.shape[0] * channels)
        self.layers = nn.ModuleList(
            SheafLayer(self.shape, stalk, maps, signs, sparse_learner, dropout if layer else 0.0)
            for layer in range(layers)
        )

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, stalk · channels)."""
        ends = view.edge_index[:, view.edge_index[0] < view.edge_index[1]]
        h = self.dropout(functional.elu(self.input(view.x))).unflatten(1, self.shape)
        for layer in self.layers:
            h = layer(h, self.dropout(h), ends)
        return h.flatten(1)


class SheafLayer(nn.Module):
    """H ← (1 + tanh ε) ⊙ H - ELU(Δ (I ⊗ W₁) H W₂); section 4, equation 8 of the paper."""

    def __init__(
        self,
        shape: tuple[int, int],
        stalk: int,
        maps: str,
        signs: list[float],
        sparse_learner: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        whole, channels = shape
        self.stalk = stalk
        self.dropout = nn.Dropout(dropout)
        self.sheaf = SheafLearner(shape, stalk, maps, sparse_learner)
        self.epsilon = nn.Parameter(torch.zeros(whole, 1))
        self.left = nn.Parameter(torch.eye(whole))
        self.right = nn.Parameter(nn.init.orthogonal_(torch.empty(channels, channels)))
        self.signs: Tensor
        self.register_buffer("signs", torch.tensor(signs), persistent=False)

    def forward(self, h: Tensor, dropped: Tensor, ends: Tensor) -> Tensor:
        """The next state (n, d, f); `dropped` is the state after dropout."""
        maps, root = self.sheaf(self.dropout(h), ends)
        x = self.left @ dropped @ self.right
        flow = sheaf_laplacian(x[:, : self.stalk], ends, maps, root)
        if len(self.signs):
            fixed = torch.stack([torch.ones_like(self.signs), self.signs]).unsqueeze(1)
            fixed = fixed.expand(2, ends.shape[1], -1)
            scale = degree(fixed.square(), ends, len(h)).add(1).rsqrt()
            flow = torch.cat([flow, sheaf_laplacian(x[:, self.stalk :], ends, fixed, scale)], dim=1)
        return (1 + self.epsilon.tanh()) * h - functional.elu(flow)


class SheafLearner(nn.Module):
    """Restriction maps from the states of both ends: F_{v⊴e} = Φ(h_v, h_u) = tanh(W [h_v ‖ h_u]).

    `diagonal` takes d parameters for the diagonal, `general` d² for the matrix, `orthogonal`
    d(d-1)/2 for a product of Householder reflections, times a weight
    w_e = σ(a [h_v ‖ h_u]) · σ(a [h_u ‖ h_v]). `identity` learns nothing. A `sparse` learner
    sees the sum of a state over the stalk.
    """

    def __init__(self, shape: tuple[int, int], stalk: int, maps: str, sparse: bool) -> None:
        super().__init__()
        self.kind, self.stalk, self.sparse = maps, stalk, sparse
        parameters = {
            "identity": 0,
            "diagonal": stalk,
            "orthogonal": stalk * (stalk - 1) // 2,
            "general": stalk * stalk,
        }[maps]
        width = shape[1] if sparse else shape[0] * shape[1]
        self.phi = PairLinear(width, parameters) if parameters else None
        whole = shape[0] * shape[1]
        self.weight = PairLinear(whole, 1) if maps == "orthogonal" else None

    def forward(self, h: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
        """The maps (2, E, d) or (2, E, d, d) of both ends, and D̃^{-½} (n, 1), (n, d), (n, d, d)."""
        if self.phi is None:
            maps = h.new_ones(2, ends.shape[1], self.stalk)
            return maps, degree(maps[:, :, :1], ends, len(h)).add(1).rsqrt()
        phi = self.phi(h.sum(1) if self.sparse else h.flatten(1), ends).tanh()
        if self.kind == "diagonal":
            return phi, degree(phi.square(), ends, len(h)).add(1).rsqrt()
        if self.weight is not None:
            w = self.weight(h.flatten(1), ends).sigmoid().prod(dim=0)
            maps = w.unsqueeze(-1) * householder(phi, self.stalk)
            return maps, degree(w.square().expand(2, -1, 1), ends, len(h)).add(1).rsqrt()
        maps = phi.unflatten(-1, (self.stalk, self.stalk))
        blocks = degree(maps.mT @ maps, ends, len(h))
        return maps, inverse_square_root(blocks + torch.eye(self.stalk, device=h.device))


class PairLinear(nn.Module):
    """W [h_v ‖ h_u] for both orders of the ends of each edge, without bias."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * width, outputs, bias=False)

    def forward(self, h: Tensor, ends: Tensor) -> Tensor:
        """(2, E, outputs), from h (n, width)."""
        own, other = self.linear.weight.chunk(2, dim=1)
        here, there = functional.linear(h, own), functional.linear(h, other)
        return _gather(here, ends) + _gather(there, ends.flip(0))


def sheaf_laplacian(x: Tensor, ends: Tensor, maps: Tensor, root: Tensor) -> Tensor:
    """ΔX = D̃^{-½} δᵀδ D̃^{-½} X, for X (n, d, f) and the maps at both ends (2, E) of each edge.

    `maps` (2, E, d, d), or (2, E, d) the diagonals; `root` D̃^{-½} likewise.
    """
    y = _apply(root, x)
    carried = _apply(maps, _gather(y, ends))
    coboundary = carried[0] - carried[1]
    back = _apply(maps.mT if maps.ndim == 4 else maps, torch.stack([coboundary, -coboundary]))
    return _apply(root, degree(back, ends, len(x)))


def degree(values: Tensor, ends: Tensor, num_nodes: int) -> Tensor:
    """(n, ...) the sum of what the ends (2, E) of the edges carry, (2, E, ...), at each node."""
    total = values.new_zeros(num_nodes, *values.shape[2:])
    return total.index_add(0, ends.flatten(), values.flatten(0, 1))


def householder(parameters: Tensor, size: int) -> Tensor:
    """Orthogonal matrices (..., d, d): the product of d - 1 reflections I - 2 v vᵀ / ‖v‖².

    The k-th v is 0 before place k and 1 there; the d(d-1)/2 `parameters` (..., p) are the rest.
    """
    product = torch.eye(size, dtype=parameters.dtype, device=parameters.device)
    for k, tail in enumerate(parameters.split(list(range(size - 1, 0, -1)), dim=-1)):
        v = functional.pad(functional.pad(tail, (1, 0), value=1.0), (k, 0)).unsqueeze(-1)
        product = product - (product @ v) @ (2 / (v.mT @ v) * v.mT)
    return product


def inverse_square_root(matrices: Tensor) -> Tensor:
    """A^{-½} of symmetric positive definite matrices (..., d, d), differentiable once."""
    return _InverseSquareRoot.apply(matrices)


class _InverseSquareRoot(torch.autograd.Function):
    """By eigenvalues, but without the derivative of eigenvectors, infinite where two values agree.

    The derivative of f(A) is V (G ∘ Vᵀ dA V) Vᵀ with G_ij = (f(λ_i) - f(λ_j)) / (λ_i - λ_j)
    (Daleckii and Krein), and for f = λ^{-½} that is -1 / (s_i s_j (s_i + s_j)), s = √λ.
    """

    @staticmethod
    def forward(ctx: Any, matrices: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrices)
        roots = values.sqrt()
        ctx.save_for_backward(roots, vectors)
        return (vectors / roots.unsqueeze(-2)) @ vectors.mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        roots, vectors = ctx.saved_tensors
        left, right = roots.unsqueeze(-1), roots.unsqueeze(-2)
        inner = vectors.mT @ ((grad + grad.mT) / 2) @ vectors
        return vectors @ (-inner / (left * right * (left + right))) @ vectors.mT


def _gather(values: Tensor, ends: Tensor) -> Tensor:
    """(2, E, ...) the values (n, ...) of both ends; its gradient is an index_add."""
    return values.index_select(0, ends.flatten()).unflatten(0, tuple(ends.shape))


def _apply(maps: Tensor, x: Tensor) -> Tensor:
    """Matrices or diagonals, a node or an edge, times its (d, f) state."""
    return maps @ x if maps.ndim == x.ndim else maps.unsqueeze(-1) * x
