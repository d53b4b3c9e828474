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

    Names stand for models with their defaults; the problem's primary measure counts if none is
    named.
    """

    model: str | Entrant
    simpler: str | Entrant
    problem: Problem
    measure: str | None = None

    def __str__(self) -> str:
        return f"{self.model} over {self.simpler}, {self.problem.__name__}".replace("_", " ")


@dataclass(frozen=True)
class Comparison:
    """Test scores (seeds,) of a model and of the simpler one, on the same graphs."""

    measure: str
    scores: np.ndarray
    simpler: np.ndarray

    @property
    def gain(self) -> tuple[float, float]:
        """The mean difference over the seeds, and its standard error."""
        return mean_and_error(self.scores - self.simpler)


def compare(place: Place) -> Comparison:
    """Both models on the same graphs."""
    found = [_found(place.problem, entrant) for entrant in (place.model, place.simpler)]
    measure = place.measure or found[0][0][0]
    return Comparison(measure, *(np.array([m[measure] for _, m in seeds]) for seeds in found))


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """The mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def _found(problem: Problem, entrant: str | Entrant) -> list[tuple[str, dict[str, float]]]:
    given = Entrant(entrant) if isinstance(entrant, str) else entrant
    return _measured(problem, given.model, json.dumps(given.settings))


@cache
def _measured(problem: Problem, name: str, settings: str) -> list[tuple[str, dict[str, float]]]:
    """The primary measure, and all on the test part, by seed."""
    with tempfile.TemporaryDirectory() as folder:
        versions = (problem(Path(folder), seed) for seed in range(SEEDS))
        return [_measure(v, name, json.loads(settings), s) for s, v in enumerate(versions)]


def _measure(
    version: Version, name: str, settings: dict[str, Any], seed: int
) -> tuple[str, dict[str, float]]:
    task, chosen = version.manifest.task(), model(name)
    if chosen.predict is not None:
        values = chosen.predict(version, task.name, 0, "test")
    else:
        training = {key: settings[key] for key in settings if key in Training.model_fields}
        options = {key: settings[key] for key in settings if key not in training}
        config = make_config(version, name, options=options, **training)
        with torch_settings(1):
            values = train(version, config, seed, "cpu", Curve()).predictions["test"]
    return task.primary.key, evaluate(load_truth(version, task.name, 0, "test"), values)


SHORT = {"epochs": 15}
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
    Place(Entrant("gav", SHORT), Entrant("coordinate-mlp", SHORT), planted.vessels),
    Place(Entrant("coordinate-mlp", SHORT), "common-neighbours", planted.vessels, "box.rocauc"),
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
