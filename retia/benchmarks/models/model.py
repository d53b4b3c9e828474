"""What a model says about itself, and the two ways to be one: trained, or computed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from retia.protocol.baselines import EDGE_BASELINES, NODE_BASELINES
from retia.protocol.heuristics import link_scores
from retia.shards.arrays import pairs
from retia.shards.manifest import Part
from retia.shards.version import Version

if TYPE_CHECKING:
    from torch import nn

TaskType = Literal["link", "edge-regression", "node", "node-multilabel"]
Need = Literal["features", "positions"]
Predict = Callable[[Version, str, int, Part], NDArray[Any]]


@dataclass(frozen=True)
class EncoderSize:
    """The widths of an encoder: inputs, hidden and output units, layers, share dropped."""

    inputs: int
    hidden: int
    layers: int
    dropout: float


@dataclass(frozen=True)
class Model:
    """A model of the registry: it has an `encoder` and is trained, or it has `predict`.

    An encoder is a torch module called as `encoder(x, adjacency)`: (n, F) inputs and the sparse
    (n, n) message graph give (n, hidden) embeddings. `predict(version, task, split, part)` gives
    the values of a part's items, in their order.
    """

    name: str
    summary: str
    tasks: tuple[TaskType, ...]
    paper: str | None = None
    needs: tuple[Need, ...] = ()
    encoder: "Callable[[EncoderSize], nn.Module] | None" = None
    predict: Predict | None = None

    @property
    def trained(self) -> bool:
        """Whether the model has parameters to learn, and so depends on a seed."""
        return self.encoder is not None


def link_baseline(name: str) -> Predict:
    """The link baseline of that name, as a model's `predict`."""

    def predict(version: Version, task: str, split: int, part: Part) -> NDArray[Any]:
        src, dst = pairs(version.task_table(task, split, part))
        return link_scores(name, version, task, src, dst)

    return predict


def edge_baseline(name: str) -> Predict:
    """The baseline of edge regression of that name, as a model's `predict`."""

    def predict(version: Version, task: str, split: int, part: Part) -> NDArray[Any]:
        src, dst = pairs(version.task_table(task, split, part))
        return EDGE_BASELINES[name](version, task, split, src, dst)

    return predict


def node_baseline(name: str) -> Predict:
    """The node baseline of that name, as a model's `predict`."""

    def predict(version: Version, task: str, split: int, part: Part) -> NDArray[Any]:
        items = version.task_table(task, split, part)["item"].to_numpy()
        return NODE_BASELINES[name](version, task, split)[items]

    return predict
