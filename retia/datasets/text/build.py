"""Build the datasets of a text-attributed graph: read it, and make the siblings."""

from dataclasses import replace
from pathlib import Path

from retia.datasets.assemble import Built, Step, write_dataset
from retia.datasets.text.encoders.encode import check_spec
from retia.datasets.text.generated import with_generated
from retia.datasets.text.inputs import Raw, TextSource
from retia.datasets.text.options import TextOptions, check_options
from retia.datasets.text.siblings import MAKERS, Job, siblings_of
from retia.shards.store import resolve
from retia.shards.writer import new_secret


def build_text(
    source: TextSource, options: TextOptions, out: Path, step: Step = lambda _: None
) -> list[Built]:
    """Build `NAME-link` and `NAME-node`: those that the source can give.

    A sealed build draws everything from a fresh secret and never from a seed. Raises `InputError`
    before anything is written.
    """
    check_options(options, source.known_to_all)
    for spec in options.encodings:
        check_spec(spec)
    fit_on = resolve(options.fit_on, out) if options.fit_on else None
    step("read the graph")
    raw = _titled(source.read(options.license), options)
    if options.texts is not None:
        raw = with_generated(raw, options.texts)
    if options.group is not None:
        raw.graph.group_names(options.group)
    job = Job(raw, options, new_secret() if options.sealed else None, fit_on)
    step("make the tasks")
    datasets = [MAKERS[sibling](job) for sibling in siblings_of(job)]
    built = []
    for dataset in datasets:
        step(f"write {dataset.name}")
        built.append(write_dataset(dataset, out))
    return built


def count_steps(options: TextOptions) -> int:
    """How often a build tells that it starts something, at most."""
    return 2 + (1 if options.only else 2)


def _titled(raw: Raw, options: TextOptions) -> Raw:
    """A graph of the user's own is called by the name that they give it."""
    return raw if raw.homepage else replace(raw, title=f"{raw.title} {options.name}")
