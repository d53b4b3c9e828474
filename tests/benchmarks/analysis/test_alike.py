"""Which runs learned the same thing: planted cases, and a loop from the definition."""

import numpy as np
import pytest

from retia.benchmarks.analysis.alike import compare_to_ceiling, mean_by_run
from retia.benchmarks.analysis.cka import cka_matrix
from tests.benchmarks.analysis.spaces import moved, space

SEEDS = 6


def plant(rng: np.random.Generator, *cores: np.ndarray, noise: float = 0.5) -> tuple:
    """A run a core: each seed sees it from elsewhere, with noise of its own."""
    spaces = [
        moved(np.hstack([core, noise * rng.normal(size=core.shape)]), rng)
        for core in cores
        for _ in range(SEEDS)
    ]
    runs = np.repeat(np.arange(len(cores)), SEEDS)
    return cka_matrix(spaces), runs, np.tile(np.arange(SEEDS), len(cores))


def test_runs_with_one_core_learned_the_same_and_another_did_not(
    rng: np.random.Generator,
) -> None:
    core, other = space(rng, 300, 8), space(rng, 300, 8)
    found = compare_to_ceiling(*plant(rng, core, core, other), rng)
    assert found.groups() == [[0, 1], [2]]
    assert found.verdict(0, 1) == "same"
    assert found.verdict(0, 2) == "different"
    assert found.ratio[0, 1] == pytest.approx(1, abs=0.03)
    assert found.low[0, 1] <= found.ratio[0, 1] <= found.high[0, 1]


def test_noise_of_the_seeds_alone_makes_no_difference(rng: np.random.Generator) -> None:
    """The plain similarity is far below 1; as a share of the ceiling it is not."""
    core = space(rng, 1000, 8)
    similarity, runs, seeds = plant(rng, core, core, noise=1.2)
    assert mean_by_run(similarity, runs, seeds)[0, 1] < 0.75
    found = compare_to_ceiling(similarity, runs, seeds, rng)
    assert found.ratio[0, 1] == pytest.approx(1, abs=0.03)


def test_half_a_shared_core_is_something_else(rng: np.random.Generator) -> None:
    core = space(rng, 300, 8)
    half = np.hstack([core[:, :4], space(rng, 300, 4)])
    found = compare_to_ceiling(*plant(rng, core, half), rng)
    assert found.verdict(0, 1) == "different"
    assert found.groups() == [[0], [1]]


def test_means_leave_pairs_of_one_seed_out(rng: np.random.Generator) -> None:
    similarity = rng.random((7, 7))
    runs, seeds = np.array([0, 0, 0, 1, 1, 1, 2]), np.array([0, 1, 2, 0, 1, 5, 0])
    found = mean_by_run(similarity, runs, seeds)
    for a, b in np.ndindex(2, 2):
        values = [
            similarity[i, j]
            for i in np.flatnonzero(runs == a)
            for j in np.flatnonzero(runs == b)
            if seeds[i] != seeds[j]
        ]
        assert found[a, b] == pytest.approx(np.mean(values))
    assert np.isnan(found[2, 2])


def test_runs_of_one_seed_are_compared_by_it_and_not_decided(rng: np.random.Generator) -> None:
    similarity, runs, seeds = np.array([[1, 0.4], [0.4, 1]]), np.array([0, 1]), np.array([0, 0])
    assert mean_by_run(similarity, runs, seeds)[0, 1] == 0.4
    found = compare_to_ceiling(similarity, runs, seeds, rng)
    assert found.verdict(0, 1) == "open"
    assert found.groups() == [[0], [1]]


def test_seeds_that_share_nothing_decide_nothing(rng: np.random.Generator) -> None:
    spaces = [space(rng, 200, 8) for _ in range(2 * SEEDS)]
    runs, seeds = np.repeat([0, 1], SEEDS), np.tile(np.arange(SEEDS), 2)
    found = compare_to_ceiling(cka_matrix(spaces), runs, seeds, rng)
    assert found.verdict(0, 1) != "same"
