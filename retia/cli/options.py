"""Options that several groups of verbs have."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Server = Annotated[str, typer.Option(metavar="URL", help="Address of a Retia server.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="The server's folder; RETIA_DATA, else ./retia-data."),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database", help="SQLAlchemy URL; by default SQLite in the folder."),
]
