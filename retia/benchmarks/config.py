"""What a run is: dataset, task, model and hyper-parameters; all of it decides the run's name."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

import retia
from retia.benchmarks.models import Model, model
from retia.benchmarks.settings import Settings, read_settings
from retia.protocol.baselines import node_features
from retia.protocol.heuristics import node_positions
from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.errors import InputError
from retia.shards.manifest import Task
from retia.shards.version import Version

Decoder = Literal["dot", "hadamard", "difference", "distance", "metric"]
Precision = Literal["float32", "bfloat16"]
Scaling = Literal["z-score", "row-normalised", "raw"]
ClassWeights = Literal["balanced", "none"]
Batching = Literal["full", "blocks", "neighbours", "saint"]

PAIR_TASKS = ("link", "edge-regression")
SHOWING = (
    "benchmarks/analysis/",
    "benchmarks/drawing.py",
    "benchmarks/learning_curves.py",
    "benchmarks/pages.py",
    "benchmarks/report.py",
    "benchmarks/sweep.py",
)

DEFAULTS: dict[str, dict[str, Any]] = {
    "link": {"epochs": 30, "evaluate_every": 1, "dropout": 0.0},
    "edge-regression": {"epochs": 200, "evaluate_every": 5, "dropout": 0.0},
    "node": {"epochs": 100, "evaluate_every": 5, "dropout": 0.2},
    "node-multilabel": {"epochs": 100, "evaluate_every": 5, "dropout": 0.2},
}


class Training(Settings):
    """How a model is trained.

    An epoch is a pass over the training edges or nodes in `batches` steps; with full batches, node
    tasks take one step. What a step sees is `batching`, as `retia.benchmarks.batching` says;
    `fan_out` neighbours of a node are sampled in each layer. Of each step's edges, the decoder
    takes `decoder_steps` shares, an update each, before the encoder is updated once. The validation
    score is taken every `evaluate_every` epochs; after `patience` of them without a better one,
    training stops. `inputs` says how features reach the model; words of a bag that occur once or
    twice drown the others in z-scores. `class_weights` of the loss are for tasks of one class a
    node. `precision` bfloat16 is automatic mixed precision. Results are equal to the last bit for
    equal `threads`.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    evaluate_every: Annotated[int, Field(ge=1)]
    patience: Annotated[int, Field(ge=1)] = 10
    batching: Batching = "full"
    batches: Annotated[int, Field(ge=2, le=10_000)] = 4
    fan_out: Annotated[int, Field(ge=1, le=10_000)] = 10
    decoder_steps: Annotated[int, Field(ge=1, le=10_000)] = 1
    hidden: Annotated[int, Field(ge=1, le=8192)] = 32
    layers: Annotated[int, Field(ge=1, le=64)] = 2
    dropout: Annotated[float, Field(ge=0, lt=1)]
    lr: Annotated[float, Field(gt=0, le=10)] = 0.01
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    decoder: Decoder | None = None
    inputs: Scaling = "z-score"
    class_weights: ClassWeights = "balanced"
    precision: Precision = "float32"
    threads: Annotated[int, Field(ge=1, le=256)] = 1


