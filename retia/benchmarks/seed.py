"""One seed of a run: train or compute, score, and write `seeds/{seed}/`.

`result.json` is written last and in one step: where it stands, the seed is done.
"""

import errno
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retia.benchmarks.analysis.embeddings import EMBEDDINGS_FILE, probe_nodes
from retia.benchmarks.config import RunConfig
from retia.benchmarks.curve import Curve
from retia.benchmarks.environment import peak_rss_bytes
from retia.benchmarks.models import model
from retia.protocol.evaluation import evaluate, load_truth
from retia.protocol.predictions import PARTS, value_columns
from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.errors import InputError, ServiceError
from retia.shards.manifest import Part
from retia.shards.version import Version
from retia.shards.writer import write_atomically

RESULT_FILE = "result.json"
PREDICTIONS_FILE = "predictions.parquet"
CURVE_FILE = "metrics.jsonl"
CHECKPOINT_FILE = "checkpoint.pt"

Values = dict[Part, NDArray[Any]]


@dataclass(frozen=True)
class SeedJob:
    """A seed to run: the version's folder, the config, and the run directory.

    `source` is the folder of the version that a transfer learns on; `device` is where to train,
    chosen by itself if none is named; with `embeddings` those of the probe set are kept.
    """

    root: Path
    config: RunConfig
    seed: int
    run: Path
    source: Path | None = None
    device: str | None = None
    embeddings: bool = False

    @property
    def done(self) -> bool:
        """Whether the files that are wanted stand."""
        wanted = [RESULT_FILE, *([EMBEDDINGS_FILE] if self.embeddings else [])]
        return all((self.folder / name).exists() for name in wanted)

    @property
    def folder(self) -> Path:
        """Where the seed's files go."""
        return self.run / "seeds" / str(self.seed)


def run_seed(job: SeedJob) -> int:
    """Run one seed and write its files; returns the seed.

    Raises `ServiceError` for want of disk or memory: what is written stays valid, and the seed goes
    on from its checkpoint when it is run again.
    """
    try:
        return _run_seed(job)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise ServiceError(
            f"{job.run}: no space to write seed {job.seed} ({error.strerror}); free some and run "
            "again: it goes on where it was"
        ) from error
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        raise ServiceError(_advice(job, error)) from error


def _out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, of the machine or of a GPU."""
    named = type(error).__name__ in ("OutOfMemoryError", "MemoryError")
    return named or "can't allocate memory" in str(error) or "out of memory" in str(error)


def _advice(job: SeedJob, error: Exception) -> str:
    where = "GPU memory" if "CUDA" in str(error) else "memory"
    training = job.config.training
    if training is None:
        return f"seed {job.seed}: out of {where}"
    if training.batching == "full":
        further = f"--set batching=blocks --set batches={max(16, 2 * training.batches)}"
    else:
        further = f"--set batches={2 * training.batches}"
    return f"seed {job.seed}: out of {where}; try {further}, or a smaller --hidden"


def _run_seed(job: SeedJob) -> int:
    start = time.perf_counter()
    job.folder.mkdir(parents=True, exist_ok=True)
    version = Version.open(job.root)
    values, about = _train(version, job) if job.config.training else _compute(version, job)
    task = version.manifest.task(job.config.task)
    split = job.seed % task.num_splits
    result = {
        "seed": job.seed,
        "split": split,
        "valid": _measure(version, job.config.task, split, "valid", values),
        "test": None
        if task.secrecy == "sealed"
        else _measure(version, job.config.task, split, "test", values),
        **about,
        "wall_s": round(time.perf_counter() - start, 3),
        "peak_rss_bytes": peak_rss_bytes(),
    }
    table = _table(version, job, split, values)
    write_atomically(job.folder / PREDICTIONS_FILE, parquet_bytes(table))
    write_atomically(job.folder / RESULT_FILE, canonical_json(result))
    (job.folder / CHECKPOINT_FILE).unlink(missing_ok=True)
    return job.seed


def start_worker() -> None:
    """Make a worker process leave interrupts to its parent, and end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file (zstd)."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", version="2.6")
    return sink.getvalue().to_pybytes()


def _end_after(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _compute(version: Version, job: SeedJob) -> tuple[Values, dict[str, Any]]:
    predict = model(job.config.model).predict
    assert predict is not None
    split = job.seed % version.manifest.task(job.config.task).num_splits
    values = {part: predict(version, job.config.task, split, part) for part in PARTS}
    return values, {"parameters": 0, "device": "cpu", "threads": 1}


def _train(version: Version, job: SeedJob) -> tuple[Values, dict[str, Any]]:
    import torch

    from retia.benchmarks.checkpoint import Checkpoint
    from retia.benchmarks.embedding import embed
    from retia.benchmarks.training import torch_settings, train

    assert job.config.training is not None
    threads = job.config.training.threads
    device = _device(job.device)
    key = f"{sha256_bytes(canonical_json(job.config.model_dump()))} seed {job.seed}"
    checkpoint = Checkpoint(job.folder / CHECKPOINT_FILE, key)
    with torch_settings(threads):
        trained = train(
            version,
            job.config,
            job.seed,
            device,
            Curve(job.folder / CURVE_FILE),
            source=None if job.source is None else Version.open(job.source),
            checkpoint=checkpoint,
        )
        if job.embeddings:
            embed(trained.learner, trained.view, probe_nodes(version)).write(job.folder)
    return dict(trained.predictions), {
        "parameters": trained.parameters,
        "epochs": trained.epochs,
        "best_epoch": trained.best_epoch,
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else device,
        "threads": threads,
    }


def _device(name: str | None) -> str:
    """The torch device of that name, or the best there is; raises `InputError` where it is not."""
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"--device {name} cannot be used here: {first}") from error
    return name


def _measure(
    version: Version, task: str, split: int, part: Part, values: Values
) -> dict[str, float]:
    truth = load_truth(version, task, split, part)
    return evaluate(truth, _stored(truth.task.type, values[part]))


def _stored(task_type: str, values: NDArray[Any]) -> NDArray[Any]:
    """The values as the file holds them: what is measured here is what a server measures."""
    return values.astype(np.int16 if task_type == "node" else np.float32)


def _table(version: Version, job: SeedJob, split: int, values: Values) -> pa.Table:
    """The predictions of one seed in the form of `retia.protocol.predictions`."""
    task = version.manifest.task(job.config.task)
    items = {part: version.task_table(job.config.task, split, part)["item"] for part in PARTS}
    sizes = [len(items[part]) for part in PARTS]
    parts = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(len(PARTS), dtype=np.int8), sizes), pa.array(PARTS)
    )
    stored = np.concatenate([_stored(task.type, values[part]) for part in PARTS])
    columns = value_columns(task, ["pred"])
    by_column = stored[None] if len(columns) == 1 else stored.T
    return pa.table(
        {
            "seed": np.full(sum(sizes), job.seed, dtype=np.int32),
            "part": parts,
            "item": np.concatenate([items[part].to_numpy() for part in PARTS]).astype(np.int32),
            **dict(zip(columns, by_column, strict=True)),
        }
    )
