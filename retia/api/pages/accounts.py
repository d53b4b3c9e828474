"""The pages of people: sign in, join, the own account.

Every answer is the same, and takes as long, whether there is such an account or not.
"""

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from retia.api.accounts import (
    NO_PASSWORD,
    SCOPES,
    add_token,
    hash_of,
    password_is,
    revoke,
    slowly,
    tokens_of,
)
from retia.api.audit import note
from retia.api.context import Context, Server
from retia.api.limits import Allowance, network, spend
from retia.api.links import look
from retia.api.pages.forms import SEE_OTHER, checked, first_problem, page, signed_in
from retia.api.problems import Problem
from retia.api.routes.accounts import join
from retia.api.schemas import Email, NewToken, NewUser, Password
from retia.api.sessions import (
    Sent,
    Visitor,
    end_sessions,
    sign_out,
    visitor,
)
from retia.api.signin import WRONG, judge
from retia.leaderboard.tables import User
from retia.shards.errors import InputError, NotFoundError

router = APIRouter(include_in_schema=False)

NUMBER = re.compile(r"[0-9]{1,9}")
CHANGES = Allowance("changes of a password", 10, 900)


@router.get("/sign-in")
def sign_in_page(request: Request, server: Server) -> Response:
    """Ask for a name and a password."""
    return _sign_in_form(server, visitor(server, request))


@router.post("/sign-in")
async def sign_in_form(request: Request, server: Server, form: Sent) -> Response:
    """Sign a browser in."""
    name, password, where = form.one("name")[:300], form.one("password")[:300], network(request)
    try:
        user = await slowly(lambda: judge(server, name, password, where))
    except Problem as problem:
        return _sign_in_form(server, form.who, problem.detail, name, problem.status_code)
    if user is None:
        return _sign_in_form(server, form.who, WRONG, name, 401)
    return await run_in_threadpool(signed_in, server, user)


@router.post("/sign-out")
def sign_out_form(server: Server, form: Sent) -> Response:
    """Sign a browser out."""
    response = RedirectResponse("/", SEE_OTHER)
    with server.database.write() as session:
        sign_out(server, session, form.who.key, response)
    return response


@router.get("/join")
def join_page(request: Request, server: Server, link: str = "") -> Response:
    """Ask a new person for a name and a password."""
    who = visitor(server, request)
    return _join_form(server, who, link[:100], closed=_why_closed(server, link))


@router.post("/join")
async def join_form(request: Request, server: Server, form: Sent) -> Response:
    """Make an account, and sign the browser in."""
    given = {key: form.one(key) or None for key in ("name", "password", "email")}
    link, where = form.one("link"), network(request)
    name, email = form.one("name"), form.one("email")
    try:
        body = NewUser.model_validate(given | {"invitation": link or None})
        user = await slowly(lambda: join(server, body, where))
    except ValidationError as error:
        return _join_form(server, form.who, link, first_problem(error), 422, name=name, email=email)
    except (InputError, Problem) as error:
        return _join_form(server, form.who, link, *_told(error), name=name, email=email)
    return await run_in_threadpool(signed_in, server, user)


@router.get("/account")
def account_page(request: Request, server: Server) -> Response:
    """The own account, or the way to sign in."""
    who = visitor(server, request)
    if who.user is None:
        return RedirectResponse("/sign-in", SEE_OTHER)
    return _account(server, who)


@router.post("/account/token")
def token_form(server: Server, form: Sent) -> Response:
    """Make a token, and show it this once."""
    user = form.user
    try:
        asked = NewToken.model_validate(
            {
                "name": user.name,
                "password": "",
                "scopes": form.fields.get("scope", []),
                "label": form.one("label"),
                "days": form.one("days"),
            }
        )
        with server.database.write() as session:
            text, token = add_token(session, user, asked.scopes, asked.label, asked.days)
            session.flush()
            note(session, user.name, "token.add", f"{user.name} #{token.id}: {token.scopes}")
    except ValidationError as error:
        return _account(server, form.who, first_problem(error), status=422)
    except InputError as error:
        return _account(server, form.who, str(error), status=422)
    return _account(server, form.who, token=text)


