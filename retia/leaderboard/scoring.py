"""Read a file of predictions that somebody sent, check it, and score it.

The file is Parquet, opened within limits; nothing in it is ever executed or unpickled.
"""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import rankdata

from retia.protocol.evaluation import evaluate, load_truth
from retia.protocol.predictions import PARTS, Items, Predictions, read_predictions, value_columns
from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.errors import InputError
from retia.shards.manifest import Part, Task
from retia.shards.version import Version

MAX_SEEDS = 20
MAX_BYTES_A_VALUE = 32
SEALED_DECIMALS = 4
EVALUATOR = f"retia {package_version('retia')}"


@dataclass(frozen=True)
class Checked:
    """What is known of predictions that are whole: their seeds, and how they order the items."""

    seeds: tuple[int, ...]
    order_sha256: str


@dataclass(frozen=True)
class SeedScore:
    """One measure of one seed on one part."""

    seed: int
    part: Part
    measure: str
    value: float


def open_predictions(path: Path, task: Task) -> pa.Table:
    """The table in a Parquet file; raises `InputError` for what no honest file would be."""
    try:
        with pq.ParquetFile(path, thrift_string_size_limit=1 << 24) as file:
            _check_size(file, task)
            table = file.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
            raise  # the disk or the memory failed, not the file
        raise InputError(f"predictions: not a readable Parquet file ({_line(error)})") from error
    _check_unpacked(table.nbytes, table.num_rows, table.num_columns)  # the file may have lied
    return table


def check_predictions(
    version: Version, task_name: str, table: pa.Table, deterministic: bool
) -> Predictions:
    """Predictions that are whole; raises `InputError` that names the first offender.

    That the seeds differ is for `describe` to check, once, when they come in.
    """
    task = version.manifest.task(task_name)
    predictions = read_predictions(table, task, Items(version, task_name))
    _check_seeds(predictions.seeds, task, deterministic)
    return predictions


def describe(predictions: Predictions, task: Task, deterministic: bool) -> Checked:
    """The seeds, and a sum that two submissions share where they order all items alike.

    Raises `InputError` where two seeds of a method that is not deterministic do so.
    """
    ranked = task.type != "node"
    seen: dict[tuple[int, str], int] = {}
    for seed in predictions.seeds:
        key = (seed % task.num_splits, _order(predictions, seed, ranked).hex())
        if key in seen and not deterministic:
            raise InputError(
                f"predictions: seeds {seen[key]} and {seed} order the items alike; a method that "
                "depends on no seed says so (deterministic) and gives each split once"
            )
        seen[key] = seed
    return Checked(predictions.seeds, sha256_bytes(canonical_json(sorted(seen))))


def score(version: Version, task_name: str, predictions: Predictions) -> list[SeedScore]:
    """Every measure of every seed on both parts.

    Sealed test scores are rounded here, before anything keeps them: digits past the fourth tell
    more about the answers than about the method.
    """
    task = version.manifest.task(task_name)
    scores = []
    for part in PARTS:
        digits = SEALED_DECIMALS if part == "test" and task.secrecy == "sealed" else 15
        for split in sorted({seed % task.num_splits for seed in predictions.seeds}):
            truth = load_truth(version, task_name, split, part)
            for seed in (s for s in predictions.seeds if s % task.num_splits == split):
                values = evaluate(truth, predictions.values[seed, part])
                scores += [
                    SeedScore(seed, part, measure, round(value, digits))
                    for measure, value in values.items()
                ]
    return scores


def _check_size(file: pq.ParquetFile, task: Task) -> None:
    metadata, schema = file.metadata, file.schema_arrow
    most = MAX_SEEDS * max(counts.valid + counts.test for counts in task.counts)
    if metadata.num_rows > most:
        raise InputError(f"predictions: {metadata.num_rows} rows, at most {most} are possible")
    expected = ["seed", "part", "item", *value_columns(task, schema.names)]
    if metadata.num_columns > len(expected):
        extra = next((name for name in schema.names if name not in expected), "a nested one")
        raise InputError(
            f"predictions: {metadata.num_columns} columns, expected {', '.join(expected)}; "
            f"there is also {extra[:80]!r}"
        )
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    rows = sum(group.num_rows for group in groups)
    if rows != metadata.num_rows:
        raise InputError(f"predictions: {metadata.num_rows} rows, and {rows} in the row groups")
    _check_unpacked(size, rows, metadata.num_columns)


def _check_unpacked(size: int, rows: int, columns: int) -> None:
    allowed = MAX_BYTES_A_VALUE * (rows + 1024) * max(columns, 1)
    if size > allowed:
        raise InputError(f"predictions: {size} bytes when unpacked, at most {allowed} are allowed")


def _check_seeds(seeds: tuple[int, ...], task: Task, deterministic: bool) -> None:
    if deterministic and seeds != tuple(range(task.num_splits)):
        raise InputError(
            f"predictions: a deterministic method gives each split once, seeds 0 to "
            f"{task.num_splits - 1}, and these are seeds {', '.join(map(str, seeds[:30]))}"
        )
    if len(seeds) > MAX_SEEDS:
        raise InputError(f"predictions: {len(seeds)} seeds, at most {MAX_SEEDS} are allowed")


def _order(predictions: Predictions, seed: int, ranked: bool) -> bytes:
    """A hash of the predictions of a seed that is equal where they rank all items alike.

    In a multi-label task, within every class.
    """
    digest = hashlib.sha256()
    for part in PARTS:
        values: NDArray[Any] = predictions.values[seed, part]
        codes = rankdata(values, method="dense", axis=0) if ranked else values
        digest.update(np.ascontiguousarray(codes, dtype=np.int64).tobytes())
    return digest.digest()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
