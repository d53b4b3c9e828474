"""Which methods can be told apart: rank groups by a paired bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from retia.protocol.evaluation import load_truth
from retia.protocol.metrics import REGISTRY
from retia.protocol.randomness import Randomness
from retia.protocol.resampling import clusters, draw_weights, resampled
from retia.shards.manifest import Part
from retia.shards.version import Version

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 1000

Seeds = dict[int, NDArray[Any]]


@dataclass(frozen=True)
class Summary:
    """A measure over seeds: mean, unbiased standard deviation, 95 % t-interval of the mean.

    One seed has no spread: std, low and high are none.
    """

    mean: float
    std: float | None
    low: float | None
    high: float | None
    seeds: tuple[float, ...]


def summarise(values: Sequence[float]) -> Summary:
    """The summary of one value a seed."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Summary(mean, None, None, None, tuple(values))
    std = float(np.std(values, ddof=1))
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * std / len(values) ** 0.5
    return Summary(mean, std, mean - half, mean + half, tuple(values))


def higher_is_better(metric: str) -> bool:
    """The direction of a metric of the registry."""
    return next(m.higher_is_better for (name, _), m in REGISTRY.items() if name == metric)


class Bootstrap:
    """Resamples of the primary measure of a task on a part, the same for every method.

    The items are resampled by cluster, in all splits alike: a node or an edge that several splits
    ask for is no new observation in each. The seeds of a method are resampled too: together for
    all methods where the task has several splits, because a seed is a split there.
    """

    def __init__(
        self, version: Version, task_name: str, part: Part = "test", resamples: int = RESAMPLES
    ) -> None:
        self.task, self.resamples = version.manifest.task(task_name), resamples
        splits = range(self.task.num_splits)
        self.truths = [load_truth(version, task_name, split, part) for split in splits]
        self.clusters = [clusters(version, task_name, split, part) for split in splits]
        together = np.concatenate(self.clusters)
        self.weights = draw_weights(together, Randomness.from_seed(0), resamples)

    def samples(self, method: str, seeds: Seeds) -> Floats:
        """The mean over seeds (B,) of a method's primary measure, under every resample.

        `seeds` has the predictions of each seed, as for `evaluate`.
        """
        several = self.task.num_splits > 1
        by_seed = np.stack([self._seed(seed, values) for seed, values in sorted(seeds.items())])
        stream = Randomness.from_seed(0).stream("seeds", *(() if several else (method,)))
        chosen = stream.integers(len(by_seed), size=(len(by_seed), self.resamples))
        return np.asarray(np.take_along_axis(by_seed, chosen, axis=0).mean(axis=0))

    def _seed(self, seed: int, values: NDArray[Any]) -> Floats:
        split = seed % self.task.num_splits
        return resampled(
            self.truths[split],
            values,
            self.task.primary,
            self.clusters[split],
            self.weights,
        )


def rank_groups(means: Floats, samples: Floats, metric: str, level: float = 0.05) -> list[int]:
    """The group (M,) of each method, from 1; methods of a group cannot be told from its leader.

    `means` (M,) and `samples` (M, B) are of the same methods. From the best method on, a new group
    starts at the first one that is worse than its group's leader: one-sided, by the standard error
    of the paired differences, corrected by Holm over all that follow the leader.
    """
    sign = 1 if higher_is_better(metric) else -1
    order = np.argsort(-sign * means, kind="stable")
    group, leader, current = np.ones(len(means), dtype=int), 0, 1
    worse = _worse(sign * means[order], sign * samples[order], leader, level)
    for place in range(1, len(order)):
        if worse[place]:
            leader, current = place, current + 1
            worse = _worse(sign * means[order], sign * samples[order], leader, level)
        group[order[place]] = current
    return [int(number) for number in group]


def _worse(means: Floats, samples: Floats, leader: int, level: float) -> NDArray[np.bool_]:
    """Which methods after the leader are worse than it, (M,)."""
    after = np.arange(leader + 1, len(means))
    worse = np.zeros(len(means), dtype=bool)
    if not len(after):
        return worse
    error = (samples[leader] - samples[after]).std(axis=1, ddof=1)
    gap = means[leader] - means[after]
    p = np.where(error > 0, norm.sf(gap / np.where(error > 0, error, 1)), np.where(gap > 0, 0, 1))
    order = np.argsort(p, kind="stable")
    refused = p[order] <= level / np.arange(len(p), 0, -1)
    first_kept = len(p) if refused.all() else int(np.argmin(refused))
    worse[after[order[:first_kept]]] = True
    return worse
