"""Tensors of a version: node inputs, the visible graph, what to learn from, what to predict.

Node inputs are the feature columns, with the encoding of texts that is asked for, then the
positions; where there are neither, a column of ones. Features are z-scored, divided by the sum of
their magnitudes in each row, or left raw; positions of node tasks are always z-scored. The view
holds the *visible* edges of all relations. Hidden edges are in no table that is read here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from retia.benchmarks.config import Scaling
from retia.benchmarks.counts import EdgeCounts
from retia.benchmarks.view import View
from retia.protocol.baselines import node_features
from retia.protocol.heuristics import node_positions
from retia.protocol.pairs import contains
from retia.protocol.predictions import PARTS
from retia.shards.arrays import (
    column_array,
    column_places,
    encoding_matrix,
    integers,
    label_matrix,
    pairs,
)
from retia.shards.errors import InputError, IntegrityError
from retia.shards.manifest import Part, Recipe, Relation
from retia.shards.version import Version

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

NEAREST = 16
COUNTS = ("degree", "strength")
ENDS = {"out": (0,), "in": (1,), "both": (0, 1)}


@dataclass(frozen=True)
class LinkInputs:
    """A split of a link task.

    `positives` (P, 2), the edges to learn from, and `places` (P,), where the view has them;
    `visible_keys`, the sorted keys of the relation's edges; `nearest` (n, k), the nodes nearest in
    space, or none; `items` (I, 2) a part.
    """

    view: View
    directed: bool
    positives: Tensor
    places: Tensor
    visible_keys: Tensor
    nearest: Tensor | None
    items: dict[Part, Tensor]


@dataclass(frozen=True)
class EdgeInputs:
    """A split of an edge-regression task: training edges (T, 2), labels (T,) float32, items (I, 2).

    `mean` and `spread` of the training labels are what labels are standardised by.
    """

    view: View
    directed: bool
    train: Tensor
    labels: Tensor
    mean: float
    spread: float
    items: dict[Part, Tensor]


@dataclass(frozen=True)
class NodeInputs:
    """A split of a node task: training nodes and labels (T,), items (I,) a part.

    Labels of a multi-label task are (T, C) float32.
    """

    view: View
    train: Tensor
    labels: Tensor
    num_classes: int
    items: dict[Part, Tensor]


def link_inputs(
    version: Version,
    task_name: str,
    split: int,
    device: str,
    encoding: str | None = None,
    scaling: Scaling = "z-score",
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
        view=_pair_view(version, relation.name, encoding, scaling, device),
        directed=relation.directed,
        positives=torch.as_tensor(visible[places], device=device),
        places=torch.as_tensor(places, device=device),
        visible_keys=torch.as_tensor(keys, device=device),
        nearest=None if positions is None else torch.as_tensor(_nearest(positions), device=device),
        items={part: torch.as_tensor(pairs, device=device) for part, pairs in items.items()},
    )


def edge_inputs(
    version: Version,
    task_name: str,
    split: int,
    device: str,
    encoding: str | None = None,
    scaling: Scaling = "z-score",
) -> EdgeInputs:
    """The tensors of one split of an edge-regression task."""
    relation = version.manifest.relation(str(version.manifest.task(task_name).relation))
    train = version.task_table(task_name, split, "train")
    labels = train["label"].to_numpy().astype(np.float64)
    mean, spread = float(labels.mean()), float(labels.std()) or 1.0
    items = {part: _pairs(version, f"tasks/{task_name}/{split}/{part}") for part in PARTS}
    return EdgeInputs(
        view=_pair_view(version, relation.name, encoding, scaling, device),
        directed=relation.directed,
        train=torch.as_tensor(_pairs(version, f"tasks/{task_name}/{split}/train"), device=device),
        labels=torch.as_tensor(((labels - mean) / spread).astype(np.float32), device=device),
        mean=mean,
        spread=spread,
        items={part: torch.as_tensor(pairs, device=device) for part, pairs in items.items()},
    )


def node_inputs(
    version: Version,
    task_name: str,
    split: int,
    device: str,
    encoding: str | None = None,
    scaling: Scaling = "z-score",
) -> NodeInputs:
    """The tensors of one split of a node task."""
    return _node_split(version, task_name, split, device, _node_inputs(version, encoding, scaling))


def shared_inputs(
    version: Version,
    task_name: str,
    split: int,
    device: str,
    encoding: str,
    scale: Version,
    scaling: Scaling = "z-score",
) -> NodeInputs:
    """The tensors of one split, with the encoding alone as inputs.

    Z-scores are by the mean and the spread of the vectors of `scale`, so that two graphs share one
    space.
    """
    vectors = encoding_matrix(version, encoding)
    like = vectors if scale is version else encoding_matrix(scale, encoding)
    return _node_split(version, task_name, split, device, _scaled(vectors, like, scaling))


def _node_split(version: Version, task_name: str, split: int, device: str, x: Floats) -> NodeInputs:
    task, train = version.manifest.task(task_name), version.task_table(task_name, split, "train")
    several = task.type == "node-multilabel"
    labels = label_matrix(train, len(task.classes)) if several else integers(train, "label")
    return NodeInputs(
        view=_view(version, None, x, device),
        train=_column(train, "node", device),
        labels=torch.as_tensor(labels.astype(np.float32) if several else labels, device=device),
        num_classes=len(task.classes),
        items={
            part: _column(version.task_table(task_name, split, part), "item", device)
            for part in PARTS
        },
    )


def _node_inputs(
    version: Version, encoding: str | None, scaling: Scaling, apart: Sequence[int] = ()
) -> Floats:
    """Inputs (n, F); those `apart` are no part of a row that is normalised, but z-scored."""
    features, positions = node_features(version, encoding), node_positions(version)
    given = [block for block in (features, positions) if block is not None]
    if not given:
        return np.ones((version.manifest.num_nodes, 1), dtype=np.float32)
    values = np.hstack(given)
    broken = np.flatnonzero(~np.isfinite(values).all(axis=0))
    if len(broken):
        node = int(np.flatnonzero(~np.isfinite(values[:, broken[0]]))[0])
        raise InputError(
            f"{version.manifest.reference}: input {broken[0]} of node {node} is no finite number; "
            "'retia audit' names the column"
        )
    standard = np.arange(values.shape[1]) >= (0 if features is None else features.shape[1])
    if scaling == "row-normalised":
        standard[list(apart)] = True
    x = np.empty(values.shape, dtype=np.float32)
    x[:, standard] = _z_score(values[:, standard], values[:, standard])
    x[:, ~standard] = _scaled(values[:, ~standard], values[:, ~standard], scaling)
    return x


def _scaled(values: NDArray[Any], like: NDArray[Any], scaling: Scaling) -> Floats:
    if scaling == "z-score":
        return _z_score(values, like)
    total = np.abs(values).sum(axis=1, keepdims=True) if scaling == "row-normalised" else 1.0
    return np.asarray(values / np.where(total > 0, total, 1), dtype=np.float32)


def _z_score(values: NDArray[Any], like: NDArray[Any]) -> Floats:
    """The values less the mean of `like`, over its standard deviation; (n, F) float32."""
    mean, spread = like.mean(axis=0, dtype=np.float64), like.std(axis=0, dtype=np.float64)
    return np.asarray((values - mean) / np.where(spread > 0, spread, 1), dtype=np.float32)


def _view(version: Version, first: str | None, x: Floats, device: str) -> View:
    """The visible edges of all relations; those of the task's relation come first."""
    relations = version.manifest.relations
    ordered = _ordered(version, first)
    blocks = [_pairs(version, f"edges/{relation.name}") for relation in ordered]
    edges = np.concatenate(blocks)
    types = np.repeat([relations.index(r) for r in ordered], [len(block) for block in blocks])
    positions = node_positions(version)
    return View(
        x=torch.as_tensor(x, device=device),
        edges=torch.as_tensor(edges.T.copy(), device=device),
        relation=torch.as_tensor(types, device=device),
        directed=tuple(relation.directed for relation in relations),
        positions=None
        if positions is None
        else torch.as_tensor(_in_edge_lengths(positions, edges), device=device),
    )


