"""Publish a version, and follow how it is checked."""

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from retia.api.accounts import Account
from retia.api.audit import note
from retia.api.auth import Publisher
from retia.api.bodies import json_body, read_json
from retia.api.collecting import taking
from retia.api.context import Context, Server
from retia.api.problems import Problem
from retia.api.publishing import check_blobs, check_form, find, register
from retia.api.schemas import NewPublication
from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.manifest import dump
from retia.shards.version import MAX_MANIFEST_BYTES
from retia.shards.writer import write_atomically

router = APIRouter(tags=["publishing"])


@router.post("/datasets/{name}/{version}", status_code=202, openapi_extra=json_body(NewPublication))
async def publish(
    name: str,
    version: str,
    request: Request,
    response: Response,
    server: Server,
    account: Publisher,
) -> dict[str, str]:
    """Ask for a version to be published; its blobs are here already."""
    body = await read_json(request, NewPublication, 2 * MAX_MANIFEST_BYTES)
    state = await run_in_threadpool(_register, server, account, name, version, body)
    response.status_code = 200 if state == "published" else 202
    return {"state": state}


@router.get("/datasets/{name}/{version}/publication")
def publication(name: str, version: str, server: Server, account: Publisher) -> dict[str, Any]:
    """How far the checks of an own version are, and what they found."""
    with server.database.read() as session:
        row = find(session, name, version)
        if row is None or row.dataset.owner_id != account.id:
            raise Problem(404, f"you have published no {name}@{version}")
        return {"state": row.state, "problem": row.problem, "findings": row.findings}


def _register(
    server: Context, account: Account, name: str, version: str, body: NewPublication
) -> str:
    check_form(body, name, version)
    with server.database.write() as session:
        taking(session)
        check_blobs(session, account, body)
        sealed_part = _keep_sealed_part(server, account, body)
        row = register(session, account, body, sealed_part)
        if row.state == "received":
            note(session, account.name, "publication.add", f"{row.name}@{row.version}")
        return row.state


def _keep_sealed_part(server: Context, account: Account, body: NewPublication) -> str | None:
    if body.sealed is None:
        return None
    content = canonical_json(dump(body.sealed))
    sha256 = sha256_bytes(content)
    write_atomically(server.storage.sealed(account.id, sha256), content)
    return sha256
