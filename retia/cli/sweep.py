"""The verb `sweep`: many models on many datasets, with one summary."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retia.cli.output import print_json, print_line, print_table, progress
from retia.cli.run import DEFAULT_OUT, PANEL
from retia.shards.errors import CheckError

if TYPE_CHECKING:
    from retia.benchmarks.sweep import Cell


def register(app: typer.Typer) -> None:
    """Add the verb of this module."""
    app.command("sweep", rich_help_panel=PANEL)(sweep)


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML: datasets, models, seeds.")],
    out: Annotated[Path, typer.Option(help="Where run directories go.")] = DEFAULT_OUT,
    workers: Annotated[
        int | None, typer.Option(help="Processes side by side.", show_default="all cores")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="cpu, cuda or cuda:N.", show_default="a GPU where there is one"),
    ] = None,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="Download the datasets from this server.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run every model on every dataset, tuned with equal budgets, and rank them.

    FILE has keys 'datasets' and 'models', lists of names or of mappings; 'seeds'; 'trials', how
    many settings of 'search' each trained model may try; 'training' for all. Runs that are done are
    kept: an interrupted sweep goes on. A cell that fails is reported, and the exit code is 1.
    """
    from retia.benchmarks.settings import read_yaml
    from retia.benchmarks.sweep import SweepFile, run_sweep
    from retia.loaders import load

    wish = read_yaml(SweepFile, file)
    with progress() as bar:
        cells_bar = bar.add_task("cells", total=len(wish.cells))

        def on_cell(cell: "Cell") -> None:
            bar.advance(cells_bar)

        folder, cells = run_sweep(
            wish,
            file.stem,
            out,
            lambda reference, encoding: load(reference, server=server, encoding=encoding).version,
            workers=workers,
            device=device,
            on_cell=on_cell,
        )
    summary = _summary(folder)
    if as_json:
        print_json({"sweep": str(folder), "tables": summary})
    else:
        for table in summary:
            _print(table)
        print_line(str(folder))
    failed = [cell for cell in cells if cell.problem]
    if failed:
        first = f"{failed[0].name} on {failed[0].dataset}: {failed[0].problem}"
        raise CheckError(f"{len(failed)} of {len(cells)} cells failed; {first}")


def _summary(folder: Path) -> list[dict[str, Any]]:
    import json

    return json.loads((folder / "summary.json").read_text())


def _print(table: dict[str, Any]) -> None:
    from retia.benchmarks.sweep import mean_std

    if table["rows"]:
        rows = [
            (
                row["group"],
                row["model"],
                mean_std(row["valid"]),
                mean_std(row["test"]) if row["test"] else "sealed",
                row["seeds"],
                row["parameters"],
            )
            for row in table["rows"]
        ]
        title = f"{table['dataset']}, {table['task']}: {table['measure']}"
        print_table(title, ("group", "model", "valid", "test", "seeds", "parameters"), rows)
    for row in table["failed"]:
        print_line(f"{row['model']} on {table['dataset']} failed: {row['problem']}")