def _ordered(version: Version, first: str | None) -> list[Relation]:
    return sorted(version.manifest.relations, key=lambda relation: relation.name != first)


def _pair_view(
    version: Version, relation: str, encoding: str | None, scaling: Scaling, device: str
) -> View:
    """As `_view`, with counts; positions among the inputs are in edge lengths, as in the view.

    What is learnt of near and far then does not depend on how large the sample is.
    """
    counting = _counting(version)
    x = _node_inputs(version, encoding, scaling, list(counting))
    view = _view(version, relation, x, device)
    if counting:
        view = replace(view, counts=_counts(version, relation, counting, scaling, device))
    if view.positions is None:
        return view
    features = view.x[:, : -view.positions.shape[1]]
    return replace(view, x=torch.cat([features, view.positions], dim=1))


def _counting(version: Version) -> dict[int, tuple[str, Recipe]]:
    """The inputs that count or sum edges, by their place: name and recipe."""
    places = column_places(version, "feature")
    return {
        places[column.name]: (column.name, column.recipe)
        for column in version.manifest.columns
        if column.name in places and column.recipe and column.recipe.function in COUNTS
    }


def _counts(
    version: Version,
    first: str,
    counting: dict[int, tuple[str, Recipe]],
    scaling: Scaling,
    device: str,
) -> EdgeCounts:
    names, recipes = zip(*counting.values(), strict=True)
    table, given = version.nodes(list(names)), [recipe.parameters for recipe in recipes]
    known = np.stack([table[name].to_numpy() for name in names], axis=1).astype(np.float64)
    spread = known.std(axis=0)
    raw = scaling == "raw"
    amounts = [_amounts(version, first, recipe) for recipe in recipes]
    return EdgeCounts(
        columns=tuple(counting),
        ends=tuple(ENDS[str(p["direction"])] for p in given),
        log=tuple(bool(p.get("log1p", False)) for p in given),
        mean=tuple(np.zeros(len(names)) if raw else known.mean(axis=0)),
        spread=tuple(np.where(raw | (spread == 0), 1.0, spread)),
        amounts=torch.as_tensor(np.stack(amounts, axis=1), device=device),
    )


