"""Make a node task: which nodes are for training, validation and test, in which splits."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.protocol.candidates import SMALL_GRAPH
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
) -> TaskTables:
    """The classification of labelled nodes; `labels` (n,) index `classes`, -1 is unlabelled.

    Parts are drawn within each class: 60/20/20 % on graphs under 5,000 nodes, 80/10/10 % above.
    A sealed task has one test pool, of which each split draws 80 %.
    """
    if len(np.unique(labels[labels >= 0])) < 2:
        raise InputError(f"task {name}: fewer than two classes occur among the labels")
    shares = (0.6, 0.2) if len(labels) < SMALL_GRAPH else (0.8, 0.1)
    count = number_of_splits(len(labels))
    parts = [
        _draw_parts(labels, shares, split, randomness, pooled=sealed and count > 1)
        for split in range(count)
    ]
    task = Task(
        name=name,
        type="node",
        description=description,
        label=label,
        classes=classes,
        split=Split(scheme="random", parameters={"train": shares[0], "valid": shares[1]}),
        counts=tuple(PartCounts(**{part: len(node) for part, node in p.items()}) for p in parts),
        primary=Measure(metric="accuracy"),
        secondary=(Measure(metric="balanced-accuracy"), Measure(metric="macro-f1")),
        secrecy="sealed" if sealed else "open",
    )
    public, hidden = _tables(labels, parts, name, sealed)
    return TaskTables(task, public, hidden)


def _draw_parts(
    labels: NDArray[np.int64],
    shares: tuple[float, float],
    split: int,
    randomness: Randomness,
    *,
    pooled: bool,
) -> Parts:
    train, valid = shares
    stream = randomness.stream("node-pool") if pooled else randomness.stream("node-parts", split)
    quantile = _quantile_in_class(labels, stream)
    test = np.flatnonzero(quantile >= train + valid)
    rest = np.where(quantile < train + valid, labels, -1)
    if pooled:
        draw = randomness.stream("node-parts", split)
        test = np.sort(draw.permutation(test)[: int(POOL_SHARE * len(test))])
        quantile = _quantile_in_class(rest, draw) * (train + valid)
    is_train = (rest >= 0) & (quantile < train)
    return {
        "train": np.flatnonzero(is_train),
        "valid": np.flatnonzero((rest >= 0) & ~is_train),
        "test": test,
    }


def _quantile_in_class(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    """The place of each labelled node in a random order of its class, in (0, 1); -1 unlabelled."""
    order = np.lexsort((rng.permutation(len(labels)), labels))
    in_order = labels[order]
    first = np.searchsorted(in_order, in_order, "left")
    size = np.searchsorted(in_order, in_order, "right") - first
    quantile = np.empty(len(labels))
    quantile[order] = (np.arange(len(labels)) - first + 0.5) / size
    return np.where(labels >= 0, quantile, -1.0)


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
