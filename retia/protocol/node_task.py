"""Make a node task: the class of nodes, in drawn or given parts."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.protocol.link_task import TaskTables
from retia.protocol.node_parts import NodeGrouping, Parts, draw_few_shot, draw_node_parts
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import Measure, PartCounts, Split, Task


def make_node_task(
    labels: NDArray[np.int64],
    *,
    name: str,
    label: str,
    classes: tuple[str, ...],
    description: str,
    randomness: Randomness,
    sealed: bool,
    grouping: NodeGrouping | None = None,
) -> TaskTables:
    """The classification of labelled nodes; `labels` (n,) index `classes`, -1 is unlabelled.

    Parts are those of `draw_node_parts`. Raises `InputError` where a part would be empty.
    """
    _check_labels(labels, name)
    parts, split = draw_node_parts(labels, randomness, grouping, task=name, sealed=sealed)
    return node_task_of(
        labels,
        parts,
        name=name,
        label=label,
        classes=classes,
        description=description,
        split=split,
        sealed=sealed,
    )


def make_few_shot_task(
    labels: NDArray[np.int64],
    *,
    shots: int,
    name: str,
    label: str,
    classes: tuple[str, ...],
    description: str,
    randomness: Randomness,
) -> TaskTables:
    """The classification of nodes from `shots` of each class, in ten splits; always open.

    The parts of a split are labelled nodes of the others, so that nothing could be sealed. Raises
    `InputError` for a class with fewer than 2 `shots` + 1 labelled nodes.
    """
    _check_labels(labels, name)
    parts, split = draw_few_shot(labels, classes, shots, randomness, task=name)
    return node_task_of(
        labels,
        parts,
        name=name,
        label=label,
        classes=classes,
        description=description,
        split=split,
        sealed=False,
    )


def node_task_of(
    labels: NDArray[np.int64],
    parts: list[Parts],
    *,
    name: str,
    label: str,
    classes: tuple[str, ...],
    description: str,
    split: Split,
    sealed: bool,
) -> TaskTables:
    """The classification of labelled nodes in given parts, one dictionary a split."""
    task = Task(
        name=name,
        type="node",
        description=description,
        label=label,
        classes=classes,
        split=split,
        counts=count_nodes(parts),
        primary=Measure(metric="accuracy"),
        secondary=(Measure(metric="balanced-accuracy"), Measure(metric="macro-f1")),
        secrecy="sealed" if sealed else "open",
    )
    public, hidden = node_tables(pa.array(labels.astype(np.int16)), parts, name, sealed)
    return TaskTables(task, public, hidden)


def count_nodes(parts: list[Parts]) -> tuple[PartCounts, ...]:
    """The number of nodes of each part, by split."""
    return tuple(PartCounts(**{part: len(node) for part, node in p.items()}) for p in parts)


def _check_labels(labels: NDArray[np.int64], name: str) -> None:
    if len(np.unique(labels[labels >= 0])) < 2:
        raise InputError(f"task {name}: fewer than two classes occur among the labels")


def node_tables(
    labels: pa.Array, parts: list[Parts], name: str, sealed: bool
) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
    """The public tables of a node task, and the sealed ones; `labels` are those of all n nodes."""
    public: dict[str, pa.Table] = {}
    hidden: dict[str, pa.Table] = {}
    for split, nodes in enumerate(parts):
        folder = f"tasks/{name}/{split}"
        public[f"{folder}/train"] = _labelled("node", nodes["train"], labels)
        for part in ("valid", "test"):
            public[f"{folder}/{part}"] = pa.table({"item": nodes[part].astype(np.int32)})
            answers = hidden if sealed and part == "test" else public
            answers[f"{folder}/{part}-answers"] = _labelled("item", nodes[part], labels)
    return public, hidden


def _labelled(column: str, nodes: NDArray[np.int64], labels: pa.Array) -> pa.Table:
    return pa.table({column: nodes.astype(np.int32), "label": labels.take(pa.array(nodes))})
