"""Baselines that need no training loop, and the mandatory rows of every leaderboard.

Links: scores of `retia.protocol.heuristics`. Weights of edges: the mean of the training weights,
and least squares on the degrees of both ends. Nodes: the majority class, label propagation, and
logistic regression on the features without any edge; where texts hold the predictions of a language
model, these alone.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retia.protocol.evaluation import evaluate, load_truth
from retia.protocol.heuristics import HEURISTICS, node_positions, visible_graph
from retia.protocol.label_propagation import spread_labels
from retia.protocol.llm_only import holds_predictions, llm_only
from retia.protocol.pairs import LinkGraph
from retia.protocol.predictions import PARTS, value_columns
from retia.shards.arrays import feature_matrix, integers, label_matrix, pairs
from retia.shards.errors import InputError, MissingExtraError
from retia.shards.version import Version

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def node_features(version: Version, encoding: str | None = None) -> Floats | None:
    """The (n, F) numeric feature columns, without positions; missing values become the mean.

    The vectors of an encoding stand after them.
    """
    features = feature_matrix(version, encoding)
    if features is None:
        return None
    mean = np.nanmean(features, axis=0, dtype=np.float64)
    return np.where(np.isnan(features), mean, features)


def mean_label(version: Version, task: str, split: int, src: Ints, dst: Ints) -> Floats:
    """The mean of the training labels, for every edge."""
    labels = version.task_table(task, split, "train")["label"].to_numpy()
    return np.full(len(src), labels.mean(dtype=np.float64))


def degree_regression(version: Version, task: str, split: int, src: Ints, dst: Ints) -> Floats:
    """Least squares on log(1 + degree) of both ends: out and in, or the lower and the higher."""
    graph = visible_graph(version, task)
    out, into = np.log1p(graph.source_degree), np.log1p(graph.target_degree)

    def design(src: Ints, dst: Ints) -> Floats:
        ends = np.stack([out[src], into[dst]])
        both = ends if graph.directed else np.sort(ends, axis=0)
        return np.stack([np.ones(len(src)), *both], axis=1)

    train = version.task_table(task, split, "train")
    known = design(train["src"].to_numpy(), train["dst"].to_numpy())
    weights, *_ = np.linalg.lstsq(known, train["label"].to_numpy().astype(np.float64))
    return np.asarray(design(src, dst) @ weights)


EDGE_BASELINES: dict[str, Callable[[Version, str, int, Ints, Ints], Floats]] = {
    "mean": mean_label,
    "degree-regression": degree_regression,
}


def majority(version: Version, task: str, split: int) -> NDArray[Any]:
    """The commonest training class for every node, (n,); where several may be, (n, C) shares."""
    _, labels = _training(version, task, split)
    nodes = version.manifest.num_nodes
    if labels.ndim == 2:
        return np.tile(labels.mean(axis=0), (nodes, 1))
    return np.full(nodes, np.bincount(labels).argmax())


def label_propagation(version: Version, task: str, split: int) -> NDArray[Any]:
    """Training labels spread over all visible edges: (n,) classes, or (n, C) shares.

    Directions are ignored.
    """
    node, labels = _training(version, task, split)
    tables = [version.edges(r.name, ["src", "dst"]) for r in version.manifest.relations]
    edges = np.concatenate([pairs(table).T for table in tables])
    graph = LinkGraph(version.manifest.num_nodes, True, edges, edges[:0])
    targets = labels if labels.ndim == 2 else labels[:, None] == np.arange(labels.max() + 1)
    shares = spread_labels(graph.neighbours, node, targets.astype(np.float64))
    return shares if labels.ndim == 2 else np.asarray(shares.argmax(axis=1))


def features_only(
    version: Version, task: str, split: int, encoding: str | None = None
) -> NDArray[Any]:
    """A linear model on the z-scored features, no edges: (n,) classes, or (n, C) scores.

    Balanced logistic regression; with an encoding, or where nodes have several classes, ridge
    regression on 0 and 1 by class.
    """
    try:
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise MissingExtraError("server", "scikit-learn") from error
    features = node_features(version, encoding)
    if features is None:
        raise InputError(f"{version.manifest.reference} has no features")
    features = StandardScaler().fit_transform(features)
    node, labels = _training(version, task, split)
    if labels.ndim == 1 and len(np.unique(labels)) == 1:
        return np.full(len(features), labels[0])
    if labels.ndim == 1 and encoding is None:
        model = LogisticRegression(max_iter=500, class_weight="balanced")
        return np.asarray(model.fit(features[node], labels).predict(features), dtype=np.int64)
    several = labels.ndim == 2
    targets = labels if several else labels[:, None] == np.arange(labels.max() + 1)
    scores = Ridge().fit(features[node], targets.astype(np.float64)).predict(features)
    return np.asarray(scores if several else scores.argmax(axis=1))


def _training(version: Version, task_name: str, split: int) -> tuple[Ints, NDArray[Any]]:
    """The training nodes, and their classes (T,), or (T, C) bool in a multi-label task."""
    task, table = version.manifest.task(task_name), version.task_table(task_name, split, "train")
    if task.type == "node-multilabel":
        return integers(table, "node"), label_matrix(table, len(task.classes))
    return integers(table, "node"), integers(table, "label")


NodeBaseline = Callable[[Version, str, int], NDArray[Any]]

NODE_BASELINES: dict[str, NodeBaseline] = {
    "majority": majority,
    "label-propagation": label_propagation,
    "features-only": features_only,
}


def mandatory_predictions(version: Version, task_name: str) -> dict[str, pa.Table]:
    """The predictions of the mandatory baselines of a task, a seed a split, by method."""
    task = version.manifest.task(task_name)
    if task.type == "link":
        names = ["degree", "common-neighbours"]
        names += ["distance"] if node_positions(version) is not None else []
        return {name: _link_predictions(version, task_name, name) for name in names}
    if task.type == "edge-regression":
        return {name: _edge_predictions(version, task_name, name) for name in EDGE_BASELINES}
    rows = {"majority": node_predictions(version, task_name, majority)}
    if holds_predictions(version, task):
        rows["llm-only"] = node_predictions(version, task_name, llm_only)
    if cards := version.manifest.encodings:
        return rows | _best_encoding(version, task_name, [card.name for card in cards])
    if node_features(version) is not None:
        rows["features-only"] = node_predictions(version, task_name, features_only)
    return rows


def _best_encoding(version: Version, task: str, encodings: list[str]) -> dict[str, pa.Table]:
    """The row of features alone with the encoding whose mean validation score is best."""
    best, chosen = -np.inf, {}
    for encoding in encodings:
        baseline = partial(features_only, encoding=encoding)
        table = node_predictions(version, task, baseline)
        found = _valid_score(version, task, table)
        if found > best:
            best, chosen = found, {f"features-only ({encoding})": table}
    return chosen


def _valid_score(version: Version, task_name: str, table: pa.Table) -> float:
    """The mean over splits of the primary measure on the validation part."""
    task = version.manifest.task(task_name)
    names = value_columns(task, table.column_names)
    valid = table.filter(pc.equal(table["part"], "valid"))
    scores = []
    for split in range(task.num_splits):
        rows = valid.filter(pc.equal(valid["seed"], split)).sort_by("item")
        values = np.column_stack([rows[name].to_numpy() for name in names])
        predicted = values if task.type == "node-multilabel" else values[:, 0]
        truth = load_truth(version, task_name, split, "valid")
        scores.append(evaluate(truth, predicted)[task.primary.key])
    return float(np.mean(scores))


def _link_predictions(version: Version, task: str, name: str) -> pa.Table:
    graph, tables = visible_graph(version, task), []
    for split in range(version.manifest.task(task).num_splits):
        for part in PARTS:
            rows = version.task_table(task, split, part)
            scores = HEURISTICS[name](graph, pairs(rows).T)
            tables.append(_part_table(split, part, rows["item"], score=scores))
    return pa.concat_tables(tables)


def _edge_predictions(version: Version, task: str, name: str) -> pa.Table:
    tables = []
    for split in range(version.manifest.task(task).num_splits):
        for part in PARTS:
            rows = version.task_table(task, split, part)
            src, dst = rows["src"].to_numpy(), rows["dst"].to_numpy()
            values = EDGE_BASELINES[name](version, task, split, src, dst)
            tables.append(_part_table(split, part, rows["item"], pred=values))
    return pa.concat_tables(tables)


def node_predictions(version: Version, task: str, baseline: NodeBaseline) -> pa.Table:
    """The predictions of a baseline of nodes, a seed a split, ready to submit."""
    described = version.manifest.task(task)
    tables = []
    for split in range(described.num_splits):
        predicted = baseline(version, task, split)
        for part in PARTS:
            item = version.task_table(task, split, part)["item"]
            values = predicted[item.to_numpy()]
            if described.type == "node":
                tables.append(_part_table(split, part, item, pred=values))
            else:
                by_class = zip(value_columns(described, []), values.T, strict=True)
                tables.append(_part_table(split, part, item, **dict(by_class)))
    return pa.concat_tables(tables)


def _part_table(seed: int, part: str, item: pa.ChunkedArray, **columns: NDArray[Any]) -> pa.Table:
    rows = len(item)
    return pa.table(
        {
            "seed": pa.array(np.full(rows, seed, dtype=np.int32)),
            "part": pa.array([part] * rows, pa.string()),
            "item": item,
            **columns,
        }
    )