def _amounts(version: Version, first: str, recipe: Recipe) -> Floats:
    """What each edge of the view adds to an input (E,), in the order of `_view`."""
    found = []
    for relation in _ordered(version, first):
        amount = np.zeros(relation.num_edges, dtype=np.float32)
        if relation.name == recipe.parameters["relation"]:
            amount[:] = 1
            if recipe.function == "strength":
                table = version.edges(relation.name, [str(recipe.parameters["column"])])
                amount = np.nan_to_num(column_array(table.column(0)).astype(np.float32))
        found.append(amount)
    return np.concatenate(found)


def _in_edge_lengths(positions: NDArray[np.float64], edges: Ints) -> Floats:
    """Positions (n, d), centred, over the mean length of an edge."""
    lengths = np.linalg.norm(positions[edges[:, 0]] - positions[edges[:, 1]], axis=1)
    unit = float(lengths.mean()) if len(lengths) else 0.0
    centred = positions - positions.mean(axis=0)
    return np.asarray(centred / (unit if unit > 0 else 1.0), dtype=np.float32)


def _places(keys: Ints, train: Ints, num_nodes: int, directed: bool) -> Ints:
    """Where the training edges are among the visible ones, which are sorted."""
    train = train if directed else np.sort(train, axis=1)
    wanted = train[:, 0] * num_nodes + train[:, 1]
    if not contains(keys, wanted).all():
        raise IntegrityError("a training edge is not among the visible edges; run 'retia audit'")
    return np.searchsorted(keys, wanted)


def _nearest(positions: NDArray[np.float64]) -> NDArray[np.int32]:
    """The nodes nearest to each node in space, (n, k); a node may be among its own."""
    k = min(NEAREST + 1, len(positions))
    _, index = cKDTree(positions).query(positions, k=k, workers=-1)
    return np.asarray(index, dtype=np.int32).reshape(len(positions), k)


def _pairs(version: Version, table: str) -> Ints:
    return np.ascontiguousarray(pairs(version.table(table, ["src", "dst"])).T)


def _column(table: pa.Table, name: str, device: str) -> Tensor:
    return torch.as_tensor(integers(table, name), device=device)
