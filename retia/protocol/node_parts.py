"""Draw the parts of a node task: which nodes are for training, validation and test."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retia.protocol.candidates import SMALL_GRAPH
from retia.protocol.groups import Hemispheres, Homologs, NodeGroups
from retia.protocol.link_task import POOL_SHARE, SMALL_SPLITS, number_of_splits
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import Split

Ints = NDArray[np.int64]
Parts = dict[str, Ints]
NodeGrouping = Homologs | Hemispheres | NodeGroups

PARTS = ("train", "valid", "test")


def draw_node_parts(
    labels: Ints,
    randomness: Randomness,
    grouping: NodeGrouping | None,
    *,
    task: str,
    sealed: bool,
) -> tuple[list[Parts], Split]:
    """The parts of each split, and how they were drawn; `labels` (n,) is -1 for the unlabelled.

    Parts are drawn within each class: 60/20/20 % on graphs under 5,000 nodes, 80/10/10 % above.
    With `Homologs` a node and its homolog are in one part, of the class of the lower one that is
    labelled. With `NodeGroups` a group is in one part, of the class of its first labelled node, and
    weighs as many nodes as it has labelled ones: the shares hold as nearly as its groups allow.
    With `Hemispheres` the nodes of one side are divided into training and validation, and all
    labelled ones of the other are the test part of every split. A sealed task has one test pool, of
    which each split draws 80 %. Raises `InputError` where a part would be empty.
    """
    shares = (0.6, 0.2) if len(labels) < SMALL_GRAPH else (0.8, 0.1)
    count = number_of_splits(len(labels))
    parts = [
        _draw_parts(labels, shares, split, randomness, grouping, pooled=sealed and count > 1)
        for split in range(count)
    ]
    check_parts(parts, task)
    return parts, _split(shares, grouping)


def draw_few_shot(
    labels: Ints, classes: tuple[str, ...], shots: int, randomness: Randomness, *, task: str
) -> tuple[list[Parts], Split]:
    """Ten splits: `shots` nodes of each class for training, as many for validation, the rest test.

    Raises `InputError` for a class that would have no node left to test on.
    """
    if shots < 1:
        raise InputError(f"task {task}: {shots} shots; at least 1 is needed")
    labelled = np.flatnonzero(labels >= 0)
    size = np.bincount(labels[labelled], minlength=len(classes))
    if (size <= 2 * shots).any():
        small = int(size.argmin())
        raise InputError(
            f"task {task}: class '{classes[small]}' has {size[small]} labelled nodes; "
            f"{shots} shots need at least {2 * shots + 1}"
        )
    parts = []
    for split in range(SMALL_SPLITS):
        order = randomness.stream("node-shots", split).permutation(labelled)
        order = order[np.argsort(labels[order], kind="stable")]
        rank = np.arange(len(order)) - np.repeat(np.cumsum(size) - size, size)
        part = np.minimum(rank // shots, 2)
        parts.append({name: np.sort(order[part == i]) for i, name in enumerate(PARTS)})
    return parts, Split(
        scheme="random", parameters={"train_per_class": shots, "valid_per_class": shots}
    )


def check_parts(parts: list[Parts], task: str) -> None:
    """Raise `InputError` where a part is empty."""
    if empty := {part for drawn in parts for part, nodes in drawn.items() if not len(nodes)}:
        raise InputError(f"task {task}: no node is left for {', '.join(sorted(empty))}")


def _split(shares: tuple[float, float], grouping: NodeGrouping | None) -> Split:
    """How the parts were drawn."""
    train, valid = shares
    parameters: dict[str, Any] = {"train": train, "valid": valid}
    if grouping is None:
        return Split(scheme="random", parameters=parameters)
    if isinstance(grouping, Hemispheres):
        parameters = {"train": round(train / (train + valid), 6)}
    return Split(scheme="grouped", parameters=parameters | grouping.parameters)


def _draw_parts(
    labels: Ints,
    shares: tuple[float, float],
    split: int,
    randomness: Randomness,
    grouping: NodeGrouping | None,
    *,
    pooled: bool,
) -> Parts:
    train, valid = shares
    groups, weight = _groups(labels, grouping)
    stream = randomness.stream("node-pool") if pooled else randomness.stream("node-parts", split)
    if isinstance(grouping, Hemispheres):
        test = np.flatnonzero((labels >= 0) & (grouping.side == grouping.held_out))
        rest = np.where(grouping.side == grouping.train, labels, -1)
        quantile = _quantile_in_class(rest, groups, weight, stream) * (train + valid)
    else:
        quantile = _quantile_in_class(labels, groups, weight, stream)
        test = np.flatnonzero(quantile >= train + valid)
        rest = np.where(quantile < train + valid, labels, -1)
    if pooled:
        draw = randomness.stream("node-parts", split)
        test = np.sort(draw.permutation(test)[: int(POOL_SHARE * len(test))])
        quantile = _quantile_in_class(rest, groups, weight, draw) * (train + valid)
    is_train = (rest >= 0) & (quantile < train)
    return {
        "train": np.flatnonzero(is_train),
        "valid": np.flatnonzero((rest >= 0) & ~is_train),
        "test": test,
    }


def _groups(labels: Ints, grouping: NodeGrouping | None) -> tuple[Ints, Ints]:
    """(n,) the group of each node, named by one of its nodes, and (n,) what the groups weigh."""
    one = np.ones(len(labels), dtype=np.int64)
    if isinstance(grouping, NodeGroups):
        groups = grouping.of_nodes()
        return groups, np.bincount(groups[labels >= 0], minlength=len(labels))
    return grouping.of_nodes() if isinstance(grouping, Homologs) else np.arange(len(labels)), one


def _quantile_in_class(
    labels: Ints, groups: Ints, weight: Ints, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The place of each labelled node's group in a random order of its class, in (0, 1).

    It is the middle of the group where groups are as long as they weigh. A group is of the class of
    its first labelled node; -1 stands for an unlabelled node.
    """
    labelled = np.flatnonzero(labels >= 0)
    _, first = np.unique(groups[labelled], return_index=True)
    of_group = np.full(len(labels), -1)
    of_group[groups[labelled[first]]] = labels[labelled[first]]
    order = np.lexsort((rng.permutation(len(labels)), of_group))
    in_order, length = of_group[order], weight[order]
    end = np.concatenate([[0], np.cumsum(length)])
    start = end[np.searchsorted(in_order, in_order, "left")]
    size = end[np.searchsorted(in_order, in_order, "right")] - start
    quantile = np.empty(len(labels))
    quantile[order] = (end[:-1] - start + 0.5 * length) / np.maximum(size, 1)
    return np.where(labels >= 0, quantile[groups], -1.0)
