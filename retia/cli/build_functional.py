"""`retia build functional`: an atlas of motifs from recorded activity."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from retia.cli.build_options import License, Out, Seed, VersionNumber, Workers, run_build
from retia.cli.options import AsJson


def build_functional(
    name: Annotated[str, typer.Option(help="Name of the dataset.")],
    traces: Annotated[
        list[Path],
        typer.Option(help="Traces of an animal: .csv, .npz or .nwb; several files may follow."),
    ],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="More files of traces.")
    ] = None,
    rank: Annotated[
        int | None, typer.Option(help="Number of components; by default a rule chooses.")
    ] = None,
    max_rank: Annotated[int, typer.Option(help="The largest number of components to try.")] = 8,
    smooth: Annotated[
        float, typer.Option(help="Seconds of the Gaussian that smooths the traces.")
    ] = 1.0,
    window: Annotated[
        float | None, typer.Option(help="Average affinities over windows of so many seconds.")
    ] = None,
    communities: Annotated[
        Literal["leiden", "sbm"],
        typer.Option(help="Leiden, or a nested block model where graph-tool is installed."),
    ] = "leiden",
    structure: Annotated[
        str | None,
        typer.Option(
            metavar="REF", help="A connectome dataset whose nodes have the names of the neurons."
        ),
    ] = None,
    license_: License = None,
    out: Out = None,
    seed: Seed = None,
    workers: Workers = 1,
    version: VersionNumber = "1.0.0",
    as_json: AsJson = False,
) -> None:
    """Build an atlas of functional motifs: --traces A.csv B.csv ... --name NAME.

    A file is an animal, named for it; a CSV has a column of seconds and a column a neuron.
    """
    from retia.datasets.connectome.functional import build

    options = build.FunctionalOptions(
        name=name,
        version=version,
        seed=seed or 0,
        rank=rank,
        max_rank=max_rank,
        smooth_s=smooth,
        window_s=window,
        communities=communities,
        structure=structure,
        license=license_,
        workers=workers,
    )
    files = [*traces, *(more or [])]
    run_build(
        partial(build.build_functional, files, options), build.count_steps(options), out, as_json
    )
