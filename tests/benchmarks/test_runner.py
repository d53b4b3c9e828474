"""Runs: their directories, resuming, and what they refuse."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from retia.benchmarks import make_config, run
from retia.benchmarks.runner import read_result
from retia.protocol import evaluate, load_truth, read_predictions
from retia.shards.errors import InputError, NotFoundError
from retia.shards.version import Version


def _items(version: Version, task: str) -> dict:
    return {
        (split, part): version.task_table(task, split, part)["item"].to_numpy().astype(np.int64)
        for split in range(version.manifest.task(task).num_splits)
        for part in ("valid", "test")
    }


@pytest.mark.parametrize(
    ("name", "model"), [("communities", "gcn"), ("colours", "mlp"), ("spatial", "distance")]
)
def test_predictions_are_as_the_server_reads_them(
    name: str, model: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    version = request.getfixturevalue(name)
    config = make_config(version, model, epochs=2 if model != "distance" else None)
    folder = run(version, config, tmp_path, seeds=2, workers=1)
    table = pq.read_table(folder / "predictions.parquet")
    task = version.manifest.task(config.task)
    predictions = read_predictions(table, task, _items(version, task.name))
    result = read_result(folder)
    assert list(predictions.seeds) == result["seeds"]
    for part in ("valid", "test"):
        truth = load_truth(version, task.name, 1 % task.num_splits, part)
        scored = evaluate(truth, predictions.values[1, part])
        for measure, summary in result[part].items():
            assert summary["seeds"][1] == pytest.approx(scored[measure])
            assert summary["mean"] == pytest.approx(np.mean(summary["seeds"]))
            assert summary["std"] == pytest.approx(np.std(summary["seeds"], ddof=1))


def test_number_of_workers_does_not_change_predictions(
    communities: Version, tmp_path: Path
) -> None:
    config = make_config(communities, "graphsage", epochs=3)
    tables = [
        pq.read_table(
            run(communities, config, tmp_path / str(workers), seeds=3, workers=workers)
            / "predictions.parquet"
        )
        for workers in (1, 2)
    ]
    assert tables[0].equals(tables[1])


def test_killed_run_goes_on_where_it_was(communities: Version, tmp_path: Path) -> None:
    config = make_config(communities, "mlp", epochs=60)
    folder = config.folder(tmp_path / "killed")
    command = [sys.executable, "-m", "retia", "run", "--dataset", str(communities.root)]
    command += ["--model", "mlp", "--epochs", "60", "--seeds", "8", "--workers", "2"]
    process = subprocess.Popen([*command, "--out", str(tmp_path / "killed")])
    done = _wait_for_seeds(folder, 2)
    workers = _children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert workers
    _wait_until_gone(workers)
    times = {path: path.stat().st_mtime_ns for path in done}
    assert not (folder / "result.json").exists()

    run(communities, config, tmp_path / "killed", seeds=8, workers=1)
    assert all(path.stat().st_mtime_ns == before for path, before in times.items())
    assert read_result(folder)["environment"]["seeds_resumed"] >= 2
    whole = run(communities, config, tmp_path / "whole", seeds=8, workers=1)
    resumed = pq.read_table(folder / "predictions.parquet")
    assert resumed.equals(pq.read_table(whole / "predictions.parquet"))


@pytest.mark.parametrize(
    ("victim", "sent", "code", "said"),
    [
        ("run", signal.SIGINT, 130, ""),
        ("worker", signal.SIGKILL, 2, "retia: a training process was killed"),
    ],
)
def test_interrupted_run_ends_at_once(
    communities: Version, tmp_path: Path, victim: str, sent: int, code: int, said: str
) -> None:
    command = [sys.executable, "-m", "retia", "run", "--dataset", str(communities.root)]
    command += ["--model", "mlp", "--seeds", "500", "--workers", "2", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    _wait_for_seeds(make_config(communities, "mlp").folder(tmp_path), 1)
    workers = [pid for pid in _children(process.pid) if "spawn_main" in _command(pid)]
    os.kill(process.pid if victim == "run" else workers[0], sent)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == code
    assert stderr.startswith(said) and stderr.count("\n") == bool(said)
    _wait_until_gone(workers)


def test_untrained_model_gives_each_split_once(communities: Version, tmp_path: Path) -> None:
    folder = run(communities, make_config(communities, "degree"), tmp_path, seeds=3)
    result = read_result(folder)
    assert result["seeds"] == list(range(communities.manifest.task("link").num_splits))
    assert result["submission"]["deterministic"] is True
    assert result["submission"]["parameters"] == 0
    assert result["submission"]["valid_edges_as_input"] is False


def test_sealed_task_has_no_test_scores_even_beside_its_answers(
    sealed: Version, tmp_path: Path
) -> None:
    result = read_result(run(sealed, make_config(sealed, "common-neighbours"), tmp_path))
    assert result["test"] is None
    assert result["valid"]


def test_more_seeds_extend_a_run(communities: Version, tmp_path: Path) -> None:
    config = make_config(communities, "mlp", epochs=1)
    calls: list[int] = []
    for seeds in (1, 3):
        run(communities, config, tmp_path, seeds=seeds, workers=1, on_seed=calls.append)
    assert calls == [0, 0, 1, 2]


def test_other_settings_go_to_another_directory(communities: Version, tmp_path: Path) -> None:
    folders = {make_config(communities, "gcn", hidden=h).folder(tmp_path) for h in (8, 16, 16)}
    assert len(folders) == 2


def test_directory_of_another_run_is_refused(communities: Version, tmp_path: Path) -> None:
    config = make_config(communities, "degree")
    path = run(communities, config, tmp_path) / "config.yaml"
    path.write_text(path.read_text().replace("task: link", "task: other"))
    with pytest.raises(InputError, match="another run"):
        run(communities, config, tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model_name": "gcnn"}, NotFoundError, "did you mean .*gcn"),
        ({"model_name": "gcn", "task_name": "nodes"}, NotFoundError, "it has: link"),
        ({"model_name": "majority"}, InputError, "is for node and node-multilabel tasks"),
        ({"model_name": "distance"}, InputError, "needs positions"),
        ({"model_name": "degree", "hidden": 8}, InputError, "hidden does not apply"),
        ({"model_name": "gcn", "hidden": 0}, InputError, "hidden: "),
        ({"model_name": "gcn", "decoder": "cosine"}, InputError, "decoder: "),
        (
            {"model_name": "gcn", "layer": 3},
            InputError,
            "did you mean 'layers'",
        ),
        ({"model_name": "gcn", "options": {"maps": 3}}, InputError, "unknown key 'maps'"),
    ],
)
def test_unusable_settings_are_refused(
    communities: Version, options: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_config(communities, **options)


def test_decoder_of_a_node_task_is_refused(colours: Version) -> None:
    with pytest.raises(InputError, match="a node task has none"):
        make_config(colours, "gcn", decoder="hadamard")


def test_mlp_needs_features(communities: Version) -> None:
    bare = Version(communities.root, communities.manifest.model_copy(update={"columns": ()}))
    with pytest.raises(InputError, match="needs features or positions"):
        make_config(bare, "mlp")
    assert make_config(bare, "gcn").training


def _wait_for_seeds(folder: Path, count: int) -> list[Path]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done = list(folder.glob("seeds/*/result.json"))
        if len(done) >= count:
            return done
        time.sleep(0.02)
    raise AssertionError("the run did not finish its first seeds in time")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 20
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline, "a training process outlives its parent"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
