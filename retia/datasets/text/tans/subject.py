"""What is described: the nodes of a dataset version, with their properties and texts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retia.datasets.text.tans.kernels import Ints
from retia.datasets.text.tans.neighbours import sample_neighbours
from retia.datasets.text.tans.properties import Properties, compute_properties, undirected
from retia.protocol.llm_only import GENERATED_TEXT
from retia.protocol.randomness import Randomness
from retia.shards.arrays import pairs
from retia.shards.errors import InputError
from retia.shards.manifest import Task
from retia.shards.version import Version

TEXT = pa.large_string()
ID_COLUMNS = ("name", "id")


@dataclass(frozen=True)
class Subject:
    """n nodes of a graph of `num_edges` undirected edges.

    `ids` (n,) are the source's; `texts` maps columns to (n,) texts, "" where there is none, the
    first being the main one, and is empty where the graph has no text; `neighbours` (n, 5) are a
    few of each node's, then -1. `node` and `edge` say in a word what these are. `classes` are those
    that a prompt may name.
    """

    title: str
    ids: pa.Array
    texts: dict[str, pa.Array]
    properties: Properties
    neighbours: Ints
    num_edges: int
    node: str = "node"
    edge: str = "edge"
    classes: tuple[str, ...] = ()

    @property
    def num_nodes(self) -> int:
        """The number of nodes."""
        return len(self.ids)


def read_subject(
    version: Version,
    relation: str | None = None,
    *,
    node: str = "node",
    edge: str = "edge",
    classes: tuple[str, ...] = (),
    seed: int = 0,
    workers: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Subject:
    """The nodes of a version, and what its visible edges say of them.

    The edges are those of one relation, or of all. Raises `NotFoundError` for an unknown relation.
    """
    manifest, randomness = version.manifest, Randomness.from_seed(seed)
    names = [one.name for one in manifest.relations] if relation is None else [relation]
    tables = [version.edges(manifest.relation(name).name, ["src", "dst"]) for name in names]
    joined = np.concatenate([np.empty((0, 2), np.int64), *(pairs(table).T for table in tables)])
    graph = undirected(joined, manifest.num_nodes)
    properties = compute_properties(graph, randomness, workers=workers, on_progress=on_progress)
    return Subject(
        title=manifest.title,
        ids=_ids(version),
        texts=_texts(version),
        properties=properties,
        neighbours=sample_neighbours(graph, randomness),
        num_edges=graph.nnz // 2,
        node=node,
        edge=edge,
        classes=classes,
    )


def choose_task(version: Version, name: str | None = None) -> Task:
    """The node task of that name, or the only one; its classes go into the prompts.

    Raises `InputError` where there is none, or there are several and none is named.
    """
    found = [task for task in version.manifest.tasks if task.type == "node"]
    found = [task for task in found if name in (None, task.name)]
    if len(found) != 1:
        known = ", ".join(t.name for t in version.manifest.tasks if t.type == "node") or "none"
        raise InputError(
            f"{version.manifest.reference}: name a node task with single classes (--task): {known}"
        )
    return found[0]


def _ids(version: Version) -> pa.Array:
    """(n,) the source's ids; the numbers of the nodes where these are sealed or not kept."""
    table = version.table("ids") if version.has("ids") else pa.table({})
    for column in ID_COLUMNS:
        if column in table.column_names:
            return table[column].combine_chunks().cast(TEXT)
    return pa.array(np.arange(version.manifest.num_nodes)).cast(TEXT)


def _texts(version: Version) -> dict[str, pa.Array]:
    """The texts that the source has; a description is not described again."""
    names = [column.name for column in version.manifest.columns if column.role == "text"]
    names = [name for name in names if name != GENERATED_TEXT]
    table = version.nodes(names) if names else pa.table({})
    return {name: pc.fill_null(table[name].combine_chunks().cast(TEXT), "") for name in names}
