"""The datasets of a vessel graph: links, radius classes of vessels, classes of branching points."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retia.datasets.assemble import Dataset, EdgeColumns, NodeColumn, Origin, sort_pairs
from retia.datasets.vessel.atlas import Located, locate, read_atlas, read_ontology
from retia.datasets.vessel.cleaning import Report
from retia.datasets.vessel.columns import (
    own_features,
    place_features,
    position_column,
    shape_columns,
    vessel_columns,
)
from retia.datasets.vessel.graph import Unit, VesselGraph
from retia.datasets.vessel.labels import read_labels
from retia.datasets.vessel.line_graph import line_graph
from retia.datasets.vessel.options import QUANTILES, Boundaries, Sibling, VesselOptions
from retia.datasets.vessel.raw import Raw
from retia.protocol.blocks import draw_blocks, hide_in_blocks
from retia.protocol.link_task import TaskTables, hide_edges, make_link_task
from retia.protocol.morton import morton_order
from retia.protocol.node_task import make_node_task
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness
from retia.shards.canonical import sha256_file
from retia.shards.errors import InputError

HIDDEN = 0.2
TASKS: dict[Sibling, str] = {
    "link": "links",
    "node": "radius classes",
    "junction": "classes of branching points",
}
UNITS = {"um": "micrometres", "px": "pixels"}


@dataclass(frozen=True)
class Regions:
    """Where the nodes lie in an atlas, the groups of its ontology, and the files' sums."""

    located: Located | None = None
    names: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A clean graph, and all that the siblings share; `labels` (n,) are empty where unlabelled."""

    graph: VesselGraph
    raw: Raw
    options: VesselOptions
    secret: bytes | None
    report: Report
    regions: Regions
    labels: NDArray[np.str_] | None


def locate_regions(graph: VesselGraph, options: VesselOptions) -> Regions:
    """The regions of the nodes; none without an atlas."""
    if options.atlas is None or options.ontology is None:
        return Regions()
    ontology = read_ontology(options.ontology)
    located = locate(read_atlas(options.atlas), ontology, graph.position)
    about = {
        "atlas_sha256": sha256_file(options.atlas),
        "ontology_sha256": sha256_file(options.ontology),
        "nodes_outside": located.outside,
        "nodes_in_unknown_regions": located.unknown,
    }
    return Regions(located, ontology.names, {"atlas": about | {"regions": list(ontology.names)}})


def node_labels(
    graph: VesselGraph, options: VesselOptions, regions: Regions
) -> NDArray[np.str_] | None:
    """(n,) the classes of the nodes, from where the options say; none where they say nothing."""
    if options.junction is None:
        return None
    if options.junction == "atlas":
        assert regions.located is not None
        return np.array(["", *regions.names])[regions.located.group + 1]
    if options.junction == "source":
        if graph.labels is None:
            raise InputError("--junction-labels source: this source holds no classes of nodes")
        return graph.labels
    return read_labels(options.junction, graph.node_id)


def link_dataset(job: Job) -> Dataset:
    """The vessels as edges, a fifth of them hidden; nodes in Morton order."""
    graph = job.graph
    order = morton_order(graph.position, graph.node_id)
    pairs = _pairs(graph, order)
    randomness = _randomness(job, "link")
    by_pair = sort_pairs(pairs)
    position = graph.position[order]
    blocks = None
    if job.options.split == "block":
        blocks = draw_blocks(position, randomness.stream("blocks"))
        hidden = hide_in_blocks(pairs[by_pair], blocks, randomness.stream("hide"))
    else:
        hidden = hide_edges(len(pairs), HIDDEN, randomness.stream("hide"))
    seen, unseen = by_pair[~hidden], by_pair[hidden]
    task = make_link_task(
        LinkGraph(len(order), False, pairs[seen], pairs[unseen], position, blocks),
        name="link",
        relation="vessel",
        description="Find the hidden vessels: which branching points does a vessel join?",
        randomness=randomness,
        sealed=job.options.sealed == "link",
        workers=job.options.workers,
    )
    regions = job.regions
    place = place_features(graph, order, job.options.bloch, regions.located, regions.names)
    return _dataset(
        job,
        "link",
        about="Nodes are branching points and ends, edges are vessels; a fifth of the vessels "
        f"{'of held-out blocks ' if blocks else ''}is hidden.",
        relation=EdgeColumns("vessel", False, pairs[seen], vessel_columns(graph, seen)),
        columns=(*place, *own_features(graph, order)),
        ids=graph.node_id[order],
        task=task,
        parameters={
            "hidden": round(len(unseen) / len(pairs), 6),
            "split": job.options.split,
        }
        | regions.about,
    )


def node_dataset(job: Job) -> Dataset:
    """The vessels as nodes, in Morton order of their midpoints; the radius class is asked for."""
    graph = job.graph
    if "minRadiusAvg" not in graph.measures:
        raise InputError("this source tells no radii; build without radius classes: --only link")
    middle = graph.position[graph.ends].mean(axis=1)
    order = morton_order(middle, graph.edge_id)
    labels, classes, boundaries = radius_classes(
        graph.measures["minRadiusAvg"][order], job.options.boundaries, graph.unit
    )
    task = make_node_task(
        labels,
        name="radius",
        label="radius_class",
        classes=classes,
        description="Tell how wide a vessel is, by its mean minimum radius. Vessels without a "
        "measured radius are unlabelled.",
        randomness=_randomness(job, "node"),
        sealed=job.options.sealed == "node",
    )
    position = position_column(middle[order], graph.unit, "midpoint of the vessel's ends")
    return _dataset(
        job,
        "node",
        about="Nodes are vessels, joined where they share a branching point.",
        relation=EdgeColumns("junction", False, line_graph(graph.ends[order], len(graph.node_id))),
        columns=(*shape_columns(graph, order), position),
        ids=graph.edge_id[order],
        task=task,
        parameters={f"boundaries_{graph.unit}": list(boundaries)},
    )


def junction_dataset(job: Job) -> Dataset:
    """The whole graph, with a class of each branching point to tell.

    Where the classes are regions of an atlas, nothing that follows from the position is shown,
    and the nodes stand in a random order, since Morton order would tell the same.
    """
    graph, options = job.graph, job.options
    assert job.labels is not None
    withheld = options.junction == "atlas"
    randomness = _randomness(job, "junction")
    if withheld:
        order = randomness.stream("junction", "order").permutation(len(graph.node_id))
    else:
        order = morton_order(graph.position, graph.node_id)
    classes, labels = _classes(job.labels[order])
    task = make_node_task(
        labels,
        name="junction",
        label="junction_class",
        classes=classes,
        description="Tell the class of a branching point. Unlabelled ones are in no part.",
        randomness=randomness,
        sealed=options.sealed == "junction",
    )
    pairs = _pairs(graph, order)
    place = place_features(graph, order, options.bloch, None, ())
    about = "Positions are withheld, since they tell the region." if withheld else ""
    return _dataset(
        job,
        "junction",
        about=f"Nodes are branching points and ends, edges are vessels. {about}".strip(),
        relation=EdgeColumns("vessel", False, pairs, vessel_columns(graph, np.arange(len(pairs)))),
        columns=(*(() if withheld else place), *own_features(graph, order)),
        ids=graph.node_id[order],
        task=task,
        parameters={
            "labels": _name_of_labels(options),
        }
        | (job.regions.about if withheld else {}),
    )


MAKERS: dict[Sibling, Callable[[Job], Dataset]] = {
    "link": link_dataset,
    "node": node_dataset,
    "junction": junction_dataset,
}


def radius_classes(
    radius: NDArray[np.float64], boundaries: Boundaries, unit: Unit = "um"
) -> tuple[NDArray[np.int64], tuple[str, ...], tuple[float, ...]]:
    """(n,) class of each radius, -1 where it is missing; the classes' names; the boundaries.

    Raises `InputError` where fewer than two classes occur.
    """
    missing = np.isnan(radius)
    if isinstance(boundaries, str):
        known = radius[~missing]
        thirds = np.quantile(known, (1 / 3, 2 / 3)) if len(known) else np.zeros(1)
        boundaries = tuple(
            float(np.format_float_positional(t, 6, fractional=False)) for t in thirds
        )
    labels = np.where(missing, -1, np.digitize(radius, boundaries))
    names = (
        f"under {boundaries[0]:g} {unit}",
        *(f"{a:g} to {b:g} {unit}" for a, b in pairwise(boundaries)),
        f"{boundaries[-1]:g} {unit} and over",
    )
    if len(np.unique(labels[~missing])) < 2:
        raise InputError(
            f"all vessels are in one radius class at {','.join(f'{b:g}' for b in boundaries)} "
            f"{unit}; give other --boundaries, such as '{QUANTILES}', check --voxel-size, or build "
            "the link dataset alone with --only link"
        )
    return labels, names, boundaries


def _pairs(graph: VesselGraph, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """(E, 2) the edges in the numbers that an order of the nodes gives, src < dst."""
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return np.sort(rank[graph.ends], axis=1)


def _classes(labels: NDArray[np.str_]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The classes that occur, in alphabetical order, and (n,) the index of each label or -1."""
    named = labels != ""
    names, index = np.unique(labels[named], return_inverse=True)
    numbers = np.full(len(labels), -1, dtype=np.int64)
    numbers[named] = index
    return tuple(map(str, names)), numbers


