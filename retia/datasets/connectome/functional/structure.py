"""The wiring of recorded neurons, from a connectome dataset that names the same ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retia.datasets.assemble import EdgeColumns
from retia.datasets.connectome.functional.traces import Names
from retia.shards.arrays import pairs as pair_rows
from retia.shards.errors import InputError
from retia.shards.manifest import Column, Source
from retia.shards.version import Version

HIDDEN = {"link": "edges", "edge-regression": "weights"}


@dataclass(frozen=True)
class Structure:
    """The relations among the recorded neurons, where they come from, and how many matched."""

    relations: tuple[EdgeColumns, ...]
    sources: tuple[Source, ...]
    license: str
    about: dict[str, str | int]


def align(version: Version, neurons: Names) -> Structure:
    """The edges of a connectome dataset between neurons of those names.

    Raises `InputError` where the dataset is no connectome, hides edges or weights, or names none.
    """
    manifest = version.manifest
    if manifest.kind != "connectome":
        raise InputError(f"{manifest.reference} is no connectome but a {manifest.kind} dataset")
    hiding = [task for task in manifest.tasks if task.type in HIDDEN]
    if hiding:
        raise InputError(
            f"{manifest.reference} hides {HIDDEN[hiding[0].type]} for its task "
            f"'{hiding[0].name}'; give a dataset that "
            "shows the whole graph, such as its sibling for nodes"
        )
    known = _names(version)
    place = {name: row for row, name in enumerate(neurons)}
    row = np.array([place.get(name, -1) for name in known])
    matched = int((row >= 0).sum())
    if not matched:
        raise InputError(
            f"{manifest.reference}: none of its neurons has the name of a recorded one"
        )
    about: dict[str, str | int] = {
        "reference": manifest.reference,
        "digest": str(manifest.digest),
        "matched": matched,
        "recorded_without_structure": len(neurons) - matched,
        "structural_without_recording": len(known) - matched,
    }
    relations = tuple(_among(version, relation.name, row) for relation in manifest.relations)
    return Structure(relations, manifest.provenance.sources, manifest.license, about)


def _names(version: Version) -> list[str]:
    reference = version.manifest.reference
    if not version.has("ids"):
        raise InputError(f"{reference}: the names of its nodes are sealed")
    ids = version.table("ids")
    if "name" not in ids.column_names:
        raise InputError(f"{reference}: its table of ids has no column 'name'")
    names = [str(name) for name in ids["name"].to_pylist()]
    if len(set(names)) != len(names):
        raise InputError(f"{reference}: two of its nodes have one name")
    return names


def _among(version: Version, name: str, row: NDArray[np.int64]) -> EdgeColumns:
    """A relation among the nodes that have a row, with its plain numeric columns."""
    relation = version.manifest.relation(name)
    table = version.edges(name)
    ends = row[pair_rows(table).T].reshape(-1, 2)
    inside = (ends >= 0).all(axis=1)
    columns: list[tuple[Column, NDArray[np.generic]]] = [
        (column, table[column.name].to_numpy()[inside])
        for column in relation.columns
        if not column.shape and column.dtype != "string"
    ]
    return EdgeColumns(name, relation.directed, ends[inside], tuple(columns))
