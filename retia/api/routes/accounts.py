"""Make accounts and tokens."""

from asyncio import get_running_loop
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request

from retia.api.accounts import add_token, add_user, find_user, hashers, password_is
from retia.api.bodies import json_body, read_json
from retia.api.context import Context, Server
from retia.api.problems import Problem
from retia.api.schemas import NewToken, NewUser

router = APIRouter(tags=["accounts"])


@router.post("/users", status_code=201, openapi_extra=json_body(NewUser))
async def create_user(request: Request, server: Server) -> dict[str, str]:
    """Make an account, where the server lets people register."""
    if server.settings.registration != "open":
        raise Problem(403, "registration is closed; ask the operator of this server")
    body = await read_json(request, NewUser)
    return await get_running_loop().run_in_executor(hashers, _create_user, server, body)


@router.post("/tokens", status_code=201, openapi_extra=json_body(NewToken))
async def create_token(request: Request, server: Server) -> dict[str, Any]:
    """Make a token. It is shown this once."""
    body = await read_json(request, NewToken)
    return await get_running_loop().run_in_executor(hashers, _create_token, server, body)


def _create_user(server: Context, body: NewUser) -> dict[str, str]:
    with server.database.write() as session:
        user = add_user(session, body.name, body.password, "user")
    return {"name": user.name, "role": user.role}


def _create_token(server: Context, body: NewToken) -> dict[str, Any]:
    with server.database.read() as session:
        user = find_user(session, body.name)
    if not password_is(user, body.password) or user is None:
        raise Problem(401, "the name or the password is wrong", {"WWW-Authenticate": "Bearer"})
    with server.database.write() as session:
        text, token = add_token(session, user, body.scopes, body.label, body.days)
    expires = datetime.fromtimestamp(token.expires, UTC).isoformat(timespec="seconds")
    return {"token": text, "scopes": token.scopes.split(), "expires": expires}
