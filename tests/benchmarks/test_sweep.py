"""Sweeps: equal budgets, failed cells, resuming, groups."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from retia.benchmarks.settings import read_settings
from retia.benchmarks.sweep import SweepFile, run_sweep
from retia.benchmarks.tuning import Range, tune
from retia.cli import make_app
from retia.shards import resolve
from retia.shards.errors import CheckError, InputError
from retia.shards.version import Version


def _wish(**keys: object) -> SweepFile:
    return read_settings(SweepFile, keys, "sweep")


def _open(reference: str, encoding: str | None) -> Version:
    return resolve(reference)


def test_every_model_is_tuned_with_the_same_number_of_trials(
    communities: Version, tmp_path: Path
) -> None:
    wish = _wish(
        datasets=[str(communities.root)],
        models=["degree", "gcn", {"model": "mlp", "label": "wide", "training": {"hidden": 64}}],
        seeds=2,
        trials=3,
        tuning_seeds=1,
        training={"epochs": 2},
        search={"lr": {"low": 0.001, "high": 0.1, "log": True}, "dropout": [0.0, 0.5]},
    )
    folder, cells = run_sweep(wish, "toy", tmp_path, _open, workers=1)
    assert [len(cell.trials) for cell in cells] == [0, 3, 3]
    assert len((folder / "trials.jsonl").read_text().splitlines()) == 6
    (table,) = json.loads((folder / "summary.json").read_text())
    rows = {row["model"]: row for row in table["rows"]}
    assert set(rows) == {"degree", "gcn", "wide"}
    assert rows["gcn"]["trials"] == 3 and set(rows["gcn"]["chosen"]) == {"lr", "dropout"}
    means = [row["test"]["mean"] for row in table["rows"]]
    assert means == sorted(means, reverse=True)
    assert [row["group"] for row in table["rows"]] == sorted(row["group"] for row in rows.values())
    tuned = json.loads((cells[1].folder / "result.json").read_text())["submission"]["tuned"]
    assert tuned == {"trials": 3, "chosen": rows["gcn"]["chosen"]}
    best = max(cells[1].trials, key=lambda trial: trial.valid)
    assert best.settings == rows["gcn"]["chosen"]


def test_sweep_that_is_run_again_trains_nothing(communities: Version, tmp_path: Path) -> None:
    wish = _wish(
        datasets=[str(communities.root)],
        models=["mlp"],
        seeds=2,
        trials=2,
        training={"epochs": 1},
        search={"hidden": [8, 16]},
    )
    folder, _ = run_sweep(wish, "toy", tmp_path, _open, workers=1)
    before = (folder / "summary.json").read_text()
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("seeds/*/result.json")}
    run_sweep(wish, "toy", tmp_path, _open, workers=1)
    assert times == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("seeds/*/result.json")}
    assert (folder / "summary.json").read_text() == before


def test_failed_cell_is_reported_and_does_not_stop_the_rest(
    communities: Version, tmp_path: Path
) -> None:
    wish = _wish(
        datasets=["no-such-dataset", str(communities.root)],
        models=["distance", {"model": "mlp", "training": {"lr": 10, "epochs": 1, "layers": 64}}],
        seeds=1,
    )
    folder, cells = run_sweep(wish, "toy", tmp_path, _open, workers=1)
    assert [bool(cell.problem) for cell in cells[:3]] == [True, True, True]
    assert "needs positions" in str(cells[2].problem)
    assert (
        "distance failed: model 'distance' needs positions" in (folder / "summary.md").read_text()
    )


def test_sealed_task_is_ranked_by_its_validation_part(sealed: Version, tmp_path: Path) -> None:
    wish = _wish(datasets=[str(sealed.root)], models=["degree", "common-neighbours"])
    folder, _ = run_sweep(wish, "toy", tmp_path, _open, workers=1)
    (table,) = json.loads((folder / "summary.json").read_text())
    assert table["ranked_by"] == "valid"
    assert all(row["test"] is None for row in table["rows"])
    assert "| sealed |" in (folder / "summary.md").read_text()


def test_tuning_finds_the_best_of_a_known_surface_and_repeats_itself() -> None:
    def score(settings: dict) -> float:
        return -((settings["x"] - 3) ** 2) - (settings["kind"] == "bad")

    search = {"x": Range(low=0.0, high=10.0), "kind": ["bad", "good"]}
    best, trials = tune(search, 40, score, higher_is_better=True)
    assert best["kind"] == "good" and abs(best["x"] - 3) < 0.6
    assert tune(search, 40, score, higher_is_better=True)[1] == trials
    worst, _ = tune(search, 40, score, higher_is_better=False)
    assert worst["kind"] == "bad" and worst["x"] > 9


def test_setting_that_cannot_be_trained_counts_as_a_trial() -> None:
    def score(settings: dict) -> float:
        if settings["x"] == "bad":
            raise InputError("the loss is not finite")
        return 1.0

    best, trials = tune({"x": ["bad", "good"]}, 12, score, higher_is_better=True)
    assert best == {"x": "good"} and len(trials) == 12
    assert {trial.problem for trial in trials} == {None, "the loss is not finite"}
    with pytest.raises(InputError, match="none of 3 settings"):
        tune({"x": ["bad"]}, 3, score, higher_is_better=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [gcn]", "datasets: Field required"),
        ("datasets: [a]\nmodels: [gcn]\nseed: 3", "unknown key 'seed'; did you mean 'seeds'?"),
        ("datasets: [a]\nmodels: [gcn]\nseeds: many", "seeds: "),
        ("datasets: [a\n", "not readable as YAML"),
        ("- a", "has no keys at its top"),
        ("datasets: [a]\nmodels: [gcn]\nsearch: {lr: {low: 2, high: 1}}", "search.lr"),
    ],
)
def test_unusable_sweep_file_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"sweep\.yaml") as caught:
        CliRunner().invoke(make_app(), ["sweep", str(path)], catch_exceptions=False)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_command_prints_a_table_and_fails_with_a_failed_cell(
    communities: Version, tmp_path: Path
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(f"datasets: ['{communities.root}']\nmodels: [degree, distance]\n")
    words = ["sweep", str(path), "--out", str(tmp_path / "runs")]
    done = CliRunner().invoke(make_app(), words)
    assert isinstance(done.exception, CheckError)
    assert "1 of 2 cells failed" in str(done.exception)
    assert "degree" in done.stdout and "group" in done.stdout
