"""What a run is: dataset, task, model and hyper-parameters; all of it decides the run's name."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import retia
from retia.benchmarks.models import Model, model
from retia.protocol.baselines import node_features
from retia.protocol.heuristics import node_positions
from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.errors import InputError
from retia.shards.manifest import Task
from retia.shards.version import Version

Decoder = Literal["hadamard", "difference"]

DEFAULTS: dict[str, dict[str, Any]] = {
    "link": {"epochs": 30, "evaluate_every": 1, "dropout": 0.0},
    "node": {"epochs": 100, "evaluate_every": 5, "dropout": 0.2},
    "node-multilabel": {"epochs": 100, "evaluate_every": 5, "dropout": 0.2},
}


class Settings(BaseModel):
    """Immutable, and with no key that is not named."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Training(Settings):
    """How a model is trained.

    An epoch is a pass over the training edges in `batches` steps, or one full-batch step for a
    node task. The validation score is taken every `evaluate_every` epochs; after `patience` of
    them without a better one, training stops.
    """

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    evaluate_every: Annotated[int, Field(ge=1)]
    patience: Annotated[int, Field(ge=1)] = 10
    batches: Annotated[int, Field(ge=2, le=10_000)] = 4
    hidden: Annotated[int, Field(ge=1, le=8192)] = 32
    layers: Annotated[int, Field(ge=1, le=64)] = 2
    dropout: Annotated[float, Field(ge=0, lt=1)]
    lr: Annotated[float, Field(gt=0, le=10)] = 0.01
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.0
    decoder: Decoder | None = None


class SourceGraph(Settings):
    """The graph and the task that a transfer learns on."""

    dataset: str
    version: str
    digest: str
    task: str


class RunConfig(Settings):
    """A run but for its seeds; `training` is absent for a model that is not trained.

    `encoding` names the encoding of texts that is among the inputs. `source` is what a transfer
    learns on; `dataset` is what it predicts.
    """

    dataset: str
    version: str
    digest: str
    task: str
    model: str
    encoding: str | None = None
    source: SourceGraph | None = None
    retia_version: str = retia.__version__
    training: Training | None = None

    def folder(self, out: Path) -> Path:
        """`{out}/{name}@{version}/{task}/{model}-{hash12}`; the hash covers the whole config."""
        digest = sha256_bytes(canonical_json(self.model_dump()))
        return out / f"{self.dataset}@{self.version}" / self.task / f"{self.model}-{digest[:12]}"


def make_config(
    version: Version,
    model_name: str,
    task_name: str | None = None,
    encoding: str | None = None,
    **options: Any,
) -> RunConfig:
    """The config of a run; `options` are fields of `Training`, and None leaves the default.

    Raises `NotFoundError` for an unknown model, task or encoding, `InputError` for a model that
    does not fit the task or the dataset, or an option that does not fit the model.
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
        encoding=encoding,
        training=_training(chosen, task, version, options),
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
    chosen: Model, task: Task, version: Version, options: dict[str, Any]
) -> Training | None:
    given = {name: value for name, value in options.items() if value is not None}
    if not chosen.trained:
        if given:
            raise InputError(
                f"model '{chosen.name}' is not trained: {', '.join(given)} does not apply"
            )
        return None
    values = {**DEFAULTS[task.type], **given}
    if task.type != "link" and "decoder" in given:
        raise InputError("a decoder joins the two nodes of a pair; a node task has none")
    if task.type == "link":
        spatial = node_positions(version) is not None
        values.setdefault("decoder", "difference" if spatial else "hadamard")
    try:
        return Training.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(step) for step in first["loc"])
        raise InputError(f"{name}: {first['msg']}") from error
