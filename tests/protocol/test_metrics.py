import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ogb.graphproppred import Evaluator as GraphEvaluator
from ogb.linkproppred import Evaluator as LinkEvaluator
from ogb.nodeproppred import Evaluator as NodeEvaluator
from scipy.stats import spearmanr
from sklearn import metrics as sk

from retia.protocol.evaluation import ranks_within_groups
from retia.protocol.metrics import metric
from retia.shards.errors import InputError, NotFoundError

FINITE = st.floats(-1e6, 1e6, width=32)
TIED = st.integers(-3, 3).map(float)
SCORES = st.one_of(
    arrays(np.float64, st.integers(1, 60), elements=FINITE),
    arrays(np.float64, st.integers(1, 60), elements=TIED),
)
DATASETS = ("vessel", "ddi", "collab", "ppa", "citation2")
LINK = {f"ogbl-{name}": LinkEvaluator(f"ogbl-{name}") for name in DATASETS}
NODE = NodeEvaluator("ogbn-arxiv")
GRAPH = GraphEvaluator("ogbg-molmuv")


@given(SCORES, SCORES)
def test_rocauc_equals_ogb(positive: np.ndarray, negative: np.ndarray) -> None:
    expected = LINK["ogbl-vessel"].eval({"y_pred_pos": positive, "y_pred_neg": negative})["rocauc"]
    found = metric("rocauc", "scores").function(positive, negative)
    assert found == pytest.approx(expected, abs=1e-6)


@given(SCORES, SCORES)
def test_average_precision_equals_scikit_learn(positive: np.ndarray, negative: np.ndarray) -> None:
    labels = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    expected = sk.average_precision_score(labels, np.r_[positive, negative])
    found = metric("ap", "scores").function(positive, negative)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("k", "dataset"), [(20, "ddi"), (50, "collab"), (100, "ppa")])
@given(positive=SCORES, negative=arrays(np.float64, st.integers(100, 130), elements=TIED))
@settings(max_examples=40)
def test_hits_equals_ogb(k: int, dataset: str, positive: np.ndarray, negative: np.ndarray) -> None:
    expected = LINK[f"ogbl-{dataset}"].eval(
        {"y_pred_pos": torch.tensor(positive), "y_pred_neg": torch.tensor(negative)}
    )[f"hits@{k}"]
    assert metric(f"hits@{k}", "scores").function(positive, negative) == pytest.approx(expected)


@given(st.data())
def test_metrics_of_ranks_equal_ogb(data: st.DataObject) -> None:
    positives, negatives = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    elements = data.draw(st.sampled_from([FINITE, TIED]))
    positive = data.draw(arrays(np.float64, positives, elements=elements))
    negative = data.draw(arrays(np.float64, (positives, negatives), elements=elements))
    expected = LINK["ogbl-citation2"].eval(
        {"y_pred_pos": torch.tensor(positive), "y_pred_neg": torch.tensor(negative)}
    )
    scores = np.concatenate([positive, negative.ravel()])
    labels = np.r_[np.ones(positives, int), np.zeros(negative.size, int)]
    group = np.r_[np.arange(positives), np.repeat(np.arange(positives), negatives)]
    ranks, smallest = ranks_within_groups(scores, labels, group)
    assert smallest == negatives
    for name in ["mrr", *(f"hits@{k}" for k in (1, 3, 10) if k <= negatives)]:
        found = metric(name, "ranks").function(ranks, smallest)
        assert found == pytest.approx(float(expected[f"{name}_list"].mean()), abs=1e-6)


