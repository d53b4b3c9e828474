"""Build a vessel graph's datasets: links on the graph, radius classes on its line graph."""

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

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
    position_column,
    sort_pairs,
    write_dataset,
)
from retia.datasets.morton import morton_order
from retia.datasets.sources import LocalFile, fetch
from retia.datasets.vessel.cleaning import Report, clean
from retia.datasets.vessel.graph import VesselGraph, scale
from retia.datasets.vessel.line_graph import line_graph
from retia.datasets.vessel.synthetic import GENERATOR_FILE, generate_vessels, write_csv
from retia.datasets.vessel.voreen import read_voreen
from retia.protocol.link_task import hide_edges, make_link_task
from retia.protocol.node_task import make_node_task
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness
from retia.shards.canonical import sha256_file
from retia.shards.errors import InputError
from retia.shards.manifest import Column, Source
from retia.shards.writer import new_secret

HIDDEN = 0.2
STEPS = 5
BOUNDARIES_UM = (15.0, 40.0)
QUANTILES: Final = "quantiles"
UNSTATED_LICENSE = "LicenseRef-unstated"
SYNTHETIC_LICENSE = "CC0-1.0"

Sibling = Literal["link", "node"]
Boundaries = tuple[float, ...] | Literal["quantiles"]

EDGE_COLUMNS = {
    "length": ("length", "um", "length along the vessel's centreline"),
    "distance": ("distance", "um", "distance between the vessel's ends"),
    "curveness": ("curveness", None, "length divided by distance"),
    "radius": ("avgRadiusAvg", "um", "mean radius along the vessel"),
}
NODE_COLUMNS = ("length", "distance", "curveness")


@dataclass(frozen=True)
class CsvFiles:
    """Voreen tables of the user's own."""

    nodes: Path
    edges: Path


@dataclass(frozen=True)
class Generator:
    """A generated network of so many nodes."""

    num_nodes: int


@dataclass(frozen=True)
class VesselOptions:
    """How to build: `seed` for open builds; `sealed` the sibling whose answers stay secret."""

    name: str
    version: str = "1.0.0"
    seed: int | None = None
    sealed: Sibling | None = None
    only: Sibling | None = None
    workers: int = 1
    boundaries: Boundaries = BOUNDARIES_UM
    voxel_size_um: float = 1.0
    license: str | None = None

    @property
    def siblings(self) -> tuple[Sibling, ...]:
        """The datasets to build."""
        return (self.only,) if self.only else ("link", "node")


@dataclass(frozen=True)
class _Raw:
    """A graph as it was read, and where from."""

    graph: VesselGraph
    sources: tuple[Source, ...]
    synthetic: bool
    parameters: dict[str, Any]


@dataclass(frozen=True)
class _Job:
    """A clean graph in micrometres, and all that the siblings share."""

    graph: VesselGraph
    raw: _Raw
    options: VesselOptions
    secret: bytes | None
    report: Report


def build_vessel(
    source: CsvFiles | Generator,
    options: VesselOptions,
    out: Path,
    step: Step = lambda _: None,
) -> list[Built]:
    """Build `NAME-link` and `NAME-node`.

    A sealed build draws everything, a generated graph too, from a fresh secret and never from a
    seed. Raises `InputError` before anything is written.
    """
    check_options(source, options)
    secret = new_secret() if options.sealed else None
    step("read the graph" if isinstance(source, CsvFiles) else "grow the network")
    raw = _read(source, options, secret)
    step("clean it")
    graph, report = clean(scale(raw.graph, options.voxel_size_um))
    job = _Job(graph, raw, options, secret, report)
    step("make the tasks")
    makers = {"link": _link_dataset, "node": _node_dataset}
    datasets = [makers[sibling](job) for sibling in options.siblings]
    built = []
    for dataset in datasets:
        step(f"write {dataset.name}")
        built.append(write_dataset(dataset, out))
    return built


