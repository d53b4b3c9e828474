"""What the verbs of `retia build` share: their common options, and how a build is shown."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retia.cli.output import console, print_json, print_line, progress
from retia.shards.store import default_store

if TYPE_CHECKING:
    from retia.datasets.assemble import Built, Step

Out = Annotated[
    Path | None,
    typer.Option(help="Folder to write {name}/{version}/ into; the local store by default."),
]
Seed = Annotated[
    int | None, typer.Option(help="Seed of everything random in an open build; 0 by default.")
]
Workers = Annotated[
    int, typer.Option(min=1, max=256, help="Threads; the result does not depend on them.")
]
VersionNumber = Annotated[str, typer.Option("--version", help="Version number of the datasets.")]
Cache = Annotated[
    Path | None, typer.Option(help="Folder for fetched sources; the user's cache by default.")
]
License = Annotated[str | None, typer.Option("--license", help="SPDX licence of the files.")]
Folder = Annotated[Path, typer.Option("--dir", help="Folder that holds the source's files.")]
ONLY = typer.Option(help="Build this sibling alone.")
SEALED = typer.Option(help="Keep this sibling's test answers secret: they stay in sealed/.")


def column(text: str, *names: str) -> Any:
    """An option that names a column of the user's tables."""
    panel = "Columns, and what they are called by default"
    return typer.Option(*names, help=text, rich_help_panel=panel)


def run_build(
    build: "Callable[[Path, Step], list[Built]]", steps: int, out: Path | None, as_json: bool
) -> None:
    """Run a build beneath a progress bar, print what it made, and what of it tells on the rest."""
    from retia.datasets.assemble import summary

    with progress() as bar:
        task = bar.add_task("start", total=steps)

        def step(text: str) -> None:
            started = bar.tasks[0].description != "start"
            bar.update(task, description=text, advance=1 if started else 0)

        built = build(out or default_store(), step)
    if as_json:
        print_json([one.as_dict() for one in built])
    else:
        for one in built:
            _show(summary(one))
    _tell_of_answers(built)


def _tell_of_answers(built: "list[Built]") -> None:
    """Say which of the datasets show the answers of a sealed one."""
    manifests = [one.version.manifest for one in built]
    sealed = [one.name for one in manifests if one.sealed_commitment]
    others = [one.name for one in manifests if not one.sealed_commitment]
    if sealed and others:
        console.print(
            f"{' and '.join(others)} show{'s' if len(others) == 1 else ''} the answers of "
            f"{sealed[0]}: a server that holds one will refuse the other.",
            soft_wrap=True,
        )


def _show(row: tuple[object, ...]) -> None:
    names = ("digest", "nodes", "edges", "tasks", "state", "folder")
    print_line(str(row[0]))
    for name, value in zip(names, row[1:], strict=True):
        print_line(f"  {name:<7} {f'{value:,}' if isinstance(value, int) else value}")
