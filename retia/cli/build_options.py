"""What the verbs of `retia build` share: their common options, and how a build is shown."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retia.cli.output import print_json, print_line, progress

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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Cache = Annotated[
    Path | None, typer.Option(help="Folder for fetched sources; the user's cache by default.")
]


def run_build(build: "Callable[[Step], list[Built]]", steps: int, as_json: bool) -> None:
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
