"""Build a vessel graph's datasets: read, crop, clean, and make the siblings."""

from pathlib import Path

from retia.datasets.assemble import Built, Step, write_dataset
from retia.datasets.vessel.checkpoint import finished
from retia.datasets.vessel.cleaning import clean
from retia.datasets.vessel.graph import crop
from retia.datasets.vessel.inputs import Generator, Published, VesselSource
from retia.datasets.vessel.options import VesselOptions, check_options
from retia.datasets.vessel.raw import Raw, check_secrecy, read_raw
from retia.datasets.vessel.siblings import MAKERS, Job, locate_regions, node_labels
from retia.shards.errors import InputError
from retia.shards.writer import new_secret

FIRST_STEP = {Generator: "grow the network", Published: "fetch and read the graph"}


def build_vessel(
    source: VesselSource,
    options: VesselOptions,
    out: Path,
    step: Step = lambda _: None,
) -> list[Built]:
    """Build `NAME-link` and `NAME-node`, and `NAME-junction` where the classes of nodes are given.

    A sealed build draws everything, a generated graph too, from a fresh secret and never from a
    seed. Raises `InputError` before anything is written. An interrupted build that is started again
    goes on from the traced volume or the grown network, and ends in the same digests.
    """
    check_options(options)
    check_secrecy(source, options)
    secret = new_secret() if options.sealed else None
    step(FIRST_STEP.get(type(source), "read the graph"))
    raw = read_raw(source, options, secret, out)
    with finished(raw.kept):
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
