"""The verb of `retia build` that makes datasets of Debian's packages."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from retia.cli.build_options import Out, Seed, VersionNumber, Workers, run_build
from retia.cli.build_text import Only
from retia.cli.options import AsJson

SplitBy = Literal["random", "source", "maintainer"]
ENCODING = "tfidf-svd-128"


def register(build: typer.Typer) -> None:
    """Add the verb of this module."""
    build.command("debian")(build_debian)


def build_debian(
    packages: Annotated[
        list[Path] | None,
        typer.Option(
            help="A Packages file, plain, .gz, .xz or .lz4; may be given several times. The list "
            "of Debian's main that apt keeps on this machine by default."
        ),
    ] = None,
    translation: Annotated[
        Path | None, typer.Option(help="The Translation-en file: adds long descriptions.")
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(help="Architecture of apt's list, where it keeps several."),
    ] = None,
    names: Annotated[
        bool,
        typer.Option(
            "--names", help="Names of packages are texts too; they give the section away."
        ),
    ] = False,
    out: Out = None,
    seed: Seed = None,
    only: Only = None,
    workers: Workers = 1,
    version: VersionNumber = "1.0.0",
    split: Annotated[
        SplitBy,
        typer.Option(
            help="What stays in one part of a task of debian-node: the packages of a source, of a "
            "maintainer, or nothing."
        ),
    ] = "source",
    encoding: Annotated[
        list[str] | None,
        typer.Option(
            help=f"An encoder of the texts: tfidf-svd-D, hashing-D or st:NAME; {ENCODING} by "
            "default. May be given several times."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build debian-link and debian-node from the package lists of a Debian machine."""
    from retia.datasets.text import build
    from retia.datasets.text.debian.source import DebianLists
    from retia.datasets.text.options import TextOptions
    from retia.shards.errors import InputError

    if packages and arch:
        raise InputError("--arch chooses among apt's lists; leave it out with --packages")
    options = TextOptions(
        name="debian",
        version=version,
        seed=seed,
        only=only,
        workers=workers,
        split="random" if split == "random" else "grouped",
        group=None if split == "random" else split,
        encodings=tuple(encoding or (ENCODING,)),
    )
    source = DebianLists(tuple(packages or ()), translation, arch, names)
    run_build(partial(build.build_text, source, options), build.count_steps(options), out, as_json)
