"""Resample the items that methods are measured on, by clusters, and the seeds.

Two methods are compared on the same resamples: give each the same stream of randomness, and runs on
the same splits. Items that tell of each other are of one cluster. A cluster that stands in several
splits is drawn for all of them at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retia.protocol.blocks import cubes
from retia.protocol.evaluation import Truth, measured
from retia.protocol.group_checks import node_groups
from retia.protocol.heuristics import node_positions
from retia.protocol.metrics import InputKind, metric
from retia.shards.arrays import integers
from retia.shards.errors import InputError
from retia.shards.manifest import Measure, Part
from retia.shards.version import Version

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DRAWS = 2_000


@dataclass(frozen=True)
class Run:
    """The predictions of one seed, aligned with the items of its split, and their clusters (I,)."""

    truth: Truth
    predictions: NDArray[Any]
    cluster: Ints


def bootstrap(
    runs: Sequence[Run], measure: Measure, rng: np.random.Generator, draws: int = DRAWS
) -> Floats:
    """(draws,) the mean over seeds of a measure, on clusters and seeds drawn with replacement.

    Positives and negatives of an ungrouped set are drawn apart. Seeds are drawn where there are
    several. Raises `InputError` where a draw leaves a seed nothing to measure.
    """
    measured_runs = [_Sampler.of(run, measure) for run in runs]
    strata = [
        np.unique(np.concatenate(clusters))
        for clusters in zip(*(run.clusters for run in measured_runs), strict=True)
    ]
    places = [
        [np.searchsorted(s, c) for s, c in zip(strata, run.clusters, strict=True)]
        for run in measured_runs
    ]
    result = np.empty((draws, len(runs)))
    for draw in range(draws):
        counts = [np.bincount(rng.integers(len(s), size=len(s)), minlength=len(s)) for s in strata]
        for number, (run, place) in enumerate(zip(measured_runs, places, strict=True)):
            weights = [count[p] for count, p in zip(counts, place, strict=True)]
            if not all(weight.any() for weight in weights):
                raise InputError("too few clusters of items to draw from with replacement")
            result[draw, number] = run.value(weights)
    seeds = rng.integers(len(runs), size=(draws, len(runs)))
    return np.asarray(np.take_along_axis(result, seeds, axis=1).mean(axis=1))


def item_clusters(version: Version, task_name: str, split: int, part: Part) -> Ints:
    """(I,) the cluster of each item of a part, in the order of the items.

    A pair is of its source's: the cube of space in a block split, else the node. A node is of its
    group in a grouped split, else a cluster of its own.
    """
    task = version.manifest.task(task_name)
    items = version.task_table(task_name, split, part).sort_by("item")
    if task.type in ("node", "node-multilabel"):
        node = integers(items, "item")
        groups = node_groups(version, task) if task.split.scheme == "grouped" else None
        return node if groups is None else np.asarray(groups[node])
    source = integers(items, "src")
    positions = node_positions(version)
    if task.split.scheme != "block" or positions is None:
        return source
    cube = cubes(positions, float(str(task.split.parameters["block_side"])))
    return np.asarray(cube[source])


@dataclass(frozen=True)
class _Sampler:
    """How a run is measured on items with weights, by stratum: the clusters of its items."""

    clusters: list[Ints]
    value: Callable[[list[Ints]], float]

    @classmethod
    def of(cls, run: Run, measure: Measure) -> "_Sampler":
        kind, arrays, items, further = measured(run.truth, run.predictions, measure)
        clusters = [run.cluster[place] for place in items]
        if (measure.metric, kind) == ("rocauc", "scores"):
            return cls(clusters, _weighted_rocauc(*arrays))
        return cls(clusters, _repeated(measure.metric, kind, arrays, further))


def _repeated(
    name: str, kind: InputKind, arrays: list[NDArray[Any]], further: tuple[int, ...]
) -> Callable[[list[Ints]], float]:
    """The metric on items repeated as often as their weights say."""
    function = metric(name, kind).function

    def value(weights: list[Ints]) -> float:
        by_array = weights if len(weights) == len(arrays) else weights * len(arrays)
        repeated = [np.repeat(a, w, axis=0) for a, w in zip(arrays, by_array, strict=True)]
        return function(*repeated, *further)

    return value


def _weighted_rocauc(positive: Floats, negative: Floats) -> Callable[[list[Ints]], float]:
    """The area under the ROC curve with weights, sorted once for all draws."""
    order = np.argsort(negative)
    below = np.searchsorted(negative[order], positive, "left")
    not_above = np.searchsorted(negative[order], positive, "right")

    def value(weights: list[Ints]) -> float:
        total = np.concatenate([[0], np.cumsum(weights[1][order])])
        won = (total[below] + total[not_above]) / 2
        return float(weights[0] @ won / (weights[0].sum() * total[-1]))

    return value
