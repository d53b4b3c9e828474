"""Verbs of an operator about what is stored: list, withdraw, rescore, migrate, backup, ..."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from retia.cli.options import AsJson, Data, DatabaseUrl
from retia.cli.output import console, print_json, print_line, print_table, progress
from retia.shards.errors import CheckError, InputError, MissingExtraError

if TYPE_CHECKING:
    from retia.api.context import Context
    from retia.api.settings import Settings


def register(admin: typer.Typer) -> None:
    """Add the verbs of this module."""
    admin.command("list")(list_rows)
    admin.command("withdraw")(withdraw)
    admin.command("collect")(collect)
    admin.command("rescore")(rescore)
    admin.command("migrate")(migrate)
    admin.command("backup")(backup)
    admin.command("restore")(restore)
    admin.command("verify")(verify)
    admin.command("export")(export)


def list_rows(
    what: Annotated[
        Literal["submissions", "versions"], typer.Argument(help="submissions or versions.")
    ] = "submissions",
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only those of this dataset.")] = None,
    data: Data = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List submissions or versions, newest first, with their state and what is wrong."""
    with server(data, database) as found:
        from retia.api.listing import submissions, versions

        rows = (submissions if what == "submissions" else versions)(found, state, dataset)
    if as_json:
        print_json(rows)
    elif rows:
        print_table("", list(rows[0]), [list(row.values()) for row in rows])


def withdraw(
    what: Annotated[
        str, typer.Argument(metavar="ID|NAME@VERSION", help="A submission, or a version.")
    ],
    reason: Annotated[
        str | None, typer.Option(help="Why; for a version, shown to everyone.")
    ] = None,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Take a submission from the board, or a version from the server. A tombstone stays."""
    name, is_version, version = what.partition("@")
    if is_version and not reason:
        raise InputError("a version is withdrawn with a --reason, which everyone sees")
    with server(data, database) as found:
        from retia.api.audit import OPERATOR, note
        from retia.api.publishing import withdraw_version
        from retia.leaderboard.submissions import withdraw as take_away

        with found.database.write() as session:
            if is_version:
                withdraw_version(session, name, version, str(reason))
            else:
                take_away(session, what)
            kind = "version" if is_version else "submission"
            note(session, OPERATOR, f"{kind}.withdraw", what)
        if is_version:
            found.storage.remove_version(name, version)
    console.print(f"{what} is withdrawn")


def collect(
    data: Data = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Remove files that nothing has named for a day; a worker does so every hour."""
    with server(data, database) as found:
        from retia.api.collecting import collect as remove

        done = remove(found)
    card = {"files": done.files, "bytes": done.bytes}
    _tell(card, f"{done.files} files of {done.bytes} bytes are removed", as_json)


def rescore(
    submission: Annotated[list[str] | None, typer.Argument(help="Ids of submissions.")] = None,
    older: Annotated[
        bool, typer.Option(help="All that an older evaluator scored, or that the server gave up.")
    ] = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Let submissions be scored again by a worker. Their old scores stay."""
    if bool(submission) == older:
        raise InputError("name submissions, or give --older")
    with server(data, database) as found:
        from retia.api.audit import OPERATOR, note
        from retia.leaderboard.submissions import outdated
        from retia.leaderboard.submissions import rescore as score_again

        with found.database.write() as session:
            names = outdated(session) if older else submission or []
            for name in names:
                score_again(session, name)
            note(session, OPERATOR, "submission.rescore", f"{len(names)} submissions")
    console.print(f"{len(names)} submissions wait to be scored again")


def migrate(data: Data = None, database: DatabaseUrl = None) -> None:
    """Bring the database to the newest revision, as every start does, and print it."""
    with server(data, database) as found:
        from retia.leaderboard.migrate import current_revision

        with found.database.read() as session:
            print_line(str(current_revision(session.connection())))


def backup(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder, or an older backup.")],
    data: Data = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Back up the database and the files of a server, which may go on working meanwhile.

    It holds the secrets of the server and of sealed tasks: guard it.
    """
    with server(data, database) as found, _bar("files") as step:
        from retia.api.backup import back_up

        card = back_up(found, out, step)
    _tell(card, f"{out}: {card['files']} files, {sum(card['rows'].values())} rows", as_json)


def restore(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="What 'admin backup' wrote.")],
    data: Data = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a server from a backup, in an empty folder and an empty database of either kind."""
    settings = _settings(data, database)
    with _bar("files") as step:
        from retia.api.backup import restore as bring_back

        card = bring_back(settings, source, step)
    text = f"{settings.data}: {card['files']} files, {sum(card['rows'].values())} rows"
    _tell(card, text, as_json)


def verify(data: Data = None, database: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Check every stored file against its sha256, and every row. Exit with 1 if one is wrong."""
    with server(data, database) as found, _bar("files") as step:
        from retia.api.verify import verify as check

        problems = list(check(found, step))
    if as_json:
        print_json({"problems": problems})
    else:
        for problem in problems:
            print_line(problem)
    if problems:
        raise CheckError(f"{len(problems)} problems; restore what is damaged from a backup")
    console.print("everything is whole")


def export(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    private: Annotated[
        bool, typer.Option("--private", help="Add sealed parts and predictions.")
    ] = False,
    data: Data = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write datasets, submissions, scores and boards as Parquet and JSON. Never credentials."""
    with server(data, database) as found, _bar("versions") as step:
        from retia.api.export import export as write

        counts = write(found, out, private, step)
    text = ", ".join(f"{count} {name}" for name, count in counts.items())
    _tell(counts, f"{out}: {text}", as_json)


@contextmanager
def server(data: Path | None, database: str | None) -> Iterator["Context"]:
    """The server of these options, without its app."""
    settings = _settings(data, database)
    from retia.api.context import Context

    context = Context.open(settings)
    yield context
    context.database.close()


def _settings(data: Path | None, database: str | None) -> "Settings":
    try:
        from retia.api.settings import Settings
    except ImportError as error:
        raise MissingExtraError("server", str(error.name)) from error
    return Settings.from_environment(data=data, database_url=database)


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    with progress() as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell(values: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        print_json(values)
    else:
        print_line(text)