def _name_of_labels(options: VesselOptions) -> str:
    origin = options.junction
    return origin if isinstance(origin, str) else f"file:{origin.name}" if origin else ""


def _randomness(job: Job, sibling: Sibling) -> Randomness:
    """The secret's for the sealed sibling; an open one is drawn from the seed."""
    if job.secret and job.options.sealed == sibling:
        return Randomness.from_secret(job.secret)
    return Randomness.from_seed(job.options.seed or 0)


def _dataset(
    job: Job,
    sibling: Sibling,
    *,
    about: str,
    relation: EdgeColumns,
    columns: tuple[NodeColumn, ...],
    ids: NDArray[np.int64],
    task: TaskTables,
    parameters: dict[str, Any],
) -> Dataset:
    options, raw = job.options, job.raw
    kind = "Synthetic vessel graph" if raw.synthetic else "Vessel graph"
    made = "Synthetic: a generated network, not an image of tissue. " if raw.synthetic else ""
    return Dataset(
        name=f"{options.name}-{sibling}",
        version=options.version,
        kind="vessel",
        title=f"{kind} {options.name}, {TASKS[sibling]}",
        description=f"{made}{about} Lengths are in {UNITS[job.graph.unit]}.",
        license=raw.sources[0].license,
        citation=raw.citation,
        num_nodes=len(ids),
        relations=(relation,),
        columns=columns,
        ids=pa.table({"node": np.arange(len(ids), dtype=np.int32), "id": ids}),
        tasks=(task,),
        origin=Origin(
            builder="vessel",
            sources=raw.sources,
            parameters=_parameters(job) | parameters,
            synthetic=raw.synthetic,
        ),
        secret=job.secret if options.sealed == sibling else None,
    )


def _parameters(job: Job) -> dict[str, Any]:
    """What a rebuild needs, and the cleaning report; a secret is not among it."""
    options = job.options
    shared = {"voxel_size_um": _shown_size(job), "cleaning": dict(job.report)}
    if options.roi:
        shared["roi"] = list(options.roi)
    if options.sealed:
        return job.raw.parameters | shared | {"sealed": options.sealed}
    return job.raw.parameters | shared | {"seed": options.seed or 0}


def _shown_size(job: Job) -> float | list[float] | None:
    """One number where voxels are cubes; nothing where the graph is in voxels."""
    size = job.options.voxel_size
    if size is None:
        return 1.0 if job.graph.unit == "um" else None
    return size[0] if len(size) == 1 else list(size)
