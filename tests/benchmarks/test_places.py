"""Each model earns its place: on a problem made for it, it is better than a simpler one.

The table of docs/models.md is made by `python -m pytest tests/benchmarks/test_places.py -s`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from tests.benchmarks.planted import (
    accuracy,
    dense_and_loose,
    noisy_sites,
    tree_error,
    vessel_scores,
)

SEEDS = 5


@dataclass(frozen=True)
class Place:
    """A problem, and the scores of a model and of a simpler one on it; larger is better."""

    problem: str
    model: str
    simpler: str
    score: Callable[[str, int], float]


PLACES = [
    Place(
        "tree distances, minus log10 of the embedding error",
        "snowflake metric",
        "euclidean metric",
        lambda metric, seed: -np.log10(tree_error(metric.split()[0], seed)),
    ),
    Place(
        "sites with noisy readings, accuracy",
        "snowflake",
        "mlp",
        lambda name, seed: accuracy(noisy_sites(seed), name, seed),
    ),
    Place(
        "tight and loose clouds, accuracy",
        "hiponet",
        "graphsage",
        lambda name, seed: accuracy(dense_and_loose(seed), name, seed, epochs=30),
    ),
    Place(
        "vessels among pairs as far apart and of the same degrees, AUC",
        "gav",
        "coordinate-mlp",
        lambda name, seed: vessel_scores(name, seed)["matched.rocauc"],
    ),
    Place(
        "vessels among pairs of a box, AUC",
        "coordinate-mlp",
        "graphsage hadamard",
        lambda name, seed: vessel_scores(name.split()[0], seed, *name.split()[1:])["box.rocauc"],
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.model.replace(" ", "-"))
def test_model_is_better_by_more_than_two_standard_errors(place: Place) -> None:
    scores = {
        name: np.array([place.score(name, seed) for seed in range(SEEDS)])
        for name in (place.model, place.simpler)
    }
    difference = scores[place.model] - scores[place.simpler]
    error = difference.std(ddof=1) / np.sqrt(SEEDS)
    means = ", ".join(
        f"{name} {values.mean():.3f} ± {values.std(ddof=1):.3f}" for name, values in scores.items()
    )
    print(f"{place.problem}: {means}; difference {difference.mean():.3f}, error {error:.3f}")
    assert difference.mean() > 2 * error


@pytest.mark.slow
def test_snowflake_has_a_tenth_of_the_error_on_trees() -> None:
    for seed in range(SEEDS):
        assert tree_error("snowflake", seed) < 0.1 * tree_error("euclidean", seed)


@pytest.mark.slow
def test_differences_of_positions_tell_nothing_where_distances_are_matched() -> None:
    found = [vessel_scores("coordinate-mlp", seed)["matched.rocauc"] for seed in range(SEEDS)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)
