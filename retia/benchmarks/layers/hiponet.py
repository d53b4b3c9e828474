"""Simplicial wavelets on several views of a point cloud, after HiPoNet (arXiv:2502.07746).

The published model pools over all simplices; here each node has the features of its own ones.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch_geometric.nn.models import MLP

from retia.benchmarks.layers.nearest import nearest
from retia.benchmarks.layers.simplices import Complex, make_complex
from retia.benchmarks.view import View

SCALES = 3  # P^1, P^2, P^4
MOVED = 0.1

Walk = Callable[[Tensor], Tensor]


class HiPoNetEncoder(nn.Module):
    """Views X ⊙ α_w with learned α_w, wavelets on the complex of near points of each, a perceptron.

    The neighbours of a view are those of an `anchor`, which follows α_w once that is a tenth away.
    With `order` 1 a node has {P^1, P^2, P^4} X; with 2 the scattering of nodes, and the mean of
    that of its edges and of its triangles. The edges of the visible graph are not looked at.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        layers: int,
        dropout: float,
        *,
        views: int,
        neighbours: int,
        order: int,
        triangles: int,
    ) -> None:
        super().__init__()
        self.k, self.order, self.triangles = neighbours, order, triangles
        self.alpha = nn.Parameter(torch.rand(views, inputs))
        self.anchor: Tensor
        self.salt: Tensor
        self.register_buffer("anchor", self.alpha.detach().clone())
        self.register_buffer("salt", torch.randint(2**62, ()))
        width = views * inputs * (SCALES if order == 1 else 3 * _blocks())
        # Running statistics lag far behind features this small, and an epoch is one batch anyway.
        self.norm = nn.BatchNorm1d(width, track_running_stats=False)
        self.perceptron = MLP([width] + [hidden] * layers, dropout=dropout, norm=None)
        self._near: tuple[Tensor, Tensor, list[tuple[Complex, Tensor]]] | None = None

    def forward(self, view: View) -> Tensor:
        """Embeddings (n, hidden)."""
        if self.training:
            self._follow()
        near = self._complexes(view.x)
        features = [
            self._features(view.x * alpha, *parts)
            for alpha, parts in zip(self.alpha, near, strict=True)
        ]
        return self.perceptron(self.norm(torch.cat(features, dim=1)))

    def _features(self, x: Tensor, parts: Complex, bandwidth: Tensor) -> Tensor:
        squares = (_at(x, parts.edges[:, 0]) - _at(x, parts.edges[:, 1])).square().sum(dim=1)
        exponent = squares / bandwidth
        on_nodes = node_walk(len(x), parts.edges, _kernel(exponent))
        if self.order == 1:
            return torch.cat(diffuse(on_nodes, x)[1:], dim=1)
        on_edges = simplex_walk(parts.edges, len(x), _kernel(exponent))
        mean = _at(exponent, parts.sides).mean(dim=1)
        on_triangles = simplex_walk(parts.sides, len(parts.edges), _kernel(mean))
        edges = scatter(on_edges, _at(x, parts.edges).mean(dim=1))
        triangles = scatter(on_triangles, _at(x, parts.triangles).mean(dim=1))
        own = [
            _mean_of_own(values, ends, len(x))
            for values, ends in ((edges, parts.edges), (triangles, parts.triangles))
        ]
        return torch.cat([scatter(on_nodes, x), *own], dim=1)

    @torch.no_grad()
    def _follow(self) -> None:
        away = (self.alpha - self.anchor).norm(dim=1) > MOVED * self.anchor.norm(dim=1)
        if away.any():
            self.anchor = torch.where(away.unsqueeze(1), self.alpha, self.anchor)

    @torch.no_grad()
    def _complexes(self, x: Tensor) -> list[tuple[Complex, Tensor]]:
        """The complex of each view and its median squared length, found once for x and anchor."""
        if self._near is None or self._near[0] is not x or self._near[1] is not self.anchor:
            near = []
            for anchor in self.anchor:
                parts = make_complex(nearest(x * anchor, self.k), self.triangles, int(self.salt))
                span = (x[parts.edges[:, 0]] - x[parts.edges[:, 1]]) * anchor
                near.append((parts, span.square().sum(dim=1).median().clamp(min=1e-12)))
            self._near = x, self.anchor, near
        return self._near[2]


