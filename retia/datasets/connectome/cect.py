"""Read a connectome as the package cect caches it: one JSON file of names and weight matrices."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retia.shards.errors import InputError

CHEMICAL = "Generic_CS"
GAP = "Generic_GJ"


@dataclass(frozen=True)
class Connectome:
    """Cells by name, and the (n, n) weights of two layers.

    `chemical[i, j]` is the weight of the synapses from cell i to cell j; `gap` is that of the gap
    junctions, as the source has it. A weight of 0 is no connection.
    """

    names: NDArray[np.str_]
    chemical: NDArray[np.float64]
    gap: NDArray[np.float64]

    def subset(self, cells: NDArray[np.int64]) -> "Connectome":
        """The cells of those indices, in that order, and the connections among them."""
        block = np.ix_(cells, cells)
        return Connectome(self.names[cells], self.chemical[block], self.gap[block])


def read_cect(path: Path) -> Connectome:
    """Read a cache file; raises `InputError` where it is not one."""
    try:
        content = json.loads(path.read_bytes())
        names = np.array(content["nodes"], dtype=np.str_)
        layers = content["connections"]
        chemical, gap = (_matrix(layers[layer], len(names)) for layer in (CHEMICAL, GAP))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a connectome as cect writes it ({error!r})") from error
    if len(np.unique(names)) != len(names):
        raise InputError(f"{path}: a cell is named twice")
    return Connectome(names, chemical, gap)


def read_cell_types(path: Path) -> dict[str, str]:
    """The type of every cell, by name, from cect's table of cells."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["Cell name"]: row["Type"] for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise InputError(f"{path}: no table of 'Cell name' and 'Type' ({error!r})") from error


def _matrix(values: Any, size: int) -> NDArray[np.float64]:
    matrix = np.array(values, dtype=np.float64)
    if matrix.shape != (size, size):
        raise ValueError(f"a matrix of shape {matrix.shape} for {size} cells")
    if not (np.isfinite(matrix) & (matrix >= 0)).all():
        raise ValueError("a weight that is negative or not finite")
    return matrix
