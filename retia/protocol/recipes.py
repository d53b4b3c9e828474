"""Recipes of derived columns: functions of what is visible, registered by name.

A builder computes a column through `compute`, and the audit recomputes it the same way, so a
column made from hidden edges cannot pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh, svds

from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import Recipe

Floats = NDArray[np.float32]

COINCIDING = 1e-6


@dataclass(frozen=True)
class Visible:
    """What a recipe may look at.

    `edges` maps a relation to its visible edges, `given` a node column that has no recipe to its
    (n,) or (n, d) values as they are stored.
    """

    num_nodes: int
    edges: Mapping[str, pa.Table]
    given: Mapping[str, NDArray[Any]]


def compute(recipe: Recipe, visible: Visible) -> Floats:
    """The (n,) or (n, d) float32 column of a recipe; raises `InputError`."""
    if recipe.function not in RECIPES:
        known = ", ".join(sorted(RECIPES))
        raise InputError(f"no recipe '{recipe.function}'; there are: {known}")
    parameters: dict[str, Any] = dict(recipe.parameters)
    try:
        return RECIPES[recipe.function](visible, **parameters)
    except (KeyError, TypeError) as error:
        raise InputError(f"recipe '{recipe.function}': unusable parameters ({error})") from error


def degree(visible: Visible, *, relation: str, direction: str, log1p: bool = False) -> Floats:
    """The number of visible edges at a node: `in`, `out`, or `both`."""
    table = visible.edges[relation]
    return _sum(visible.num_nodes, table, np.ones(table.num_rows), direction, log1p)


def strength(
    visible: Visible, *, relation: str, column: str, direction: str, log1p: bool = False
) -> Floats:
    """The sum of a column over the visible edges at a node: `in`, `out`, or `both`.

    A weight that is hidden counts as absent.
    """
    table = visible.edges[relation]
    weight = np.nan_to_num(table[column].to_numpy(), nan=0.0)
    return _sum(visible.num_nodes, table, weight, direction, log1p)


def walks(
    visible: Visible, *, relation: str, direction: str, length: int, log1p: bool = True
) -> Floats:
    """The number of walks of that length along visible edges that start (`out`) or end (`in`) here.

    `both` ignores the directions. A walk may pass a node and an edge again.
    """
    adjacency = _adjacency(visible, relation, direction)
    total = np.ones(visible.num_nodes)
    for _ in range(length):
        total = adjacency @ total
    return (np.log1p(total) if log1p else total).astype(np.float32)


def svd(visible: Visible, *, relation: str, direction: str, dimensions: int) -> Floats:
    """(n, dimensions): singular vectors of the visible 0/1 adjacency times the root of their value.

    Left vectors for `out`, right ones for `in`, so that the inner product of one node's `out` and
    another's `in` approximates the edge between them; `both` ignores the directions. The largest
    values come first; see `_settled` for signs and for values that coincide.
    """
    adjacency = _adjacency(visible, relation, "both" if direction == "both" else "out")
    wanted = _wanted(visible, dimensions)
    left, values, right = svds(adjacency, k=wanted + 1, v0=_start(visible))
    order = np.argsort(-values)
    left, values, right = left[:, order], values[order], right[order].T
    vectors = {"out": left, "both": left, "in": right}[direction] * np.sqrt(values)
    return _settled(vectors, left, values, dimensions)


def spectral(visible: Visible, *, relation: str, dimensions: int) -> Floats:
    """(n, dimensions): eigenvectors of the normalised Laplacian of the visible graph, times √n.

    Directions are ignored. Of the largest component, from the smallest eigenvalue that is not 0; a
    node of another component has 0. See `_settled` for signs and for values that coincide.
    """
    adjacency = _adjacency(visible, relation, "both")
    _, component = connected_components(adjacency, directed=False)
    nodes = np.flatnonzero(component == np.bincount(component).argmax())
    part = csr_array(adjacency[nodes][:, nodes])
    scale = diags_array(1 / np.sqrt(np.maximum(part.sum(axis=1), 1)))
    wanted = _wanted(visible, dimensions)
    if len(nodes) < wanted + 4:
        raise InputError(f"the largest component has {len(nodes)} nodes, {wanted + 4} are needed")
    start = _start(visible)[: len(nodes)]
    values, vectors = eigsh(scale @ part @ scale, k=wanted + 2, which="LA", v0=start)
    order = np.argsort(-values)[1:]
    result = np.zeros((visible.num_nodes, dimensions), dtype=np.float32)
    scaled = vectors[:, order] * np.sqrt(len(nodes))
    result[nodes] = _settled(scaled, scaled, values[order], dimensions)
    return result


def orbits(visible: Visible, *, relation: str, direction: str, log1p: bool = True) -> Floats:
    """(n, 30): the triads of the visible graph in which a node stands in each orbit.

    The orbits are `retia.protocol.triads.ORBITS`; `both` ignores the directions.
    """
    from retia.protocol.triads import node_orbits

    counts = node_orbits(_adjacency(visible, relation, direction))
    return np.asarray(np.log1p(counts) if log1p else counts, dtype=np.float32)


def zscore(visible: Visible, *, column: str, mean: list[float], std: list[float]) -> Floats:
    """(x - mean) / std of a given column, by axis."""
    values = visible.given[column].astype(np.float64)
    return np.asarray((values - np.array(mean)) / np.array(std), dtype=np.float32)


def polar_angle(visible: Visible, *, column: str, origin: list[float]) -> Floats:
    """arccos(z / r) of (n, 3) positions about an origin, in [0, π]; NaN at the origin."""
    offset = visible.given[column] - np.array(origin)
    r = np.linalg.norm(offset, axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.arccos(np.clip(offset[:, 2] / r, -1.0, 1.0)), dtype=np.float32)


def azimuth(visible: Visible, *, column: str, origin: list[float]) -> Floats:
    """atan2(y, x) of (n, 3) positions about an origin, in (-π, π]; NaN at the origin."""
    offset = visible.given[column] - np.array(origin)
    angle = np.arctan2(offset[:, 1], offset[:, 0])
    return np.where((offset == 0).all(axis=1), np.nan, angle).astype(np.float32)


def _sum(
    num_nodes: int, table: pa.Table, weight: NDArray[Any], direction: str, log1p: bool
) -> Floats:
    ends = {"out": ["src"], "in": ["dst"], "both": ["src", "dst"]}[direction]
    total = np.zeros(num_nodes)
    for end in ends:
        total += np.bincount(table[end].to_numpy(), weights=weight, minlength=num_nodes)
    return (np.log1p(total) if log1p else total).astype(np.float32)


def _adjacency(visible: Visible, relation: str, direction: str) -> csr_array:
    """The visible 0/1 adjacency (n, n), rows to columns; transposed for `in`."""
    table = visible.edges[relation]
    ends = table["src"].to_numpy(), table["dst"].to_numpy()
    shape = (visible.num_nodes, visible.num_nodes)
    forward = csr_array((np.ones(table.num_rows), ends), shape=shape)
    if direction == "both":
        union = csr_array(forward + forward.T)
        union.data[:] = 1
        return union
    return {"out": forward, "in": csr_array(forward.T)}[direction]


def _start(visible: Visible) -> NDArray[np.float64]:
    """The vector (n,) that an iteration starts from, always the same."""
    return Randomness.from_seed(0).stream("start").random(visible.num_nodes)


def _wanted(visible: Visible, dimensions: int) -> int:
    if not 1 <= dimensions <= visible.num_nodes - 4:
        raise InputError(f"{dimensions} dimensions of {visible.num_nodes} nodes; give 1 or more")
    return dimensions


def _settled(
    vectors: NDArray[np.float64],
    signs: NDArray[np.float64],
    values: NDArray[np.float64],
    dimensions: int,
) -> Floats:
    """The first vectors, each with the one sign that is the same on every machine.

    The sign makes the first of the largest entries of `signs` positive. A vector whose value
    coincides with a neighbour's is any of a plane, and so is set to 0; one value more than wanted
    has to be given.
    """
    gap = np.abs(np.diff(values)) / np.abs(values).max(initial=1e-300)
    apart = np.r_[True, gap > COINCIDING] & np.r_[gap > COINCIDING, True]
    size = np.abs(signs)
    first = (size >= (1 - 1e-4) * size.max(axis=0)).argmax(axis=0)
    sign = np.sign(signs[first, np.arange(signs.shape[1])])
    return np.asarray((vectors * sign * apart)[:, :dimensions], dtype=np.float32)


RECIPES: dict[str, Callable[..., Floats]] = {
    "azimuth": azimuth,
    "degree": degree,
    "orbits": orbits,
    "polar-angle": polar_angle,
    "spectral": spectral,
    "strength": strength,
    "svd": svd,
    "walks": walks,
    "zscore": zscore,
}

TOLERANCE = 1e-6
TOLERANCES = {"spectral": 1e-3, "svd": 1e-3}
"""How far, relative to values over 1, a recomputed column may be off: eigenvectors differ between
machines, by about 1e-4, and hidden edges move them far more."""
