"""Build a vessel graph's datasets: read, crop, clean, and make the siblings."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from retia.datasets.assemble import Built, Step, write_dataset
from retia.datasets.generated import find_note
from retia.datasets.sources import LocalFile, fetch
from retia.datasets.vessel.cleaning import clean
from retia.datasets.vessel.graph import VesselGraph, crop, scale
from retia.datasets.vessel.inputs import CsvFiles, Generator, GraphFile, read_source
from retia.datasets.vessel.labels import labels_of
from retia.datasets.vessel.options import VesselOptions, check_options
from retia.datasets.vessel.readers.voreen import read_voreen
from retia.datasets.vessel.siblings import MAKERS, Job, Raw, locate_regions, node_labels
from retia.datasets.vessel.synthetic import generate_vessels, write_csv
from retia.protocol.randomness import Randomness
from retia.shards.canonical import sha256_file
from retia.shards.errors import InputError
from retia.shards.manifest import Source
from retia.shards.writer import new_secret

UNSTATED_LICENSE: Final = "LicenseRef-unstated"
SYNTHETIC_LICENSE: Final = "CC0-1.0"


def build_vessel(
    source: GraphFile | Generator,
    options: VesselOptions,
    out: Path,
    step: Step = lambda _: None,
) -> list[Built]:
    """Build `NAME-link` and `NAME-node`, and `NAME-junction` where the classes of nodes are given.

    A sealed build draws everything, a generated graph too, from a fresh secret and never from a
    seed. Raises `InputError` before anything is written.
    """
    check_options(options)
    _check_source(source, options)
    secret = new_secret() if options.sealed else None
    step("grow the network" if isinstance(source, Generator) else "read the graph")
    raw = _read(source, options, secret)
    step("clean it")
    job = _prepare(raw, options, secret)
    step("make the tasks")
    datasets = [MAKERS[sibling](job) for sibling in options.siblings]
    built = []
    for dataset in datasets:
        step(f"write {dataset.name}")
        built.append(write_dataset(dataset, out))
    return built


def count_steps(options: VesselOptions) -> int:
    """How often a build tells that it starts something."""
    return 3 + len(options.siblings)


def _prepare(raw: Raw, options: VesselOptions, secret: bytes | None) -> Job:
    """The graph cropped and cleaned, its nodes located and labelled."""
    graph = raw.graph
    if options.roi:
        half = len(options.roi) // 2
        graph = crop(graph, options.roi[:half], options.roi[half:])
    graph, report = clean(graph, options.isolated, options.rules)
    if not len(graph.edge_id):
        raise InputError(f"no vessel is left after cleaning ({_shown(report)})")
    regions = locate_regions(graph, options)
    return Job(graph, raw, options, secret, report, regions, node_labels(graph, options, regions))


def _shown(report: dict[str, object]) -> str:
    return ", ".join(f"{name} {count}" for name, count in report.items() if type(count) is int)


def _check_source(source: GraphFile | Generator, options: VesselOptions) -> None:
    if options.sealed and isinstance(source, CsvFiles) and (note := find_note(*source.files)):
        raise InputError(
            f"{note} says that these tables were made from a seed, so anyone can make them again "
            "and read the answers off; build with --generate N instead, which draws from a secret"
        )


def _read(source: GraphFile | Generator, options: VesselOptions, secret: bytes | None) -> Raw:
    if isinstance(source, Generator):
        return _generate(source, options, secret)
    graph, parameters = read_source(source, options.voxel_size, options.workers)
    synthetic = isinstance(source, CsvFiles) and find_note(*source.files) is not None
    license_ = options.license or (SYNTHETIC_LICENSE if synthetic else UNSTATED_LICENSE)
    files = [fetch(LocalFile(path, license_))[0] for path in source.files]
    return Raw(graph, tuple(file.as_source() for file in files), synthetic, parameters)


def _generate(source: Generator, options: VesselOptions, secret: bytes | None) -> Raw:
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
    graph = replace(graph, labels=labels_of(made.truth, graph.node_id, "the generator's truth"))
    return Raw(_scaled(graph, options), tuple(sources), True, {"generate": source.num_nodes})


def _scaled(graph: VesselGraph, options: VesselOptions) -> VesselGraph:
    """A generated network is in micrometres; a voxel size is refused unless it is one number."""
    size = options.voxel_size
    if size is not None and len(size) > 1:
        raise InputError("--voxel-size with --generate: give one number")
    return scale(graph, size[0] if size else 1.0)
