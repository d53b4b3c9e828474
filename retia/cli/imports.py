"""Verbs that bring in other libraries' datasets: `import`."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from retia.cli.build_options import Out, VersionNumber, run_build
from retia.cli.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    imports = typer.Typer(no_args_is_help=True, help="Import a dataset of another library.")
    imports.callback()(lambda: None)
    imports.command("ogb")(import_ogb)
    imports.command("webkb")(import_webkb)
    app.add_typer(imports, name="import", rich_help_panel="Build")


def import_ogb(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A dataset's folder, with raw/ and split/ in it.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the dataset; that of the folder by default.")
    ] = None,
    out: Out = None,
    kind: Annotated[
        Literal["vessel", "connectome", "text"], typer.Option(help="What the graph is.")
    ] = "vessel",
    split: Annotated[
        str | None, typer.Option(help="Name of the split, where there are several.")
    ] = None,
    positions: Annotated[
        bool, typer.Option("--positions", help="The node features are coordinates.")
    ] = False,
    negatives: Annotated[
        Literal["uniform", "box"],
        typer.Option(help="What OGB's negatives are; those of ogbl-vessel lie in a box."),
    ] = "uniform",
    seed: Annotated[int, typer.Option(help="Seed of the order of the items.")] = 0,
    version: VersionNumber = "1.0.0",
    license_: Annotated[
        str, typer.Option("--license", help="SPDX licence of the files.")
    ] = "LicenseRef-unstated",
    as_json: AsJson = False,
) -> None:
    """Import a local OGB download, or an export of Retia's, with OGB's own split.

    Reads npz and csv files, and the split's .pt files through an unpickler that admits tensors and
    arrays and nothing else.
    """
    from retia.datasets.ogb import build

    options = build.OgbOptions(
        name=name,
        version=version,
        kind=kind,
        scheme=split,
        positions=positions,
        negatives=negatives,
        license=license_,
        seed=seed,
    )
    run_build(partial(build.import_ogb, folder, options), build.STEPS, out, as_json)


def import_webkb(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A graph's folder, with raw/ in it.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the dataset; that of the folder by default.")
    ] = None,
    out: Out = None,
    version: VersionNumber = "1.0.0",
    license_: Annotated[
        str, typer.Option("--license", help="SPDX licence of the files.")
    ] = "LicenseRef-unstated",
    as_json: AsJson = False,
) -> None:
    """Import Texas, Cornell or Wisconsin of WebKB, or a graph like them, with Geom-GCN's splits.

    Reads raw/ as PyG's WebKB downloads it: nodes and edges as text, a file of masks a split.
    """
    from retia.datasets.webkb import build

    options = build.WebkbOptions(name=name, version=version, license=license_)
    run_build(partial(build.import_webkb, folder, options), build.STEPS, out, as_json)
