"""From the columns of a graph and its tasks to a version on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from retia.datasets.sources import lineage
from retia.protocol.link_task import TaskTables, pair_table
from retia.protocol.recipes import Visible, compute
from retia.shards.arrays import column_array
from retia.shards.errors import InputError
from retia.shards.manifest import (
    Acceptance,
    Column,
    Encoding,
    Line,
    Name,
    Provenance,
    Recipe,
    Relation,
    SemVer,
    Source,
    encoding_table,
)
from retia.shards.version import Version
from retia.shards.writer import write_version

LIBRARIES = ("numpy", "scipy", "pyarrow")

Step = Callable[[str], None]


@dataclass(frozen=True)
class NodeColumn:
    """A column of the node table: its description and its (n,) or (n, 3) values, NaN for null.

    A column with a recipe has no values; they are computed from the visible edges.
    """

    column: Column
    values: NDArray[Any] | None = None


@dataclass(frozen=True)
class EdgeColumns:
    """The visible edges of a relation: (E, 2) pairs, and (E,) columns in the same order."""

    name: str
    directed: bool
    pairs: NDArray[np.int64]
    columns: tuple[tuple[Column, NDArray[Any]], ...] = ()


@dataclass(frozen=True)
class Origin:
    """Where a dataset comes from: builder, sources, parameters."""

    builder: str
    sources: tuple[Source, ...]
    parameters: dict[str, Any]
    synthetic: bool = False


@dataclass(frozen=True)
class Dataset:
    """A dataset before it is written; nothing of it depends on where it goes.

    `encodings` are cards with their (n, d) vectors, in the order of the nodes.
    """

    name: str
    version: str
    kind: Literal["vessel", "connectome", "text"]
    title: str
    description: str
    license: str
    citation: str
    num_nodes: int
    relations: tuple[EdgeColumns, ...]
    columns: tuple[NodeColumn, ...]
    ids: pa.Table
    tasks: tuple[TaskTables, ...]
    origin: Origin
    homepage: str | None = None
    secret: bytes | None = None
    accepted: tuple[Acceptance, ...] = ()
    encodings: tuple[tuple[Encoding, NDArray[Any]], ...] = ()


@dataclass(frozen=True)
class Built:
    """A version that a build has made, or found standing."""

    version: Version
    state: Literal["built", "already there"]

    def as_dict(self) -> dict[str, str]:
        """Reference, folder, digest and state."""
        manifest = self.version.manifest
        return {
            "reference": manifest.reference,
            "path": str(self.version.root),
            "digest": str(manifest.digest),
            "state": self.state,
        }


def check_names(*names: str, version: str, license_: str | None = None) -> None:
    """Raise `InputError` for a name, a version number or a licence that no manifest may hold."""
    wanted: list[tuple[Any, str | None, str]] = [
        *((Name, name, "2 to 63 lower-case letters, digits and hyphens") for name in names),
        (SemVer, version, "three numbers such as 1.0.0"),
        (Line, license_, "one line, an SPDX expression"),
    ]
    for form, text, rule in wanted:
        try:
            if text is not None:
                TypeAdapter(form).validate_python(text)
        except ValidationError as error:
            raise InputError(f"'{text}' cannot be used in a manifest: {rule}") from error


def check_sealing(
    sealed: str | None, only: str | None, seed: int | None, known_to_all: str | None = None
) -> None:
    """Raise `InputError` where a sibling cannot be sealed with the other options.

    `known_to_all` says why anyone can get at the answers, where that is so.
    """
    if sealed and known_to_all:
        raise InputError(f"{known_to_all}, so its tasks are open; leave --sealed out")
    if sealed and seed is not None:
        raise InputError(
            "--sealed and --seed do not go together: a sealed build draws from a fresh secret, "
            "since anyone could repeat what a seed gives; leave --seed out"
        )
    if sealed and only and only != sealed:
        raise InputError(f"--sealed {sealed} seals nothing with --only {only}")


def write_dataset(dataset: Dataset, out: Path) -> Built:
    """Write a dataset as `out/name/version`, its ids sealed where a task is.

    Raises `InputError` where other content stands under that name and version.
    """
    folder = out / dataset.name / dataset.version
    state: Literal["built", "already there"] = "already there" if folder.exists() else "built"
    edges = {relation.name: edge_table(relation) for relation in dataset.relations}
    with write_version(out, dataset.name, dataset.version, dataset.secret) as writer:
        writer.add("nodes", node_table(dataset, edges))
        for name, table in edges.items():
            writer.add(f"edges/{name}", table)
        (writer.seal if dataset.secret else writer.add)("ids", dataset.ids)
        for card, vectors in dataset.encodings:
            writer.add(encoding_table(card.name), vector_table(card, vectors))
        for task in dataset.tasks:
            for name, table in task.public.items():
                writer.add(name, table)
            for name, table in task.sealed.items():
                writer.seal(name, table)
        writer.finish(**_header(dataset))
    return Built(Version.open(folder), state)


def sort_pairs(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order of (E, 2) pairs by (src, dst)."""
    return np.lexsort((pairs[:, 1], pairs[:, 0]))


