"""Recipes of derived columns: functions of the visible edges, registered by name.

A builder computes a column through `compute`, and the audit recomputes it the same way, so a
column made from hidden edges cannot pass.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.shards.errors import InputError
from retia.shards.manifest import Recipe

EdgeTables = dict[str, pa.Table]
Floats = NDArray[np.float32]


def compute(recipe: Recipe, num_nodes: int, edges: EdgeTables) -> Floats:
    """The (num_nodes,) float32 column of a recipe; `edges` maps a relation to its visible edges."""
    if recipe.function not in RECIPES:
        known = ", ".join(sorted(RECIPES))
        raise InputError(f"no recipe '{recipe.function}'; there are: {known}")
    parameters: dict[str, Any] = dict(recipe.parameters)
    try:
        return RECIPES[recipe.function](num_nodes, edges, **parameters)
    except (KeyError, TypeError) as error:
        raise InputError(f"recipe '{recipe.function}': unusable parameters ({error})") from error


def degree(
    num_nodes: int, edges: EdgeTables, *, relation: str, direction: str, log1p: bool = False
) -> Floats:
    """The number of visible edges at a node: `in`, `out`, or `both`."""
    table = edges[relation]
    return _sum(num_nodes, table, np.ones(table.num_rows), direction, log1p)


def strength(
    num_nodes: int,
    edges: EdgeTables,
    *,
    relation: str,
    column: str,
    direction: str,
    log1p: bool = False,
) -> Floats:
    """The sum of a column over the visible edges at a node: `in`, `out`, or `both`."""
    table = edges[relation]
    return _sum(num_nodes, table, table[column].to_numpy(), direction, log1p)


def _sum(
    num_nodes: int, table: pa.Table, weight: NDArray[Any], direction: str, log1p: bool
) -> Floats:
    ends = {"out": ["src"], "in": ["dst"], "both": ["src", "dst"]}[direction]
    total = np.zeros(num_nodes)
    for end in ends:
        total += np.bincount(table[end].to_numpy(), weights=weight, minlength=num_nodes)
    return (np.log1p(total) if log1p else total).astype(np.float32)


RECIPES: dict[str, Callable[..., Floats]] = {"degree": degree, "strength": strength}
