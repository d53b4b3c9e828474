"""Nodes of several classes: tables, metrics, predictions, baselines, audit."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from retia.api.checking import check_version
from retia.leaderboard.scoring import check_predictions, describe, score
from retia.protocol.audit import audit
from retia.protocol.baselines import mandatory_predictions
from retia.protocol.evaluation import evaluate, load_truth
from retia.protocol.metrics import macro_label_f1, mean_average_precision, micro_f1
from retia.protocol.multilabel_task import make_multilabel_task
from retia.protocol.predictions import read_predictions
from retia.protocol.randomness import Randomness
from retia.shards.arrays import label_lists, label_matrix, node_label_sets
from retia.shards.errors import CheckError, InputError
from retia.shards.version import Version
from tests.toy_labels import tags_task, toy_groups, toy_tagged, toy_tags
from tests.toy_text import CLASSES


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    return toy_tagged(tmp_path_factory.mktemp("tags"))


@st.composite
def labels_and_scores(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(1, 30)), draw(st.integers(1, 6))
    labels = rng.random(shape) < rng.random(shape[1])
    return labels, np.round(rng.random(shape), draw(st.integers(1, 4)))


@given(labels_and_scores())
def test_metrics_equal_scikit_learn_where_it_defines_them(drawn: tuple) -> None:
    labels, scores = drawn
    predicted = scores >= 0.5
    assert micro_f1(labels, scores) == pytest.approx(
        f1_score(labels, predicted, average="micro", zero_division=0)
        if labels.shape[1] > 1
        else f1_score(labels[:, 0], predicted[:, 0], zero_division=0)
    )
    by_class = [
        f1_score(labels[:, c], predicted[:, c], zero_division=np.nan)
        for c in range(labels.shape[1])
    ]
    wanted = 0.0 if np.isnan(by_class).all() else np.nanmean(by_class)
    assert macro_label_f1(labels, scores) == pytest.approx(wanted)
    present = np.flatnonzero(labels.any(axis=0))
    if not len(present):
        with pytest.raises(InputError, match="mAP"):
            mean_average_precision(labels, scores)
        return
    areas = [average_precision_score(labels[:, c], scores[:, c]) for c in present]
    assert mean_average_precision(labels, scores) == pytest.approx(np.mean(areas))


@given(labels_and_scores())
def test_label_lists_and_matrices_are_inverse(drawn: tuple) -> None:
    labels, _ = drawn
    table = pa.table({"label": label_lists(labels)})
    assert np.array_equal(label_matrix(table, labels.shape[1]), labels)
    assert np.array_equal(label_matrix(table.slice(1), labels.shape[1]), labels[1:])


def test_parts_hold_each_labelled_node_once(version: Version) -> None:
    labels, labelled = toy_tags()
    for split in range(10):
        train = version.task_table("tags", split, "train")
        truths = {part: load_truth(version, "tags", split, part) for part in ("valid", "test")}
        nodes = [train["node"].to_numpy(), *(truth.items for truth in truths.values())]
        assert np.array_equal(np.sort(np.concatenate(nodes)), np.flatnonzero(labelled))
        assert np.array_equal(label_matrix(train, 3), labels[nodes[0]])
        assert all(np.array_equal(t.labels, labels[t.items]) for t in truths.values())


def test_public_labels_are_nan_where_nobody_knows(version: Version) -> None:
    labels, labelled = toy_tags()
    public = node_label_sets(version, version.manifest.task("tags"))
    assert np.array_equal(np.isnan(public).all(axis=1), ~labelled)
    assert np.array_equal(public[labelled] > 0, labels[labelled])


def test_a_sealed_task_keeps_its_test_labels(tmp_path: Path) -> None:
    version = toy_tagged(tmp_path, sealed=True)
    assert not version.has("tasks/tags/0/test-answers")
    assert load_truth(version, "tags", 0, "test").labels.shape[1] == 3
    public = node_label_sets(version, version.manifest.task("tags"))
    hidden = version.task_table("tags", 0, "test")["item"].to_numpy()
    assert np.isnan(public[hidden]).all()


def test_a_class_that_nobody_has_is_refused() -> None:
    labels, labelled = toy_tags()
    labels[:, 1] &= ~labelled
    with pytest.raises(InputError, match="no labelled node has the class 'green'"):
        make_multilabel_task(
            labels,
            labelled,
            name="tags",
            label="tags",
            classes=CLASSES,
            description="d",
            randomness=Randomness.from_seed(0),
            sealed=False,
        )


def predictions(version: Version, seeds: int, values: np.ndarray) -> pa.Table:
    """Scores (seeds, n, 3) of all nodes as a table."""
    tables = []
    for seed in range(seeds):
        for part in ("valid", "test"):
            item = version.task_table("tags", seed % 10, part)["item"].to_numpy()
            columns = {f"class_{c}": values[seed, item, c] for c in range(3)}
            about = {"seed": np.full(len(item), seed), "part": [part] * len(item), "item": item}
            tables.append(pa.table(about | columns))
    return pa.concat_tables(tables)


def test_predictions_are_a_score_a_class(version: Version) -> None:
    values = np.random.default_rng(0).random((10, 90, 3))
    table = predictions(version, 10, values)
    checked = check_predictions(version, "tags", table, deterministic=False)
    truth = load_truth(version, "tags", 3, "test")
    assert np.array_equal(checked.values[3, "test"], values[3, truth.items])
    found = {(s.seed, s.part, s.measure): s.value for s in score(version, "tags", checked)}
    wanted = evaluate(truth, values[3, truth.items])
    assert wanted.keys() == {"mAP", "micro-f1", "macro-f1"}
    assert all(found[3, "test", key] == pytest.approx(value) for key, value in wanted.items())


def test_one_class_a_node_is_no_prediction(version: Version) -> None:
    table = predictions(version, 1, np.zeros((1, 90, 3)))
    table = table.rename_columns(["seed", "part", "item", "pred", "class_1", "class_2"])
    with pytest.raises(InputError, match="column 'class_0' is missing"):
        read_predictions(table, version.manifest.task("tags"), {})


def test_seeds_that_rank_the_nodes_of_each_class_alike_are_refused(version: Version) -> None:
    values = np.random.default_rng(0).random((20, 90, 3))
    check_predictions(version, "tags", predictions(version, 20, values), deterministic=False)
    values[13] = values[3] * [0.5, 2, 1] + [0, 1, 3]
    checked = check_predictions(version, "tags", predictions(version, 20, values), False)
    with pytest.raises(InputError, match="seeds 3 and 13"):
        describe(checked, version.manifest.task("tags"), deterministic=False)


def test_baselines_are_priors_and_the_best_encoding(version: Version) -> None:
    tables = mandatory_predictions(version, "tags")
    assert list(tables) == ["majority", "features-only (good)"]
    scores = {}
    for name, table in tables.items():
        checked = check_predictions(version, "tags", table, deterministic=True)
        measured = score(version, "tags", checked)
        scores[name] = np.mean([s.value for s in measured if s.measure == "mAP"])
    assert scores["features-only (good)"] > scores["majority"] + 0.2
    train = label_matrix(version.task_table("tags", 4, "train"), 3)
    rows = tables["majority"].filter(pa.compute.equal(tables["majority"]["seed"], 4))
    assert np.allclose(rows["class_2"].to_numpy(), train[:, 2].mean())


def test_the_audit_passes_and_finds_a_node_in_two_parts(tmp_path: Path, version: Version) -> None:
    assert {finding.status for finding in audit(version)} <= {"passed", "not checked"}
    leaking = tags_task()
    test = leaking.public["tasks/tags/2/test"]["item"].to_numpy()
    train = leaking.public["tasks/tags/2/train"]
    train = train.set_column(0, "node", pa.array(np.r_[test[:1], train["node"].to_numpy()[1:]]))
    leaking.public["tasks/tags/2/train"] = train
    found = audit(toy_tagged(tmp_path, tasks=(leaking,)))
    failed = {finding.check: finding.detail for finding in found if finding.status == "failed"}
    assert failed == {"parts": "split 2: 1 nodes are in two parts"}


def test_a_server_takes_the_tables_and_refuses_lists_out_of_order(
    tmp_path: Path, version: Version
) -> None:
    assert {finding.status for finding in check_version(version)} <= {"passed", "not checked"}
    for wrong, problem in (([2, 1], "not ascending"), ([0, 3], "not between 0 and 2")):
        task = tags_task()
        answers = task.public["tasks/tags/5/valid-answers"]
        lists = [wrong, *answers["label"].to_pylist()[1:]]
        column = pa.array(lists, pa.list_(pa.int16()))
        task.public["tasks/tags/5/valid-answers"] = answers.set_column(1, "label", column)
        with pytest.raises(CheckError, match=f"split 5, valid: .*{problem}"):
            check_version(toy_tagged(tmp_path / problem, tasks=(task,)))


def test_grouped_tags_keep_groups_whole(tmp_path: Path) -> None:
    version = toy_tagged(tmp_path, toy_groups())
    found = {finding.check: finding.status for finding in audit(version)}
    assert found["groups"] == "passed"
