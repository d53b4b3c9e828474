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

from retia.shards.errors import InputError
from retia.shards.manifest import Recipe

Floats = NDArray[np.float32]


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
    """The sum of a column over the visible edges at a node: `in`, `out`, or `both`."""
    table = visible.edges[relation]
    return _sum(visible.num_nodes, table, table[column].to_numpy(), direction, log1p)


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


RECIPES: dict[str, Callable[..., Floats]] = {
    "azimuth": azimuth,
    "degree": degree,
    "polar-angle": polar_angle,
    "strength": strength,
    "zscore": zscore,
}
