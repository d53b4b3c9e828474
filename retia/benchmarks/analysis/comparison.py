"""Hold runs of one dataset against each other, by the embeddings of all their seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retia.benchmarks.analysis.alike import Alike, compare_to_ceiling, mean_by_run
from retia.benchmarks.analysis.embeddings import EMBEDDINGS_FILE, Embedding, Floats
from retia.benchmarks.analysis.measures import measure_all
from retia.benchmarks.config import RunConfig, flatten
from retia.benchmarks.runner import read_config
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError, IntegrityError

FEWEST_NODES = 20
OnMeasure = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """A run directory: its config, and the embeddings of each of its seeds."""

    folder: Path
    config: RunConfig
    seeds: tuple[int, ...]
    embeddings: tuple[Embedding, ...]


@dataclass(frozen=True)
class Comparison:
    """Runs of one dataset, with a label each, held against each other.

    `by_seed` are matrices (N, N) over all (run, seed) by measure, `by_run` their means (R, R):
    between seeds of one run on the diagonal, between runs off it.
    """

    dataset: str
    digest: str
    nodes: int
    runs: tuple[Run, ...]
    labels: tuple[str, ...]
    by_seed: dict[str, Floats]
    by_run: dict[str, Floats]
    alike: Alike

    @property
    def owners(self) -> tuple[np.ndarray, np.ndarray]:
        """The run and the seed (N,) of each row of `by_seed`."""
        return _owners(self.runs)

    @property
    def groups(self) -> list[list[str]]:
        """The labels of the runs that have learned the same thing, group by group."""
        return [[self.labels[i] for i in group] for group in self.alike.groups()]

    def pairs(self) -> list[dict[str, Any]]:
        """A row a pair of runs: CKA, the ratio to the ceiling with its interval, the verdict."""
        alike, number = self.alike, len(self.runs)
        return [
            {
                "runs": [self.labels[a], self.labels[b]],
                "cka": _number(self.by_run["cka"][a, b]),
                "ratio": _number(alike.ratio[a, b]),
                "interval": [_number(alike.low[a, b]), _number(alike.high[a, b])],
                "verdict": alike.verdict(a, b),
            }
            for a in range(number)
            for b in range(a + 1, number)
        ]

    def as_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON; what is undefined is null."""
        return {
            "dataset": self.dataset,
            "digest": self.digest,
            "nodes": self.nodes,
            "runs": [
                {"label": label, "folder": str(run.folder), "seeds": list(run.seeds)}
                for label, run in zip(self.labels, self.runs, strict=True)
            ],
            "by_run": {name: _rows(matrix) for name, matrix in self.by_run.items()},
            "by_seed": {name: _rows(matrix) for name, matrix in self.by_seed.items()},
            "pairs": self.pairs(),
            "groups": self.groups,
        }


def compare_runs(folders: Sequence[Path], on_measure: OnMeasure = lambda name: None) -> Comparison:
    """Compare two or more run directories that have embeddings.

    Raises `InputError` where they are fewer, of different datasets or without embeddings,
    `IntegrityError` where a file is damaged.
    """
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise InputError("comparing needs two or more different run directories")
    runs = tuple(read_run(folder) for folder in folders)
    _check_together(runs)
    first = runs[0]
    embeddings = [embedding for run in runs for embedding in run.embeddings]
    randomness = Randomness(first.config.digest.encode())
    owner, seed = _owners(runs)
    by_seed, by_run = {}, {}
    for name, matrix in measure_all(embeddings, randomness):
        by_seed[name], by_run[name] = matrix, mean_by_run(matrix, owner, seed)
        on_measure(name)
    alike = compare_to_ceiling(by_seed["cka"], owner, seed, randomness.stream("bootstrap"))
    return Comparison(
        dataset=_dataset(first),
        digest=first.config.digest,
        nodes=len(embeddings[0].nodes),
        runs=runs,
        labels=tuple(label_runs([run.config for run in runs])),
        by_seed=by_seed,
        by_run=by_run,
        alike=alike,
    )


def read_run(folder: Path) -> Run:
    """A run directory with the embeddings of its seeds."""
    config = read_config(folder)
    if config.training is None:
        raise InputError(f"{folder}: '{config.model}' is computed, and embeds no nodes")
    found = sorted(int(p.parent.name) for p in folder.glob(f"seeds/[0-9]*/{EMBEDDINGS_FILE}"))
    if not found:
        raise InputError(f"{folder} has no embeddings; run it again with --embeddings")
    embeddings = tuple(Embedding.read(folder / "seeds" / str(seed)) for seed in found)
    return Run(folder, config, tuple(found), embeddings)


def label_runs(configs: Sequence[RunConfig]) -> list[str]:
    """The model of each run, its task where tasks differ, and how runs of one model differ."""
    flat = [flatten(config.model_dump(exclude={"code"})) for config in configs]
    labels = []
    for own in flat:
        others = [other for other in flat if other["model"] == own["model"]]
        keys = [
            key
            for key in own
            if any(one.get(key) != own[key] for one in (flat if key == "task" else others))
        ]
        words = [f"{key.rpartition('.')[2]} {own[key]}" for key in keys]
        labels.append(", ".join([own["model"], *words]))
    return [
        label if labels.count(label) == 1 else f"{label} ({i + 1})"
        for i, label in enumerate(labels)
    ]


def _check_together(runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        if run.config.digest != first.config.digest:
            raise InputError(
                f"{first.folder} is of {_dataset(first)} and {run.folder} of {_dataset(run)}: "
                "of other data, so there is nothing to compare"
                if _dataset(run) != _dataset(first)
                else f"{first.folder} and {run.folder} are of {_dataset(first)} with other digests"
            )
    nodes = first.embeddings[0].nodes
    for run in runs:
        for seed, embedding in zip(run.seeds, run.embeddings, strict=True):
            if not np.array_equal(embedding.nodes, nodes):
                raise IntegrityError(
                    f"{run.folder / 'seeds' / str(seed) / EMBEDDINGS_FILE}: of other nodes than "
                    f"those of {first.folder}"
                )
    if len(nodes) < FEWEST_NODES:
        raise InputError(f"{_dataset(first)}: {len(nodes)} nodes are too few to compare embeddings")


def _dataset(run: Run) -> str:
    return f"{run.config.dataset}@{run.config.version}"


def _owners(runs: Sequence[Run]) -> tuple[np.ndarray, np.ndarray]:
    numbers = [len(run.seeds) for run in runs]
    return np.repeat(np.arange(len(runs)), numbers), np.concatenate([run.seeds for run in runs])


def _rows(matrix: Floats) -> list[list[float | None]]:
    return [[_number(value) for value in row] for row in matrix]


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
