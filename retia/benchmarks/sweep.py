"""Many runs: every model on every dataset, each tuned with the same budget.

```
{out}/sweeps/{name}/
  sweep.yaml        what was asked for
  trials.jsonl      every setting that was tried, with its validation score
  summary.json      scores, intervals and rank groups of every cell, or why it failed
  summary.md        the same as tables
```

The runs themselves stand where `retia run` would put them, so a sweep that is run again, or a
larger one, trains only what is not there yet.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from pydantic import Field

from retia.benchmarks.config import RunConfig, Training, make_config
from retia.benchmarks.models import model
from retia.benchmarks.pool import SeedPool
from retia.benchmarks.runner import read_result, run
from retia.benchmarks.seed import PREDICTIONS_FILE
from retia.benchmarks.settings import Settings
from retia.benchmarks.tuning import Search, Trial, tune
from retia.protocol.predictions import Items, read_predictions
from retia.protocol.rank_groups import Bootstrap, higher_is_better, rank_groups, summarise
from retia.shards.errors import RetiaError
from retia.shards.manifest import Part, Task
from retia.shards.version import Version
from retia.shards.writer import write_atomically

FOLDER = "sweeps"


class Dataset(Settings):
    """A dataset of a sweep: its reference, its task, the encoding among the inputs."""

    dataset: str
    task: str | None = None
    encoding: str | None = None


class Contestant(Settings):
    """A model of a sweep, with what is set and what is searched for it alone.

    `label` tells two settings of one model apart.
    """

    model: str
    label: str | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    search: Search = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """The label, or the model's name."""
        return self.label or self.model


class SweepFile(Settings):
    """The YAML of a sweep.

    With `trials`, every trained model is tuned with that many settings of its `search` and of the
    common one, each trained on the first `tuning_seeds` seeds and judged by the mean validation
    score. `training` holds for all models.
    """

    datasets: Annotated[list[Dataset | str], Field(min_length=1, max_length=1000)]
    models: Annotated[list[Contestant | str], Field(min_length=1, max_length=1000)]
    seeds: Annotated[int, Field(ge=1, le=1000)] = 10
    trials: Annotated[int, Field(ge=0, le=10_000)] = 0
    tuning_seeds: Annotated[int, Field(ge=1, le=100)] = 2
    training: dict[str, Any] = Field(default_factory=dict)
    search: Search = Field(default_factory=dict)

    @property
    def cells(self) -> list[tuple[Dataset, Contestant]]:
        """Every dataset with every model."""
        datasets = [d if isinstance(d, Dataset) else Dataset(dataset=d) for d in self.datasets]
        models = [m if isinstance(m, Contestant) else Contestant(model=m) for m in self.models]
        return [(dataset, contestant) for dataset in datasets for contestant in models]


@dataclass(frozen=True)
class Cell:
    """A model on a dataset: where its run is and how it was tuned, or why there is none."""

    dataset: str
    task: str | None
    name: str
    folder: Path | None
    trials: tuple[Trial, ...] = ()
    problem: str | None = None


Open = Callable[[str, str | None], Version]
OnCell = Callable[[Cell], None]


def run_sweep(
    wish: SweepFile,
    name: str,
    out: Path,
    open_version: Open,
    *,
    workers: int | None = None,
    device: str | None = None,
    on_cell: OnCell = lambda cell: None,
) -> tuple[Path, list[Cell]]:
    """Run every cell, then write the summary; returns its folder and the cells.

    `open_version(reference, encoding)` finds a dataset. A cell that cannot be run is reported and
    does not stop the others.
    """
    folder = out / FOLDER / name
    content = yaml.safe_dump(wish.model_dump(), sort_keys=False, allow_unicode=True)
    write_atomically(folder / "sweep.yaml", content.encode())
    cells, versions = [], {}
    with SeedPool(workers) as pool:
        for dataset, contestant in wish.cells:
            try:
                version = open_version(dataset.dataset, dataset.encoding)
                cell = _run_cell(wish, dataset, contestant, version, out, pool, device)
                versions[cell.dataset] = version
            except RetiaError as error:
                where = dataset.dataset, dataset.task, contestant.name
                cell = Cell(*where, folder=None, problem=str(error))
            cells.append(cell)
            on_cell(cell)
    _write_trials(folder, cells)
    summary = summarise_cells(cells, versions)
    write_atomically(folder / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())
    write_atomically(folder / "summary.md", as_markdown(summary).encode())
    return folder, cells


def _run_cell(
    wish: SweepFile,
    dataset: Dataset,
    contestant: Contestant,
    version: Version,
    out: Path,
    pool: SeedPool,
    device: str | None,
) -> Cell:
    trained = model(contestant.model).trained
    trials: list[Trial] = []
    chosen: dict[str, Any] = {}
    search = {**wish.search, **contestant.search} if trained else {}

    def config(settings: dict[str, Any]) -> RunConfig:
        training = {**(wish.training if trained else {}), **contestant.training}
        options = dict(contestant.options)
        for key, value in settings.items():
            (training if key in Training.model_fields else options)[key] = value
        return make_config(
            version, contestant.model, dataset.task, dataset.encoding, options, **training
        )

    def measure(settings: Any) -> float:
        tried = run(
            version, config(settings), out, seeds=wish.tuning_seeds, pool=pool, device=device
        )
        return float(read_result(tried)["valid"][task.primary.key]["mean"])

    task = version.manifest.task(dataset.task)
    if search and wish.trials:
        better = higher_is_better(task.primary.metric)
        chosen, trials = tune(search, wish.trials, measure, higher_is_better=better)
    made = config(chosen)
    tuned = {"trials": len(trials), "chosen": chosen} if trials else None
    folder = run(version, made, out, seeds=wish.seeds, pool=pool, device=device, tuned=tuned)
    reference = version.manifest.reference
    return Cell(reference, task.name, contestant.name, folder, tuple(trials))


