"""The closed registry of metrics.

Values equal OGB's Evaluator, except where OGB's are wrong: too few negatives, ties at the
threshold and scores that are not finite are refused or handled here, as each docstring says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from retia.shards.errors import InputError, NotFoundError

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
InputKind = Literal["scores", "ranks", "classes", "labels", "values"]

THRESHOLD = 0.5


@dataclass(frozen=True)
class Metric:
    """A metric: what it takes, and which way is better.

    `scores`: (positive scores (P,), negative scores (N,)), ungrouped.
    `ranks`: (ranks of the positives among their own negatives (P,), smallest group size).
    `classes`: (true classes (n,), predicted classes (n,), number of classes).
    `labels`: (which classes a node has (n, C) bool, scores of the classes (n, C)).
    `values`: (true values (n,), predicted values (n,)).
    """

    name: str
    kind: InputKind
    description: str
    function: Callable[..., float]
    higher_is_better: bool = True


def ascending(values: Floats) -> Floats:
    """The values in ascending order; the same array where they are so already."""
    return values if (values[1:] >= values[:-1]).all() else np.sort(values)


def rocauc(positive: Floats, negative: Floats) -> float:
    """Area under the ROC curve by the Mann-Whitney statistic; a tie counts one half."""
    _need(positive, negative)
    found, other = ascending(positive), ascending(negative)
    below = np.searchsorted(other, found, "left").sum(dtype=np.int64)
    not_above = np.searchsorted(other, found, "right").sum(dtype=np.int64)
    return float((int(below) + int(not_above)) / (2 * len(found) * len(other)))


def average_precision(positive: Floats, negative: Floats) -> float:
    """Average precision: the precision at each distinct threshold, weighted by recall gained."""
    _need(positive, negative)
    found, other = ascending(positive), ascending(negative)
    first = np.flatnonzero(np.append(True, np.diff(found) != 0))  # of each distinct score
    hits = len(found) - first
    false = len(other) - np.searchsorted(other, found[first], "left")
    gained = np.diff(first, append=len(found))
    return float((gained * hits / (hits + false)).sum() / len(found))


def hits_at(k: int) -> Callable[[Floats, Floats], float]:
    """Hits@K: the share of positives that score above the K-th best negative.

    A tie with that negative is a miss, as in OGB. Fewer than K negatives, where OGB answers 1,
    are refused.
    """

    def hits(positive: Floats, negative: Floats) -> float:
        _need(positive, negative)
        if len(negative) < k:
            raise InputError(f"hits@{k} needs at least {k} negatives, there are {len(negative)}")
        threshold = ascending(negative)[len(negative) - k]
        return float((positive > threshold).mean())

    return hits


def mean_reciprocal_rank(ranks: Floats, smallest_group: int) -> float:
    """Mean of 1 / rank, a tie ranked half-way between the best and the worst it could be."""
    if not len(ranks) or smallest_group < 1:
        raise InputError("mrr needs positives, each with at least one negative")
    return float((1.0 / ranks).mean())


def grouped_hits_at(k: int) -> Callable[[Floats, int], float]:
    """The share of positives ranked K-th or better among their own negatives."""

    def hits(ranks: Floats, smallest_group: int) -> float:
        if smallest_group < k:
            raise InputError(f"hits@{k} needs groups of at least {k}, one has {smallest_group}")
        return float((ranks <= k).mean())

    return hits


def accuracy(truth: Ints, predicted: Ints, num_classes: int) -> float:
    """The share of nodes whose class is right."""
    return float((truth == predicted).mean())


def balanced_accuracy(truth: Ints, predicted: Ints, num_classes: int) -> float:
    """The mean recall of the classes that occur in the truth."""
    confusion = _confusion(truth, predicted, num_classes)
    support = confusion.sum(axis=1)
    present = support > 0
    return float((np.diag(confusion)[present] / support[present]).mean())


def macro_f1(truth: Ints, predicted: Ints, num_classes: int) -> float:
    """The mean F1 of the classes that occur in the truth or in the predictions."""
    confusion = _confusion(truth, predicted, num_classes)
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    present = total > 0
    return float((2 * np.diag(confusion)[present] / total[present]).mean())


def mean_average_precision(truth: Mask, scores: Floats) -> float:
    """The mean over classes of the average precision of their scores over nodes.

    A class that no node has is left out, where scikit-learn counts 0; one that all have counts 1.
    """
    _need_labels(truth, scores)
    present = np.flatnonzero(truth.any(axis=0))
    if not len(present):
        raise InputError("mAP needs a class that a node has")
    return float(np.mean([_class_precision(truth[:, c], scores[:, c]) for c in present]))


def micro_f1(truth: Mask, scores: Floats) -> float:
    """F1 over all pairs of node and class, predicted where the score is at least 0.5.

    0 where no class is true or predicted.
    """
    hits, total = _label_counts(truth, scores)
    return float(2 * hits.sum() / max(total.sum(), 1))


def macro_label_f1(truth: Mask, scores: Floats) -> float:
    """The mean F1 of the classes that are true or predicted somewhere, as with `micro_f1`.

    0 where there is none. scikit-learn gives the same with `zero_division=nan`.
    """
    hits, total = _label_counts(truth, scores)
    present = total > 0
    return float((2 * hits[present] / total[present]).mean()) if present.any() else 0.0


def mean_absolute_error(truth: Floats, predicted: Floats) -> float:
    """The mean absolute difference, in the unit of the label."""
    _need_values(truth, predicted, 1)
    return float(np.abs(truth - predicted).mean())


def r2(truth: Floats, predicted: Floats) -> float:
    """1 - the squared error over that of the true mean; 1 or 0 where the truth is constant."""
    _need_values(truth, predicted, 2)
    error = float(((truth - predicted) ** 2).sum())
    spread = float(((truth - truth.mean()) ** 2).sum())
    if spread == 0:
        return float(error == 0)
    return 1 - error / spread


def spearman(truth: Floats, predicted: Floats) -> float:
    """Spearman's rank correlation, ties at their mean rank; 0 where either side is constant."""
    _need_values(truth, predicted, 2)
    ranks = np.stack([rankdata(truth), rankdata(predicted)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.linalg.norm(ranks, axis=1)
    return float(ranks[0] @ ranks[1] / length.prod()) if length.all() else 0.0


def _confusion(truth: Ints, predicted: Ints, num_classes: int) -> NDArray[np.int64]:
    flat = np.bincount(truth.astype(np.int64) * num_classes + predicted, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)


def _class_precision(truth: Mask, scores: Floats) -> float:
    return 1.0 if truth.all() else average_precision(scores[truth], scores[~truth])


def _label_counts(truth: Mask, scores: Floats) -> tuple[Ints, Ints]:
    """By class: nodes that have it and are predicted to, and the sum of both numbers."""
    _need_labels(truth, scores)
    predicted = scores >= THRESHOLD
    return (truth & predicted).sum(axis=0), truth.sum(axis=0) + predicted.sum(axis=0)


def _need_labels(truth: Mask, scores: Floats) -> None:
    if not len(truth):
        raise InputError("a metric of labels needs at least one node")
    if not np.isfinite(scores).all():
        raise InputError("a score is not finite")


def _need(positive: Floats, negative: Floats) -> None:
    if not len(positive) or not len(negative):
        raise InputError("a metric of scores needs at least one positive and one negative")
    if not (np.isfinite(positive).all() and np.isfinite(negative).all()):
        raise InputError("a score is not finite")


def _need_values(truth: Floats, predicted: Floats, least: int) -> None:
    if len(truth) < least:
        raise InputError(f"a metric of values needs at least {least} of them")
    if not (np.isfinite(truth).all() and np.isfinite(predicted).all()):
        raise InputError("a value is not finite")


def _hits(k: int) -> list[Metric]:
    text = f"share of positives above the {k}-th best negative; of rank {k} or better if grouped"
    return [
        Metric(f"hits@{k}", "scores", text, hits_at(k)),
        Metric(f"hits@{k}", "ranks", text, grouped_hits_at(k)),
    ]


_METRICS = [
    Metric("rocauc", "scores", "area under the ROC curve", rocauc),
    Metric("ap", "scores", "average precision", average_precision),
    Metric("mrr", "ranks", "mean reciprocal rank among the own group", mean_reciprocal_rank),
    *(metric for k in (1, 3, 10, 20, 50, 100) for metric in _hits(k)),
    Metric("accuracy", "classes", "share of right classes", accuracy),
    Metric("balanced-accuracy", "classes", "mean recall over the classes", balanced_accuracy),
    Metric("macro-f1", "classes", "mean F1 over the classes", macro_f1),
    Metric("mAP", "labels", "mean average precision over the classes", mean_average_precision),
    Metric("micro-f1", "labels", "F1 over nodes and classes, from score 0.5 on", micro_f1),
    Metric("macro-f1", "labels", "mean F1 over the classes, from score 0.5 on", macro_label_f1),
    Metric("spearman", "values", "rank correlation, 0 if constant", spearman),
    Metric("r2", "values", "share of the variance explained", r2),
    Metric("mae", "values", "mean absolute error", mean_absolute_error, higher_is_better=False),
]

REGISTRY: dict[tuple[str, InputKind], Metric] = {
    (metric.name, metric.kind): metric for metric in _METRICS
}


def metric(name: str, kind: InputKind) -> Metric:
    """The metric of that name that takes that kind of input."""
    try:
        return REGISTRY[name, kind]
    except KeyError:
        known = ", ".join(sorted({name for name, has in REGISTRY if has == kind}))
        raise NotFoundError(f"no metric '{name}' for {kind}; there are: {known}") from None
