"""Build an atlas of functional motifs from the traces of several animals."""

from pathlib import Path

import numpy as np

from retia.datasets.assemble import Built, Origin, Step, write_dataset
from retia.datasets.connectome.functional.affinity import affinity_tensor
from retia.datasets.connectome.functional.atlas import Atlas, find_intervals
from retia.datasets.connectome.functional.communities import find_communities
from retia.datasets.connectome.functional.dataset import atlas_dataset, parameters
from retia.datasets.connectome.functional.factorise import Factors, factorise
from retia.datasets.connectome.functional.options import FunctionalOptions, check_options
from retia.datasets.connectome.functional.rank import assess, choose_rank
from retia.datasets.connectome.functional.structure import align
from retia.datasets.connectome.functional.traces import Traces, read_traces
from retia.datasets.sources import LocalFile, fetch
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.store import resolve

UNSTATED_LICENSE = "LicenseRef-unstated"
STEPS_BESIDE_RANKS = 4


def build_functional(
    traces: list[Path], options: FunctionalOptions, out: Path, step: Step = lambda _: None
) -> list[Built]:
    """Build `NAME` from files of traces, one an animal; their order does not matter.

    Raises `InputError` before anything is written.
    """
    check_options(options)
    if not traces:
        raise InputError("--traces: give a file of traces for each animal")
    license_ = options.license or UNSTATED_LICENSE
    step("read the traces")
    paths = sorted(traces, key=lambda path: path.stem)
    animals = [read_traces(path) for path in paths]
    sources = tuple(fetch(LocalFile(path, license_))[0].as_source() for path in paths)
    neurons = np.unique(np.concatenate([animal.neurons for animal in animals]))
    structure = align(resolve(options.structure), neurons) if options.structure else None
    if structure is not None:
        sources += structure.sources
        license_ = " AND ".join(dict.fromkeys((license_, structure.license)))
    step("compute the affinities")
    atlas = make_atlas(animals, options, step)
    origin = Origin("functional", sources, parameters(atlas, structure, options))
    step(f"write {options.name}")
    return [write_dataset(atlas_dataset(atlas, structure, options, license_, origin), out)]


def count_steps(options: FunctionalOptions) -> int:
    """How often a build tells that it starts something."""
    return STEPS_BESIDE_RANKS + len(options.ranks)


def make_atlas(
    animals: list[Traces], options: FunctionalOptions, step: Step = lambda _: None
) -> Atlas:
    """Affinities, factors of the chosen rank, communities and intervals."""
    randomness = Randomness.from_seed(options.seed)
    tensor = affinity_tensor(
        animals,
        smooth_s=options.smooth_s,
        window_s=options.window_s,
        workers=options.workers,
    )
    if not tensor.values.any():
        raise InputError("no pair of neurons ever changes alike: there is nothing to factorise")
    found: dict[int, Factors] = {}
    reports = []
    for rank in options.ranks:
        step(f"factorise, rank {rank}")
        restarts = factorise(
            tensor.values,
            tensor.seen,
            rank,
            randomness,
            restarts=options.restarts,
            workers=options.workers,
        )
        found[rank] = restarts[0]
        reports.append(assess(tensor.values, tensor.seen, restarts))
    factors = found[choose_rank(reports)]
    step("find communities")
    communities = tuple(
        find_communities(pair, len(tensor.neurons), randomness, options.communities)
        for pair in factors.pair.T
    )
    intervals = find_intervals(factors, tensor.step_s)
    return Atlas(tensor, factors, tuple(reports), communities, intervals)
