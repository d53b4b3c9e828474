"""Run a model over seeds, in parallel processes, into a directory that resumes.

```
{out}/{name}@{version}/{task}/{model}-{hash12}/
  config.yaml           what decides the run; its hash is in the folder's name
  seeds/{seed}/         result.json, predictions.parquet, metrics.jsonl; embeddings.parquet
  predictions.parquet   all seeds, ready to submit
  result.json           what a submission says, mean and unbiased std, the environment
  report.html           the same for people, with the learning curves of curves.svg
```
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pydantic import ValidationError

from retia.benchmarks.config import RunConfig
from retia.benchmarks.environment import cores, hardware, versions
from retia.benchmarks.models import model
from retia.benchmarks.pool import SeedPool, check_workers
from retia.benchmarks.report import write_report
from retia.benchmarks.seed import (
    PREDICTIONS_FILE,
    RESULT_FILE,
    SeedJob,
    parquet_bytes,
)
from retia.shards.errors import InputError, IntegrityError, MissingExtraError
from retia.shards.manifest import Task
from retia.shards.version import Version
from retia.shards.writer import write_atomically

CONFIG_FILE = "config.yaml"
RANKED_SEEDS = 10

OnSeed = Callable[[int], None]


def seeds_of(config: RunConfig, task: Task, seeds: int = RANKED_SEEDS) -> list[int]:
    """The seeds of a run: seed i uses split i; what is not trained gives each split once."""
    if seeds < 1:
        raise InputError(f"--seeds is {seeds}; at least 1 is needed")
    return list(range(seeds if config.training else task.num_splits))


def run(
    version: Version,
    config: RunConfig,
    out: Path,
    *,
    seeds: int = RANKED_SEEDS,
    workers: int | None = None,
    on_seed: OnSeed = lambda seed: None,
    source: Version | None = None,
    device: str | None = None,
    tuned: dict[str, Any] | None = None,
    embeddings: bool = False,
    pool: SeedPool | None = None,
) -> Path:
    """Run the seeds that are not done yet, then write the run's predictions and result.

    `source` is the version that the config of a transfer learns on. `device` is a torch device; by
    default a GPU where there is one. `workers` processes (the number of cores by default), or those
    of a `pool` that stays open, train side by side, each with the config's threads; their number
    does not change the results.
    `on_seed` is called as each seed is done; `tuned` says how the hyper-parameters were chosen.
    With `embeddings` each seed also leaves those of the probe set; one that is done without them
    is run again. Returns the run directory. Raises `InputError` where the directory holds another
    run, or the model embeds nothing.
    """
    start = time.perf_counter()
    check_workers(workers)
    if embeddings and not config.training:
        raise InputError(f"model '{config.model}' is computed, and embeds no nodes")
    folder = config.folder(out)
    _claim(folder, config)
    wanted = seeds_of(config, version.manifest.task(config.task), seeds)
    _check_source(config, source)
    root = None if source is None else source.root
    jobs = [
        SeedJob(version.root, config, seed, folder, root, device, embeddings) for seed in wanted
    ]
    done = [job.seed for job in jobs if job.done]
    left = [job for job in jobs if job.seed not in done]
    for seed in done:
        on_seed(seed)
    _need_torch(config)
    if left:
        with pool or SeedPool(min(workers or cores(), len(left))) as ready:
            for seed in ready.run(left):
                on_seed(seed)
    _write_predictions(jobs)
    result = _result(version, config, jobs, time.perf_counter() - start, len(done))
    result["submission"]["tuned"] = tuned
    write_atomically(folder / RESULT_FILE, _pretty(result))
    write_report(folder)
    return folder


def read_result(folder: Path) -> dict[str, Any]:
    """The `result.json` of a run directory or of one of its seeds."""
    path = folder / RESULT_FILE
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{folder} is no run directory: it has no {RESULT_FILE}") from error
    except ValueError as error:
        raise IntegrityError(f"{path}: not readable JSON ({error}); delete it to re-run") from error


def read_config(folder: Path) -> RunConfig:
    """The config of a run directory."""
    path = folder / CONFIG_FILE
    try:
        return RunConfig.model_validate(yaml.safe_load(path.read_bytes()))
    except FileNotFoundError as error:
        raise InputError(f"{folder} is no run directory: it has no {CONFIG_FILE}") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise IntegrityError(f"{path}: not the config of a run of this version") from error


def _check_source(config: RunConfig, source: Version | None) -> None:
    named = None if config.source is None else config.source.digest
    given = None if source is None else source.manifest.digest
    if named != given:
        raise InputError(f"the config learns on {named or 'no other graph'}, given is {given}")


def _claim(folder: Path, config: RunConfig) -> None:
    """Write the config into a new run directory, or make sure that it is the one there."""
    path = folder / CONFIG_FILE
    content = yaml.safe_dump(config.model_dump(), sort_keys=False, allow_unicode=True).encode()
    if not path.exists():
        if folder.exists() and any(folder.iterdir()):
            raise InputError(
                f"{folder} is not empty and has no {CONFIG_FILE}; choose another --out"
            )
        write_atomically(path, content)
    elif path.read_bytes() != content:
        raise InputError(f"{path} is of another run than its folder's name says; move it away")


def _need_torch(config: RunConfig) -> None:
    found = versions()
    for package in ("torch", "torch-geometric"):
        if config.training and package not in found:
            raise MissingExtraError("bench", package)


def _write_predictions(jobs: list[SeedJob]) -> None:
    tables = [pq.read_table(job.folder / PREDICTIONS_FILE) for job in jobs]
    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    write_atomically(jobs[0].run / PREDICTIONS_FILE, parquet_bytes(table))


def _result(
    version: Version, config: RunConfig, jobs: list[SeedJob], wall_s: float, resumed: int
) -> dict[str, Any]:
    manifest, results = version.manifest, [read_result(job.folder) for job in jobs]
    devices = sorted({result["device"] for result in results} - {"cpu"})
    sealed = any(result["test"] is None for result in results)
    return {
        "submission": {
            "dataset": manifest.name,
            "version": manifest.version,
            "digest": manifest.digest,
            "task": config.task,
            "method": _method(config),
            "parameters": max(result["parameters"] for result in results),
            "hardware": hardware(", ".join(devices)),
            "external_data": _external(config),
            "valid_edges_as_input": False,
            "deterministic": not model(config.model).trained,
            "tuned": None,
            "notes": _notes(version, config),
        },
        "primary": manifest.task(config.task).primary.key,
        "valid": _summary([result["valid"] for result in results]),
        "test": None if sealed else _summary([result["test"] for result in results]),
        "seeds": [job.seed for job in jobs],
        "environment": {
            "versions": versions(),
            "threads": max(result["threads"] for result in results),
            "devices": devices or ["cpu"],
            "peak_rss_bytes": max(result["peak_rss_bytes"] for result in results),
            "wall_s": round(wall_s, 3),
            "seeds_wall_s": round(sum(result["wall_s"] for result in results), 3),
            "seeds_resumed": resumed,
        },
    }


def _method(config: RunConfig) -> str:
    """The model, with the graph it learned on and the encoding that it saw."""
    source = f" from {config.source.dataset}" if config.source else ""
    return f"{config.model}{source} ({config.encoding})" if config.encoding else config.model


def _external(config: RunConfig) -> str | None:
    if config.source is None:
        return None
    source = config.source
    return f"graph and labels of {source.dataset}@{source.version}, digest {source.digest}"


def _notes(version: Version, config: RunConfig) -> str:
    if config.encoding is None:
        return ""
    card = version.manifest.encoding(config.encoding)
    revision = f" {card.revision}" if card.revision else ""
    return f"texts by {card.encoder}{revision}, fitted on {card.fitted_on}"


def _summary(scores: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Mean, unbiased std (none for a single seed) and the value of each seed, by measure."""
    values = {measure: [score[measure] for score in scores] for measure in scores[0]}
    return {
        measure: {
            "mean": float(np.mean(each)),
            "std": float(np.std(each, ddof=1)) if len(each) > 1 else None,
            "seeds": each,
        }
        for measure, each in values.items()
    }


def _pretty(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
