"""The bootstrap of a measure over clusters of items, the same clusters for every method.

Each resample gives every cluster of test items a weight of its own, Poisson with mean 1. Measures
that are ratios of sums are recomputed from the sums of each cluster. The area under the ROC curve
is linear in the placements of positives and of negatives (DeLong et al. 1988; clustered: Obuchowski
1997), which are weighted separately; average precision and ungrouped hits are recomputed from
weighted items.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from retia.protocol.blocks import cubes
from retia.protocol.evaluation import Truth, ranks_within_groups
from retia.protocol.group_checks import node_groups
from retia.protocol.heuristics import node_positions
from retia.protocol.metrics import THRESHOLD, metric
from retia.protocol.randomness import Randomness
from retia.shards.arrays import integers
from retia.shards.errors import InputError
from retia.shards.manifest import Measure, Part
from retia.shards.version import Version

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_CLUSTERS = 5_000

Weights = NDArray[np.uint8]
Sums = list[Floats]
Combine = Callable[[Sums], Floats]


@dataclass(frozen=True)
class Stratum:
    """Items that are resampled together: where they are in the part, and what is summed (R, k)."""

    item: Ints
    summed: Floats


def clusters(version: Version, task_name: str, split: int, part: Part) -> Ints:
    """The cluster (I,) of each item, the same number in every split.

    A pair is of its source's: the cube of space in a block split, else the node. A node is of its
    group in a grouped split, else a cluster of its own. Over 5,000 clusters are lumped together.
    """
    task = version.manifest.task(task_name)
    items = version.task_table(task_name, split, part).sort_by("item")
    pairs = task.type in ("link", "edge-regression")
    node, of_node = integers(items, "src" if pairs else "item"), None
    if pairs and task.split.scheme == "block":
        positions = node_positions(version)
        if positions is not None:
            of_node = cubes(positions, float(str(task.split.parameters["block_side"])))
    elif task.split.scheme == "grouped" and not pairs:
        of_node = node_groups(version, task)
    if of_node is not None:
        node = np.unique(of_node, return_inverse=True)[1][node]
    return np.asarray(node % MOST_CLUSTERS)


def draw_weights(cluster: Ints, randomness: Randomness, resamples: int) -> list[Weights]:
    """The weights (B, C) of the clusters, once for positives and once for negatives.

    Where items are not told apart by label, the first alone are used.
    """
    shape = (resamples, int(cluster.max()) + 1)
    streams = [randomness.stream("bootstrap", stratum) for stratum in range(2)]
    return [stream.poisson(1.0, shape).astype(np.uint8) for stream in streams]


def resampled(
    truth: Truth,
    predictions: NDArray[Any],
    measure: Measure,
    cluster: Ints,
    weights: list[Weights],
) -> Floats:
    """The measure (B,) under each weighting of the clusters (I,).

    `predictions` are as for `evaluate`. The same `weights` for all methods make differences between
    them paired.
    """
    if predictions.shape != truth.labels.shape:
        raise InputError(f"{predictions.shape} predictions for {truth.labels.shape} items")
    scored = _scored(truth, predictions, measure)
    if scored is not None and measure.metric != "rocauc":
        return _of_weighted_items(*scored, measure.metric, cluster, weights)
    if truth.task.type == "node-multilabel" and measure.metric == "mAP":
        return _mean_average_precision(truth, predictions, cluster, weights[0])
    strata, combine = _placements(*scored) if scored else _ratios(truth, predictions, measure)
    sums = []
    for stratum, drawn in zip(strata, weights, strict=False):
        code, size = cluster[stratum.item], drawn.shape[1]
        columns = [np.bincount(code, column, size) for column in stratum.summed.T]
        sums.append(drawn.astype(np.float64) @ np.stack(columns, axis=1))
    return combine(sums)


def _scored(
    truth: Truth, scores: NDArray[Any], measure: Measure
) -> tuple[Floats, Ints, Ints] | None:
    """Scores, labels and items of an ungrouped candidate set; none for other measures."""
    sets = {c.name: c.grouped for c in truth.task.candidates}
    if truth.task.type != "link" or sets[str(measure.candidates)]:  # type: ignore[index]
        return None
    item = truth.candidates[str(measure.candidates)].item
    return scores[item].astype(np.float64), truth.labels[item], item


def _placements(scores: Floats, labels: Ints, item: Ints) -> tuple[list[Stratum], Combine]:
    positive = labels > 0
    found, other = scores[positive], scores[~positive]
    every = rankdata(np.concatenate([found, other]))
    above = (every[: len(found)] - rankdata(found)) / len(other)
    below = 1 - (every[len(found) :] - rankdata(other)) / len(found)
    area = float(above.mean())
    strata = [
        Stratum(item[positive], np.stack([above, np.ones(len(above))], axis=1)),
        Stratum(item[~positive], np.stack([below, np.ones(len(below))], axis=1)),
    ]

    def combine(sums: Sums) -> Floats:
        found, other = (_ratio(part[:, 0], part[:, 1]) for part in sums)
        return found + other - area

    return strata, combine


def _ratios(
    truth: Truth, predictions: NDArray[Any], measure: Measure
) -> tuple[list[Stratum], Combine]:
    everything = np.arange(len(truth.labels))
    if truth.task.type == "link":
        members = truth.candidates[str(measure.candidates)]
        labels = truth.labels[members.item]
        ranks, smallest = ranks_within_groups(predictions[members.item], labels, members.group)
        return _mean(members.item[labels > 0], _of_ranks(measure.metric, ranks, smallest))
    if truth.task.type == "node":
        return _of_classes(truth, predictions, measure.metric)
    if truth.task.type == "node-multilabel":
        return _of_labels(truth, predictions, measure.metric)
    if measure.metric == "mae":
        return _mean(everything, np.abs(truth.labels - predictions))
    if measure.metric == "r2":
        y, error = truth.labels, (truth.labels - predictions) ** 2
        summed = np.stack([np.ones(len(y)), y, y**2, error], axis=1)
        return [Stratum(everything, summed)], _r2
    x, y = (rankdata(values) / len(everything) for values in (truth.labels, predictions))
    products = np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=1)
    return [Stratum(everything, products)], _correlation


def _of_ranks(name: str, ranks: Floats, smallest: int) -> Floats:
    if name == "mrr":
        return 1 / ranks
    metric(name, "ranks").function(ranks, smallest)
    return (ranks <= int(name.partition("@")[2])).astype(np.float64)


def _of_classes(truth: Truth, predicted: Ints, name: str) -> tuple[list[Stratum], Combine]:
    everything, right = np.arange(len(predicted)), truth.labels == predicted
    if name == "accuracy":
        return _mean(everything, right.astype(np.float64))
    classes = np.arange(len(truth.task.classes))
    true = truth.labels[:, None] == classes
    said = predicted[:, None] == classes
    total = true if name == "balanced-accuracy" else (true.astype(np.float64) + said) / 2
    return _mean_of_ratios(everything, (true & said).astype(np.float64), total.astype(np.float64))


def _of_labels(truth: Truth, scores: Floats, name: str) -> tuple[list[Stratum], Combine]:
    everything, said = np.arange(len(scores)), scores >= THRESHOLD
    hits = (truth.labels & said).astype(np.float64)
    total = (truth.labels.astype(np.float64) + said) / 2
    if name == "micro-f1":
        return _mean_of_ratios(
            everything, hits.sum(axis=1, keepdims=True), total.sum(axis=1, keepdims=True)
        )
    return _mean_of_ratios(everything, hits, total)


def _mean(item: Ints, values: Floats) -> tuple[list[Stratum], Combine]:
    return _mean_of_ratios(item, values[:, None], np.ones((len(values), 1)))


def _mean_of_ratios(item: Ints, above: Floats, below: Floats) -> tuple[list[Stratum], Combine]:
    """The mean over columns of their sums of `above` by those of `below`, where there are any."""
    width = above.shape[1]

    def combine(sums: Sums) -> Floats:
        top, bottom = sums[0][:, :width], sums[0][:, width:]
        there = bottom > 0
        ratios = np.divide(top, bottom, out=np.zeros_like(top), where=there)
        return _ratio(ratios.sum(axis=1), there.sum(axis=1))

    return [Stratum(item, np.concatenate([above, below], axis=1))], combine


def _r2(sums: Sums) -> Floats:
    count, y, square, error = sums[0].T
    spread = square - _ratio(y, count) * y
    return 1 - _ratio(error, spread)


def _correlation(sums: Sums) -> Floats:
    count, x, y, xx, yy, xy = sums[0].T
    mean_x, mean_y = _ratio(x, count), _ratio(y, count)
    spread = np.sqrt(np.maximum((xx - mean_x * x) * (yy - mean_y * y), 0))
    return _ratio(xy - mean_x * y, spread)


def _of_weighted_items(
    scores: Floats,
    labels: Ints,
    item: Ints,
    name: str,
    cluster: Ints,
    weights: list[Weights],
) -> Floats:
    """Average precision, or hits at K, of weighted items of an ungrouped candidate set."""
    order = np.argsort(-scores, kind="stable")
    positive, code = labels[order] > 0, cluster[item[order]]
    last = np.append(np.diff(scores[order]) != 0, True)
    drawn = (np.where(positive, w[0], w[1]) for w in _by_item(weights, code))
    if name == "ap":
        return np.array([_weighted_precision(w, positive, last) for w in drawn])
    k = int(name.partition("@")[2])
    return np.array([_weighted_hits(w, positive, last, k) for w in drawn])


def _mean_average_precision(
    truth: Truth, scores: Floats, cluster: Ints, weights: Weights
) -> Floats:
    total, count = np.zeros(len(weights)), np.zeros(len(weights))
    for column in np.flatnonzero(truth.labels.any(axis=0)):
        order = np.argsort(-scores[:, column], kind="stable")
        positive = truth.labels[order, column]
        last = np.append(np.diff(scores[order, column]) != 0, True)
        for place, (drawn,) in enumerate(_by_item([weights], cluster[order])):
            if drawn[positive].any():
                total[place] += _weighted_precision(drawn, positive, last)
                count[place] += 1
    return _ratio(total, count)


def _by_item(weights: list[Weights], code: Ints) -> Any:
    """Each resample's weights of items, a tuple over `weights`."""
    for place in range(len(weights[0])):
        yield tuple(drawn[place][code] for drawn in weights)


