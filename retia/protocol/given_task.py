"""Tasks whose parts somebody else has drawn, such as OGB's."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retia.protocol.candidates import Listing
from retia.protocol.link_task import SplitTables, TaskTables, count_parts, split_tables
from retia.protocol.node_parts import Parts
from retia.protocol.node_task import node_task_of
from retia.protocol.pairs import LinkGraph, Pairs, contains
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import CandidateSet, Measure, Split, Task

Negatives = Literal["uniform", "box"]


def given_link_task(
    graph: LinkGraph,
    train: Pairs,
    parts: dict[str, tuple[Pairs, Pairs]],
    *,
    name: str,
    relation: str,
    description: str,
    negatives: Negatives,
    scheme: str,
    randomness: Randomness,
) -> TaskTables:
    """The link task of given parts: of each its positives and its negatives, (P, 2) and (N, 2).

    `train` are visible edges. A pair that is given twice stands once, and as an edge where it is
    given as one; the items are shuffled. Raises `InputError` for training edges that are not
    visible.
    """
    visible = graph.keys(graph.visible)
    stray = int((~contains(np.sort(visible), graph.keys(train))).sum())
    if stray:
        raise InputError(f"{stray} training edges are not among the edges of the graph")
    listings = {
        part: _list(graph, *pairs, negatives, randomness.stream("items", part))
        for part, pairs in parts.items()
    }
    supervised = contains(np.sort(graph.keys(train)), visible)
    split = SplitTables(listings, supervised)
    task = Task(
        name=name,
        type="link",
        description=description,
        relation=relation,
        split=Split(scheme="random", parameters={"given_as": scheme}),
        counts=(count_parts(split),),
        candidates=listings["valid"].sets,
        primary=Measure(metric="rocauc", candidates=negatives),
        secondary=(Measure(metric="ap", candidates=negatives),),
        secrecy="open",
    )
    public, sealed = split_tables([split], name, False, graph.visible)
    return TaskTables(task, public, sealed)


def given_node_task(
    labels: NDArray[np.int64],
    splits: list[Parts],
    *,
    name: str,
    classes: tuple[str, ...],
    description: str,
    scheme: str,
) -> TaskTables:
    """The node task of given parts, a dictionary a split; `labels` (n,) index `classes`.

    -1 is unlabelled. Raises `InputError` where a node of a part is.
    """
    nodes = np.unique(np.concatenate([nodes for parts in splits for nodes in parts.values()]))
    if (labels[nodes] < 0).any():
        raise InputError(f"{int((labels[nodes] < 0).sum())} nodes of the split have no label")
    return node_task_of(
        labels,
        splits,
        name=name,
        label=name,
        classes=classes,
        description=description,
        split=Split(scheme="random", parameters={"given_as": scheme}),
        sealed=False,
    )


def _list(
    graph: LinkGraph,
    positives: Pairs,
    negatives: Pairs,
    kind: Negatives,
    rng: np.random.Generator,
) -> Listing:
    given = graph.canonical(np.concatenate([positives, negatives]))
    _, first = np.unique(graph.keys(given), return_index=True)
    kept = rng.permutation(first)
    labels = kept < len(positives)
    text = {"uniform": "the given non-edges", "box": "the given non-edges, near in space"}[kind]
    return Listing(
        pairs=given[kept],
        labels=labels.astype(np.int64),
        members={kind: (np.arange(len(kept)), np.full(len(kept), -1))},
        sets=(CandidateSet(name=kind, grouped=False, description=text),),
        positives=int(labels.sum()),
        dropped=0,
    )
