"""What a model says about itself, and the two ways to be one: trained, or computed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from retia.benchmarks.settings import Settings
from retia.protocol.baselines import EDGE_BASELINES, NODE_BASELINES
from retia.protocol.heuristics import link_scores
from retia.shards.arrays import pairs
from retia.shards.manifest import Part
from retia.shards.version import Version

if TYPE_CHECKING:
    from torch import Tensor, nn

TaskType = Literal["link", "edge-regression", "node", "node-multilabel"]
Need = Literal["features", "positions"]
Predict = Callable[[Version, str, int, Part], NDArray[Any]]

TRAINED_TASKS: tuple[TaskType, ...] = ("link", "edge-regression", "node", "node-multilabel")


class Options(Settings):
    """The hyper-parameters that a model has of its own; most have none."""


@dataclass(frozen=True)
class EncoderSize:
    """The sizes that an encoder is made for.

    Widths of inputs, hidden and output units, layers, the share dropped; the nodes of the graph it
    learns on, the types of `View.typed_edges`, and the dimensions of the positions (0 for none).
    """

    inputs: int
    hidden: int
    layers: int
    dropout: float
    num_nodes: int
    num_edge_types: int
    dimensions: int


@dataclass(frozen=True)
class Model:
    """A model of the registry: it has an `encoder` and is trained, or it has `predict`.

    An encoder is a torch module: `encoder(view)` gives (n, hidden) embeddings. Where it has a
    method `fit(view, generator)`, that is called once before training; with `whole_graph` it cannot
    be trained on parts of a graph. Where it has a method `graph_loss(nodes, correct)`, a node task
    adds to its loss what that gives for the nodes asked for (T,) and how right each was, (T,)
    float32 from 0 to 1. A link model may bring a `decoder` of its own, made from the size, the
    options and whether the relation is directed, and called as those of
    `retia.benchmarks.decoders`. A node model may bring
    `refine(probabilities, view, train, labels, options)`, (n, C) to (n, C), applied to its answers.
    `predict(version, task, split, part)` gives the values of a part's items, in their order.
    """

    name: str
    summary: str
    tasks: tuple[TaskType, ...]
    paper: str | None = None
    needs: tuple[Need, ...] = ()
    whole_graph: bool = False
    options: type[Options] = Options
    encoder: "Callable[[EncoderSize, Any], nn.Module] | None" = None
    decoder: "Callable[[EncoderSize, Any, bool], nn.Module] | None" = None
    refine: "Callable[..., Tensor] | None" = None
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
