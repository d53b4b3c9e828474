"""The hermaphrodite worm's neurons and synapses, after Cook et al. 2019."""

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
    strength_column,
    write_dataset,
)
from retia.datasets.connectome.catalogue import find_entry
from retia.datasets.connectome.graph import Connectome, Layer, find_rows
from retia.datasets.connectome.worm import CLASSES
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
UNIT = "EM serial sections"
WEIGHT = Column(
    name="weight",
    dtype="float32",
    unit=UNIT,
    description="size of the connection",
    role="weight",
)


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
    step("read the connectome")
    randomness = Randomness.from_seed(seed)
    worm = find_entry("celegans").read([file.path for file in files])
    worm = worm.reorder(randomness.stream("order").permutation(worm.num_nodes))
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


def link_dataset(
    worm: Connectome, origin: Origin, version: str, randomness: Randomness, workers: int
) -> Dataset:
    """A fifth of the chemical synapses is hidden; everything else comes from what is left."""
    pairs = worm.layer("chemical").pairs
    hidden = hide_edges(len(pairs), HIDDEN, randomness.stream("hide"))
    graph = LinkGraph(worm.num_nodes, True, pairs[~hidden], pairs[hidden])
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


def node_dataset(worm: Connectome, origin: Origin, version: str, randomness: Randomness) -> Dataset:
    """The whole graph; the class of a neuron is asked for."""
    assert worm.cell_class is not None
    task = make_node_task(
        find_rows(np.array(CLASSES), worm.cell_class),
        name="class",
        label="class",
        classes=CLASSES,
        description="Tell sensory, inter- and motor neurons. Seven neurons have no class: five "
        "polymodal ones of the pharynx and the two canal neurons.",
        randomness=randomness,
        sealed=False,
    )
    whole = np.ones(len(worm.layer("chemical").pairs), dtype=bool)
    return _dataset("celegans-node", "neuron classes", ABOUT, worm, whole, task, origin, version)


def _dataset(
    name: str,
    what: str,
    about: str,
    worm: Connectome,
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
        num_nodes=worm.num_nodes,
        relations=(
            _relation(worm.layer("chemical"), visible),
            _relation(worm.layer("gap"), slice(None)),
        ),
        columns=_features(),
        ids=pa.table({"node": np.arange(worm.num_nodes, dtype=np.int32), "name": worm.names}),
        tasks=(task,),
        origin=origin,
    )


def _relation(layer: Layer, visible: NDArray[np.bool_] | slice) -> EdgeColumns:
    weight = layer.weight[visible]
    return EdgeColumns(layer.name, layer.directed, layer.pairs[visible], ((WEIGHT, weight),))


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
