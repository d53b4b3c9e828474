"""Verbs of an account on a server: `join`, `token list`, `token revoke`, `logout`."""

import sys
from typing import Annotated

import typer

from retia.cli.options import AsJson, Server
from retia.cli.output import print_json, print_line, print_table

PANEL = "Publish and submit"


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("join", rich_help_panel=PANEL)(join)
    app.command("logout", rich_help_panel=PANEL)(logout)
    token = typer.Typer(help="Your tokens on a server.", no_args_is_help=True)
    token.command("list")(list_tokens)
    token.command("revoke")(revoke_token)
    app.add_typer(token, name="token", rich_help_panel=PANEL)


def join(
    server: Server,
    name: Annotated[str, typer.Argument(help="A public name: ASCII letters, digits, . - _")],
    invitation: Annotated[
        str | None, typer.Option(help="The invitation: its whole link, or what follows 'link='.")
    ] = None,
    email: Annotated[
        str | None, typer.Option(help="For a forgotten password; never shown.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make an account on a server that lets you. Then: retia login."""
    from retia.loaders.client import Client

    with Client(server) as client:
        password = (
            sys.stdin.readline().rstrip("\r\n")
            if password_stdin
            else typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        )
        secret = invitation.rpartition("link=")[2] if invitation else None
        answer = client.create_user(name, password, email=email, invitation=secret)
    if as_json:
        print_json(answer)
    else:
        print_line(f"{answer['name']} is a {answer.get('role')} on {client.server} now.")


def list_tokens(server: Server, as_json: AsJson = False) -> None:
    """List your tokens: what they may do, and when they were used. The current one has a star."""
    from retia.loaders.client import Client, server_url
    from retia.loaders.tokens import require_token

    with Client(server, require_token(server_url(server))) as client:
        answer = client.tokens()
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            f"{item['id']}{'*' if item['current'] else ''}",
            item["label"],
            " ".join(item["scopes"]),
            item["last_used"] or "never",
            item["expires"],
        )
        for item in answer.get("items", [])
    ]
    print_table("", ("id", "label", "scopes", "last used", "ends"), rows)


def revoke_token(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, help="As 'token list' shows it.")],
    server: Server,
) -> None:
    """End one of your tokens, that can do no more than the one you are logged in with."""
    from retia.loaders.client import Client, server_url
    from retia.loaders.tokens import require_token

    with Client(server, require_token(server_url(server))) as client:
        client.revoke_token(number)
    print_line(f"token {number} has ended")


def logout(server: Server) -> None:
    """End the token that 'login' keeps for a server, and forget it."""
    from retia.loaders.client import Client, server_url
    from retia.loaders.tokens import forget_token

    address = server_url(server)
    token = forget_token(address)
    if token is None:
        print_line(f"There is no token for {address}.")
        return
    with Client(server, token) as client:
        current = [item["id"] for item in client.tokens().get("items", []) if item["current"]]
        for number in current:
            client.revoke_token(int(number))
    print_line(f"Logged out of {address}.")
