"""Make accounts and tokens, list and revoke tokens, and send links to new people."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from retia.api.accounts import (
    Account,
    add_token,
    add_user,
    find_user,
    revoke,
    slowly,
    tokens_of,
)
from retia.api.audit import note
from retia.api.auth import Admin, Reader
from retia.api.bodies import json_body, read_json
from retia.api.context import Context, Server
from retia.api.limits import Allowance, network, spend
from retia.api.links import invite, password_link, use
from retia.api.problems import Problem
from retia.api.schemas import NewInvitation, NewToken, NewUser, Person
from retia.api.signin import WRONG, judge, remember
from retia.api.wire import stamp
from retia.leaderboard.tables import Audit, Identity, Token, User
from retia.shards.errors import NotFoundError

router = APIRouter(tags=["accounts"])

JOIN = Allowance("accounts from a network", 20, 3600)
MAX_ID = 2**31 - 1
RESERVED = frozenset({"admin", "administrator", "operator", "retia", "root", "server", "system"})


@router.post("/users", status_code=201, openapi_extra=json_body(NewUser))
async def create_user(request: Request, server: Server) -> dict[str, str]:
    """Make an account, where the server lets people register, or has invited them."""
    body = await read_json(request, NewUser)
    where = network(request)
    user = await slowly(lambda: join(server, body, where))
    return {"name": user.name, "role": user.role}


@router.post("/tokens", status_code=201, openapi_extra=json_body(NewToken))
async def create_token(request: Request, server: Server) -> dict[str, Any]:
    """Make a token. It is shown this once."""
    body = await read_json(request, NewToken)
    where = network(request)
    return await slowly(lambda: _create_token(server, body, where))


@router.get("/tokens")
def tokens(server: Server, account: Reader) -> dict[str, Any]:
    """The account's tokens: what they are for, never what they are."""
    with server.database.read() as session:
        return {
            "user": account.name,
            "items": [token_json(row, account) for row in tokens_of(session, account.id)],
        }


@router.delete("/tokens/{token_id}", status_code=204)
def revoke_token(token_id: int, server: Server, account: Reader) -> Response:
    """End a token of the account that can do no more than the one that asks."""
    with server.database.write() as session:
        token = revoke(session, account.id, token_id)
        if not set(token.scopes.split()) <= account.scopes:
            raise Problem(403, "that token has a scope that this one lacks")
        note(session, account.name, "token.revoke", f"{account.name} #{token_id}")
    return Response(status_code=204)


@router.post("/invitations", status_code=201, openapi_extra=json_body(NewInvitation))
async def create_invitation(request: Request, server: Server, account: Admin) -> dict[str, str]:
    """Make an invitation: a link that works once. It is shown this once."""
    body = await read_json(request, NewInvitation)
    return await run_in_threadpool(_create_invitation, server, account, body)


@router.post("/users/{name}/password-link", status_code=201)
def create_password_link(name: str, server: Server, account: Admin) -> dict[str, str]:
    """Make a link at which a user chooses a new password. It works once, and is shown this once."""
    with server.database.write() as session:
        user = find_user(session, name)
        if user is None:
            raise NotFoundError(f"no account '{name[:40]}'")
        link = password_link(session, server.settings, user)
        note(session, account.name, "password.link", user.name)
    return {"link": link, "user": user.name}


@router.get("/audit")
def audit(
    server: Server,
    account: Admin,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
) -> dict[str, Any]:
    """What was done to accounts and rights, newest first."""
    found = select(Audit).order_by(Audit.id.desc()).limit(limit + 1)
    with server.database.read() as session:
        rows = list(session.scalars(found.where(Audit.id < cursor) if cursor else found))
    items = [
        {"id": r.id, "at": stamp(r.at), "actor": r.actor, "action": r.action, "subject": r.subject}
        for r in rows[:limit]
    ]
    return {"items": items, "next": str(rows[limit - 1].id) if len(rows) > limit else None}


def join(
    server: Context, body: Person, where: str, identity: tuple[str, str] | None = None
) -> User:
    """Make the account of somebody who registers; 403 where that needs an invitation.

    The identity is who that is at an OpenID provider: issuer and subject.
    """
    if server.settings.registration == "closed":
        raise Problem(403, "registration is closed; ask the operator of this server")
    if server.settings.registration == "invite" and body.invitation is None:
        raise Problem(403, "this server is for people who are invited; ask its operator")
    if body.name.lower() in RESERVED:
        raise Problem(422, f"the name {body.name} is kept for the server; choose another")
    spend(server, JOIN, where)
    password = body.password if isinstance(body, NewUser) else None
    with server.database.write() as session:
        user = add_user(session, body.name, password, "user", body.email)
        if body.invitation is not None:
            user.role = use(session, "invitation", body.invitation).role or user.role
        if identity is not None:
            session.add(Identity(issuer=identity[0], subject=identity[1], user_id=user.id))
        remember(server, session, user, where)
        note(session, user.name, "user.add", f"{user.name} {user.role}")
    return user


def token_json(token: Token, account: Account) -> dict[str, Any]:
    """A token, without what makes it one."""
    return {
        "id": token.id,
        "label": token.label,
        "scopes": token.scopes.split(),
        "created": stamp(token.created),
        "expires": stamp(token.expires),
        "last_used": stamp(token.last_used),
        "current": token.id == account.token_id,
    }


def _create_invitation(server: Context, account: Account, body: NewInvitation) -> dict[str, str]:
    with server.database.write() as session:
        link = invite(session, server.settings, body.role)
        note(session, account.name, "invitation.add", body.role)
    return {"link": link, "role": body.role}


def _create_token(server: Context, body: NewToken, where: str) -> dict[str, Any]:
    user = judge(server, body.name, body.password, where)
    if user is None:
        raise Problem(401, WRONG, {"WWW-Authenticate": "Bearer"})
    with server.database.write() as session:
        text, token = add_token(session, user, body.scopes, body.label, body.days)
        session.flush()
        note(session, user.name, "token.add", f"{user.name} #{token.id}: {token.scopes}")
    return {
        "token": text,
        "id": token.id,
        "scopes": token.scopes.split(),
        "expires": stamp(token.expires),
    }
