"""What the command prints: results on stdout, progress and remarks on stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

PIPE_WIDTH = 240

console = Console(stderr=True, highlight=False)
results = Console(highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """A value as JSON on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_line(text: str) -> None:
    """A line of plain text on stdout, at once, also in a pipe."""
    print(text, flush=True)  # noqa: T201


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on stdout; columns whose cells are all numbers stand to the right, never cut."""
    cells = [[_cell(value) for value in row] for row in rows]
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    for index, name in enumerate(columns):
        numeric = bool(cells) and all(_is_numeric(row[index]) for row in cells)
        table.add_column(
            escape(name),
            justify="right" if numeric else "left",
            no_wrap=index == 0 or numeric,
            min_width=max(len(name), *(len(row[index]) for row in cells)) if numeric else None,
        )
    for row in cells:
        table.add_row(*(escape(cell) for cell in row))
    results.print(table, width=None if results.is_terminal else PIPE_WIDTH)


def progress() -> Progress:
    """A progress bar on stderr, quiet in a pipe."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _is_numeric(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell[0] in "-."
