"""Verbs that make datasets: `build`, `synth`, `fetch`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from retia.cli.output import console, print_json, print_line, progress
from retia.shards.errors import InputError
from retia.shards.store import default_store

if TYPE_CHECKING:
    from retia.datasets.assemble import Built, Step

Sibling = Literal["link", "node"]

Out = Annotated[
    Path | None,
    typer.Option(help="Folder to write {name}/{version}/ into; the local store by default."),
]
Seed = Annotated[
    int | None, typer.Option(help="Seed of everything random in an open build; 0 by default.")
]
Sealed = Annotated[
    Sibling | None,
    typer.Option(help="Keep this sibling's test answers secret: they stay in sealed/."),
]
Only = Annotated[Sibling | None, typer.Option(help="Build this sibling alone.")]
Workers = Annotated[
    int, typer.Option(min=1, max=256, help="Threads; the result does not depend on them.")
]
VersionNumber = Annotated[str, typer.Option("--version", help="Version number of the datasets.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    build = typer.Typer(no_args_is_help=True, help="Build datasets from a source.")
    build.command("celegans")(build_celegans)
    build.command("vessel")(build_vessel)
    synth = typer.Typer(no_args_is_help=True, help="Generate a network's tables, from a seed.")
    synth.callback()(lambda: None)
    synth.command("vessel")(synth_vessel)
    app.add_typer(build, name="build", rich_help_panel="Build")
    app.add_typer(synth, name="synth", rich_help_panel="Build")
    app.command("fetch", rich_help_panel="Build")(fetch)


def build_celegans(
    out: Out = None,
    seed: Seed = None,
    sealed: Sealed = None,
    only: Only = None,
    workers: Workers = 1,
    version: VersionNumber = "1.0.0",
    cache: Annotated[
        Path | None, typer.Option(help="Folder for fetched sources; the user's cache by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build celegans-link and celegans-node: the worm's neurons, synapses and gap junctions.

    Downloads the source (14 MB, once): a pinned release of the package cect, read and not
    installed.
    """
    from retia.datasets.connectome import celegans

    _run(
        lambda step: celegans.build_celegans(
            out or default_store(),
            seed=seed or 0,
            workers=workers,
            version=version,
            sealed=sealed,
            only=only,
            cache=cache,
            step=step,
        ),
        celegans.STEPS,
        as_json,
    )


def build_vessel(
    name: Annotated[str, typer.Option(help="Makes NAME-link and NAME-node.")],
    nodes: Annotated[
        Path | None, typer.Option(help="Voreen's table of nodes, .csv or .csv.gz.")
    ] = None,
    edges: Annotated[Path | None, typer.Option(help="Voreen's table of edges.")] = None,
    generate: Annotated[
        int | None,
        typer.Option(min=1, help="Generate a network of N nodes instead of reading one."),
    ] = None,
    out: Out = None,
    seed: Seed = None,
    sealed: Sealed = None,
    only: Only = None,
    workers: Workers = 1,
    version: VersionNumber = "1.0.0",
    boundaries: Annotated[
        str, typer.Option(help="Radii in um between the classes of NAME-node, or 'quantiles'.")
    ] = "15,40",
    voxel_size: Annotated[
        float, typer.Option(help="Micrometres to one unit of the tables' lengths.")
    ] = 1.0,
    license_: Annotated[
        str | None, typer.Option("--license", help="SPDX licence of the tables.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build datasets from a vessel graph: links on the graph, radius classes on its line graph."""
    from retia.datasets.vessel import build

    options = build.VesselOptions(
        name=name,
        version=version,
        seed=seed,
        sealed=sealed,
        only=only,
        workers=workers,
        boundaries=build.parse_boundaries(boundaries),
        voxel_size_um=voxel_size,
        license=license_,
    )
    source: build.CsvFiles | build.Generator
    if generate is not None and nodes is None and edges is None:
        source = build.Generator(generate)
    elif generate is None and nodes is not None and edges is not None:
        source = build.CsvFiles(nodes, edges)
    else:
        raise InputError("give either --nodes and --edges, or --generate N")
    _run(
        lambda step: build.build_vessel(source, options, out or default_store(), step),
        build.STEPS,
        as_json,
    )
    if sealed and not only:
        other = "node" if sealed == "link" else "link"
        console.print(
            f"{name}-{other} shows the answers of {name}-{sealed}: a server that holds one will "
            "refuse the other.",
            soft_wrap=True,
        )


def synth_vessel(
    nodes: Annotated[int, typer.Option(help="Number of branching points.")],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same network.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Generate a vessel network: nodes.csv, edges.csv as Voreen writes them, and truth.csv."""
    from retia.datasets.vessel.synthetic import write_synthetic

    paths = [str(path) for path in write_synthetic(nodes, seed, out)]
    print_json(paths) if as_json else print_line("\n".join(paths))


def fetch(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Name of a pinned source.")],
    cache: Annotated[
        Path | None, typer.Option(help="Folder for fetched sources; the user's cache by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download a pinned source, check its sha256, and print where its files lie."""
    from retia.datasets import sources

    with console.status(f"fetch {source}"):
        files = sources.fetch(sources.find_source(source), cache)
    if as_json:
        print_json(
            [file.as_source().model_dump(mode="json") | {"path": str(file.path)} for file in files]
        )
    else:
        print_line("\n".join(str(file.path) for file in files))


def _run(build: "Callable[[Step], list[Built]]", steps: int, as_json: bool) -> None:
    """Run a build beneath a progress bar and print what it made."""
    from retia.datasets.assemble import summary

    with progress() as bar:
        task = bar.add_task("start", total=steps)

        def step(text: str) -> None:
            started = bar.tasks[0].description != "start"
            bar.update(task, description=text, advance=1 if started else 0)

        built = build(step)
    if as_json:
        print_json([one.as_dict() for one in built])
    else:
        for one in built:
            _show(summary(one))


def _show(row: tuple[object, ...]) -> None:
    names = ("digest", "nodes", "edges", "tasks", "state", "folder")
    print_line(str(row[0]))
    for name, value in zip(names, row[1:], strict=True):
        print_line(f"  {name:<7} {f'{value:,}' if isinstance(value, int) else value}")
