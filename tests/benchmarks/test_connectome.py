"""Runs on connectomes: a task of several on one graph, and weights."""

from pathlib import Path

import pytest

from retia.benchmarks import make_config, run
from retia.benchmarks.runner import read_result
from retia.leaderboard.scoring import check_predictions, open_predictions, score
from retia.shards.errors import InputError
from tests.toy_connectome import toy_links, toy_weights


@pytest.mark.parametrize("task", ["chemical", "gap"])
def test_a_model_is_trained_on_the_relation_of_its_task(tmp_path: Path, task: str) -> None:
    version = toy_links(tmp_path)
    config = make_config(version, "gcn", task, epochs=2)
    folder = run(version, config, tmp_path, seeds=2, workers=1)
    assert folder.parent.name == task
    table = open_predictions(folder / "predictions.parquet", version.manifest.task(task))
    scores = score(version, task, check_predictions(version, task, table, False))
    found = read_result(folder)["test"]["hard.mrr"]["seeds"]
    again = [s.value for s in scores if (s.part, s.measure) == ("test", "hard.mrr")]
    assert found == pytest.approx(again)


@pytest.mark.parametrize("model", ["mean", "degree-regression", "gcn"])
def test_weights_are_predicted_scored_and_ready_to_submit(tmp_path: Path, model: str) -> None:
    version = toy_weights(tmp_path)
    folder = run(version, make_config(version, model), tmp_path, workers=1)
    result = read_result(folder)
    assert result["submission"]["deterministic"] is (model != "gcn")
    assert result["seeds"] == list(range(10))
    table = open_predictions(folder / "predictions.parquet", version.manifest.task())
    checked = check_predictions(version, "weight", table, deterministic=model != "gcn")
    again = [s.value for s in score(version, "weight", checked) if s.part == "test"]
    assert sorted(again) == pytest.approx(
        sorted(v for summary in result["test"].values() for v in summary["seeds"])
    )


def test_a_model_of_links_does_not_fit_weights(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'weight' .* is of type edge-regression"):
        make_config(toy_weights(tmp_path), "common-neighbours")
