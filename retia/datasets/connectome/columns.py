"""The columns of connectome datasets: features of neurons, and the weight of connections."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from retia.datasets.assemble import (
    EdgeColumns,
    NodeColumn,
    degree_column,
    derived_column,
    position_column,
    strength_column,
)
from retia.datasets.connectome.graph import Connectome, Layer
from retia.protocol.triad_classes import ORBITS
from retia.shards.manifest import Column

SPECTRAL_DIMENSIONS = 8
SPECTRAL_SPARE = 4
SIGNS = {"left": -1, "right": 1}


def relation(layer: Layer, visible: NDArray[np.bool_] | slice = slice(None)) -> EdgeColumns:
    """The visible edges of a layer with their weight."""
    columns = ((weight_column(layer.unit), layer.weight[visible]),)
    return EdgeColumns(layer.name, layer.directed, layer.pairs[visible], columns)


def weight_column(unit: str | None) -> Column:
    """The column of the size of a connection."""
    return Column(
        name="weight",
        dtype="float32",
        unit=unit,
        description="size of the connection",
        role="weight",
    )


def layer_features(layers: Iterable[Layer]) -> tuple[NodeColumn, ...]:
    """Number and weight of the visible connections in each layer and direction, log(1 + x)."""
    columns = []
    for layer in layers:
        for direction in ("in", "out") if layer.directed else ("both",):
            where = _word(layer.name) + ("" if direction == "both" else f"_{direction}")
            along: dict[str, Any] = {"relation": layer.name, "direction": direction, "log1p": True}
            text = f"log(1 + {{}}) of the visible {layer.name} connections, direction {direction}"
            columns.append(degree_column(f"{where}_degree", text.format("number"), **along))
            weighted = along | {"column": "weight"}
            columns.append(strength_column(f"{where}_strength", text.format("weight"), **weighted))
    return tuple(columns)


def orbit_column(layer: Layer) -> NodeColumn:
    """The triads of visible connections that a neuron is in, by its place in them, log(1 + x)."""
    return derived_column(
        "orbits",
        f"log(1 + number) of the triads of visible {layer.name} connections, by orbit, in the "
        "order of retia.protocol.triads.ORBITS",
        "orbits",
        {"relation": layer.name, "direction": _direction(layer), "log1p": True},
        shape=(len(ORBITS),),
    )


def spectral_columns(layer: Layer, num_nodes: int) -> tuple[NodeColumn, ...]:
    """Eigenvectors of the Laplacian of a visible layer, fewer where it falls into small parts."""
    _, component = connected_components(layer.matrix(num_nodes), directed=False)
    dimensions = min(int(np.bincount(component).max()) - SPECTRAL_SPARE, SPECTRAL_DIMENSIONS)
    if dimensions < 1:
        return ()
    column = derived_column(
        "spectral",
        f"eigenvectors of the normalised Laplacian of the visible {layer.name} connections, "
        "directions ignored",
        "spectral",
        {"relation": layer.name, "dimensions": dimensions},
        shape=(dimensions,),
    )
    return (column,)


def given_columns(connectome: Connectome, *, side: bool) -> tuple[NodeColumn, ...]:
    """What the source tells of a neuron, and what is no task: its side if wanted, its position."""
    columns = []
    if side and connectome.side is not None:
        sign_column = Column(
            name="side_sign",
            dtype="int8",
            description="-1 left, 1 right, 0 neither or unknown",
            role="feature",
        )
        signs = [(connectome.side == name) * sign for name, sign in SIGNS.items()]
        columns.append(NodeColumn(sign_column, np.sum(signs, axis=0)))
    if connectome.position is not None:
        columns.append(position_column(connectome.position, "position of the neuron"))
    return tuple(columns)


def id_table(connectome: Connectome) -> pa.Table:
    """Node number, name and, where known, side and the number of the homolog, -1 for none."""
    table = pa.table(
        {"node": np.arange(connectome.num_nodes, dtype=np.int32), "name": connectome.names}
    )
    if connectome.side is not None:
        table = table.append_column("side", pa.array(connectome.side))
    if connectome.homolog is not None:
        table = table.append_column("homolog", pa.array(connectome.homolog.astype(np.int32)))
    return table


def _direction(layer: Layer) -> str:
    return "out" if layer.directed else "both"


def _word(name: str) -> str:
    """The name of a layer as the start of a column's name."""
    word = name.replace("-", "_")
    return word if word[0].isalpha() else f"layer_{word}"
