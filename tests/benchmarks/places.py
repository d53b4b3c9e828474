"""What each model is for: a planted problem where it beats a simpler one."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from retia.benchmarks import make_config, model
from retia.benchmarks.curve import Curve
from retia.benchmarks.training import torch_settings, train
from retia.protocol import evaluate, load_truth
from retia.shards.version import Version
from tests.benchmarks import planted

SEEDS = 5

Problem = Callable[[Path, int], Version]


@dataclass(frozen=True)
class Place:
    """A model, a simpler one that it has to beat on a problem, and fields of training for both.

    `options` are the model's own. Each seed draws another graph, which both are given.
    """

    model: str
    simpler: str
    problem: Problem
    training: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.model}-over-{self.simpler}"


@dataclass(frozen=True)
class Comparison:
    """Test scores (seeds,) of a model and of the simpler one, by the problem's primary metric."""

    metric: str
    scores: np.ndarray
    simpler: np.ndarray

    @property
    def gain(self) -> tuple[float, float]:
        """The mean difference over the seeds, and its standard error."""
        return mean_and_error(self.scores - self.simpler)


def compare(place: Place) -> Comparison:
    """Both models on the same graphs."""
    scores, simpler, key = np.empty(SEEDS), np.empty(SEEDS), ""
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(SEEDS):
            version = place.problem(Path(folder), seed)
            key = version.manifest.task().primary.key
            scores[seed] = score(version, place.model, seed, place.options, place.training)
            simpler[seed] = score(version, place.simpler, seed, {}, place.training)
    return Comparison(key, scores, simpler)


def score(
    version: Version, name: str, seed: int, options: dict[str, Any], training: dict[str, Any]
) -> float:
    """The primary measure on the test part."""
    task, chosen = version.manifest.task(), model(name)
    if chosen.predict is not None:
        values = chosen.predict(version, task.name, 0, "test")
    else:
        config = make_config(version, name, options=options, **training)
        with torch_settings(1):
            values = train(version, config, seed, "cpu", Curve()).predictions["test"]
    return evaluate(load_truth(version, task.name, 0, "test"), values)[task.primary.key]


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """The mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


PLACES = (
    Place("common-neighbours", "degree", planted.communities),
    Place("adamic-adar", "common-neighbours", planted.hubs),
    Place("distance", "degree", planted.near_and_alike),
    Place("matrix-factorisation", "degree", planted.communities),
    Place("node2vec", "degree", planted.communities),
    Place("ncn", "gcn", planted.triangles),
    Place("buddy", "gcn", planted.triangles),
    Place("seal", "common-neighbours", planted.even_cycles, {"epochs": 10}),
    Place("mlp", "majority", planted.noisy_communities),
    Place("correct-and-smooth", "mlp", planted.noisy_communities),
    Place("sign", "mlp", planted.noisy_communities),
    Place("gcn", "mlp", planted.noisy_communities),
    Place("graphsage", "mlp", planted.noisy_communities),
    Place("rgcn", "gcn", planted.two_relations),
    Place("gat", "gcn", planted.few_who_know),
    Place("gin", "graphsage", planted.counts),
    Place("linkx", "gcn", planted.sponsors),
)
