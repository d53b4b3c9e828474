"""Tensors of a version: node inputs, the message graph, what to learn from, what to predict.

Node inputs are the z-scored feature columns, with the encoding of texts that is asked for, then the
z-scored positions; where there are neither, a column of ones. The message graph holds the *visible*
edges of all relations as one simple undirected graph. Hidden edges are in no table that is read
here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from retia.protocol.baselines import node_features
from retia.protocol.heuristics import node_positions
from retia.protocol.pairs import contains
from retia.protocol.predictions import PARTS
from retia.shards.arrays import encoding_matrix, integers, label_matrix, pairs
from retia.shards.errors import IntegrityError
from retia.shards.manifest import Part
from retia.shards.version import Version

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

NEAREST = 16


@dataclass(frozen=True)
class MessageGraph:
    """The visible edges (2, E) of all relations; those of the task's relation come first."""

    num_nodes: int
    edges: Tensor

    def adjacency(self, without: Tensor | None = None) -> Tensor:
        """The 0/1 symmetric sparse CSR matrix (n, n), but for the edges at those places.

        A pair stays when another visible edge joins it: the reverse, or one of another relation.
        """
        edges = self.edges
        if without is not None:
            keep = torch.ones(edges.shape[1], dtype=torch.bool, device=edges.device)
            keep[without] = False
            edges = edges[:, keep]
        both = torch.cat([edges, edges.flip(0)], dim=1)
        keys = torch.unique(both[0] * self.num_nodes + both[1])
        row, column = keys // self.num_nodes, keys % self.num_nodes
        start = torch.zeros(self.num_nodes + 1, dtype=torch.long, device=keys.device)
        start[1:] = torch.bincount(row, minlength=self.num_nodes).cumsum(0)
        ones, shape = torch.ones(len(keys), device=keys.device), (self.num_nodes, self.num_nodes)
        return torch.sparse_csr_tensor(start, column, ones, shape, check_invariants=False)


@dataclass(frozen=True)
class LinkInputs:
    """A split of a link task.

    x (n, F); `positives` (P, 2), the edges to learn from, and `places` (P,), where they are in the
    message graph; `visible_keys`, the sorted keys of the relation's edges; `nearest` (n, k), the
    nodes nearest in space, or none; `items` (I, 2) a part.
    """

    x: Tensor
    graph: MessageGraph
    directed: bool
    positives: Tensor
    places: Tensor
    visible_keys: Tensor
    nearest: Tensor | None
    items: dict[Part, Tensor]


@dataclass(frozen=True)
class NodeInputs:
    """A split of a node task: x (n, F), training nodes and labels (T,), items (I,) a part.

    Labels of a multi-label task are (T, C) float32.
    """

    x: Tensor
    graph: MessageGraph
    train: Tensor
    labels: Tensor
    num_classes: int
    items: dict[Part, Tensor]


def link_inputs(
    version: Version, task_name: str, split: int, device: str, encoding: str | None = None
) -> LinkInputs:
    """The tensors of one split of a link task."""
    relation = version.manifest.relation(str(version.manifest.task(task_name).relation))
    visible = _pairs(version, f"edges/{relation.name}")
    keys = visible[:, 0] * version.manifest.num_nodes + visible[:, 1]
    train = _pairs(version, f"tasks/{task_name}/{split}/train")
    places = _places(keys, train, version.manifest.num_nodes, relation.directed)
    positions = node_positions(version)
    items = {part: _pairs(version, f"tasks/{task_name}/{split}/{part}") for part in PARTS}
    return LinkInputs(
        x=torch.as_tensor(_node_inputs(version, encoding), device=device),
        graph=_message_graph(version, relation.name, device),
        directed=relation.directed,
        positives=torch.as_tensor(visible[places], device=device),
        places=torch.as_tensor(places, device=device),
        visible_keys=torch.as_tensor(keys, device=device),
        nearest=None if positions is None else torch.as_tensor(_nearest(positions), device=device),
        items={part: torch.as_tensor(pairs, device=device) for part, pairs in items.items()},
    )


def node_inputs(
    version: Version, task_name: str, split: int, device: str, encoding: str | None = None
) -> NodeInputs:
    """The tensors of one split of a node task."""
    return _node_split(version, task_name, split, device, _node_inputs(version, encoding))


def shared_inputs(
    version: Version, task_name: str, split: int, device: str, encoding: str, scale: Version
) -> NodeInputs:
    """The tensors of one split, with the encoding alone as inputs.

    They are z-scored by the mean and the spread of the vectors of `scale`, so that two graphs
    share one space.
    """
    vectors = encoding_matrix(version, encoding)
    like = vectors if scale is version else encoding_matrix(scale, encoding)
    return _node_split(version, task_name, split, device, _z_score(vectors, like))


def _node_split(version: Version, task_name: str, split: int, device: str, x: Floats) -> NodeInputs:
    task, train = version.manifest.task(task_name), version.task_table(task_name, split, "train")
    several = task.type == "node-multilabel"
    labels = label_matrix(train, len(task.classes)) if several else integers(train, "label")
    return NodeInputs(
        x=torch.as_tensor(x, device=device),
        graph=_message_graph(version, None, device),
        train=_column(train, "node", device),
        labels=torch.as_tensor(labels.astype(np.float32) if several else labels, device=device),
        num_classes=len(task.classes),
        items={
            part: _column(version.task_table(task_name, split, part), "item", device)
            for part in PARTS
        },
    )


def _node_inputs(version: Version, encoding: str | None) -> Floats:
    blocks = (node_features(version, encoding), node_positions(version))
    present = [block for block in blocks if block is not None]
    if not present:
        return np.ones((version.manifest.num_nodes, 1), dtype=np.float32)
    values = np.concatenate(present, axis=1)
    return _z_score(values, values)


def _z_score(values: NDArray[Any], like: NDArray[Any]) -> Floats:
    """The values less the mean of `like`, over its standard deviation; (n, F) float32."""
    mean, spread = like.mean(axis=0, dtype=np.float64), like.std(axis=0, dtype=np.float64)
    return np.asarray((values - mean) / np.where(spread > 0, spread, 1), dtype=np.float32)


def _message_graph(version: Version, first: str | None, device: str) -> MessageGraph:
    names = [relation.name for relation in version.manifest.relations]
    ordered = sorted(names, key=lambda name: name != first)
    edges = np.concatenate([_pairs(version, f"edges/{name}") for name in ordered])
    return MessageGraph(version.manifest.num_nodes, torch.as_tensor(edges.T.copy(), device=device))


def _places(keys: Ints, train: Ints, num_nodes: int, directed: bool) -> Ints:
    """Where the training edges are among the visible ones, which are sorted."""
    train = train if directed else np.sort(train, axis=1)
    wanted = train[:, 0] * num_nodes + train[:, 1]
    if not contains(keys, wanted).all():
        raise IntegrityError("a training edge is not among the visible edges; run 'retia audit'")
    return np.searchsorted(keys, wanted)


def _nearest(positions: NDArray[np.float64]) -> Ints:
    """The nodes nearest to each node in space, (n, k); a node may be among its own."""
    k = min(NEAREST + 1, len(positions))
    _, index = cKDTree(positions).query(positions, k=k)
    return np.asarray(index, dtype=np.int64).reshape(len(positions), k)


def _pairs(version: Version, table: str) -> Ints:
    return np.ascontiguousarray(pairs(version.table(table, ["src", "dst"])).T)


def _column(table: pa.Table, name: str, device: str) -> Tensor:
    return torch.as_tensor(integers(table, name), device=device)