def check_options(source: CsvFiles | Generator, options: VesselOptions) -> None:
    """Raise `InputError` for options that do not go together."""
    names = [f"{options.name}-{sibling}" for sibling in options.siblings]
    check_names(*names, version=options.version, license_=options.license)
    if options.sealed and options.seed is not None:
        raise InputError(
            "--sealed and --seed do not go together: a sealed build draws from a fresh secret, "
            "since anyone could repeat what a seed gives; leave --seed out"
        )
    if options.sealed and options.only and options.only != options.sealed:
        raise InputError(f"--sealed {options.sealed} seals nothing with --only {options.only}")
    if not (np.isfinite(options.voxel_size_um) and options.voxel_size_um > 0):
        raise InputError(f"--voxel-size {options.voxel_size_um}: a positive number is needed")
    if options.sealed and isinstance(source, CsvFiles) and (note := _generator_note(source)):
        raise InputError(
            f"{note} says that these tables were made from a seed, so anyone can make them again "
            "and read the answers off; build with --generate N instead, which draws from a secret"
        )


def parse_boundaries(text: str) -> Boundaries:
    """`quantiles`, or ascending radii in micrometres such as `15,40`."""
    if text == QUANTILES:
        return QUANTILES
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or not (np.isfinite(values).all() and (np.diff((0.0, *values)) > 0).all()):
        raise InputError(
            f"--boundaries {text}: give ascending radii in micrometres such as 15,40, "
            f"or '{QUANTILES}'"
        )
    return values


def _randomness(job: _Job, sibling: Sibling) -> Randomness:
    """The secret's for the sealed sibling; an open one is drawn from the seed."""
    if job.secret and job.options.sealed == sibling:
        return Randomness.from_secret(job.secret)
    return Randomness.from_seed(job.options.seed or 0)


def _generator_note(source: CsvFiles) -> Path | None:
    beside = [path.parent / GENERATOR_FILE for path in (source.nodes, source.edges)]
    return next((path for path in beside if path.is_file()), None)


def _read(source: CsvFiles | Generator, options: VesselOptions, secret: bytes | None) -> _Raw:
    if isinstance(source, Generator):
        return _generate(source, options, secret)
    graph = read_voreen(source.nodes, source.edges)
    synthetic = _generator_note(source) is not None
    license_ = options.license or (SYNTHETIC_LICENSE if synthetic else UNSTATED_LICENSE)
    files = [fetch(LocalFile(path, license_))[0] for path in (source.nodes, source.edges)]
    return _Raw(graph, tuple(file.as_source() for file in files), synthetic, {})


def _generate(source: Generator, options: VesselOptions, secret: bytes | None) -> _Raw:
    """Grow a network and read it back from its tables, as if they had been given."""
    seed = options.seed or 0
    randomness = Randomness.from_secret(secret) if secret else Randomness.from_seed(seed)
    made = generate_vessels(source.num_nodes, randomness)
    license_ = options.license or SYNTHETIC_LICENSE
    sources = []
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("nodes.csv", "edges.csv")]
        for path, table in zip(paths, (made.nodes, made.edges), strict=True):
            write_csv(table, path)
            sources.append(
                Source(
                    uri=f"generated:vessel/{path.name}",
                    sha256=sha256_file(path),
                    bytes=path.stat().st_size,
                    license=license_,
                )
            )
        graph = read_voreen(*paths)
    return _Raw(graph, tuple(sources), True, {"generate": source.num_nodes})


def _link_dataset(job: _Job) -> Dataset:
    """The vessels as edges, a fifth of them hidden; nodes in Morton order."""
    graph = job.graph
    order = morton_order(graph.position, graph.node_id)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    pairs = np.sort(rank[graph.ends], axis=1)
    randomness = _randomness(job, "link")
    by_pair = sort_pairs(pairs)
    hidden = hide_edges(len(pairs), HIDDEN, randomness.stream("hide"))
    seen, unseen = by_pair[~hidden], by_pair[hidden]
    positions = graph.position[order]
    task = make_link_task(
        LinkGraph(len(order), False, pairs[seen], pairs[unseen], positions),
        name="link",
        relation="vessel",
        description="Find the hidden vessels: which branching points does a vessel join?",
        randomness=randomness,
        sealed=job.options.sealed == "link",
        workers=job.options.workers,
    )
    columns = tuple(
        (_column(name), graph.measures[EDGE_COLUMNS[name][0]][seen]) for name in EDGE_COLUMNS
    )
    return _dataset(
        job,
        "link",
        about="Nodes are branching points and ends, edges are vessels; a fifth of the vessels is "
        "hidden.",
        relation=EdgeColumns("vessel", False, pairs[seen], columns),
        columns=(
            position_column(positions, "position of the branching point"),
            degree_column(
                "degree", "number of visible vessels", relation="vessel", direction="both"
            ),
        ),
        ids=graph.node_id[order],
        tasks=(task,),
        parameters={"hidden": HIDDEN},
    )


