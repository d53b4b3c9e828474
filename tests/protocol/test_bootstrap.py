"""Resampled items: against scikit-learn with weights, scipy, and the theory of clusters."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import roc_auc_score

from retia.protocol.bootstrap import Run, _weighted_rocauc, bootstrap, item_clusters
from retia.protocol.evaluation import Truth, evaluate, load_truth
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.version import Version
from tests.toys import toy_link, toy_node

TIED = st.integers(-3, 3).map(float)


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return toy_link(tmp_path_factory.mktemp("link"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return toy_node(tmp_path_factory.mktemp("node"), num_nodes=600)


def stream() -> np.random.Generator:
    return Randomness.from_seed(0).stream("bootstrap")


def runs_of(version: Version, task: str, noise: float, seeds: int = 3) -> list[Run]:
    """Predictions that are the answers with noise, which differs by seed."""
    runs = []
    for seed in range(seeds):
        truth = load_truth(version, task, seed, "test")
        rng = np.random.default_rng(seed)
        wrong = rng.random(len(truth.labels)) < noise
        values = truth.labels + rng.normal(size=len(wrong)) * noise
        if truth.task.type == "node":
            values = np.where(wrong, (truth.labels + 1) % 3, truth.labels)
        runs.append(Run(truth, values, item_clusters(version, task, seed, "test")))
    return runs


@given(st.data())
def test_weighted_area_is_that_of_scikit_learn(data: st.DataObject) -> None:
    p, n = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    positive = data.draw(arrays(np.float64, p, elements=TIED))
    negative = data.draw(arrays(np.float64, n, elements=TIED))
    weights = [data.draw(arrays(np.int64, k, elements=st.integers(0, 3))) for k in (p, n)]
    if not all(weight.any() for weight in weights):
        return
    wanted = roc_auc_score(
        np.r_[np.ones(p), np.zeros(n)],
        np.r_[positive, negative],
        sample_weight=np.concatenate(weights),
    )
    assert _weighted_rocauc(positive, negative)(weights) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("key", ["hard.mrr", "hard.hits@10", "matched.rocauc", "uniform.rocauc"])
def test_draws_lie_around_the_measure(link: Version, key: str) -> None:
    runs = runs_of(link, "link", 0.5)
    measure = next(m for m in runs[0].truth.task.measures if m.key == key)
    draws = bootstrap(runs, measure, stream(), 300)
    mean = np.mean([evaluate(run.truth, run.predictions)[key] for run in runs])
    assert draws.std() > 0
    assert abs(draws.mean() - mean) < 4 * draws.std()


def test_the_spread_of_an_accuracy_is_that_of_scipy(node: Version) -> None:
    (run,) = runs_of(node, "colour", 0.3, seeds=1)
    draws = bootstrap([run], replace_metric(run.truth, "accuracy"), stream())
    right = (run.predictions == run.truth.labels).astype(float)
    rng = np.random.default_rng(0)
    wanted = scipy_bootstrap((right,), np.mean, n_resamples=2000, rng=rng).standard_error
    assert draws.std(ddof=1) == pytest.approx(wanted, rel=0.1)


def replace_metric(truth: Truth, name: str):
    return truth.task.primary.model_copy(update={"metric": name})


def test_items_of_one_cluster_are_drawn_together(node: Version) -> None:
    (run,) = runs_of(node, "colour", 0.0, seeds=1)
    cluster = np.arange(len(run.cluster)) // 10
    wrong = (run.truth.labels + 1) % 3
    values = np.where(cluster % 3 == 0, wrong, run.truth.labels)  # a cluster is right as a whole
    measure = replace_metric(run.truth, "accuracy")
    apart = bootstrap([replace(run, predictions=values)], measure, stream(), 1000).std()
    whole = replace(run, predictions=values, cluster=cluster)
    together = bootstrap([whole], measure, stream(), 1000).std()
    assert together / apart == pytest.approx(np.sqrt(10), rel=0.15)


def test_the_same_stream_pairs_two_methods(link: Version) -> None:
    good, poor = runs_of(link, "link", 0.45), runs_of(link, "link", 0.5)
    measure = good[0].truth.task.primary
    draws = [bootstrap(runs, measure, stream(), 300) for runs in (good, poor)]
    assert (draws[0] - draws[1]).std() < 0.7 * draws[0].std()
    assert np.array_equal(draws[0], bootstrap(good, measure, stream(), 300))


def test_seeds_that_differ_widen_the_spread(node: Version) -> None:
    (run,) = runs_of(node, "colour", 0.1, seeds=1)
    (other,) = runs_of(node, "colour", 0.6, seeds=1)
    measure = replace_metric(run.truth, "accuracy")
    alike = bootstrap([run, run], measure, stream(), 500).std()
    assert bootstrap([run, other], measure, stream(), 500).std() > 2 * alike


def test_a_cluster_is_a_source_a_cube_or_a_group(tmp_path: Path, link: Version) -> None:
    items = link.task_table("link", 0, "test").sort_by("item")
    assert item_clusters(link, "link", 0, "test").tolist() == items["src"].to_pylist()
    blocked = toy_link(tmp_path, spatial=True, blocks=True, num_nodes=9000)
    items = blocked.task_table("link", 0, "test").sort_by("item")
    cluster = item_clusters(blocked, "link", 0, "test")
    side = blocked.manifest.tasks[0].split.parameters["block_side"]
    position = blocked.nodes()["pos"].combine_chunks().flatten().to_numpy().reshape(-1, 3)
    at = position[items["src"].to_numpy()]
    assert 1 < len(np.unique(cluster)) < 64
    for cube in np.unique(cluster):
        assert (np.ptp(at[cluster == cube], axis=0) <= float(str(side)) * 1.001).all()


def test_too_few_clusters_are_refused(node: Version) -> None:
    (run,) = runs_of(node, "colour", 0.1, seeds=1)
    (other,) = runs_of(node, "colour", 0.1, seeds=1)
    one = replace(run, cluster=np.zeros_like(run.cluster))
    two = replace(other, cluster=np.ones_like(run.cluster))
    with pytest.raises(InputError, match="too few clusters"):
        bootstrap([one, two], run.truth.task.primary, stream(), 50)
