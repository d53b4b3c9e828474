"""The bootstrap against a brute-force one, and rank groups on methods that are known to differ."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from retia.protocol import evaluate
from retia.protocol.evaluation import Members, Truth
from retia.protocol.heuristics import node_positions
from retia.protocol.metrics import metric
from retia.protocol.randomness import Randomness
from retia.protocol.rank_groups import Bootstrap, rank_groups
from retia.protocol.resampling import clusters, draw_weights, resampled
from retia.shards.manifest import CandidateSet, Measure, PartCounts, Split, Task
from tests.toy_connectome import HOMOLOGS, toy_classes
from tests.toys import toy_link, toy_node

COUNTS = (PartCounts(train=1, valid=1, test=1),)


def _task(kind: str, name: str, classes: int = 0, grouped: bool | None = None) -> Task:
    sets = () if grouped is None else (_set(grouped),)
    return Task(
        name="task",
        type=kind,
        description="d",
        relation="edge" if kind in ("link", "edge-regression") else None,
        label=None if kind == "link" else "label",
        classes=tuple(str(c) for c in range(classes)),
        split=Split(scheme="random"),
        counts=COUNTS,
        candidates=sets,
        primary=Measure(metric=name, candidates=sets[0].name if sets else None),
        secrecy="open",
    )


def _set(grouped: bool) -> CandidateSet:
    return CandidateSet(name="hard" if grouped else "matched", grouped=grouped, description="d")


def _labelled(kind: str, name: str, seed: int, n: int = 40) -> tuple[Truth, np.ndarray]:
    rng = np.random.default_rng(seed)
    if kind == "node":
        labels, said = rng.integers(3, size=(2, n))
        return Truth(_task(kind, name, 3), np.arange(n), labels, {}), said
    if kind == "node-multilabel":
        labels, scores = rng.random((n, 3)) < 0.4, rng.random((n, 3)).round(1)
        return Truth(_task(kind, name, 3), np.arange(n), labels, {}), scores
    y = rng.normal(size=n)
    return Truth(_task(kind, name), np.arange(n), y, {}), y + rng.normal(size=n)


RATIOS = [
    ("node", "accuracy"),
    ("node", "balanced-accuracy"),
    ("node", "macro-f1"),
    ("node-multilabel", "micro-f1"),
    ("node-multilabel", "macro-f1"),
    ("node-multilabel", "mAP"),
    ("edge-regression", "mae"),
    ("edge-regression", "r2"),
]


@pytest.mark.parametrize(("kind", "name"), RATIOS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_weights_are_repetitions(kind: str, name: str, seed: int) -> None:
    truth, said = _labelled(kind, name, seed)
    cluster = np.random.default_rng(seed).integers(12, size=len(said))
    weights = draw_weights(cluster, Randomness.from_seed(seed), 5)
    found = resampled(truth, said, truth.task.primary, cluster, weights)
    for value, drawn in zip(found, weights[0], strict=True):
        rows = np.repeat(np.arange(len(said)), drawn[cluster])
        again = Truth(truth.task, np.arange(len(rows)), truth.labels[rows], {})
        if name == "mAP" and not truth.labels[rows].any():
            continue
        assert value == pytest.approx(evaluate(again, said[rows])[truth.task.primary.key])


def _pairs(name: str, grouped: bool, seed: int, n: int = 300) -> tuple[Truth, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(np.int64)
    labels[:2] = 0, 1
    members = Members(np.arange(n), np.zeros(n, dtype=np.int64))
    task = _task("link", name, grouped=grouped)
    truth = Truth(task, np.arange(n), labels, {task.candidates[0].name: members})
    return truth, (rng.normal(size=n) + labels).round(1)


@pytest.mark.parametrize("name", ["ap", "hits@10"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_weighted_pairs_are_repeated_pairs(name: str, seed: int) -> None:
    truth, scores = _pairs(name, False, seed)
    cluster = np.random.default_rng(seed).integers(60, size=len(scores))
    weights = draw_weights(cluster, Randomness.from_seed(seed), 5)
    found = resampled(truth, scores, truth.task.primary, cluster, weights)
    positive = truth.labels > 0
    for place, value in enumerate(found):
        drawn = np.where(positive, weights[0][place][cluster], weights[1][place][cluster])
        repeated = (np.repeat(scores[mask], drawn[mask]) for mask in (positive, ~positive))
        assert value == pytest.approx(metric(name, "scores").function(*repeated))


def test_area_under_the_curve_is_near_that_of_repeated_pairs() -> None:
    truth, scores = _pairs("rocauc", False, 3, n=3000)
    cluster = np.arange(len(scores))
    weights = draw_weights(cluster, Randomness.from_seed(0), 200)
    found = resampled(truth, scores, truth.task.primary, cluster, weights)
    positive, exact = truth.labels > 0, []
    for place in range(200):
        drawn = np.where(positive, weights[0][place][cluster], weights[1][place][cluster])
        repeated = (np.repeat(scores[mask], drawn[mask]) for mask in (positive, ~positive))
        exact.append(metric("rocauc", "scores").function(*repeated))
    assert np.corrcoef(found, exact)[0, 1] > 0.99
    assert found.std() == pytest.approx(np.std(exact), rel=0.05)
    assert found.mean() == pytest.approx(evaluate(truth, scores)["matched.rocauc"], abs=0.002)


def test_reciprocal_ranks_are_averaged_by_weight() -> None:
    truth, scores = _pairs("mrr", True, 4)
    cluster = np.random.default_rng(0).integers(50, size=len(scores))
    weights = draw_weights(cluster, Randomness.from_seed(0), 3)
    found = resampled(truth, scores, truth.task.primary, cluster, weights)
    positive = truth.labels > 0
    above = np.array([(scores[~positive] > s).sum() for s in scores[positive]])
    tied = np.array([(scores[~positive] == s).sum() for s in scores[positive]])
    for value, drawn in zip(found, weights[0], strict=True):
        wanted = np.average(1 / (1 + above + tied / 2), weights=drawn[cluster[positive]])
        assert value == pytest.approx(wanted)


def test_rank_correlation_is_near_that_of_repeated_values() -> None:
    truth, said = _labelled("edge-regression", "spearman", 0, n=2000)
    weights = draw_weights(np.arange(2000), Randomness.from_seed(0), 100)
    found = resampled(truth, said, truth.task.primary, np.arange(2000), weights)
    exact = []
    for drawn in weights[0]:
        rows = np.repeat(np.arange(2000), drawn)
        exact.append(metric("spearman", "values").function(truth.labels[rows], said[rows]))
    assert np.corrcoef(found, exact)[0, 1] > 0.98
    assert found.std() == pytest.approx(np.std(exact), rel=0.1)


def _normal_samples(means: list[float], error: float, shared: float) -> np.ndarray:
    """Samples around the means, with a part of the error in common."""
    size = len(means)
    cov = error**2 * (np.eye(size) * (1 - shared) + shared)
    return multivariate_normal(means, cov, seed=0).rvs(2000).T


def test_methods_that_differ_by_less_than_noise_share_a_group() -> None:
    means = [0.90, 0.895, 0.70, 0.69, 0.30]
    samples = _normal_samples(means, 0.02, 0.0)
    assert rank_groups(np.array(means), samples, "accuracy") == [1, 1, 2, 2, 3]
    assert rank_groups(-np.array(means), -samples, "mae") == [1, 1, 2, 2, 3]


def test_pairing_tells_methods_apart_that_vary_together() -> None:
    means = [0.90, 0.88]
    assert rank_groups(np.array(means), _normal_samples(means, 0.05, 0.0), "accuracy") == [1, 1]
    assert rank_groups(np.array(means), _normal_samples(means, 0.05, 0.995), "accuracy") == [1, 2]


def test_more_methods_need_a_larger_gap() -> None:
    """Holm: a gap of two standard errors is enough for one follower, not for fifty."""
    means = np.array([0.0, -0.02])
    assert rank_groups(means, _normal_samples([0, -0.02], 0.0072, 0.0), "accuracy") == [1, 2]
    many = [0.0, *[-0.02] * 50]
    groups = rank_groups(np.array(many), _normal_samples(many, 0.0072, 0.0), "accuracy")
    assert groups == [1] * 51


def test_one_method_and_equal_methods_are_one_group() -> None:
    assert rank_groups(np.array([0.5]), np.full((1, 10), 0.5), "accuracy") == [1]
    assert rank_groups(np.full(3, 0.5), np.full((3, 10), 0.5), "accuracy") == [1, 1, 1]


@pytest.mark.parametrize("kind", ["link", "node"])
def test_good_and_random_predictions_of_a_dataset_are_told_apart(kind: str, tmp_path: Path) -> None:
    version = toy_link(tmp_path) if kind == "link" else toy_node(tmp_path)
    task = version.manifest.task()
    bootstrap = Bootstrap(version, task.name, resamples=200)
    rng, methods = np.random.default_rng(0), {}
    for method, noise in (("good", 0.3), ("as-good", 0.3), ("random", 100)):
        methods[method] = {}
        for seed in range(10):
            labels = bootstrap.truths[seed % task.num_splits].labels
            noisy = labels + rng.normal(scale=noise, size=labels.shape)
            classes = np.clip(noisy.round(), 0, max(len(task.classes) - 1, 0)).astype(np.int64)
            methods[method][seed] = noisy if kind == "link" else classes
    samples = np.stack([bootstrap.samples(name, seeds) for name, seeds in methods.items()])
    means = samples.mean(axis=1)
    groups = rank_groups(means, samples, task.primary.metric)
    assert groups[0] == groups[1] == 1
    assert groups[2] == 2
    again = Bootstrap(version, task.name, resamples=200)
    np.testing.assert_array_equal(samples[0], again.samples("good", methods["good"]))


def test_clusters_are_source_nodes_and_items(tmp_path: Path) -> None:
    version = toy_link(tmp_path)
    src = version.task_table("link", 0, "test")["src"].to_numpy()
    found = clusters(version, "link", 0, "test")
    assert len(np.unique(found)) == len(np.unique(src))
    assert (found[src == src[0]] == found[0]).all()
    nodes = toy_node(tmp_path)
    found = clusters(nodes, nodes.manifest.task().name, 0, "test")
    assert len(np.unique(found)) == len(found)


def test_a_cluster_of_a_block_split_is_a_cube(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, blocks=True, num_nodes=9000)
    found = clusters(version, "link", 0, "test")
    source = version.task_table("link", 0, "test")["src"].to_numpy()
    place = node_positions(version)[source]
    side = float(str(version.manifest.task().split.parameters["block_side"]))
    assert 1 < len(np.unique(found)) < 64
    for cube in np.unique(found):
        assert (np.ptp(place[found == cube], axis=0) <= side * 1.001).all()


def test_a_cluster_of_a_grouped_split_is_a_group(tmp_path: Path) -> None:
    version = toy_classes(tmp_path, HOMOLOGS)
    node = version.task_table("block", 0, "test")["item"].to_numpy()
    found = clusters(version, "block", 0, "test")
    for place, other in enumerate(HOMOLOGS.partner[node]):
        assert (found[node == other] == found[place]).all()
    assert len(np.unique(found)) == len(found) / 2


def test_a_node_of_several_splits_is_drawn_for_all_of_them(tmp_path: Path) -> None:
    version = toy_node(tmp_path, num_nodes=300)
    bootstrap = Bootstrap(version, "colour", resamples=2000)
    right = np.random.default_rng(0).random(300) < 0.6
    said, values = {}, []
    for split, truth in enumerate(bootstrap.truths):
        said[split] = np.where(right[truth.items], truth.labels, (truth.labels + 1) % 3)
        values.append(bootstrap._seed(split, said[split]))
    assert bootstrap.task.primary.metric == "accuracy"
    drawn = np.random.default_rng(1).poisson(1.0, (2000, 300))
    wanted = [
        np.average(right[truth.items], weights=weight[truth.items])
        for weight in drawn
        for truth in bootstrap.truths
    ]
    spread = np.reshape(wanted, (2000, 10)).mean(axis=1).std()
    assert np.mean(values, axis=0).std() == pytest.approx(spread, rel=0.1)
