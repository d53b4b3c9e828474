"""Build a connectome's datasets: read it, keep what is wanted, and make the siblings."""

from dataclasses import replace
from pathlib import Path

from retia.datasets.assemble import Built, Step, write_dataset
from retia.datasets.connectome.graph import Connectome, Layer
from retia.datasets.connectome.inputs import ConnectomeSource, Raw
from retia.datasets.connectome.options import ConnectomeOptions, check_options
from retia.datasets.connectome.siblings import MAKERS, Job, siblings_of
from retia.shards.errors import InputError
from retia.shards.writer import new_secret


def build_connectome(
    source: ConnectomeSource,
    options: ConnectomeOptions,
    out: Path,
    step: Step = lambda _: None,
) -> list[Built]:
    """Build `NAME-link`, `-weight` and `-node`, or `-stage`: those that the source can give.

    A sealed build draws everything from a fresh secret and never from a seed. Raises `InputError`
    before anything is written.
    """
    check_options(options, source.known_to_all)
    step("read the connectome")
    raw = source.read(options.license)
    earlier = tuple(_kept(animal, options) for animal in raw.earlier)
    raw = replace(raw, connectome=_kept(raw.connectome, options), earlier=earlier)
    job = Job(_titled(raw, options), options, new_secret() if options.sealed else None)
    step("make the tasks")
    datasets = [MAKERS[sibling](job) for sibling in siblings_of(job)]
    built = []
    for dataset in datasets:
        step(f"write {dataset.name}")
        built.append(write_dataset(dataset, out))
    return built


def count_steps(options: ConnectomeOptions) -> int:
    """How often a build tells that it starts something, at most."""
    return 2 + (1 if options.only else 3)


def _titled(raw: Raw, options: ConnectomeOptions) -> Raw:
    """A connectome of the user's own is called by the name that they give it."""
    return raw if raw.homepage else replace(raw, title=f"{raw.title} {options.name}")


def _kept(connectome: Connectome, options: ConnectomeOptions) -> Connectome:
    """The layers that are wanted, without connections that are too weak."""
    for name in options.layers:
        connectome.layer(name)
    layers = [x for x in connectome.layers if not options.layers or x.name in options.layers]
    kept = [_strong(layer, options.min_weight) for layer in layers]
    if not any(len(layer.pairs) for layer in kept):
        raise InputError(f"no connection of {options.name} is left")
    dropped = {
        f"{layer.name}_under_min_weight": len(layer.pairs) - len(strong.pairs)
        for layer, strong in zip(layers, kept, strict=True)
        if options.min_weight
    }
    return replace(connectome, layers=tuple(kept), report=connectome.report | dropped)


def _strong(layer: Layer, min_weight: float) -> Layer:
    strong = layer.weight >= min_weight
    return replace(layer, pairs=layer.pairs[strong], weight=layer.weight[strong])