def _node_dataset(job: _Job) -> Dataset:
    """The vessels as nodes, in Morton order of their midpoints; the radius class is asked for."""
    graph = job.graph
    middle = graph.position[graph.ends].mean(axis=1)
    order = morton_order(middle, graph.edge_id)
    labels, classes, boundaries = radius_classes(
        graph.measures["minRadiusAvg"][order], job.options.boundaries
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
    features = tuple(
        NodeColumn(_column(name), graph.measures[EDGE_COLUMNS[name][0]][order])
        for name in NODE_COLUMNS
    )
    return _dataset(
        job,
        "node",
        about="Nodes are vessels, joined where they share a branching point.",
        relation=EdgeColumns("junction", False, line_graph(graph.ends[order], len(graph.node_id))),
        columns=(*features, position_column(middle[order], "midpoint of the vessel's ends")),
        ids=graph.edge_id[order],
        tasks=(task,),
        parameters={"boundaries_um": list(boundaries)},
    )


def radius_classes(
    radius_um: NDArray[np.float64], boundaries: Boundaries
) -> tuple[NDArray[np.int64], tuple[str, ...], tuple[float, ...]]:
    """(n,) class of each radius, -1 where it is missing; the classes' names; the boundaries.

    Raises `InputError` where fewer than two classes occur.
    """
    missing = np.isnan(radius_um)
    if isinstance(boundaries, str):
        known = radius_um[~missing]
        thirds = np.quantile(known, (1 / 3, 2 / 3)) if len(known) else np.zeros(1)
        boundaries = tuple(
            float(np.format_float_positional(t, 6, fractional=False)) for t in thirds
        )
    labels = np.where(missing, -1, np.digitize(radius_um, boundaries))
    names = (
        f"under {boundaries[0]:g} um",
        *(f"{a:g} to {b:g} um" for a, b in pairwise(boundaries)),
        f"{boundaries[-1]:g} um and over",
    )
    if len(np.unique(labels[~missing])) < 2:
        raise InputError(
            f"all vessels are in one radius class at {','.join(f'{b:g}' for b in boundaries)} um; "
            f"give other --boundaries, such as '{QUANTILES}', check --voxel-size, or build the "
            "link dataset alone with --only link"
        )
    return labels, names, boundaries


def _column(name: str) -> Column:
    _, unit, description = EDGE_COLUMNS[name]
    return Column(name=name, dtype="float32", unit=unit, description=description, role="feature")


def _dataset(
    job: _Job,
    sibling: Sibling,
    *,
    about: str,
    relation: EdgeColumns,
    columns: tuple[NodeColumn, ...],
    ids: NDArray[np.int64],
    tasks: tuple[Any, ...],
    parameters: dict[str, Any],
) -> Dataset:
    options, raw = job.options, job.raw
    kind = "Synthetic vessel graph" if raw.synthetic else "Vessel graph"
    task = "links" if sibling == "link" else "radius classes"
    made = "Synthetic: a generated network, not an image of tissue. " if raw.synthetic else ""
    return Dataset(
        name=f"{options.name}-{sibling}",
        version=options.version,
        kind="vessel",
        title=f"{kind} {options.name}, {task}",
        description=f"{made}{about} Lengths are in micrometres.",
        license=raw.sources[0].license,
        citation="Generated by Retia." if raw.synthetic else "Cite the source of the tables.",
        num_nodes=len(ids),
        relations=(relation,),
        columns=columns,
        ids=pa.table({"node": np.arange(len(ids), dtype=np.int32), "id": ids}),
        tasks=tasks,
        origin=Origin(
            builder="vessel",
            sources=raw.sources,
            parameters=_parameters(job) | parameters,
            synthetic=raw.synthetic,
        ),
        secret=job.secret if options.sealed == sibling else None,
    )


def _parameters(job: _Job) -> dict[str, Any]:
    """What a rebuild needs, and the cleaning report; a secret is not among it."""
    shared = {"voxel_size_um": job.options.voxel_size_um, "cleaning": dict(job.report)}
    if job.options.sealed:
        return job.raw.parameters | shared | {"sealed": job.options.sealed}
    return job.raw.parameters | shared | {"seed": job.options.seed or 0}