@cache
def code_version() -> str:
    """The first 12 hex digits of the sha256 of the sources that predictions depend on.

    Those are `protocol` and `benchmarks` without what only shows or compares results.
    """
    root, digest = Path(retia.__file__).parent, hashlib.sha256()
    for room in ("protocol", "benchmarks"):
        for path in sorted((root / room).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not name.startswith(SHOWING):
                digest.update(f"{name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


class SourceGraph(Settings):
    """The graph and the task that a transfer learns on."""

    dataset: str
    version: str
    digest: str
    task: str


class RunConfig(Settings):
    """A run but for its seeds; `training` is absent for a model that is not trained.

    `options` are the model's own hyper-parameters, all of them. `encoding` names the encoding of
    texts that is among the inputs. `source` is what a transfer learns on; `dataset` is what it
    predicts. `code` is the hash of the sources that a result depends on.
    """

    dataset: str
    version: str
    digest: str
    task: str
    model: str
    options: dict[str, Any] = Field(default_factory=dict)
    encoding: str | None = None
    source: SourceGraph | None = None
    retia_version: str = retia.__version__
    code: str = Field(default_factory=code_version)
    training: Training | None = None

    def folder(self, out: Path) -> Path:
        """`{out}/{name}@{version}/{task}/{model}-{hash12}`; the hash covers the whole config."""
        digest = sha256_bytes(canonical_json(self.model_dump()))
        return out / f"{self.dataset}@{self.version}" / self.task / f"{self.model}-{digest[:12]}"


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level, with keys as `training.lr`."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= (
            flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return found


class RunFile(Settings):
    """A YAML file that says what to run; what it leaves out has its default.

    `training` has fields of `Training`, `options` those of the model.
    """

    dataset: str
    model: str
    task: str | None = None
    encoding: str | None = None
    transfer_to: str | None = None
    seeds: Annotated[int, Field(ge=1, le=1000)] = 10
    training: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)


def make_config(
    version: Version,
    model_name: str,
    task_name: str | None = None,
    encoding: str | None = None,
    options: dict[str, Any] | None = None,
    **training: Any,
) -> RunConfig:
    """The config of a run; `options` are the model's own, `training` fields of `Training`.

    A field that is None keeps its default. Raises `NotFoundError` for an unknown model, task or
    encoding, `InputError` for a model that does not fit the task or the dataset, or a
    hyper-parameter that is unknown, of the wrong type or does not fit the model.
    """
    chosen, manifest = model(model_name), version.manifest
    task = manifest.task(task_name)
    _check_fit(chosen, task, version, encoding)
    return RunConfig(
        dataset=manifest.name,
        version=manifest.version,
        digest=str(manifest.digest),
        task=task.name,
        model=chosen.name,
        options=read_settings(chosen.options, options or {}, f"model '{chosen.name}'").model_dump(),
        encoding=encoding,
        training=_training(chosen, task, version, training),
    )


def _check_fit(chosen: Model, task: Task, version: Version, encoding: str | None) -> None:
    where = version.manifest.reference
    if encoding is not None:
        version.need_encoding(encoding)
        if not chosen.trained:
            raise InputError(f"model '{chosen.name}' takes no inputs: --encoding does not apply")
    if task.type not in chosen.tasks:
        raise InputError(
            f"model '{chosen.name}' is for {' and '.join(chosen.tasks)} tasks, and '{task.name}' "
            f"of {where} is of type {task.type}; 'retia models' shows which fit"
        )
    spatial = node_positions(version) is not None
    if "positions" in chosen.needs and not spatial:
        raise InputError(f"model '{chosen.name}' needs positions, and {where} has none")
    bare = not spatial and node_features(version, encoding) is None
    if "features" in chosen.needs and bare:
        raise InputError(
            f"model '{chosen.name}' needs features or positions, and {where} has neither"
        )


def _training(
    chosen: Model, task: Task, version: Version, fields: dict[str, Any]
) -> Training | None:
    given = {name: value for name, value in fields.items() if value is not None}
    if not chosen.trained:
        if given:
            raise InputError(
                f"model '{chosen.name}' is not trained: {', '.join(given)} does not apply"
            )
        return None
    if task.type not in PAIR_TASKS and "decoder" in given:
        raise InputError("a decoder joins the two nodes of a pair; a node task has none")
    if task.type != "node" and "class_weights" in given:
        raise InputError(f"class_weights: '{task.name}' is no task of one class a node")
    if chosen.decoder is not None and "decoder" in given:
        raise InputError(f"model '{chosen.name}' has a decoder of its own")
    values = {**DEFAULTS[task.type], **given}
    if task.type in PAIR_TASKS and chosen.decoder is None:
        spatial = node_positions(version) is not None
        values.setdefault("decoder", "difference" if spatial else "hadamard")
    training = read_settings(Training, values, "training")
    if training.batching != "full" and (chosen.whole_graph or task.type == "edge-regression"):
        what = "weights of edges" if task.type == "edge-regression" else f"'{chosen.name}'"
        raise InputError(f"batching {training.batching}: {what} needs the whole graph; use full")
    return training