@router.post("/account/revoke")
def revoke_form(server: Server, form: Sent) -> Response:
    """End a token."""
    user, number = form.user, form.one("token")
    try:
        with server.database.write() as session:
            revoke(session, user.id, int(number) if NUMBER.fullmatch(number) else 0)
            note(session, user.name, "token.revoke", f"{user.name} #{number}")
    except NotFoundError as error:
        return _account(server, form.who, str(error), status=404)
    return _account(server, form.who, done="The token has ended.")


@router.post("/account/email")
def email_form(request: Request, server: Server, form: Sent) -> Response:
    """Change the own address."""
    user = form.user
    try:
        email = checked(Email, form.one("email")) if form.one("email") else None
    except InputError as error:
        return _account(server, form.who, f"E-mail: {error}", status=422)
    with server.database.write() as session:
        session.get_one(User, user.id).email = email
        note(session, user.name, "user.email", user.name)
    return _account(server, visitor(server, request), done="Your address is saved.")


@router.post("/account/password")
async def password_form(server: Server, form: Sent) -> Response:
    """Change the own password; all browsers are signed out, and this one in again."""
    user, old = form.user, form.one("old")[:300]
    try:
        new = checked(Password, form.one("password"))
        return await slowly(lambda: _change_password(server, user, old, new))
    except (InputError, Problem) as error:
        problem, status = _told(error)
        return await run_in_threadpool(_account, server, form.who, problem, status=status)


def _sign_in_form(
    server: Context, who: Visitor, problem: str = "", name: str = "", status: int = 200
) -> Response:
    can_join = server.settings.registration == "open"
    label = server.settings.oidc_label if server.settings.oidc_issuer else ""
    values = {"problem": problem, "done": "", "name": name, "can_join": can_join, "label": label}
    return page(server, who, "sign-in.html", status, **values)


def _join_form(
    server: Context,
    who: Visitor,
    link: str,
    problem: str = "",
    status: int = 200,
    *,
    closed: str = "",
    name: str = "",
    email: str = "",
) -> Response:
    values = {"problem": problem, "link": link, "closed": closed, "name": name, "email": email}
    return page(server, who, "join.html", 403 if closed else status, **values)


def _why_closed(server: Context, link: str) -> str:
    if server.settings.registration == "closed":
        return "Nobody can register here by themselves. Ask the operator of this server."
    if server.settings.registration == "invite":
        try:
            with server.database.read() as session:
                look(session, "invitation", link)
        except InputError as error:
            return (
                f"This server is for people who are invited: {error}."
                if link
                else ("This server is for people who are invited. Ask its operator.")
            )
    return ""


def _account(
    server: Context,
    who: Visitor,
    problem: str = "",
    done: str = "",
    token: str = "",
    status: int = 200,
) -> Response:
    assert who.user is not None
    with server.database.read() as session:
        tokens = tokens_of(session, who.user.id)
    return page(
        server,
        who,
        "account.html",
        status,
        problem=problem,
        done=done,
        token=token,
        tokens=tokens,
        scopes=SCOPES[who.user.role],
        label=server.settings.oidc_label if server.settings.oidc_issuer else "",
        has_password=who.user.password_hash != NO_PASSWORD,
    )


def _change_password(server: Context, user: User, old: str, new: str) -> Response:
    spend(server, CHANGES, user.name)
    if user.password_hash != NO_PASSWORD and not password_is(user, old):
        raise InputError("the old password is wrong")
    hashed = hash_of(new)
    with server.database.write() as session:
        session.get_one(User, user.id).password_hash = hashed
        end_sessions(session, user)
        note(session, user.name, "password.set", user.name)
    return signed_in(server, user)


def _told(error: InputError | Problem) -> tuple[str, int]:
    return (error.detail, error.status_code) if isinstance(error, Problem) else (str(error), 422)