def _weighted_precision(
    weight: Weights, positive: NDArray[np.bool_], last: NDArray[np.bool_]
) -> float:
    hits, seen = (
        np.cumsum(weight * positive, dtype=np.int64)[last],
        np.cumsum(weight, dtype=np.int64)[last],
    )
    gained = np.diff(hits, prepend=0)
    precision = np.divide(hits, seen, out=np.zeros(len(hits)), where=seen > 0)
    return float((gained * precision).sum() / max(hits[-1], 1))


def _weighted_hits(
    weight: Weights, positive: NDArray[np.bool_], last: NDArray[np.bool_], k: int
) -> float:
    """The weight of positives above the K-th best negative, by that of all."""
    negatives = np.cumsum(weight * ~positive, dtype=np.int64)
    tied_from = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    start = tied_from[np.searchsorted(np.flatnonzero(last), np.arange(len(last)))]
    place = int(np.searchsorted(negatives, k))
    total = (weight * positive).sum(dtype=np.int64)
    above = start[place] if place < len(last) else len(last)
    return float((weight * positive)[:above].sum(dtype=np.int64) / max(total, 1))


def _ratio(above: Floats, below: Floats) -> Floats:
    below = np.asarray(below, dtype=np.float64)
    return np.divide(above, below, out=np.zeros(len(below)), where=below != 0)
