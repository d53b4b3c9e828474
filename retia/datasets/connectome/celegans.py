"""The hermaphrodite worm's neurons and synapses, after Cook et al. 2019."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.datasets.assemble import (
    Built,
    Dataset,
    EdgeColumns,
    NodeColumn,
    Origin,
    Step,
    check_names,
    degree_column,
    sort_pairs,
    strength_column,
    write_dataset,
)
from retia.datasets.connectome.cect import Connectome, read_cect, read_cell_types
from retia.datasets.sources import FetchedFile, fetch, find_source
from retia.protocol.link_task import TaskTables, hide_edges, make_link_task
from retia.protocol.node_task import make_node_task
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import Column

SOURCE = "cook2019-hermaphrodite"
HIDDEN = 0.2
STEPS = 5
CLASSES = ("sensory", "inter", "motor")
NO_CLASS = -1

CELL_TYPES: dict[str, int] = {
    "Cephalic": 0,
    "Amphid": 0,
    "Amphid, nociceptive": 0,
    "Phasmid": 0,
    "Mechanosensory": 0,
    "Touch": 0,
    "O2, CO2, social signals, touch": 0,
    "Layer 1 interneuron": 1,
    "Layer 1 interneuron; motorneuron in White et al., 1986": 1,
    "Layer 2 interneuron": 1,
    "Layer 3 interneuron": 1,
    "Category 4 interneuron": 1,
    "Pharyngeal interneuron": 1,
    "Linker to pharynx": 1,
    "Head motor neuron": 2,
    "Sublateral motor neuron": 2,
    "Sublateral motor neuron; interneuron in White et al., 1986": 2,
    "Ventral cord motor neuron": 2,
    "Hermaphrodite specific motor neuron": 2,
    "Pharyngeal motor neuron": 2,
    "Pharyngeal polymodal neuron": NO_CLASS,
    "Canal neuron": NO_CLASS,
}
"""The types of cell that are neurons, each with its class."""

ABOUT = (
    "The nervous system of the adult hermaphrodite Caenorhabditis elegans after Cook et al. 2019: "
    "302 neurons, chemical synapses (directed) and gap junctions (undirected). A weight counts "
    "serial sections of electron microscopy, not synapses. Read from the package cect, whose "
    "licence is MIT. Node order is random; names are in the table of ids."
)
CITATION = (
    "Cook, S. J. et al. Whole-animal connectomes of both Caenorhabditis elegans sexes. "
    "Nature 571, 63-71 (2019). https://doi.org/10.1038/s41586-019-1352-7"
)
HOMEPAGE = "https://github.com/openworm/ConnectomeToolbox"
WEIGHT = Column(
    name="weight",
    dtype="float32",
    unit="EM serial sections",
    description="size of the connection",
    role="weight",
)


@dataclass(frozen=True)
class Worm:
    """The neurons in node order: names, class (-1 none), the edges of both layers, and counts."""

    names: NDArray[np.str_]
    classes: NDArray[np.int64]
    chemical: NDArray[np.int64]
    chemical_weight: NDArray[np.float64]
    gap: NDArray[np.int64]
    gap_weight: NDArray[np.float64]
    report: dict[str, int]


def build_celegans(
    out: Path,
    *,
    seed: int = 0,
    workers: int = 1,
    version: str = "1.0.0",
    sealed: str | None = None,
    only: str | None = None,
    cache: Path | None = None,
    step: Step = lambda _: None,
) -> list[Built]:
    """Build `celegans-link` and `celegans-node`; fetches the source where the cache lacks it."""
    if sealed is not None:
        raise InputError(
            "the connectome of C. elegans is public: anyone can look the answers up, so its tasks "
            "are open; leave --sealed out"
        )
    check_names(version=version)
    step("fetch the source")
    files = fetch(find_source(SOURCE), cache)
    return build_from_files(
        files, out, seed=seed, workers=workers, version=version, only=only, step=step
    )


def build_from_files(
    files: list[FetchedFile],
    out: Path,
    *,
    seed: int = 0,
    workers: int = 1,
    version: str = "1.0.0",
    only: str | None = None,
    step: Step = lambda _: None,
) -> list[Built]:
    """Build the datasets from the cache file of the connectome and the table of cells."""
    connectome, cells = files
    step("read the connectome")
    randomness = Randomness.from_seed(seed)
    worm = order_neurons(
        read_cect(connectome.path), read_cell_types(cells.path), randomness.stream("order")
    )
    origin = Origin(
        builder="celegans",
        sources=tuple(file.as_source() for file in files),
        parameters={
            "seed": seed,
            "cells": "neurons",
            "hidden": HIDDEN,
            "report": dict(worm.report),
        },
    )
    step("make the tasks")
    datasets = []
    if only in (None, "link"):
        datasets.append(link_dataset(worm, origin, version, randomness, workers))
    if only in (None, "node"):
        datasets.append(node_dataset(worm, origin, version, randomness))
    built = []
    for dataset in datasets:
        step(f"write {dataset.name}")
        built.append(write_dataset(dataset, out))
    return built


def order_neurons(
    connectome: Connectome, cell_types: dict[str, str], rng: np.random.Generator
) -> Worm:
    """The neurons in random order, with their edges; self-loops are dropped and counted.

    A gap junction stands once, and its weight is the greater of the two that the matrix has.
    """
    types = np.array([cell_types.get(name, "") for name in connectome.names])
    neurons = rng.permutation(np.flatnonzero(np.isin(types, list(CELL_TYPES))))
    part = connectome.subset(neurons)
    chemical, gap = part.chemical.copy(), np.maximum(part.gap, part.gap.T)
    loops = {layer: int((m.diagonal() > 0).sum()) for layer, m in _layers(chemical, gap)}
    np.fill_diagonal(chemical, 0)
    gap = np.triu(gap, k=1)
    pairs = {layer: np.argwhere(matrix > 0) for layer, matrix in _layers(chemical, gap)}
    return Worm(
        names=part.names,
        classes=np.array([CELL_TYPES[name] for name in types[neurons]], dtype=np.int64),
        chemical=pairs["chemical"],
        chemical_weight=chemical[*pairs["chemical"].T],
        gap=pairs["gap"],
        gap_weight=gap[*pairs["gap"].T],
        report={
            "cells": len(connectome.names),
            "neurons": len(neurons),
            "chemical_self_loops_dropped": loops["chemical"],
            "gap_self_loops_dropped": loops["gap"],
            "gap_pairs_of_unequal_weight": int((part.gap != part.gap.T).sum()) // 2,
        },
    )


def link_dataset(
    worm: Worm, origin: Origin, version: str, randomness: Randomness, workers: int
) -> Dataset:
    """A fifth of the chemical synapses is hidden; everything else comes from what is left."""
    hidden = hide_edges(len(worm.chemical), HIDDEN, randomness.stream("hide"))
    graph = LinkGraph(len(worm.names), True, worm.chemical[~hidden], worm.chemical[hidden])
    task = make_link_task(
        graph,
        name="chemical",
        relation="chemical",
        description="Find the hidden chemical connections: which neuron synapses onto which. The "
        "reverse of a hidden connection may be visible.",
        randomness=randomness,
        sealed=False,
        workers=workers,
    )
    about = f"{ABOUT} A fifth of the chemical connections is hidden."
    return _dataset("celegans-link", "links", about, worm, ~hidden, task, origin, version)


def node_dataset(worm: Worm, origin: Origin, version: str, randomness: Randomness) -> Dataset:
    """The whole graph; the class of a neuron is asked for."""
    task = make_node_task(
        worm.classes,
        name="class",
        label="class",
        classes=CLASSES,
        description="Tell sensory, inter- and motor neurons. Seven neurons have no class: five "
        "polymodal ones of the pharynx and the two canal neurons.",
        randomness=randomness,
        sealed=False,
    )
    whole = np.ones(len(worm.chemical), dtype=bool)
    return _dataset("celegans-node", "neuron classes", ABOUT, worm, whole, task, origin, version)


def _dataset(
    name: str,
    what: str,
    about: str,
    worm: Worm,
    visible: NDArray[np.bool_],
    task: TaskTables,
    origin: Origin,
    version: str,
) -> Dataset:
    return Dataset(
        name=name,
        version=version,
        kind="connectome",
        title=f"C. elegans connectome, {what} (Cook 2019, hermaphrodite)",
        description=about,
        license="MIT",
        citation=CITATION,
        homepage=HOMEPAGE,
        num_nodes=len(worm.names),
        relations=(
            _relation("chemical", True, worm.chemical[visible], worm.chemical_weight[visible]),
            _relation("gap", False, worm.gap, worm.gap_weight),
        ),
        columns=_features(),
        ids=pa.table({"node": np.arange(len(worm.names), dtype=np.int32), "name": worm.names}),
        tasks=(task,),
        origin=origin,
    )


def _relation(
    name: str, directed: bool, pairs: NDArray[np.int64], weight: NDArray[np.float64]
) -> EdgeColumns:
    order = sort_pairs(pairs)
    return EdgeColumns(name, directed, pairs[order], ((WEIGHT, weight[order]),))


def _features() -> tuple[NodeColumn, ...]:
    """Degree and strength in each layer, log(1 + x), of the visible edges."""
    places = (("chemical", "in"), ("chemical", "out"), ("gap", "both"))
    columns = []
    for layer, direction in places:
        where = layer if direction == "both" else f"{layer}_{direction}"
        along: dict[str, Any] = {"relation": layer, "direction": direction, "log1p": True}
        text = f"log(1 + {{}}) of the visible {layer} connections, direction {direction}"
        columns.append(degree_column(f"{where}_degree", text.format("number"), **along))
        weighted = along | {"column": "weight"}
        columns.append(strength_column(f"{where}_strength", text.format("weight"), **weighted))
    return tuple(columns)


def _layers(
    chemical: NDArray[np.float64], gap: NDArray[np.float64]
) -> tuple[tuple[str, NDArray[np.float64]], ...]:
    return ("chemical", chemical), ("gap", gap)
