"""Read a connectome from tables that neuPrint exports.

Format: the CSV files of the hemibrain's compact release, `traced-neurons.csv` (bodyId, type,
instance), `traced-total-connections.csv` (bodyId_pre, bodyId_post, weight) and the table of
connections by region, which also has `roi`; neuprint-python's `fetch_adjacencies` writes the same.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from retia.datasets.connectome.graph import UNLABELLED, Connectome
from retia.datasets.connectome.readers.tables import (
    EdgeMapping,
    NodeMapping,
    from_tables,
    labels_of,
)
from retia.datasets.table_file import read_table_file

UNIT = "synapses"
EDGES = EdgeMapping(pre="bodyId_pre", post="bodyId_post", weight="weight")
NODES = NodeMapping(name="bodyId", cell_class="type")
INSTANCE = "instance"


def read_neuprint(connections: Path, neurons: Path) -> Connectome:
    """The neurons and their connections; those of several regions are summed.

    A neuron's class is its `type`. Its side is left or right where its `instance` ends in `_L` or
    `_R`. Raises `InputError`.
    """
    nodes = read_table_file(neurons)
    nodes.need([INSTANCE])
    made = from_tables(read_table_file(connections), nodes, EDGES, NODES, UNIT)
    instance = labels_of(nodes, INSTANCE)
    ends = [np.strings.endswith(instance, suffix) for suffix in ("_L", "_R")]
    return replace(made, side=np.select(ends, ["left", "right"], default=UNLABELLED))
