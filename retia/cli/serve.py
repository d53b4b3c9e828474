"""Verbs of a server's operator: `serve`, `worker`, `admin user add`, `admin token`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retia.cli import operate, people
from retia.cli.options import Data, DatabaseUrl
from retia.cli.output import console, print_line
from retia.shards.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from retia.api.settings import Settings

PANEL = "Server"


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("serve", rich_help_panel=PANEL)(serve)
    app.command("worker", rich_help_panel=PANEL)(worker)
    admin = typer.Typer(help="Look after a server, on its own machine.", no_args_is_help=True)
    user = typer.Typer(help="Accounts.", no_args_is_help=True)
    user.command("add")(add_user)
    admin.add_typer(user, name="user")
    admin.command("token")(add_token)
    people.register(admin, user)
    operate.register(admin)
    app.add_typer(admin, name="admin", rich_help_panel=PANEL)


def serve(
    data: Data = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8000,
    database: DatabaseUrl = None,
    with_worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Whether to run a worker beside it.")
    ] = True,
) -> None:
    """Run a server and its worker until Ctrl-C. Prints its URL."""
    try:
        from retia.api.logs import configure
        from retia.api.serve import listen, run
    except ImportError as error:
        raise _missing(error) from error
    settings = _settings(data, database)
    configure(settings)
    socket, url = listen(host, port)
    print_line(f"Retia serves {settings.data} at {url}")
    settings = settings.model_copy(update={"public_url": settings.public_url or url})
    run(settings, socket, with_worker)


def worker(
    data: Data = None,
    database: DatabaseUrl = None,
    once: Annotated[bool, typer.Option("--once", help="Stop when nothing is left to do.")] = False,
    parent: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Check publications and score submissions; `serve` runs one by itself."""
    try:
        from retia.api.context import Context
        from retia.api.logs import configure
        from retia.api.worker import work
    except ImportError as error:
        raise _missing(error) from error
    settings = _settings(data, database)
    configure(settings)
    work(Context.open(settings), parent, once)


def add_user(
    name: Annotated[str, typer.Argument(help="The account's name.")],
    role: Annotated[str, typer.Option(help="user, publisher or admin.")] = "user",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Make an account. The password comes from standard input or from a prompt."""
    try:
        from pydantic import ValidationError

        from retia.api.accounts import SCOPES
        from retia.api.accounts import add_user as add
        from retia.api.audit import OPERATOR, note
        from retia.api.context import Context
        from retia.api.schemas import NewUser
    except ImportError as error:
        raise _missing(error) from error
    if role not in SCOPES:
        raise InputError(f"no role '{role}'; there are: {', '.join(SCOPES)}")
    try:
        account = NewUser(name=name, password=_password(password_stdin))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise InputError(f"{first['loc'][0]}: {first['msg']}") from None
    server = Context.open(_settings(data, database))
    with server.database.write() as session:
        add(session, account.name, account.password, role)  # type: ignore[arg-type]
        note(session, OPERATOR, "user.add", f"{name} {role}")
    console.print(f"{name} is a {role} now")


def add_token(
    name: Annotated[str, typer.Argument(help="The account's name.")],
    scope: Annotated[
        list[str], typer.Option("--scope", help="read, submit, publish or admin; may be repeated.")
    ],
    label: Annotated[str, typer.Option(help="What the token is for.")] = "",
    days: Annotated[int, typer.Option(min=1, max=366, help="Days until it expires.")] = 90,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Make a token and print it, alone, on standard output. It is shown this once."""
    try:
        from retia.api.accounts import add_token as add
        from retia.api.accounts import find_user
        from retia.api.audit import OPERATOR, note
        from retia.api.context import Context
    except ImportError as error:
        raise _missing(error) from error
    server = Context.open(_settings(data, database))
    with server.database.write() as session:
        user = find_user(session, name)
        if user is None:
            raise NotFoundError(f"no account '{name}'; 'retia admin user add' makes one")
        text, token = add(session, user, scope, label, days)  # type: ignore[arg-type]
        session.flush()
        note(session, OPERATOR, "token.add", f"{name} #{token.id}: {token.scopes}")
    print_line(text)


def _settings(data: Path | None, database: str | None) -> "Settings":
    from retia.api.settings import Settings

    return Settings.from_environment(data=data, database_url=database)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return typer.get_text_stream("stdin").readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _missing(error: ImportError) -> Exception:
    from retia.shards.errors import MissingExtraError

    return MissingExtraError("server", str(error.name))
