"""Make an edge-regression task: the weight of edges that are known to be there.

All edges are visible; the weight of the hidden ones is null in the table of edges. Items are those
edges, so there are no candidates.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.protocol.link_task import (
    TaskTables,
    describe_split,
    draw_parts,
    item_table,
    number_of_splits,
    pair_table,
)
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import Measure, PartCounts, Task

Floats = NDArray[np.float64]


def make_edge_regression_task(
    graph: LinkGraph,
    visible_labels: Floats,
    hidden_labels: Floats,
    *,
    name: str,
    relation: str,
    column: str,
    description: str,
    randomness: Randomness,
    sealed: bool,
) -> TaskTables:
    """The regression of the hidden weights of a graph's edges.

    The `hidden` edges of the graph are those whose weight is to be null in the edges' `column`;
    `visible_labels` (E,) and `hidden_labels` (H,) are what is predicted, log(1 + weight) for
    instance, as the description says. Splits halve the hidden ones, by the graph's groups where it
    has some. Raises `InputError` for too few hidden weights or a label that is not finite.
    """
    if len(graph.hidden) < 10:
        raise InputError(f"task {name}: {len(graph.hidden)} hidden weights; 10 are needed")
    if not (np.isfinite(visible_labels).all() and np.isfinite(hidden_labels).all()):
        raise InputError(f"task {name}: a label is not finite")
    splits = number_of_splits(graph.num_nodes)
    public: dict[str, pa.Table] = {}
    hidden: dict[str, pa.Table] = {}
    order = np.argsort(graph.keys(graph.hidden))
    known = graph.keys(graph.hidden)[order]
    train = _train(graph, visible_labels)
    counts = []
    for split in range(splits):
        folder = f"tasks/{name}/{split}"
        public[f"{folder}/train"] = train
        parts = draw_parts(graph, split, randomness, pooled=sealed and splits > 1)
        for part, (drawn, _) in parts.items():
            pairs = randomness.stream(name, "items", split, part).permutation(drawn)
            labels = hidden_labels[order[np.searchsorted(known, graph.keys(pairs))]]
            items = item_table(pairs)
            public[f"{folder}/{part}"] = items
            answers = hidden if sealed and part == "test" else public
            answers[f"{folder}/{part}-answers"] = _labelled(items.select(["item"]), labels)
        sizes = {part: len(drawn) for part, (drawn, _) in parts.items()}
        counts.append(PartCounts(train=train.num_rows, **sizes))
    task = Task(
        name=name,
        type="edge-regression",
        description=description,
        relation=relation,
        label=column,
        split=describe_split(graph, sealed),
        counts=tuple(counts),
        primary=Measure(metric="spearman"),
        secondary=(Measure(metric="mae"), Measure(metric="r2")),
        secrecy="sealed" if sealed else "open",
    )
    return TaskTables(task, public, hidden)


def _train(graph: LinkGraph, labels: Floats) -> pa.Table:
    """The edges to learn from: those of known weight, or some of them in a grouped split."""
    chosen = graph.grouping.supervised if graph.grouping else None
    if chosen is None:
        return _labelled(pair_table(graph.visible), labels)
    return _labelled(pair_table(graph.visible[chosen]), labels[chosen])


def _labelled(table: pa.Table, labels: Floats) -> pa.Table:
    return table.append_column("label", pa.array(labels.astype(np.float32)))
