"""Load a dataset, and hand it over as PyG, networkx or pandas objects."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retia.loaders.cache import fetch, find_cached, verified
from retia.loaders.client import Client
from retia.loaders.frames import edge_frame, graph, node_frame
from retia.loaders.splits import (
    EdgeSplit,
    LinkSplit,
    NodeSplit,
    edge_split,
    link_split,
    node_split,
    tensor,
)
from retia.shards.arrays import (
    edge_arrays,
    feature_matrix,
    node_label_sets,
    node_labels,
    node_matrix,
)
from retia.shards.errors import InputError, MissingExtraError, NotFoundError
from retia.shards.manifest import Manifest, Task
from retia.shards.store import resolve
from retia.shards.version import Version

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd
    from torch_geometric.data import Data


def load(
    reference: str,
    server: str | None = None,
    cache: str | Path | None = None,
    store: str | Path | None = None,
    encoding: str | None = None,
) -> "Dataset":
    """Load `name`, `name@version` or the folder of a version.

    With a server the version is downloaded to the cache, and the cache serves where the server
    cannot be reached. Without one, the local store and then the cache are looked at. The newest
    version is taken where none is named. Every file is verified; a wrong one that cannot be
    downloaded again is an `IntegrityError`.

    `encoding` names the encoding of the texts to have as features; those of others are neither
    downloaded nor looked at, and without it none are.
    """
    cache = Path(cache) if cache else None
    encodings = () if encoding is None else (encoding,)
    if server is not None:
        with Client(server) as client:
            return Dataset(fetch(reference, client, cache, encodings), encoding)
    try:
        version = resolve(reference, Path(store) if store else None)
    except NotFoundError as missing:
        try:
            version = find_cached(reference, cache)
        except (NotFoundError, InputError):
            raise missing from None
    return Dataset(verified(version, encodings), encoding)


@dataclass(frozen=True)
class Dataset:
    """A dataset version, the encoding of its texts, and the forms it can be had in."""

    version: Version
    encoding: str | None = None

    def __repr__(self) -> str:
        tasks = ", ".join(task.name for task in self.tasks) or "no tasks"
        return f"Dataset({self.manifest.reference}: {self.manifest.num_nodes:,} nodes; {tasks})"

    @property
    def manifest(self) -> Manifest:
        """What the version says of itself."""
        return self.version.manifest

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Its tasks."""
        return self.manifest.tasks

    def as_pandas(self) -> "tuple[pd.DataFrame, dict[str, pd.DataFrame]]":
        """The nodes, with their ids where these are public, and the visible edges by relation."""
        edges = {r.name: edge_frame(self.version, r.name) for r in self.manifest.relations}
        return node_frame(self.version), edges

    def as_networkx(self, relation: str | None = None) -> "nx.Graph[int]":
        """The visible graph, of one relation or of all; see `retia.loaders.frames.graph`."""
        return graph(self.version, relation)

    @cached_property
    def data(self) -> "Data":
        """`pyg()`, made once."""
        return self.pyg()

    def pyg(self, relation: str | None = None) -> "Data":
        """A PyG `Data` of the visible graph.

        `edge_index` (2, E) and `edge_attr` (E, F) are those of `relation`, by default the relation
        of the first task; a further relation is `edge_index_NAME`, `edge_attr_NAME`, a `-` in its
        name written `_`. Undirected edges stand in both directions. `x` (n, F) are the numeric
        feature columns, then the encoding of the texts, `pos` (n, 2 or 3) the positions, `y` (n,)
        the public labels of the first node task, -1 where a label is hidden or absent; those of a
        further one are `y_NAME`. Of a multi-label task they are (n, C) float32, NaN where hidden or
        absent. A hidden weight of an edge-regression task is NaN.
        """
        try:
            from torch_geometric.data import Data
        except ImportError as error:
            raise MissingExtraError("bench", "torch-geometric") from error
        data = Data(num_nodes=self.manifest.num_nodes)
        optional = {
            "x": feature_matrix(self.version, self.encoding),
            "pos": node_matrix(self.version, "position"),
            **self._edges(relation or self._main_relation()),
            **self._labels(),
        }
        for name, array in optional.items():
            if array is not None:
                data[name] = tensor(array)
        return data

    def split(self, task: str | None = None, index: int = 0) -> LinkSplit | EdgeSplit | NodeSplit:
        """Split `index` of a task, by default of the only one; seed i uses split i modulo their
        number.
        """
        chosen = self.manifest.task(task)
        if not 0 <= index < chosen.num_splits:
            raise NotFoundError(
                f"{self.manifest.reference} task '{chosen.name}' has no split {index}; "
                f"it has 0 to {chosen.num_splits - 1}"
            )
        if chosen.type == "link":
            return link_split(self.version, chosen, index)
        if chosen.type == "edge-regression":
            return edge_split(self.version, chosen, index)
        return node_split(self.version, chosen, index)

    def _main_relation(self) -> str:
        named = [task.relation for task in self.tasks if task.relation]
        return (named or [relation.name for relation in self.manifest.relations])[0]

    def _edges(self, main: str) -> dict[str, Any]:
        self.manifest.relation(main)
        result: dict[str, Any] = {}
        for relation in self.manifest.relations:
            suffix = "" if relation.name == main else "_" + relation.name.replace("-", "_")
            index, attributes = edge_arrays(self.version, relation.name)
            result |= {f"edge_index{suffix}": index, f"edge_attr{suffix}": attributes}
        return result

    def _labels(self) -> dict[str, Any]:
        tasks = [task for task in self.tasks if task.type in ("node", "node-multilabel")]
        names = ["y", *(f"y_{task.name.replace('-', '_')}" for task in tasks[1:])]
        return {
            name: (node_labels if task.type == "node" else node_label_sets)(self.version, task)
            for name, task in zip(names, tasks, strict=False)
        }