def summarise_cells(cells: list[Cell], versions: dict[str, Version]) -> list[dict[str, Any]]:
    """A table for each dataset and task: its cells with scores and rank groups, best first.

    Groups are by the test part; by the validation part where the answers of the test part are
    sealed.
    """
    tables = []
    for dataset, name in dict.fromkeys((cell.dataset, cell.task) for cell in cells):
        there = [cell for cell in cells if (cell.dataset, cell.task) == (dataset, name)]
        failed = [{"model": cell.name, "problem": cell.problem} for cell in there if cell.problem]
        done = [cell for cell in there if cell.folder]
        table: dict[str, Any] = {"dataset": dataset, "task": name, "rows": [], "failed": failed}
        if done:
            version = versions[dataset]
            table |= _ranked(version, version.manifest.task(name), done)
        tables.append(table)
    return tables


def _ranked(version: Version, task: Task, cells: list[Cell]) -> dict[str, Any]:
    part: Part = "valid" if task.secrecy == "sealed" else "test"
    rows = [_row(cell, task) for cell in cells]
    bootstrap = Bootstrap(version, task.name, part)
    items = Items(version, task.name)
    samples = []
    for cell in cells:
        assert cell.folder is not None
        table = pq.read_table(cell.folder / PREDICTIONS_FILE)
        found = read_predictions(table, task, items)
        values = {seed: found.values[seed, part] for seed in found.seeds}
        samples.append(bootstrap.samples(cell.name, values))
    means = [row[part]["mean"] for row in rows]
    groups = rank_groups(np.array(means), np.stack(samples), task.primary.metric)
    for row, group in zip(rows, groups, strict=True):
        row["group"] = group
    sign = -1 if higher_is_better(task.primary.metric) else 1
    rows.sort(key=lambda row: sign * row[part]["mean"])
    return {"measure": task.primary.key, "ranked_by": part, "rows": rows}


def _row(cell: Cell, task: Task) -> dict[str, Any]:
    assert cell.folder is not None
    result, key = read_result(cell.folder), task.primary.key
    row: dict[str, Any] = {"model": cell.name}
    for part in ("valid", "test"):
        values = (result[part] or {}).get(key)
        row[part] = None if values is None else asdict(summarise(values["seeds"]))
    tuned = result["submission"]["tuned"] or {}
    return row | {
        "seeds": len(result["seeds"]),
        "parameters": result["submission"]["parameters"],
        "wall_s": result["environment"]["seeds_wall_s"],
        "trials": len(cell.trials),
        "chosen": tuned.get("chosen"),
        "run": str(cell.folder),
    }


def as_markdown(summary: list[dict[str, Any]]) -> str:
    """The summary as Markdown tables."""
    lines = ["# Sweep", ""]
    for table in summary:
        lines += [f"## {table['dataset']}, {table['task'] or 'no task'}", ""]
        if table["rows"]:
            lines += [
                f"{table['measure']}, mean ± std over seeds; 95 % t-interval of the mean; groups "
                f"by the {table['ranked_by']} part.",
                "",
                "| group | model | valid | test | interval | seeds | parameters | seconds |",
                "|---|---|---|---|---|---|---|---|",
            ]
            lines += [_markdown_row(row, table["ranked_by"]) for row in table["rows"]]
            lines.append("")
        lines += [f"- {row['model']} failed: {row['problem']}" for row in table["failed"]]
        lines += [""] if table["failed"] else []
    return "\n".join(lines)


def _markdown_row(row: dict[str, Any], part: str) -> str:
    interval = row[part]
    shown = "" if interval["low"] is None else f"{interval['low']:.4f} to {interval['high']:.4f}"
    cells = [
        str(row["group"]),
        row["model"],
        mean_std(row["valid"]),
        mean_std(row["test"]) if row["test"] else "sealed",
        shown,
        str(row["seeds"]),
        f"{row['parameters']:,}",
        f"{row['wall_s']:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def mean_std(summary: dict[str, Any]) -> str:
    """`0.7012 ± 0.0123`, or the mean alone of a single seed."""
    if summary["std"] is None:
        return f"{summary['mean']:.4f}"
    return f"{summary['mean']:.4f} ± {summary['std']:.4f}"


def _write_trials(folder: Path, cells: list[Cell]) -> None:
    lines = [
        json.dumps({"dataset": c.dataset, "task": c.task, "model": c.name, **trial.model_dump()})
        for c in cells
        for trial in c.trials
    ]
    write_atomically(folder / "trials.jsonl", "".join(f"{line}\n" for line in lines).encode())
