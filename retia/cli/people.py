"""Verbs of an operator about people: `admin user role|link|list`, `admin invite`, `admin audit`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retia.cli.options import AsJson, Data, DatabaseUrl
from retia.cli.output import console, print_json, print_line, print_table
from retia.shards.errors import InputError, MissingExtraError, NotFoundError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from retia.api.context import Context
    from retia.leaderboard.tables import User

Name = Annotated[str, typer.Argument(help="The account's name.")]


def register(admin: typer.Typer, user: typer.Typer) -> None:
    """Add the verbs of this module."""
    user.command("list")(list_users)
    user.command("role")(set_role)
    user.command("link")(password_link)
    admin.command("invite")(invite)
    admin.command("audit")(audit)


def list_users(data: Data = None, database: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List the accounts: name, role, day. E-mail addresses are not shown."""
    with _server(data, database) as server:
        from sqlalchemy import select

        from retia.api.wire import stamp
        from retia.leaderboard.tables import User

        with server.database.read() as session:
            users = session.scalars(select(User).order_by(User.name)).all()
        rows = [(user.name, user.role, stamp(user.created)) for user in users]
    if as_json:
        print_json([{"name": name, "role": role, "created": when} for name, role, when in rows])
    else:
        print_table("", ("name", "role", "created"), rows)


def set_role(
    name: Name,
    role: Annotated[str, typer.Argument(help="user, publisher, admin or closed.")],
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Change what an account may do. A closed one keeps its name and its entries, and no more."""
    with _server(data, database) as server:
        from retia.api.accounts import SCOPES
        from retia.api.audit import OPERATOR, note

        if role not in SCOPES:
            raise InputError(f"no role '{role}'; there are: {', '.join(SCOPES)}")
        with server.database.write() as session:
            user = _user(session, name)
            user.role = role
            note(session, OPERATOR, "user.role", f"{name} {role}")
    console.print(f"{name} is {'closed' if role == 'closed' else f'a {role}'} now", markup=False)


def password_link(name: Name, data: Data = None, database: DatabaseUrl = None) -> None:
    """Print a link at which a user chooses a new password. It works once, for a day."""
    with _server(data, database) as server:
        from retia.api.audit import OPERATOR, note
        from retia.api.links import password_link as make

        with server.database.write() as session:
            user = _user(session, name)
            link = make(session, server.settings, user)
            note(session, OPERATOR, "password.link", name)
    _print_link(link)


def invite(
    role: Annotated[str, typer.Option(help="user or publisher.")] = "user",
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Print a link at which one person makes an account. It works once, for two weeks."""
    if role not in ("user", "publisher"):
        raise InputError(f"an invitation gives the role user or publisher, not '{role}'")
    with _server(data, database) as server:
        from retia.api.audit import OPERATOR, note
        from retia.api.links import invite as make

        with server.database.write() as session:
            link = make(session, server.settings, role)  # type: ignore[arg-type]
            note(session, OPERATOR, "invitation.add", role)
    _print_link(link)


def audit(
    last: Annotated[int, typer.Option("--last", min=1, help="How many lines.")] = 100,
    data: Data = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Print who did what to accounts and rights, oldest first."""
    with _server(data, database) as server:
        from sqlalchemy import select

        from retia.api.wire import stamp
        from retia.leaderboard.tables import Audit

        with server.database.read() as session:
            found = session.scalars(select(Audit).order_by(Audit.id.desc()).limit(last))
            rows = [(stamp(r.at), r.actor, r.action, r.subject) for r in found][::-1]
    columns = ("at", "actor", "action", "subject")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("", columns, rows)


@contextmanager
def _server(data: Path | None, database: str | None) -> Iterator["Context"]:
    try:
        from retia.api.context import Context
        from retia.api.settings import Settings
    except ImportError as error:
        raise MissingExtraError("server", str(error.name)) from error
    context = Context.open(Settings.from_environment(data=data, database_url=database))
    yield context
    context.database.close()


def _user(session: "Session", name: str) -> "User":
    from retia.api.accounts import find_user

    user = find_user(session, name)
    if user is None:
        raise NotFoundError(f"no account '{name}'; 'retia admin user list' names them")
    return user


def _print_link(link: str) -> None:
    print_line(link)
    if link.startswith("/"):
        console.print("set RETIA_PUBLIC_URL to have the whole address")
