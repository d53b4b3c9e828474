"""The splits of a task as torch tensors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.shards.arrays import (
    PairAnswers,
    integers,
    label_matrix,
    pair_answers,
    pair_items,
    pairs,
)
from retia.shards.errors import MissingExtraError
from retia.shards.manifest import Task
from retia.shards.version import Version

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Candidates:
    """The members of a candidate set: item (C,), and group (C,), -1 where it is not grouped."""

    item: "Tensor"
    group: "Tensor"


@dataclass(frozen=True)
class LinkSplit:
    """A split of a link task, all int64.

    Pairs are (2, rows), in the order of their items; a label is 1 for an edge, 0 for none. What is
    known of the test part is None where the task is sealed: the server alone scores it.
    """

    train_edge: "Tensor"
    valid_item: "Tensor"
    valid_pairs: "Tensor"
    valid_labels: "Tensor"
    valid_candidates: dict[str, Candidates]
    test_item: "Tensor"
    test_pairs: "Tensor"
    test_labels: "Tensor | None"
    test_candidates: dict[str, Candidates] | None


@dataclass(frozen=True)
class EdgeSplit:
    """A split of an edge-regression task: edges (2, rows) int64, and their labels float32.

    No test labels where the task is sealed.
    """

    train_edge: "Tensor"
    train_label: "Tensor"
    valid_item: "Tensor"
    valid_edge: "Tensor"
    valid_label: "Tensor"
    test_item: "Tensor"
    test_edge: "Tensor"
    test_label: "Tensor | None"


@dataclass(frozen=True)
class NodeSplit:
    """A split of a node task: nodes and their classes, int64; no test labels where it is sealed.

    The labels of a multi-label task are (rows, C) bool.
    """

    train_node: "Tensor"
    train_label: "Tensor"
    valid_node: "Tensor"
    valid_label: "Tensor"
    test_node: "Tensor"
    test_label: "Tensor | None"


def link_split(version: Version, task: Task, index: int) -> LinkSplit:
    """Read a split of a link task. Sealed answers are not read, even where they lie at hand."""
    valid, test = (pair_items(version, task.name, index, part) for part in ("valid", "test"))
    answers = pair_answers(version, task.name, index, "valid")
    known = pair_answers(version, task.name, index, "test") if task.secrecy == "open" else None
    return LinkSplit(
        train_edge=tensor(pairs(version.task_table(task.name, index, "train"))),
        valid_item=tensor(valid.item),
        valid_pairs=tensor(valid.pairs),
        valid_labels=tensor(answers.label),
        valid_candidates=_candidates(answers),
        test_item=tensor(test.item),
        test_pairs=tensor(test.pairs),
        test_labels=tensor(known.label) if known else None,
        test_candidates=_candidates(known) if known else None,
    )


def edge_split(version: Version, task: Task, index: int) -> EdgeSplit:
    """Read a split of an edge-regression task. Sealed answers are not read."""
    train = version.task_table(task.name, index, "train")
    valid, test = (pair_items(version, task.name, index, part) for part in ("valid", "test"))
    answers = version.answers(task.name, index, "valid")
    known = version.answers(task.name, index, "test") if task.secrecy == "open" else None
    return EdgeSplit(
        train_edge=tensor(pairs(train)),
        train_label=tensor(train["label"].to_numpy()),
        valid_item=tensor(valid.item),
        valid_edge=tensor(valid.pairs),
        valid_label=tensor(answers["label"].to_numpy()),
        test_item=tensor(test.item),
        test_edge=tensor(test.pairs),
        test_label=None if known is None else tensor(known["label"].to_numpy()),
    )


def node_split(version: Version, task: Task, index: int) -> NodeSplit:
    """Read a split of a node task. Sealed answers are not read, even where they lie at hand."""
    train = version.task_table(task.name, index, "train")
    valid = version.answers(task.name, index, "valid")
    test = version.task_table(task.name, index, "test")
    known = version.answers(task.name, index, "test") if task.secrecy == "open" else None

    def labels(table: pa.Table) -> "Tensor":
        if task.type == "node-multilabel":
            return tensor(label_matrix(table, len(task.classes)))
        return tensor(integers(table, "label"))

    return NodeSplit(
        train_node=tensor(integers(train, "node")),
        train_label=labels(train),
        valid_node=tensor(integers(valid, "item")),
        valid_label=labels(valid),
        test_node=tensor(integers(test, "item")),
        test_label=None if known is None else labels(known),
    )


def tensor(array: NDArray[Any]) -> "Tensor":
    """An array as a tensor of its own."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("bench", "torch") from error
    return torch.from_numpy(np.array(array, order="C"))


def _candidates(answers: PairAnswers) -> dict[str, Candidates]:
    return {
        name: Candidates(tensor(item), tensor(group))
        for name, (item, group) in answers.candidates.items()
    }
