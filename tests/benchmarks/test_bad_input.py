"""What a run refuses, and what it survives."""

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from retia.benchmarks import MODELS, inputs, make_config, run, seed
from retia.benchmarks.curve import Curve
from retia.benchmarks.runner import read_result
from retia.benchmarks.training import torch_settings, train
from retia.protocol.baselines import features_only
from retia.shards.errors import InputError, IntegrityError, ServiceError
from retia.shards.version import Version
from retia.shards.writer import write_parquet
from tests.toys import toy_link, toy_node


def test_seed_that_is_killed_while_it_trains_goes_on_to_the_same_bits(
    communities: Version, tmp_path: Path
) -> None:
    options = {"epochs": 2500, "patience": 2500, "dropout": 0.3}
    config = make_config(communities, "mlp", **options)
    killed = tmp_path / "killed"
    folder = config.folder(killed) / "seeds" / "0"
    words = [sys.executable, "-m", "retia", "run", "--dataset", str(communities.root)]
    words += ["--model", "mlp", "--seeds", "1", "--out", str(killed), "--workers", "1"]
    words += ["--epochs", "2500", "--dropout", "0.3", "--set", "patience=2500"]
    process = subprocess.Popen(words)
    deadline = time.monotonic() + 120
    while not (folder / "checkpoint.pt").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "result.json").exists()
    assert subprocess.run(words, capture_output=True).returncode == 0
    assert not (folder / "checkpoint.pt").exists()

    whole = run(communities, config, tmp_path / "whole", seeds=1, workers=1)
    for name in ("predictions.parquet", "metrics.jsonl"):
        assert (folder / name).read_bytes() == (whole / "seeds" / "0" / name).read_bytes()


def test_full_disk_is_one_line_and_the_run_goes_on_after_it(
    communities: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(communities, "mlp", epochs=3)
    write, full = seed.write_atomically, [True]

    def write_or_fail(path: Path, content: bytes) -> None:
        if full[0] and path.name == "result.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, content)

    monkeypatch.setattr(seed, "write_atomically", write_or_fail)
    with pytest.raises(ServiceError, match="no space to write seed 0"):
        run(communities, config, tmp_path, seeds=2, workers=1)
    full[0] = False
    folder = run(communities, config, tmp_path, seeds=2, workers=1)
    assert read_result(folder)["seeds"] == [0, 1]
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({}, "--set batching=blocks --set batches=16"),
        ({"batching": "neighbours", "batches": 32}, "--set batches=64"),
    ],
)
def test_want_of_gpu_memory_names_the_batches_to_try(
    communities: Version,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict,
    advice: str,
) -> None:
    def no_memory(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(seed, "_train", no_memory)
    with pytest.raises(ServiceError, match=f"out of GPU memory; try {advice}"):
        run(communities, make_config(communities, "gcn", **options), tmp_path, seeds=1, workers=1)


def test_features_that_are_not_finite_are_named(tmp_path: Path) -> None:
    version = toy_node(tmp_path)
    path = version.root / "nodes" / "part-00000.parquet"
    table = pq.read_table(path)
    name = next(column.name for column in version.manifest.columns if column.role == "feature")
    values = table[name].to_numpy().copy()
    values[7] = np.inf
    place = table.column_names.index(name)
    write_parquet(table.set_column(place, name, pa.array(values)), path)
    with pytest.raises(InputError, match=r"input 0 of node 7 is no finite number"):
        inputs.node_inputs(version, "colour", 0, "cpu")


@pytest.mark.parametrize("model", [name for name, model in MODELS.items() if model.trained])
def test_isolated_nodes_are_no_problem(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A graph in space whose first ten nodes lose all their edges."""
    kind = "link" if "link" in MODELS[model].tasks else "node"
    version = (
        toy_link(tmp_path, spatial=True, num_nodes=200) if kind == "link" else toy_node(tmp_path)
    )
    make = inputs._view

    def isolate(*given: object) -> object:
        view = make(*given)
        away = (view.edges < 10).any(dim=0)
        return replace(view, edges=view.edges.where(~away, 20))

    monkeypatch.setattr(inputs, "_view", isolate)
    with torch_settings(1):
        trained = train(version, make_config(version, model, epochs=2), 0, "cpu", Curve())
    assert np.isfinite(trained.predictions["test"]).all()


@pytest.mark.parametrize("model", ["mlp", "gcn", "majority"])
def test_one_class_in_training_is_predicted(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = toy_node(tmp_path)
    for split in range(version.manifest.task().num_splits):
        path = version.root / f"tasks/colour/{split}/train.parquet"
        table = pq.read_table(path)
        labels = pa.array(np.ones(len(table)), table["label"].type)
        place = table.column_names.index("label")
        write_parquet(table.set_column(place, "label", labels), path)
    config = make_config(version, model, epochs=None if model == "majority" else 30)
    folder = run(version, config, tmp_path / "runs", seeds=1, workers=1)
    table = pq.read_table(folder / "predictions.parquet")
    assert set(table["pred"].to_pylist()) == {1}
    assert set(features_only(version, "colour", 0).tolist()) == {1}


def test_empty_validation_part_is_refused(tmp_path: Path) -> None:
    version = toy_node(tmp_path)
    for name in ("valid", "valid-answers"):
        path = version.root / f"tasks/colour/0/{name}.parquet"
        if path.exists():
            write_parquet(pq.read_table(path).slice(0, 0), path)
    with pytest.raises(InputError, match="has no validation item to choose an epoch by"):
        run(version, make_config(version, "mlp"), tmp_path / "runs", seeds=1, workers=1)


def test_checkpoint_of_another_version_is_refused(communities: Version, tmp_path: Path) -> None:
    config = make_config(communities, "mlp", epochs=2)
    run(communities, config, tmp_path, seeds=1, workers=1)
    path = config.folder(tmp_path) / "seeds" / "1" / "checkpoint.pt"
    path.parent.mkdir()
    torch.save({"format": 0}, path)
    with pytest.raises(IntegrityError, match=r"of another version .* delete it"):
        run(communities, config, tmp_path, seeds=2, workers=1)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_device_that_is_not_there_is_named(
    communities: Version, tmp_path: Path, device: str
) -> None:
    config = make_config(communities, "mlp", epochs=1)
    with pytest.raises(InputError, match=f"--device {device}"):
        run(communities, config, tmp_path, seeds=1, workers=1, device=device)
