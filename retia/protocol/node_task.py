"""Make a node task: which nodes are for training, validation and test, in which splits."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.protocol.candidates import SMALL_GRAPH
from retia.protocol.groups import Hemispheres, Homologs
from retia.protocol.link_task import POOL_SHARE, TaskTables, number_of_splits
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import Measure, PartCounts, Split, Task

Parts = dict[str, NDArray[np.int64]]


def make_node_task(
    labels: NDArray[np.int64],
    *,
    name: str,
    label: str,
    classes: tuple[str, ...],
    description: str,
    randomness: Randomness,
    sealed: bool,
    grouping: Homologs | Hemispheres | None = None,
) -> TaskTables:
    """The classification of labelled nodes; `labels` (n,) index `classes`, -1 is unlabelled.

    Parts are drawn within each class: 60/20/20 % on graphs under 5,000 nodes, 80/10/10 % above.
    With `Homologs` a node and its homolog are in one part, of the class of the lower one that is
    labelled. With `Hemispheres` the nodes of one side are divided into training and validation, and
    all labelled ones of the other are the test part of every split. A sealed task has one test
    pool, of which each split draws 80 %. Raises `InputError` where a part would be empty.
    """
    if len(np.unique(labels[labels >= 0])) < 2:
        raise InputError(f"task {name}: fewer than two classes occur among the labels")
    shares = (0.6, 0.2) if len(labels) < SMALL_GRAPH else (0.8, 0.1)
    count = number_of_splits(len(labels))
    parts = [
        _draw_parts(labels, shares, split, randomness, grouping, pooled=sealed and count > 1)
        for split in range(count)
    ]
    if empty := {part for drawn in parts for part, nodes in drawn.items() if not len(nodes)}:
        raise InputError(f"task {name}: no node is left for {', '.join(sorted(empty))}")
    return node_task_of(
        labels,
        parts,
        name=name,
        label=label,
        classes=classes,
        description=description,
        split=_split(shares, grouping),
        sealed=sealed,
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
        counts=tuple(PartCounts(**{part: len(node) for part, node in p.items()}) for p in parts),
        primary=Measure(metric="accuracy"),
        secondary=(Measure(metric="balanced-accuracy"), Measure(metric="macro-f1")),
        secrecy="sealed" if sealed else "open",
    )
    public, hidden = _tables(labels, parts, name, sealed)
    return TaskTables(task, public, hidden)


def _split(shares: tuple[float, float], grouping: Homologs | Hemispheres | None) -> Split:
    """How the parts were drawn."""
    train, valid = shares
    parameters: dict[str, Any] = {"train": train, "valid": valid}
    if grouping is None:
        return Split(scheme="random", parameters=parameters)
    if isinstance(grouping, Hemispheres):
        parameters = {"train": round(train / (train + valid), 6)}
    return Split(scheme="grouped", parameters=parameters | grouping.parameters)


def _draw_parts(
    labels: NDArray[np.int64],
    shares: tuple[float, float],
    split: int,
    randomness: Randomness,
    grouping: Homologs | Hemispheres | None,
    *,
    pooled: bool,
) -> Parts:
    train, valid = shares
    groups = grouping.of_nodes() if isinstance(grouping, Homologs) else np.arange(len(labels))
    stream = randomness.stream("node-pool") if pooled else randomness.stream("node-parts", split)
    if isinstance(grouping, Hemispheres):
        test = np.flatnonzero((labels >= 0) & (grouping.side == grouping.held_out))
        rest = np.where(grouping.side == grouping.train, labels, -1)
        quantile = _quantile_in_class(rest, groups, stream) * (train + valid)
    else:
        quantile = _quantile_in_class(labels, groups, stream)
        test = np.flatnonzero(quantile >= train + valid)
        rest = np.where(quantile < train + valid, labels, -1)
    if pooled:
        draw = randomness.stream("node-parts", split)
        test = np.sort(draw.permutation(test)[: int(POOL_SHARE * len(test))])
        quantile = _quantile_in_class(rest, groups, draw) * (train + valid)
    is_train = (rest >= 0) & (quantile < train)
    return {
        "train": np.flatnonzero(is_train),
        "valid": np.flatnonzero((rest >= 0) & ~is_train),
        "test": test,
    }


def _quantile_in_class(
    labels: NDArray[np.int64], groups: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """The place of each labelled node's group in a random order of its class, in (0, 1).

    A group is of the class of its first labelled node; -1 stands for an unlabelled node.
    """
    labelled = np.flatnonzero(labels >= 0)
    _, first = np.unique(groups[labelled], return_index=True)
    of_group = np.full(len(labels), -1)
    of_group[groups[labelled[first]]] = labels[labelled[first]]
    order = np.lexsort((rng.permutation(len(labels)), of_group))
    in_order = of_group[order]
    start = np.searchsorted(in_order, in_order, "left")
    size = np.searchsorted(in_order, in_order, "right") - start
    quantile = np.empty(len(labels))
    quantile[order] = (np.arange(len(labels)) - start + 0.5) / size
    return np.where(labels >= 0, quantile[groups], -1.0)


def _tables(
    labels: NDArray[np.int64], parts: list[Parts], name: str, sealed: bool
) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
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


def _labelled(column: str, nodes: NDArray[np.int64], labels: NDArray[np.int64]) -> pa.Table:
    return pa.table({column: nodes.astype(np.int32), "label": labels[nodes].astype(np.int16)})
