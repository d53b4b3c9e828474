"""A small connectome for tests, written as builders write theirs.

Neurons in two hemispheres, each with its homolog; chemical connections within and across blocks,
half of them mutual, and gap junctions. Weights are larger within blocks.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from retia.datasets.assemble import (
    Dataset,
    EdgeColumns,
    NodeColumn,
    Origin,
    sort_pairs,
    write_dataset,
)
from retia.protocol.edge_task import make_edge_regression_task
from retia.protocol.groups import (
    Grouping,
    Hemispheres,
    Homologs,
    NodeGroups,
    hide_by_homolog,
    hide_by_pair,
    hide_in_hemisphere,
)
from retia.protocol.link_task import TaskTables, hide_edges, make_link_task
from retia.protocol.node_task import make_node_task
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness
from retia.shards.manifest import Column, Measure, Source
from retia.shards.version import Version

N = 120
HALF = N // 2
BLOCK = np.tile(np.arange(HALF) % 4, 2)
HOMOLOGS = Homologs((np.arange(N) + HALF) % N)
SIDES = Hemispheres(np.repeat(["left", "right"], HALF))
RANDOMNESS = Randomness.from_seed(0)
WEIGHT = Column(name="weight", dtype="float32", description="contacts", role="weight")

Hidden = tuple[np.ndarray, Grouping | None]


def chemical() -> np.ndarray:
    """(E, 2) sorted directed pairs."""
    rng = np.random.default_rng(7)
    likely = np.where(BLOCK[:, None] == (BLOCK[None, :] + 1) % 4, 0.25, 0.02)
    adjacency = rng.random((N, N)) < likely
    adjacency |= adjacency.T & (rng.random((N, N)) < 0.5)
    np.fill_diagonal(adjacency, False)
    return np.argwhere(adjacency)


def gap() -> np.ndarray:
    """(E, 2) sorted pairs, src < dst."""
    rng = np.random.default_rng(8)
    likely = np.where(BLOCK[:, None] == BLOCK[None, :], 0.15, 0.02)
    return np.argwhere(np.triu(rng.random((N, N)) < likely, k=1))


def weights(pairs: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(9)
    strong = BLOCK[pairs[:, 1]] == (BLOCK[pairs[:, 0]] - 1) % 4
    return 1.0 + rng.poisson(np.where(strong, 9, 2))


def hide(pairs: np.ndarray, by: str | None) -> Hidden:
    rng = RANDOMNESS.stream("hide", len(pairs))
    if by is None:
        return hide_edges(len(pairs), 0.2, rng), None
    if by == "pair":
        return hide_by_pair(pairs, 0.2, rng)
    if by == "homolog":
        return hide_by_homolog(pairs, HOMOLOGS, 0.2, rng)
    return hide_in_hemisphere(pairs, SIDES, 0.3, rng)


def toy_links(
    out: Path, by: str | None = None, columns: tuple[NodeColumn, ...] = (), **changes: Any
) -> Version:
    """Two link tasks over one visible graph: `chemical` and `gap`."""
    relations, tasks = [], []
    for name, directed, pairs in (("chemical", True, chemical()), ("gap", False, gap())):
        hidden, grouping = hide(pairs, by)
        graph = LinkGraph(N, directed, pairs[~hidden], pairs[hidden], grouping=grouping)
        values = ((WEIGHT, weights(pairs)[~hidden]),)
        relations.append(EdgeColumns(name, directed, graph.visible, values))
        tasks.append(
            make_link_task(
                graph,
                name=name,
                relation=name,
                description=f"Find the hidden {name} connections.",
                randomness=RANDOMNESS,
                sealed=False,
            )
        )
    return write(out, "toy-links", tuple(relations), tuple(tasks), columns, **changes)


def toy_weights(
    out: Path,
    by: str | None = None,
    columns: tuple[NodeColumn, ...] = (),
    sealed: bool = False,
    further: tuple[tuple[Column, np.ndarray], ...] = (),
    primary: str = "spearman",
) -> Version:
    """The regression of a fifth of the chemical weights, on the whole graph."""
    pairs, size = chemical(), weights(chemical())
    hidden, grouping = hide(pairs, by)
    label = np.log1p(size)
    task = make_edge_regression_task(
        LinkGraph(N, True, pairs[~hidden], pairs[hidden], grouping=grouping),
        label[~hidden],
        label[hidden],
        name="weight",
        relation="chemical",
        column="weight",
        description="Predict log(1 + weight) of the hidden weights.",
        randomness=RANDOMNESS,
        sealed=sealed,
    )
    if primary != task.task.primary.metric:
        measures = {"primary": Measure(metric=primary), "secondary": ()}
        task = replace(task, task=task.task.model_copy(update=measures))
    values = ((WEIGHT, np.where(hidden, np.nan, size)), *further)
    relations = (EdgeColumns("chemical", True, pairs, values),)
    secret = {"secret": b"\x05" * 32} if sealed else {}
    return write(out, "toy-weight", relations, (task,), columns, **secret)


def toy_classes(
    out: Path,
    grouping: Homologs | Hemispheres | NodeGroups,
    columns: tuple[NodeColumn, ...] = (),
    labels: np.ndarray = BLOCK,
) -> Version:
    """Two node tasks: the block of a neuron (or other labels), and whether it is odd."""
    tasks = tuple(
        make_node_task(
            of_task,
            name=name,
            label=name,
            classes=classes,
            description="d",
            randomness=RANDOMNESS,
            sealed=False,
            grouping=grouping,
        )
        for name, of_task, classes in (
            ("block", labels, ("a", "b", "c", "d")),
            ("odd", labels % 2, ("even", "odd")),
        )
    )
    relations = (EdgeColumns("chemical", True, chemical()),)
    return write(out, "toy-classes", relations, tasks, columns)


def write(
    out: Path,
    name: str,
    relations: tuple[EdgeColumns, ...],
    tasks: tuple[TaskTables, ...],
    columns: tuple[NodeColumn, ...],
    **changes: Any,
) -> Version:
    assert all((sort_pairs(r.pairs) == np.arange(len(r.pairs))).all() for r in relations)
    one = NodeColumn(
        Column(name="size", dtype="float32", description="at random", role="feature"),
        np.random.default_rng(3).random(N),
    )
    source = Source(uri="toy:connectome", sha256="0" * 64, bytes=1, license="CC0-1.0")
    dataset = Dataset(
        name=name,
        version="1.0.0",
        kind="connectome",
        title="Toy connectome",
        description="Made for tests.",
        license="CC0-1.0",
        citation="none",
        num_nodes=N,
        relations=relations,
        columns=(one, *columns),
        ids=pa.table(
            {
                "node": np.arange(N, dtype=np.int32),
                "homolog": HOMOLOGS.partner.astype(np.int32),
                "side": SIDES.side,
            }
        ),
        tasks=tasks,
        origin=Origin("toys", (source,), {}, synthetic=True),
    )
    return write_dataset(replace(dataset, **changes), out).version
