"""What each model is for: a planted problem where it beats a simpler one."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from retia.benchmarks import Training, make_config, model
from retia.benchmarks.curve import Curve
from retia.benchmarks.training import torch_settings, train
from retia.protocol import evaluate, load_truth
from retia.protocol.heuristics import HEURISTICS
from retia.shards.version import Version
from tests.benchmarks import planted

SEEDS = 5
CONTROLS = {"degree", "majority", "mean", "degree-regression"}

Problem = Callable[[Path, int], Version]


@dataclass(frozen=True)
class Entrant:
    """A model, with options of its own and fields of training as `--set` takes them."""

    model: str
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join([self.model, *(f"{key}={value}" for key, value in self.settings.items())])


@dataclass(frozen=True)
class Place:
    """A model, a simpler one that it has to beat, and the problem; each seed draws another graph.

    Names stand for models with their defaults.
    """

    model: str | Entrant
    simpler: str | Entrant
    problem: Problem

    def __str__(self) -> str:
        return f"{self.model} over {self.simpler}, {self.problem.__name__}".replace("_", " ")


@dataclass(frozen=True)
class Comparison:
    """Test scores (seeds,) of a model and of the simpler one, on the same graphs."""

    scores: np.ndarray
    simpler: np.ndarray

    @property
    def gain(self) -> tuple[float, float]:
        """The mean difference over the seeds, and its standard error."""
        return mean_and_error(self.scores - self.simpler)


def compare(place: Place) -> Comparison:
    """Both models on the same graphs."""
    scores, simpler = (
        _scores(place.problem, *_words(entrant)) for entrant in (place.model, place.simpler)
    )
    return Comparison(scores, simpler)


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """The mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


@cache
def _scores(problem: Problem, name: str, settings: str) -> np.ndarray:
    """The primary measure on the test part, by seed."""
    with tempfile.TemporaryDirectory() as folder:
        versions = (problem(Path(folder), seed) for seed in range(SEEDS))
        return np.array([_score(v, name, json.loads(settings), s) for s, v in enumerate(versions)])


def _score(version: Version, name: str, settings: dict[str, Any], seed: int) -> float:
    task, chosen = version.manifest.task(), model(name)
    if chosen.predict is not None:
        values = chosen.predict(version, task.name, 0, "test")
    else:
        training = {key: settings[key] for key in settings if key in Training.model_fields}
        options = {key: settings[key] for key in settings if key not in training}
        config = make_config(version, name, options=options, **training)
        with torch_settings(1):
            values = train(version, config, seed, "cpu", Curve()).predictions["test"]
    return evaluate(load_truth(version, task.name, 0, "test"), values)[task.primary.key]


def _words(entrant: str | Entrant) -> tuple[str, str]:
    given = Entrant(entrant) if isinstance(entrant, str) else entrant
    return given.model, json.dumps(given.settings)


PLACES = (
    Place("common-neighbours", "degree", planted.communities),
    Place("adamic-adar", "common-neighbours", planted.hubs),
    Place("resource-allocation", "adamic-adar", planted.hubs),
    Place("l3", "common-neighbours", planted.interfaces),
    Place("katz", "common-neighbours", planted.sparse_communities),
    Place("personalised-pagerank", "common-neighbours", planted.sparse_communities),
    Place("distance", "degree", planted.neighbourhoods),
    Place("knn-rank", "distance", planted.densities),
    *(Place("pair-logistic", name, planted.near_and_alike) for name in HEURISTICS),
    Place("matrix-factorisation", "degree", planted.communities),
    Place("node2vec", "degree", planted.communities),
    Place("ncn", "gcn", planted.triangles),
    Place("buddy", "gcn", planted.triangles),
    Place(Entrant("seal", {"epochs": 10}), "common-neighbours", planted.even_cycles),
    Place("label-propagation", "majority", planted.noisy_communities),
    Place("mlp", "majority", planted.noisy_communities),
    Place("correct-and-smooth", "mlp", planted.noisy_communities),
    Place("sign", "mlp", planted.noisy_communities),
    Place("gcn", "mlp", planted.noisy_communities),
    Place("graphsage", "mlp", planted.noisy_communities),
    Place("rgcn", "gcn", planted.two_relations),
    Place("gat", "gcn", planted.few_who_know),
    Place("gin", "graphsage", planted.counts),
    Place("linkx", "gcn", planted.sponsors),
    Place("snowflake", "mlp", planted.noisy_sites),
    Place(Entrant("hiponet", {"epochs": 30}), "graphsage", planted.clouds),
    Place("sheaf", Entrant("sheaf", {"maps": "identity"}), planted.unlike_across_kinds),
)
