"""The wiring of a relation of a dataset version: its visible edges."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.datasets.connectome.motifs.wiring import Wiring
from retia.shards.arrays import node_labels, node_matrix, pairs
from retia.shards.errors import InputError, NotFoundError
from retia.shards.manifest import Manifest, Relation
from retia.shards.version import Version

USUAL = "chemical"


def read_wiring(
    version: Version,
    relation: str | None = None,
    min_weight: float | None = None,
    colour: str | None = None,
) -> Wiring:
    """The visible edges of a relation, by default of `chemical` or of the only one.

    The edges of an undirected relation stand in both directions. `colour` names a column of the
    nodes or of the ids, or the label of a node task.
    """
    described = choose_relation(version.manifest, relation)
    weights = [column.name for column in described.columns if column.role == "weight"]
    if min_weight is not None and not weights:
        raise InputError(f"relation '{described.name}' has no weight; leave --min-weight out")
    table = version.edges(described.name, ["src", "dst", *weights[:1]])
    edges = pairs(table).T
    weight = table[weights[0]].to_numpy().astype(np.float64) if weights else None
    if not described.directed:
        edges = np.concatenate([edges, edges[:, ::-1]])
        weight = None if weight is None else np.tile(weight, 2)
    position = node_matrix(version, "position")
    return Wiring.of(
        version.manifest.num_nodes,
        edges,
        weight,
        None if position is None else position.astype(np.float64),
        min_weight,
        None if colour is None else read_colours(version, colour),
    )


def choose_relation(manifest: Manifest, name: str | None = None) -> Relation:
    """The relation of that name; by default `chemical`, or the only one."""
    names = [relation.name for relation in manifest.relations]
    if name is not None:
        return manifest.relation(name)
    if USUAL not in names and len(names) != 1:
        known = ", ".join(names) or "none"
        raise InputError(f"{manifest.reference}: name one of its relations (--relation): {known}")
    return manifest.relation(USUAL if USUAL in names else names[0])


def read_colours(version: Version, name: str) -> NDArray[np.str_]:
    """The colours of the nodes, (num_nodes,), "" where there is none."""
    manifest = version.manifest
    tasks = [task for task in manifest.tasks if task.type == "node" and task.label == name]
    if tasks:
        classes = np.array([*tasks[0].classes, ""])
        return classes[node_labels(version, tasks[0])]
    for table in ("nodes", "ids"):
        if version.has(table) and name in (read := version.table(table)).column_names:
            return _as_text(read[name], name)
    labels = [task.label for task in manifest.tasks if task.type == "node" and task.label]
    known = [column.name for column in manifest.columns if _can_colour(column.dtype)] + labels
    some = f"there are {', '.join(known)}" if known else "the nodes have no classes"
    raise NotFoundError(f"{manifest.reference}: nothing to colour by is called '{name}'; {some}")


def _as_text(column: pa.ChunkedArray, name: str) -> NDArray[np.str_]:
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        raise InputError(f"column '{name}' is {column.type}: colours are text or whole numbers")
    return np.array(column.cast(pa.string()).fill_null("").to_pylist(), dtype=np.str_)


def _can_colour(dtype: str) -> bool:
    return dtype == "string" or "int" in dtype
