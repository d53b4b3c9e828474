"""The verb that looks for motifs: `query`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retia.cli.output import console, print_json, print_line, print_table
from retia.shards.errors import InputError
from retia.shards.store import resolve

if TYPE_CHECKING:
    import pyarrow as pa

    from retia.datasets.connectome.query import Matches

SHOWN = 20
WRITERS = (".csv", ".parquet")


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("query", rich_help_panel="Datasets")(query)


def query(
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="name or name@version, or a version's folder")
    ],
    text: Annotated[
        str | None,
        typer.Argument(metavar="QUERY", help="The motif, such as 'A -> B; B -> C; A -> C'."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Read the motif from this file.", show_default=False)
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="Count the matches, list none.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Most matches.",
            show_default="1,000,000; with --count none",
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Most seconds of search.")] = 10.0,
    participation: Annotated[
        bool,
        typer.Option("--participation", help="A row a node instead: its matches in each role."),
    ] = False,
    induced: Annotated[
        bool, typer.Option("--induced", help="Allow no further edges among the nodes of a match.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the table to FILE.csv or FILE.parquet."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for a motif among the visible edges of a dataset.

    The language is described in docs/query.md. A search that meets a limit says so, and what it
    found until then is a part of the matches.
    """
    from retia.datasets.connectome.query import graph_of, parse, search

    if count and out is not None and not participation:
        raise InputError("--count lists no matches to write: leave --out out")
    if out is not None and out.suffix not in WRITERS:
        raise InputError(f"{out}: the name ends in {' or '.join(WRITERS)}")
    parsed = parse(_text(text, file))
    parsed = replace(parsed, induced=True) if induced else parsed
    graph = graph_of(resolve(reference))
    found = search(
        parsed,
        graph,
        limit=limit,
        seconds=seconds,
        table=not (count or participation),
        participation=participation,
    )
    table = found.participation_table(graph) if participation else found.table
    if out is not None and table is not None:
        _write(table, out)
    if as_json:
        _print_json(found, None if out is not None else table)
    else:
        _print(found, table, out)


def _text(text: str | None, file: Path | None) -> str:
    from retia.datasets.connectome.query.syntax import MAX_LENGTH

    if (text is None) == (file is None):
        raise InputError("give a motif such as 'A -> B; B -> A', or --file FILE with one in it")
    if file is None:
        assert text is not None
        return text
    with file.open("rb") as opened:
        content = opened.read(4 * MAX_LENGTH + 1)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not a text in UTF-8 ({error})") from error


def _write(table: "pa.Table", out: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    if out.suffix == ".csv":
        pyarrow.csv.write_csv(table, out)
    else:
        pyarrow.parquet.write_table(table, out)


def _print_json(found: "Matches", table: "pa.Table | None") -> None:
    print_json(
        {
            "count": found.count,
            "complete": found.complete,
            "message": found.message,
            "searched": found.searched,
            "seconds": found.seconds,
            "rows": None if table is None else table.to_pylist(),
        }
    )


def _print(found: "Matches", table: "pa.Table | None", out: Path | None) -> None:
    if out is not None:
        print_line(str(out))
    elif table is not None and table.num_rows:
        shown = table.slice(0, SHOWN)
        print_table("", shown.column_names, zip(*shown.to_pydict().values(), strict=True))
        if table.num_rows > SHOWN:
            print_line(f"... and {table.num_rows - SHOWN:,} more; --out FILE writes all")
    bound = "" if found.complete else "at least "
    print_line(f"{bound}{found.count:,} match{'' if found.count == 1 else 'es'}")
    if found.message:
        console.print(found.message, markup=False, soft_wrap=True)
