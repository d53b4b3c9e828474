"""Read a connectome as the package cect caches it: one JSON file of names and weight matrices."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retia.datasets.connectome.graph import Connectome, Layer, make_connectome
from retia.shards.errors import InputError

LAYERS = (("chemical", "Generic_CS", True), ("gap", "Generic_GJ", False))


def read_cect(path: Path, unit: str | None = None, stage: str = "") -> Connectome:
    """All cells of a cache file; `chemical` from row to column, `gap` undirected.

    Raises `InputError` where the file is not one, or holds weights that are none.
    """
    try:
        content = json.loads(path.read_bytes())
        names = np.array(content["nodes"], dtype=np.str_)
        matrices = [_matrix(content["connections"][key], len(names)) for _, key, _ in LAYERS]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a connectome as cect writes it ({error!r})") from error
    layers = [
        Layer(name, directed, np.argwhere(matrix != 0), matrix[matrix != 0], unit)
        for (name, _, directed), matrix in zip(LAYERS, matrices, strict=True)
    ]
    return make_connectome(str(path), names, layers, stage=stage)


def _matrix(values: Any, size: int) -> NDArray[np.float64]:
    matrix = np.array(values, dtype=np.float64)
    if matrix.shape != (size, size):
        raise ValueError(f"a matrix of shape {matrix.shape} for {size} cells")
    return matrix