@given(st.integers(2, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_mean_average_precision_equals_ogb(nodes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((nodes, 17)) < rng.random()
    truth[0], truth[1] = True, False  # OGB leaves a class out that all nodes or none have
    scores = rng.integers(5, size=truth.shape).astype(float)
    expected = GRAPH.eval({"y_true": truth.astype(float), "y_pred": scores})["ap"]
    assert metric("mAP", "labels").function(truth, scores) == pytest.approx(expected, abs=1e-6)


@given(st.data())
def test_class_metrics_equal_ogb_and_scikit_learn(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 50))
    truth, predicted = (
        data.draw(arrays(np.int64, size, elements=st.integers(0, 3))) for _ in range(2)
    )
    found = {
        name: metric(name, "classes").function(truth, predicted, 4)
        for name in ("accuracy", "balanced-accuracy", "macro-f1")
    }
    ogb = NODE.eval({"y_true": truth[:, None], "y_pred": predicted[:, None]})["acc"]
    assert found["accuracy"] == pytest.approx(ogb, abs=1e-6)
    recalls = [(predicted[truth == c] == c).mean() for c in np.unique(truth)]
    assert found["balanced-accuracy"] == pytest.approx(np.mean(recalls), abs=1e-6)
    f1 = sk.f1_score(truth, predicted, average="macro", zero_division=0)
    assert found["macro-f1"] == pytest.approx(f1, abs=1e-6)


@given(st.data())
@settings(max_examples=60)
def test_grouped_ranks_equal_brute_force(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 60))
    scores = data.draw(arrays(np.float64, size, elements=TIED))
    labels = data.draw(arrays(np.int64, size, elements=st.integers(0, 1)))
    group = data.draw(arrays(np.int64, size, elements=st.integers(0, 4)))
    ranks, _ = ranks_within_groups(scores, labels, group)
    expected = []
    for place in np.flatnonzero(labels):
        negative = scores[(group == group[place]) & (labels == 0)]
        above, level = (negative > scores[place]).sum(), (negative == scores[place]).sum()
        expected.append(1 + above + level / 2)
    assert ranks.tolist() == expected


def test_fewer_negatives_than_k_are_refused_where_ogb_answers_one() -> None:
    evaluator = LINK["ogbl-ddi"]
    few = np.zeros(5)
    wrong = evaluator.eval({"y_pred_pos": torch.tensor(few), "y_pred_neg": torch.tensor(few)})
    assert wrong["hits@20"] == 1.0
    with pytest.raises(InputError, match="needs at least 20 negatives, there are 5"):
        metric("hits@20", "scores").function(few, few)
    with pytest.raises(InputError, match="groups of at least 10"):
        metric("hits@10", "ranks").function(np.ones(3), 9)


def test_constant_scores_are_worth_nothing() -> None:
    same = np.zeros(50)
    assert metric("hits@20", "scores").function(same, same) == 0.0
    assert metric("rocauc", "scores").function(same, same) == 0.5
    ranks, smallest = ranks_within_groups(
        np.zeros(101), np.r_[1, np.zeros(100, int)], np.zeros(101, int)
    )
    assert metric("mrr", "ranks").function(ranks, smallest) == pytest.approx(1 / 51)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["rocauc", "ap", "hits@1"])
def test_scores_that_are_not_finite_are_refused(name: str, bad: float) -> None:
    with pytest.raises(InputError, match="not finite"):
        metric(name, "scores").function(np.array([0.0, 1.0]), np.array([0.0, bad]))


def test_an_unknown_metric_names_the_known_ones() -> None:
    with pytest.raises(NotFoundError, match="no metric 'auc' for scores; there are: ap, hits@1"):
        metric("auc", "scores")


VALUES = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        *[st.one_of(arrays(np.float64, n, elements=FINITE), arrays(np.float64, n, elements=TIED))]
        * 2
    )
)


@given(VALUES)
@pytest.mark.filterwarnings("ignore::scipy.stats.ConstantInputWarning")
def test_metrics_of_values_equal_scikit_learn_and_scipy(
    values: tuple[np.ndarray, np.ndarray],
) -> None:
    truth, predicted = values
    found = {n: metric(n, "values").function(truth, predicted) for n in ("mae", "r2", "spearman")}
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(truth, predicted))
    assert found["r2"] == pytest.approx(sk.r2_score(truth, predicted), rel=1e-6, abs=1e-6)
    expected = spearmanr(truth, predicted).statistic
    assert found["spearman"] == pytest.approx(np.nan_to_num(expected), abs=1e-9)


def test_a_constant_prediction_has_no_rank_correlation() -> None:
    truth = np.array([1.0, 2.0, 2.0, 5.0])
    assert metric("spearman", "values").function(truth, np.full(4, 0.1)) == 0
    assert metric("r2", "values").function(np.ones(4), np.ones(4)) == 1
    assert metric("r2", "values").function(np.ones(4), truth) == 0


def test_values_that_cannot_be_measured_are_refused() -> None:
    with pytest.raises(InputError, match="at least 2"):
        metric("spearman", "values").function(np.ones(1), np.ones(1))
    with pytest.raises(InputError, match="not finite"):
        metric("mae", "values").function(np.ones(2), np.array([1.0, np.nan]))
