"""Browsers that are signed in: a cookie that the pages alone understand, and forms with a token.

No route below `/api` reads a cookie.
"""

import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request, Response
from sqlalchemy import delete
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from retia.api.accounts import SCOPES
from retia.api.bodies import SMALL, limited
from retia.api.context import Context, Server
from retia.api.problems import Problem
from retia.api.secret import sign
from retia.leaderboard.tables import BrowserSession, User
from retia.shards.canonical import sha256_bytes

SECONDS = 14 * 86_400
FORM_FIELD = "form"
MAX_FIELDS = 20
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page: an account, or nobody yet; and the token that forms carry."""

    user: User | None
    key: str
    form_token: str


def visitor(server: Context, request: Request) -> Visitor:
    """Who sent this request. Whoever has no cookie gets a key, for the forms."""
    key = request.cookies.get(cookie_name(server), "")
    user = None
    if key:
        with server.database.read() as session:
            row = session.get(BrowserSession, sha256_bytes(key.encode()))
            if row is not None and row.expires > time.time() and SCOPES[row.user.role]:
                user = row.user
    key = key or secrets.token_urlsafe(32)
    return Visitor(user, key, sign(server.secret, "form", key))


@dataclass(frozen=True)
class Form:
    """A form that one of our own pages sent, and who did."""

    who: Visitor
    fields: dict[str, list[str]]

    def one(self, name: str) -> str:
        """A field; empty where it is absent."""
        return self.fields.get(name, [""])[0]

    @property
    def user(self) -> User:
        """The account that is signed in; 401 without one."""
        if self.who.user is None:
            raise Problem(401, "sign in first")
        return self.who.user


async def form(request: Request, server: Server) -> Form:
    """Read a form; 403 for one that another site sent, or a page that is too old."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Problem(403, "this form was sent by another site")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise Problem(415, f"send {FORM_TYPE}")
    content = b"".join([chunk async for chunk in limited(request, SMALL)])
    if b"%00" in content or b"\x00" in content:
        raise Problem(400, "the form has a NUL, which no value has")
    try:
        fields = parse_qs(content.decode(), max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise Problem(400, "the form is not readable") from error
    who = await run_in_threadpool(visitor, server, request)
    if not hmac.compare_digest(fields.get(FORM_FIELD, [""])[0].encode(), who.form_token.encode()):
        raise Problem(403, "this form is too old; load the page again, with cookies allowed")
    return Form(who, fields)


Sent = Annotated[Form, Depends(form)]


def sign_in(server: Context, session: Session, user: User, response: Response) -> None:
    """Give the browser a new cookie for this account."""
    key = secrets.token_urlsafe(32)
    now = time.time()
    session.execute(delete(BrowserSession).where(BrowserSession.expires <= now))
    session.add(
        BrowserSession(sha256=sha256_bytes(key.encode()), user_id=user.id, expires=now + SECONDS)
    )
    set_cookie(server, response, key, SECONDS)


def sign_out(server: Context, session: Session, key: str, response: Response) -> None:
    """End the session of this cookie."""
    session.execute(
        delete(BrowserSession).where(BrowserSession.sha256 == sha256_bytes(key.encode()))
    )
    response.delete_cookie(cookie_name(server), path="/", secure=_is_https(server), httponly=True)


def end_sessions(session: Session, user: User) -> None:
    """Sign an account out everywhere."""
    session.execute(delete(BrowserSession).where(BrowserSession.user_id == user.id))


def set_cookie(server: Context, response: Response, key: str, seconds: int | None = None) -> None:
    """Send the cookie; without seconds it lasts until the browser is closed."""
    response.set_cookie(
        cookie_name(server),
        key,
        max_age=seconds,
        path="/",
        secure=_is_https(server),
        httponly=True,
        samesite="lax",
    )


def cookie_name(server: Context) -> str:
    """Over https a browser lets no other host and no plain connection set it."""
    return "__Host-retia" if _is_https(server) else "retia"


def _is_https(server: Context) -> bool:
    return server.settings.public_url.startswith("https:")
