"""Make a link task: which hidden edges are asked for, beside which negatives, in which splits."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.protocol.blocks import clear_of
from retia.protocol.candidates import SMALL_GRAPH, Listing, list_dense, list_sparse
from retia.protocol.groups import halve_groups
from retia.protocol.pairs import LinkGraph, Pairs
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import CandidateSet, Measure, PartCounts, Split, Task

SMALL_SPLITS = 10
POOL_SHARE = 0.8
WHOLE_PAIRS = ("pair", "homolog")
MEASURES_IN_SPACE = (
    ("rocauc", "matched"),
    ("ap", "matched"),
    ("mrr", "hard"),
    ("rocauc", "box"),
    ("rocauc", "uniform"),
)
MEASURES = (("mrr", "hard"), ("hits@10", "hard"), ("rocauc", "matched"), ("rocauc", "uniform"))

Lister = Callable[[LinkGraph, Pairs, np.random.Generator, NDArray[np.bool_]], Listing]


@dataclass(frozen=True)
class TaskTables:
    """A task and its tables by logical name: the public ones, and those to be sealed."""

    task: Task
    public: dict[str, pa.Table]
    sealed: dict[str, pa.Table]


@dataclass(frozen=True)
class SplitTables:
    """One split: the listing of each part, and the (E,) mask of the edges to learn from."""

    listings: dict[str, Listing]
    supervised: NDArray[np.bool_]


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
    crowded: bool = False,
) -> TaskTables:
    """The link task on the hidden edges of a graph.

    Under 5,000 nodes without positions, or `crowded`, which says that a node has many neighbours,
    the sources' non-neighbours are listed whole, with `hard`, `matched` and `uniform` sets. Else
    items are disjoint pairs with `matched`, `uniform` and, in space, `box` negatives, and groups
    of `hard` ones. Splits are drawn in `workers` threads; the result does
    not depend on them. Raises `InputError` where the graph is too small.
    """
    if len(graph.hidden) < 10:
        raise InputError(f"{len(graph.hidden)} hidden edges are too few for a task; 10 are needed")
    splits = number_of_splits(graph.num_nodes)
    dense = graph.num_nodes < SMALL_GRAPH and (crowded or graph.positions is None)
    lister: Lister = list_dense if dense else list_sparse

    def make_split(split: int) -> SplitTables:
        pooled = sealed and splits > 1
        parts = draw_parts(graph, split, randomness, pooled=pooled)
        known = {"valid": without_test_pool(graph, randomness)} if pooled else {}
        listings = {
            part: lister(
                known.get(part, graph),
                pairs,
                randomness.stream(name, "items", split, part),
                allowed,
            )
            for part, (pairs, allowed) in parts.items()
        }
        return SplitTables(listings, _supervision(graph, listings))

    with ThreadPoolExecutor(workers) as pool:
        made = list(pool.map(make_split, range(splits)))
    task = _task(graph, made, name, relation, description, sealed)
    public, hidden = split_tables(made, name, sealed, graph.visible)
    return TaskTables(task, public, hidden)


def draw_parts(
    graph: LinkGraph, split: int, randomness: Randomness, *, pooled: bool
) -> dict[str, tuple[Pairs, NDArray[np.bool_]]]:
    """The positives of the validation and the test part of a split, and the nodes of its pairs.

    Hidden edges are halved, by whole groups where they have groups; where whole blocks are held
    out, the blocks are. Pooled: the halves are the same for all splits, and a split draws 80 % of
    each, so that no split's public validation answers are another's test answers.
    """
    stream = randomness.stream("pools") if pooled else randomness.stream("parts", split)
    parts = [_part(graph, half) for half in _halves(graph, stream)]
    if pooled:
        draw = randomness.stream("parts", split)
        parts = [
            (draw.permutation(pairs)[: int(POOL_SHARE * len(pairs))], allowed)
            for pairs, allowed in parts
        ]
    return dict(zip(("valid", "test"), parts, strict=True))


def without_test_pool(graph: LinkGraph, randomness: Randomness) -> LinkGraph:
    """The graph as the public validation answers of a sealed task may know it.

    They tell of every non-neighbour of a source whether it is an edge; an edge of the test pool is
    none to them.
    """
    valid, _ = _halves(graph, randomness.stream("pools"))
    return replace(graph, hidden=_part(graph, valid)[0])


def _halves(graph: LinkGraph, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """The places of two halves of the hidden edges or, with blocks, of the held-out blocks."""
    if graph.grouping is not None:
        return halve_groups(graph.grouping.hidden, rng)
    blocks = graph.blocks
    count = len(graph.hidden) if blocks is None else int(blocks.held_out.sum())
    return np.array_split(rng.permutation(count), 2)


def _part(graph: LinkGraph, half: NDArray[np.int64]) -> tuple[Pairs, NDArray[np.bool_]]:
    """The hidden edges of one half, of the edges or of the held-out blocks, and its nodes."""
    if graph.blocks is None:
        among = graph.grouping.among if graph.grouping else None
        everywhere = np.ones(graph.num_nodes, dtype=bool)
        return graph.hidden[half], everywhere if among is None else among
    chosen = np.isin(graph.blocks.of_node, np.flatnonzero(graph.blocks.held_out)[half])
    return graph.hidden[chosen[graph.hidden[:, 0]]], chosen


def _supervision(graph: LinkGraph, listings: dict[str, Listing]) -> NDArray[np.bool_]:
    """The (E,) mask of the visible edges to learn from."""
    if graph.grouping is not None and graph.grouping.supervised is not None:
        return graph.grouping.supervised
    if graph.blocks is None or graph.positions is None:
        return np.ones(len(graph.visible), dtype=bool)
    listed = np.unique(np.concatenate([listing.pairs for listing in listings.values()]))
    clear = clear_of(graph.visible, graph.positions, listed, graph.reach)
    return clear & graph.blocks.outside(graph.visible)


def _task(
    graph: LinkGraph,
    made: list[SplitTables],
    name: str,
    relation: str,
    description: str,
    sealed: bool,
) -> Task:
    listings = [listing for split in made for listing in split.listings.values()]
    sets = tuple(c for c in listings[0].sets if all(c.name in one.members for one in listings))
    wanted = MEASURES_IN_SPACE if graph.positions is not None else MEASURES
    measures = _measures(sets, wanted)
    few = min(listing.positives for listing in listings)
    if few < 2:
        raise InputError(f"task {name}: a part with {few} positives; the graph is too small")
    return Task(
        name=name,
        type="link",
        description=description,
        relation=relation,
        split=_split(graph, made, sealed),
        counts=tuple(count_parts(split) for split in made),
        candidates=sets,
        primary=measures[0],
        secondary=measures[1:],
        secrecy="sealed" if sealed else "open",
        dropped={
            f"{part}_without_match": sum(split.listings[part].dropped for split in made)
            for part in ("valid", "test")
        },
    )


def describe_split(graph: LinkGraph, sealed: bool) -> Split:
    """How the hidden edges were drawn.

    In a directed relation `reverse` says whether the reverse of a hidden edge may be visible.
    """
    edges = len(graph.visible) + len(graph.hidden)
    shared: dict[str, Any] = {"hidden": round(len(graph.hidden) / edges, 6), "pooled": sealed}
    grouping = graph.grouping
    if graph.directed:
        whole = grouping is not None and grouping.by in WHOLE_PAIRS
        shared["reverse"] = "hidden" if whole else "visible"
    if grouping is None:
        return Split(scheme="random", parameters=shared)
    return Split(scheme="grouped", parameters=shared | {"by": grouping.by} | grouping.parameters)


def _split(graph: LinkGraph, made: list[SplitTables], sealed: bool) -> Split:
    """How the parts were drawn; for blocks, what became of every edge in each split."""
    drawn = describe_split(graph, sealed)
    if graph.blocks is None:
        return drawn
    context = int(graph.blocks.inside(graph.visible).sum())
    train = [int(split.supervised.sum()) for split in made]
    return Split(
        scheme="block",
        parameters=drawn.parameters
        | {
            "block_side": round(graph.blocks.side, 6),
            "buffer": round(graph.reach, 6),
            "context_edges": context,
            "train_edges": train,
            "buffer_edges": [len(graph.visible) - context - count for count in train],
            "hidden_edges": len(graph.hidden),
        },
    )


def _measures(
    sets: tuple[CandidateSet, ...], wanted: tuple[tuple[str, str], ...]
) -> tuple[Measure, ...]:
    """The measures on the candidate sets that there are, the primary one first."""
    names = {candidates.name for candidates in sets}
    return tuple(Measure(metric=m, candidates=c) for m, c in wanted if c in names)


def count_parts(split: SplitTables) -> PartCounts:
    """The counts of a split for the manifest."""
    valid, test = split.listings["valid"], split.listings["test"]
    return PartCounts(
        train=int(split.supervised.sum()),
        valid=len(valid.pairs),
        test=len(test.pairs),
        valid_positives=valid.positives,
        test_positives=test.positives,
    )


def split_tables(
    made: list[SplitTables], name: str, sealed: bool, visible: Pairs
) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
    """The tables of all splits by logical name: the public ones, and those to be sealed."""
    public: dict[str, pa.Table] = {}
    hidden: dict[str, pa.Table] = {}
    for split, tables in enumerate(made):
        folder = f"tasks/{name}/{split}"
        public[f"{folder}/train"] = pair_table(visible[tables.supervised])
        for part, listing in tables.listings.items():
            public[f"{folder}/{part}"] = item_table(listing.pairs)
            answers = hidden if sealed and part == "test" else public
            answers[f"{folder}/{part}-answers"] = _answers(listing)
            answers[f"{folder}/{part}-candidates"] = _candidates(listing)
    return public, hidden


def pair_table(pairs: Pairs) -> pa.Table:
    """Pairs as a table of int32 `src` and `dst`."""
    return pa.table({"src": _int32(pairs[:, 0]), "dst": _int32(pairs[:, 1])})


def item_table(pairs: Pairs) -> pa.Table:
    """Pairs as a table of `item`, 0, 1, 2, ..., `src` and `dst`."""
    items = pa.array(np.arange(len(pairs), dtype=np.int32))
    return pair_table(pairs).add_column(0, "item", items)


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
