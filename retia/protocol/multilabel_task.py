"""Make a multi-label node task: which of the classes a node has, none, one or several."""

import numpy as np
from numpy.typing import NDArray

from retia.protocol.groups import NodeGroups
from retia.protocol.link_task import TaskTables
from retia.protocol.node_parts import draw_node_parts
from retia.protocol.node_task import count_nodes, node_tables
from retia.protocol.randomness import Randomness
from retia.shards.arrays import label_lists
from retia.shards.errors import InputError
from retia.shards.manifest import Measure, Task


def make_multilabel_task(
    labels: NDArray[np.bool_],
    labelled: NDArray[np.bool_],
    *,
    name: str,
    label: str,
    classes: tuple[str, ...],
    description: str,
    randomness: Randomness,
    sealed: bool,
    grouping: NodeGroups | None = None,
) -> TaskTables:
    """The task of telling the classes of labelled nodes.

    `labels` (n, C) says which of the C `classes` a node has, `labelled` (n,) of which nodes this is
    known. Parts are drawn over the labelled nodes as for one class, by `draw_node_parts`; whole
    groups where there is a grouping. Raises `InputError` for a class that no labelled node has.
    """
    if labels.shape != (len(labelled), len(classes)):
        raise InputError(
            f"task {name}: labels of shape {labels.shape} for {len(labelled)} nodes and "
            f"{len(classes)} classes"
        )
    unused = np.flatnonzero(~labels[labelled].any(axis=0))
    if len(unused):
        raise InputError(f"task {name}: no labelled node has the class '{classes[unused[0]]}'")
    drawn = np.where(labelled, 0, -1)
    parts, split = draw_node_parts(drawn, randomness, grouping, task=name, sealed=sealed)
    task = Task(
        name=name,
        type="node-multilabel",
        description=description,
        label=label,
        classes=classes,
        split=split,
        counts=count_nodes(parts),
        primary=Measure(metric="mAP"),
        secondary=(Measure(metric="micro-f1"), Measure(metric="macro-f1")),
        secrecy="sealed" if sealed else "open",
    )
    return TaskTables(task, *node_tables(label_lists(labels), parts, name, sealed))