def node_walk(num_nodes: int, edges: Tensor, weight: Tensor) -> Walk:
    """P = ½ (I + D^{-1} W) on nodes; W has the weights (E,) of edges, and 1 on its diagonal."""
    ends = edges.flatten()
    other = edges.flip(1).flatten()
    twice = weight.repeat_interleave(2)
    degree = weight.new_ones(num_nodes).index_add(0, ends, twice).unsqueeze(1)

    def walk(x: Tensor) -> Tensor:
        total = x.index_add(0, ends, twice.unsqueeze(1) * _at(x, other))
        return (x + total / degree) / 2

    return walk


def simplex_walk(faces: Tensor, num_faces: int, weight: Tensor) -> Walk:
    """P = ½ (I + D^{-1} W) on simplices that are linked when they share a face.

    `faces` (S, d + 1) makes an incidence matrix B (faces, S); W = w BᵀB w, with the weights (S,) on
    diagonals. That is a sum over faces: no pair of simplices is listed.
    """

    def shared(values: Tensor) -> Tensor:
        repeated = values.repeat_interleave(faces.shape[1], dim=0)
        total = values.new_zeros(num_faces, values.shape[1]).index_add(0, faces.flatten(), repeated)
        return _at(total, faces).sum(dim=1)

    w = weight.unsqueeze(1)
    degree = shared(w)

    def walk(x: Tensor) -> Tensor:
        return (x + shared(w * x) / degree) / 2

    return walk


def diffuse(walk: Walk, x: Tensor) -> list[Tensor]:
    """[X, P X, P^2 X, P^4 X], each (S, F)."""
    levels, steps = [x], 0
    for scale in range(SCALES):
        while steps < 2**scale:
            x, steps = walk(x), steps + 1
        levels.append(x)
    return levels


def scatter(walk: Walk, x: Tensor) -> Tensor:
    """F0 = P^4 X, F1 = |ψ_i X|, F2 = |ψ_j |ψ_i X|| for i < j, side by side (S, 7 F).

    ψ_0 = I - P and ψ_i = P^{2^{i-1}} - P^{2^i} (Gao, Wolf and Hirn 2019, arXiv:1810.03068).
    """
    levels = diffuse(walk, x)
    first = _wavelets(levels)
    second = [
        wavelet
        for i, start in enumerate(first[:-1])
        for wavelet in _wavelets(diffuse(walk, start))[i + 1 :]
    ]
    return torch.cat([levels[-1], *first, *second], dim=1)


def _wavelets(levels: list[Tensor]) -> list[Tensor]:
    return [(fine - coarse).abs() for fine, coarse in pairwise(levels)]


def _blocks() -> int:
    """How many blocks `scatter` gives."""
    return 1 + SCALES + SCALES * (SCALES - 1) // 2


def _kernel(exponent: Tensor) -> Tensor:
    """exp(-t), large enough that no sum of weights is 0."""
    return (-exponent.clamp(max=60)).exp()


def _at(values: Tensor, places: Tensor) -> Tensor:
    """`values[places]`, whose gradient is an index_add."""
    return values.index_select(0, places.flatten()).unflatten(0, tuple(places.shape))


def _mean_of_own(values: Tensor, ends: Tensor, num_nodes: int) -> Tensor:
    """(n, F) the mean of the values (S, F) of the simplices that have each node; 0 without one."""
    repeated = values.repeat_interleave(ends.shape[1], dim=0)
    total = values.new_zeros(num_nodes, values.shape[1]).index_add(0, ends.flatten(), repeated)
    count = torch.bincount(ends.flatten(), minlength=num_nodes).clamp(min=1)
    return total / count.unsqueeze(1)
