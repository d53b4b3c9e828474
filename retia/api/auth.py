"""Who may do what: bearer tokens, checked before a body is read."""

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from sqlalchemy import update

from retia.api.accounts import Account, account_of, is_stale
from retia.api.context import Context, Server
from retia.api.problems import Problem
from retia.leaderboard.tables import Token

Described = Annotated[object, Security(HTTPBearer(auto_error=False, scheme_name="token"))]
"""Has the description of the API say that a route wants a token; the check is our own."""


def allow(scope: str) -> Callable[..., Account]:
    """A dependency: the account whose token has this scope, else 401 or 403."""

    def check(request: Request, server: Server, _described: Described) -> Account:
        account = _account(request, server)
        if scope not in account.scopes:
            raise Problem(403, f"this needs a token with the scope '{scope}'")
        request.state.user = account.name
        return account

    return check


def _account(request: Request, context: Context) -> Account:
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not text:
        raise _refusal("this needs a token: send 'Authorization: Bearer TOKEN'")
    with context.database.read() as session:
        found = account_of(session, text.strip())
    if found is None:
        raise _refusal("the token is unknown, revoked or expired; make a new one")
    account, token = found
    if is_stale(token):
        with context.database.write() as session:
            session.execute(update(Token).where(Token.id == token.id).values(last_used=time.time()))
    return account


def _refusal(detail: str) -> Problem:
    return Problem(401, detail, {"WWW-Authenticate": 'Bearer realm="retia"'})


Reader = Annotated[Account, Depends(allow("read"))]
Submitter = Annotated[Account, Depends(allow("submit"))]
Publisher = Annotated[Account, Depends(allow("publish"))]
Admin = Annotated[Account, Depends(allow("admin"))]
