"""Make a link task: which hidden edges are asked for, beside which negatives, in which splits."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.protocol.candidates import Listing, list_dense, list_sparse
from retia.protocol.pairs import LinkGraph, Pairs
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import CandidateSet, Measure, PartCounts, Split, Task

SMALL_GRAPH = 5_000
SMALL_SPLITS = 10
POOL_SHARE = 0.8

Lister = Callable[[LinkGraph, Pairs, np.random.Generator], Listing]


@dataclass(frozen=True)
class TaskTables:
    """A task and its tables by logical name: the public ones, and those to be sealed."""

    task: Task
    public: dict[str, pa.Table]
    sealed: dict[str, pa.Table]


def number_of_splits(num_nodes: int) -> int:
    """Ten splits below 5,000 nodes, one above."""
    return SMALL_SPLITS if num_nodes < SMALL_GRAPH else 1


def hide_edges(num_edges: int, fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The (num_edges,) mask of the edges to hide, drawn uniformly."""
    hidden = np.zeros(num_edges, dtype=bool)
    hidden[rng.permutation(num_edges)[: int(fraction * num_edges)]] = True
    return hidden


def make_link_task(
    graph: LinkGraph,
    *,
    name: str,
    relation: str,
    description: str,
    randomness: Randomness,
    sealed: bool,
    workers: int = 1,
) -> TaskTables:
    """The link task on the hidden edges of a graph.

    Where there are positions, items are disjoint pairs with `matched`, `box` and `uniform`
    negatives; else the sources' non-neighbours are listed whole, with `hard`, `matched` and
    `uniform` sets. Splits are drawn in `workers` threads; the result does not depend on them.
    Raises `InputError` where the graph is too small or, without positions, too large.
    """
    spatial = graph.positions is not None
    if len(graph.hidden) < 10:
        raise InputError(f"{len(graph.hidden)} hidden edges are too few for a task; 10 are needed")
    if not spatial and graph.num_nodes >= SMALL_GRAPH:
        raise InputError(
            f"a graph of {graph.num_nodes} nodes without positions needs sampled hard candidates; "
            f"up to {SMALL_GRAPH - 1} nodes are supported"
        )
    lister: Lister = list_sparse if spatial else list_dense
    splits = number_of_splits(graph.num_nodes)

    def make_split(split: int) -> dict[str, Listing]:
        parts = draw_parts(graph, split, randomness, pooled=sealed and splits > 1)
        return {
            part: lister(graph, pairs, randomness.stream(name, "items", split, part))
            for part, pairs in parts.items()
        }

    with ThreadPoolExecutor(workers) as pool:
        listings = list(pool.map(make_split, range(splits)))
    task = _task(graph, listings, name, relation, description, sealed)
    public, hidden = _tables(graph, listings, name, sealed)
    return TaskTables(task, public, hidden)


def draw_parts(
    graph: LinkGraph, split: int, randomness: Randomness, *, pooled: bool
) -> dict[str, Pairs]:
    """The positives of the validation and the test part of a split.

    Pooled: the two pools are the same for all splits, and a split draws 80 % of each, so that no
    split's public validation answers are another's test answers.
    """
    stream = randomness.stream("pools") if pooled else randomness.stream("parts", split)
    order = stream.permutation(len(graph.hidden))
    halves = np.array_split(order, 2)
    if pooled:
        draw = randomness.stream("parts", split)
        halves = [draw.permutation(pool)[: int(POOL_SHARE * len(pool))] for pool in halves]
    return {part: graph.hidden[half] for part, half in zip(("valid", "test"), halves, strict=True)}


def _task(
    graph: LinkGraph,
    listings: list[dict[str, Listing]],
    name: str,
    relation: str,
    description: str,
    sealed: bool,
) -> Task:
    first = listings[0]["test"]
    spatial = graph.positions is not None
    few = min(listing.positives for split in listings for listing in split.values())
    if few < 2:
        raise InputError(f"task {name}: a part with {few} positives; the graph is too small")
    return Task(
        name=name,
        type="link",
        description=description,
        relation=relation,
        split=Split(
            scheme="random",
            parameters={"hidden": round(len(graph.hidden) / _edges(graph), 6), "pooled": sealed},
        ),
        counts=tuple(_counts(graph, split) for split in listings),
        candidates=first.sets,
        primary=Measure(metric="rocauc", candidates="matched")
        if spatial
        else Measure(metric="mrr", candidates="hard"),
        secondary=_secondary(first.sets, spatial),
        secrecy="sealed" if sealed else "open",
        dropped={
            f"{part}_without_match": sum(split[part].dropped for split in listings)
            for part in ("valid", "test")
        },
    )


def _secondary(sets: tuple[CandidateSet, ...], spatial: bool) -> tuple[Measure, ...]:
    wanted = [("ap", "matched"), ("rocauc", "box"), ("rocauc", "uniform")]
    if not spatial:
        wanted = [("hits@10", "hard"), ("rocauc", "matched"), ("rocauc", "uniform")]
    names = {candidates.name for candidates in sets}
    return tuple(Measure(metric=m, candidates=c) for m, c in wanted if c in names)


def _edges(graph: LinkGraph) -> int:
    return len(graph.visible) + len(graph.hidden)


def _counts(graph: LinkGraph, split: dict[str, Listing]) -> PartCounts:
    return PartCounts(
        train=len(graph.visible),
        valid=len(split["valid"].pairs),
        test=len(split["test"].pairs),
        valid_positives=split["valid"].positives,
        test_positives=split["test"].positives,
    )


def _tables(
    graph: LinkGraph, listings: list[dict[str, Listing]], name: str, sealed: bool
) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
    public: dict[str, pa.Table] = {}
    hidden: dict[str, pa.Table] = {}
    train = pair_table(graph.visible)
    for split, parts in enumerate(listings):
        folder = f"tasks/{name}/{split}"
        public[f"{folder}/train"] = train
        for part, listing in parts.items():
            public[f"{folder}/{part}"] = _items(listing)
            answers = hidden if sealed and part == "test" else public
            answers[f"{folder}/{part}-answers"] = _answers(listing)
            answers[f"{folder}/{part}-candidates"] = _candidates(listing)
    return public, hidden


def pair_table(pairs: Pairs) -> pa.Table:
    """Pairs as a table of int32 `src` and `dst`."""
    return pa.table({"src": _int32(pairs[:, 0]), "dst": _int32(pairs[:, 1])})


def _items(listing: Listing) -> pa.Table:
    items = pa.array(np.arange(len(listing.pairs), dtype=np.int32))
    return pair_table(listing.pairs).add_column(0, "item", items)


def _answers(listing: Listing) -> pa.Table:
    items = np.arange(len(listing.pairs), dtype=np.int32)
    return pa.table({"item": items, "label": listing.labels.astype(np.int16)})


def _candidates(listing: Listing) -> pa.Table:
    names = [name for name, members in listing.members.items() for _ in range(len(members[0]))]
    item = np.concatenate([members[0] for members in listing.members.values()])
    group = np.concatenate([members[1] for members in listing.members.values()])
    return pa.table(
        {"candidates": pa.array(names, pa.string()), "item": _int32(item), "group": _int32(group)}
    )


def _int32(values: NDArray[np.int64]) -> NDArray[np.int32]:
    if len(values) and values.max() > np.iinfo(np.int32).max:
        raise InputError("more than 2^31 nodes or items are not supported yet")
    return values.astype(np.int32)
