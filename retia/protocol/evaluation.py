"""Score predictions against the answers of one part of one split.

The same function serves the benchmark runner, on validation answers, and the server, on sealed
ones. `evaluate` takes the answers from a `Truth`, so that a model never has to hold them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retia.protocol.metrics import Floats, InputKind, Ints, ascending, metric
from retia.shards.arrays import label_matrix
from retia.shards.errors import InputError, NotFoundError
from retia.shards.manifest import Measure, Part, Task
from retia.shards.version import Version


@dataclass(frozen=True)
class Members:
    """The items of a candidate set: positions into the part's items and, where grouped, groups."""

    item: NDArray[np.int64]
    group: NDArray[np.int64]


@dataclass(frozen=True)
class Truth:
    """The answers of one part: item ids in ascending order, labels, candidate sets.

    Labels are int64 (I,); float64 in an edge-regression task, bool (I, C) in a multi-label one.
    """

    task: Task
    items: NDArray[np.int64]
    labels: NDArray[Any]
    candidates: dict[str, Members]

    @property
    def scored(self) -> NDArray[np.int64]:
        """Of a link task, where the positives of the candidate sets are: not other hidden edges."""
        members = np.unique(np.concatenate([m.item for m in self.candidates.values()]))
        return np.asarray(members[self.labels[members] > 0])


def load_truth(version: Version, task_name: str, split: int, part: Part) -> Truth:
    """Read the answers of a part; raises `NotFoundError` where they are sealed elsewhere."""
    task = version.manifest.task(task_name)
    answers = version.answers(task_name, split, part)
    items = answers["item"].to_numpy().astype(np.int64)
    candidates: dict[str, Members] = {}
    if task.candidates:
        table = version.answers(task_name, split, part, "candidates")
        position = np.searchsorted(items, table["item"].to_numpy())
        group = table["group"].to_numpy().astype(np.int64)
        for candidate_set in task.candidates:
            chosen = pc.equal(table["candidates"], candidate_set.name).to_numpy()
            candidates[candidate_set.name] = Members(position[chosen], group[chosen])
    return Truth(task, items, _labels(task, answers), candidates)


def _labels(task: Task, answers: pa.Table) -> NDArray[Any]:
    if task.type == "node-multilabel":
        return label_matrix(answers, len(task.classes))
    kind = np.float64 if task.type == "edge-regression" else np.int64
    return np.asarray(answers["label"].to_numpy().astype(kind))


def find_truth(version: Version, task_name: str, split: int, part: Part) -> Truth | None:
    """The answers of a part; none where they are sealed elsewhere."""
    try:
        return load_truth(version, task_name, split, part)
    except NotFoundError:
        return None


def evaluate(truth: Truth, predictions: NDArray[Any]) -> dict[str, float]:
    """Every measure of the task, by its key.

    `predictions` are aligned with `truth.items`: one score an item for a link task, one class
    index an item for a node task, C scores an item for a multi-label task, one value an item for an
    edge-regression task.
    """
    if predictions.shape != truth.labels.shape:
        raise InputError(f"{predictions.shape} predictions for {truth.labels.shape} items")
    if truth.task.type == "link":
        return _link_measures(truth, predictions)
    if truth.task.type in ("edge-regression", "node-multilabel"):
        kind: InputKind = "values" if truth.task.type == "edge-regression" else "labels"
        return {
            m.key: metric(m.metric, kind).function(truth.labels, predictions)
            for m in truth.task.measures
        }
    return {m.key: _node_measure(truth, predictions, m) for m in truth.task.measures}


def ranks_within_groups(
    scores: Floats, labels: Ints, group: Ints
) -> tuple[NDArray[np.float64], int]:
    """The rank of each positive among the negatives of its group, and the smallest group.

    A positive tied with negatives is ranked half-way: 1 + (above + not below) / 2, as in OGB.
    Other positives of the group do not count. Returns (P,) ranks and the least number of
    negatives a positive meets.
    """
    positive = labels > 0
    alone = _ranks_of_one(scores, positive, group)
    if alone is not None:
        return alone
    _, group_code = np.unique(group, return_inverse=True)
    levels, score_code = np.unique(scores, return_inverse=True)
    keys = group_code.astype(np.int64) * len(levels) + score_code
    negatives, own = np.sort(keys[~positive]), keys[positive]
    first = group_code[positive].astype(np.int64) * len(levels)
    start = np.searchsorted(negatives, first)
    stop = np.searchsorted(negatives, first + len(levels))
    not_below = stop - np.searchsorted(negatives, own, "left")
    above = stop - np.searchsorted(negatives, own, "right")
    smallest = int((stop - start).min()) if len(own) else 0
    return 1 + 0.5 * (above + not_below), smallest


def _ranks_of_one(
    scores: Floats, positive: NDArray[np.bool_], group: Ints
) -> tuple[NDArray[np.float64], int] | None:
    """The same without a sort, where every group has one positive; none where that is not so."""
    size = int(group.max(initial=-1)) + 1
    own_group = group[positive]
    if not len(own_group) or group.min() < 0 or size > 4 * len(group):
        return None
    if np.bincount(own_group, minlength=size).max() > 1:
        return None
    own = np.full(size, np.nan)
    own[own_group] = scores[positive]
    others, other_group = scores[~positive], group[~positive]
    met = own[other_group]
    if np.isnan(met).any():
        return None
    above = np.bincount(other_group, others > met, size)[own_group]
    not_below = np.bincount(other_group, others >= met, size)[own_group]
    smallest = int(np.bincount(other_group, minlength=size)[own_group].min())
    return np.asarray(1 + 0.5 * (above + not_below), dtype=np.float64), smallest


def _link_measures(truth: Truth, scores: Floats) -> dict[str, float]:
    """Every measure, each candidate set ranked once."""
    grouped = {str(c.name): c.grouped for c in truth.task.candidates}
    given: dict[str, tuple[InputKind, Any, Any]] = {}
    for name in {str(measure.candidates) for measure in truth.task.measures}:
        members = truth.candidates[name]
        chosen, labels = scores[members.item], truth.labels[members.item]
        if grouped[name]:
            given[name] = "ranks", *ranks_within_groups(chosen, labels, members.group)
        else:
            found, other = chosen[labels > 0], chosen[labels == 0]
            given[name] = "scores", ascending(found), ascending(other)  # once for all measures
    result = {}
    for measure in truth.task.measures:
        kind, *inputs = given[str(measure.candidates)]
        result[measure.key] = metric(measure.metric, kind).function(*inputs)
    return result


def _node_measure(truth: Truth, predicted: Ints, measure: Measure) -> float:
    function = metric(measure.metric, "classes").function
    return function(truth.labels, predicted, len(truth.task.classes))
