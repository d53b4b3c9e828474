"""Verbs that make datasets: `build`, `synth`, `fetch`."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from retia.cli import build_connectome, build_debian, build_text
from retia.cli.build_functional import build_functional
from retia.cli.build_options import (
    ONLY,
    SEALED,
    Cache,
    License,
    Out,
    Seed,
    VersionNumber,
    Workers,
    run_build,
)
from retia.cli.options import AsJson
from retia.cli.output import console, print_json, print_line, print_table

VesselSibling = Literal["link", "node", "junction"]


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    build = typer.Typer(no_args_is_help=True, help="Build datasets from a source.")
    build.command("vessel")(build_vessel)
    build_connectome.register(build)
    build_text.register(build)
    build_debian.register(build)
    build.command("functional")(build_functional)
    synth = typer.Typer(no_args_is_help=True, help="Generate a network's tables, from a seed.")
    synth.command("vessel")(synth_vessel)
    synth.command("connectome")(synth_connectome)
    app.add_typer(build, name="build", rich_help_panel="Build")
    app.add_typer(synth, name="synth", rich_help_panel="Build")
    app.command("fetch", rich_help_panel="Build")(fetch)


def build_vessel(
    name: Annotated[str, typer.Option(help="Makes NAME-link and NAME-node.")],
    nodes: Annotated[
        Path | None, typer.Option(help="Voreen's table of nodes, .csv or .csv.gz.")
    ] = None,
    edges: Annotated[Path | None, typer.Option(help="Voreen's table of edges.")] = None,
    source: Annotated[
        str | None,
        typer.Option(help="A published graph, fetched once: 'retia fetch' lists them."),
    ] = None,
    vtk: Annotated[
        Path | None, typer.Option(help="Centrelines as VTK polydata, .vtk or .vtp.")
    ] = None,
    swc: Annotated[Path | None, typer.Option(help="Centrelines as SWC.")] = None,
    graphml: Annotated[Path | None, typer.Option(help="A graph in GraphML.")] = None,
    grape: Annotated[Path | None, typer.Option(help="GRAPE's table of retinal graphs.")] = None,
    graph: Annotated[
        str | None,
        typer.Option(help="One graph of the GRAPE table; all of them, side by side, by default."),
    ] = None,
    volume: Annotated[
        Path | None, typer.Option(help="A segmentation: .nii, .nii.gz, .tif or .npy.")
    ] = None,
    label: Annotated[
        int | None, typer.Option(help="Volume: the value that is vessel; all but 0 by default.")
    ] = None,
    bulge: Annotated[
        float | None,
        typer.Option(help="Volume: prune spurs shorter than this many radii; 1.5 by default."),
    ] = None,
    generate: Annotated[
        int | None,
        typer.Option(min=1, help="Generate a network of N nodes instead of reading one."),
    ] = None,
    every_point: Annotated[
        bool, typer.Option(help="VTK, SWC: each point is a node, not only where branches meet.")
    ] = False,
    out: Out = None,
    seed: Seed = None,
    sealed: Annotated[VesselSibling | None, SEALED] = None,
    only: Annotated[VesselSibling | None, ONLY] = None,
    workers: Workers = 1,
    version: VersionNumber = "1.0.0",
    split: Annotated[
        Literal["random", "block"],
        typer.Option(help="NAME-link: hide vessels anywhere, or in held-out blocks of space."),
    ] = "random",
    boundaries: Annotated[
        str, typer.Option(help="Radii in um between the classes of NAME-node, or 'quantiles'.")
    ] = "15,40",
    voxel_size: Annotated[
        str | None, typer.Option(help="Micrometres to one unit of the source, V or X,Y,Z.")
    ] = None,
    isolated: Annotated[
        Literal["keep", "drop"], typer.Option(help="What becomes of nodes without a vessel.")
    ] = "keep",
    compat: Annotated[
        Literal["vesselgraph"] | None, typer.Option(help="Clean by VesselGraph's rules.")
    ] = None,
    roi: Annotated[
        str | None, typer.Option(help="Keep the box X0,Y0,Z0,X1,Y1,Z1, its faces included.")
    ] = None,
    bloch: Annotated[
        str | None, typer.Option(help="Add the angles about the origin X,Y,Z.")
    ] = None,
    atlas: Annotated[
        Path | None, typer.Option(help="NIfTI volume of region ids; adds the regions.")
    ] = None,
    ontology: Annotated[
        Path | None, typer.Option(help="The atlas's regions: .csv or .json with id and acronym.")
    ] = None,
    junction_labels: Annotated[
        str | None,
        typer.Option(help="Make NAME-junction: a table of id,label; 'atlas'; or 'source'."),
    ] = None,
    license_: License = None,
    as_json: AsJson = False,
) -> None:
    """Build datasets from a vessel graph: links on the graph, radius classes on its line graph."""
    from retia.datasets.vessel import build, inputs
    from retia.datasets.vessel import options as choices

    options = choices.VesselOptions(
        name=name,
        version=version,
        seed=seed,
        sealed=sealed,
        only=only,
        workers=workers,
        split=split,
        boundaries=choices.parse_boundaries(boundaries),
        voxel_size_um=choices.parse_numbers("--voxel-size", voxel_size, 1, 2, 3),
        license=license_,
        isolated=isolated,
        rules=compat or "retia",
        roi=choices.parse_roi(roi),
        bloch=choices.parse_numbers("--bloch", bloch, 3),
        atlas=atlas,
        ontology=ontology,
        junction=choices.parse_junction(junction_labels),
    )
    given = inputs.Given(
        nodes=nodes,
        edges=edges,
        published=source,
        vtk=vtk,
        swc=swc,
        graphml=graphml,
        grape=grape,
        graph=graph,
        generate=generate,
        every_point=every_point,
        volume=volume,
        label=label,
        bulge=bulge,
    )
    run_build(
        partial(build.build_vessel, inputs.choose(given), options),
        build.count_steps(options),
        out,
        as_json,
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


def synth_connectome(
    nodes: Annotated[int, typer.Option(help="Number of neurons.")],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    edges: Annotated[
        int | None,
        typer.Option(
            help="Number of chemical connections; 19.4 a neuron, as in FlyWire, or 2.8 % "
            "of the pairs, as in the worm, whichever is less, by default."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same connectome.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Generate a connectome: neurons.csv, connections.csv and gap.csv."""
    from retia.datasets.connectome.synthetic import write_synthetic

    paths = [str(path) for path in write_synthetic(nodes, edges, seed, out)]
    print_json(paths) if as_json else print_line("\n".join(paths))


def fetch(
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="Name of a pinned source.")
    ] = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Download a pinned source, check its sha256, and print where its files lie.

    Without a name, list the sources there are.
    """
    from retia.datasets import pinned, sources

    if source is None:
        rows = [(name, one.license) for name, one in sorted(pinned.SOURCES.items())]
        if as_json:
            print_json([{"name": name, "license": license_} for name, license_ in rows])
        else:
            print_table("sources", ("name", "licence"), rows)
        return
    with console.status(f"fetch {source}"):
        files = sources.fetch(pinned.find_source(source), cache)
    if as_json:
        print_json(
            [file.as_source().model_dump(mode="json") | {"path": str(file.path)} for file in files]
        )
    else:
        print_line("\n".join(str(file.path) for file in files))