def edge_table(relation: EdgeColumns) -> pa.Table:
    """`src`, `dst` and the columns, sorted by (src, dst); an undirected edge with src < dst."""
    pairs = relation.pairs if relation.directed else np.sort(relation.pairs, axis=1)
    order = sort_pairs(pairs)
    table = pair_table(pairs[order])
    for column, values in relation.columns:
        table = table.append_column(column.name, column_values(column, values[order]))
    return table


def node_table(dataset: Dataset, edges: dict[str, pa.Table]) -> pa.Table:
    """The node table; columns with a recipe are computed from what is visible, as it is stored."""
    given = {
        node.column.name: column_values(node.column, node.values)
        for node in dataset.columns
        if node.values is not None
    }
    numbers = {
        name: column_array(pa.chunked_array([values]))
        for name, values in given.items()
        if values.type != pa.string()
    }
    visible = Visible(dataset.num_nodes, edges, numbers)
    derived = {
        node.column.name: column_values(node.column, compute(node.column.recipe, visible))
        for node in dataset.columns
        if node.column.recipe is not None
    }
    return pa.table(
        {node.column.name: (given | derived)[node.column.name] for node in dataset.columns}
    )


def vector_table(card: Encoding, vectors: NDArray[Any]) -> pa.Table:
    """The (n, d) vectors of an encoding as its table; raises `InputError` where they are not d."""
    if vectors.ndim != 2 or vectors.shape[1] != card.dimensions:
        raise InputError(
            f"encoding '{card.name}': vectors of shape {vectors.shape}, its card says "
            f"{card.dimensions} dimensions"
        )
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(vectors, dtype=card.dtype)
    if not np.isfinite(stored).all():
        raise InputError(f"encoding '{card.name}': a value is not a finite {card.dtype}")
    flat = pa.array(stored.ravel())
    return pa.table({"vector": pa.FixedSizeListArray.from_arrays(flat, card.dimensions)})


def column_values(column: Column, values: NDArray[Any]) -> pa.Array:
    """Values in the dtype and shape of a column; NaN becomes null."""
    flat = pa.array(values.ravel(), type=pa.type_for_alias(column.dtype), from_pandas=True)
    return pa.FixedSizeListArray.from_arrays(flat, column.shape[0]) if column.shape else flat


def derived_column(
    name: str,
    description: str,
    function: str,
    parameters: dict[str, Any],
    *,
    shape: tuple[int, ...] = (),
    unit: str | None = None,
) -> NodeColumn:
    """A feature that a registered recipe computes from what is visible."""
    column = Column(
        name=name,
        dtype="float32",
        shape=shape,
        unit=unit,
        description=description,
        role="feature",
        recipe=Recipe(function=function, parameters=parameters),
    )
    return NodeColumn(column)


def degree_column(name: str, description: str, **parameters: Any) -> NodeColumn:
    """A feature that counts visible edges."""
    return derived_column(name, description, "degree", parameters)


def strength_column(name: str, description: str, **parameters: Any) -> NodeColumn:
    """A feature that sums a column of the visible edges."""
    return derived_column(name, description, "strength", parameters)


def position_column(positions: NDArray[np.float64], description: str) -> NodeColumn:
    """(n, 3) positions in micrometres as the column `pos`."""
    column = Column(
        name="pos",
        dtype="float32",
        shape=(3,),
        unit="um",
        description=description,
        role="position",
    )
    return NodeColumn(column, positions)


def _header(dataset: Dataset) -> dict[str, Any]:
    fields = ("kind", "title", "description", "license", "citation", "homepage", "num_nodes")
    return {field: getattr(dataset, field) for field in fields} | {
        "directed": any(relation.directed for relation in dataset.relations),
        "relations": tuple(_describe(relation) for relation in dataset.relations),
        "columns": tuple(node.column for node in dataset.columns),
        "tasks": tuple(task.task for task in dataset.tasks),
        "provenance": _provenance(dataset.origin),
        "accepted": dataset.accepted or None,
        "encodings": tuple(card for card, _ in dataset.encodings) or None,
    }


def _describe(relation: EdgeColumns) -> Relation:
    return Relation(
        name=relation.name,
        directed=relation.directed,
        num_edges=len(relation.pairs),
        columns=tuple(column for column, _ in relation.columns),
    )


def _provenance(origin: Origin) -> Provenance:
    return Provenance(
        builder=origin.builder,
        retia_version=library_version("retia"),
        libraries={name: library_version(name) for name in LIBRARIES},
        parameters=origin.parameters,
        sources=origin.sources,
        lineage=lineage(origin.sources),
        synthetic=origin.synthetic,
    )


def summary(built: Built) -> tuple[str, str, int, int, str, str, str]:
    """A row for people: reference, digest, nodes, edges, tasks, state, folder."""
    manifest = built.version.manifest
    edges = sum(relation.num_edges for relation in manifest.relations)
    tasks = ", ".join(f"{task.name} ({task.secrecy})" for task in manifest.tasks)
    digest = str(manifest.digest)[:12]
    folder = str(built.version.root)
    return manifest.reference, digest, manifest.num_nodes, edges, tasks, built.state, folder
