"""What the pages with forms share."""

from typing import Any

from fastapi import Response
from fastapi.responses import RedirectResponse
from pydantic import TypeAdapter, ValidationError

from retia.api.audit import note
from retia.api.context import Context
from retia.api.pages.render import render
from retia.api.sessions import Visitor, set_cookie, sign_in
from retia.leaderboard.tables import User
from retia.shards.errors import InputError

SEE_OTHER = 303


def page(
    server: Context, who: Visitor, template: str, status: int = 200, **values: Any
) -> Response:
    """A page with a form; nothing keeps it, and it gives a new visitor the cookie of the form."""
    response = render(template, status, who=who, **values)
    response.headers["Cache-Control"] = "no-store"
    if who.user is None:
        set_cookie(server, response, who.key)
    return response


def signed_in(server: Context, user: User) -> Response:
    """The own account, and the cookie that opens it."""
    response = RedirectResponse("/account", SEE_OTHER)
    with server.database.write() as session:
        sign_in(server, session, user, response)
        note(session, user.name, "session.add", user.name)
    return response


def checked(kind: Any, value: str) -> str:
    """A field of this kind; raises `InputError` that says what does not fit."""
    try:
        return str(TypeAdapter(kind).validate_python(value))
    except ValidationError as error:
        raise InputError(first_problem(error)) from error


def first_problem(error: ValidationError) -> str:
    """The first thing that does not fit, in a sentence."""
    found = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(step) for step in found["loc"])
    return f"{place}: {found['msg']}" if place else str(found["msg"])
