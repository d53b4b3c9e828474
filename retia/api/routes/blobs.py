"""Upload files by their sha256."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from retia.api.accounts import Account
from retia.api.auth import Publisher
from retia.api.bodies import check_head, limited, raw_body
from retia.api.collecting import taking, used_bytes
from retia.api.context import Context, Server
from retia.api.problems import Problem
from retia.api.publishing import knows_blob
from retia.api.storage import Incoming, receive
from retia.leaderboard.leases import clock
from retia.leaderboard.tables import Blob, User

router = APIRouter(tags=["publishing"])

Sum = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="sha256 of the bytes")]


@router.head("/blobs/{sha256}")
def has_blob(sha256: Sum, server: Server, account: Publisher) -> Response:
    """Whether this account uploaded the blob, or a public shard names it. Never for sealed ones."""
    with server.database.read() as session:
        known = knows_blob(session, account, sha256)
    if not (known and server.storage.blob(sha256).is_file()):
        raise Problem(404, f"unknown blob {sha256}")
    return Response()


@router.put("/blobs/{sha256}", status_code=201, openapi_extra=raw_body())
async def put_blob(
    sha256: Sum, request: Request, server: Server, account: Publisher, sealed: bool = False
) -> dict[str, str | int]:
    """Upload a blob. The server checks the sum while it reads."""
    limit = server.settings.max_body
    check_head(request, limit, need_length=True)
    length = int(request.headers["content-length"])
    await run_in_threadpool(_check_quota, server, account, sha256, sealed, length)
    with server.storage.scratch() as path:
        incoming = await receive(limited(request, limit), path, sha256)
        await run_in_threadpool(_keep, server, account, incoming, sealed)
    return {"sha256": sha256, "bytes": incoming.bytes}


def _check_quota(server: Context, account: Account, sha256: str, sealed: bool, length: int) -> None:
    with server.database.read() as session:
        _need_room(server, session, account, sha256, sealed, length)


def _need_room(
    server: Context, session: Session, account: Account, sha256: str, sealed: bool, length: int
) -> None:
    """413 where the account would have more than it may; what it has already costs nothing."""
    if session.get(Blob, (sha256, account.id, sealed)) is not None:
        return
    used, quota = used_bytes(session, account.id), server.settings.blob_quota
    if used + length > quota:
        raise Problem(
            413,
            f"your account has uploaded {used} of {quota} bytes, and this file has {length}; "
            "what no version names is removed after a day",
        )


def _keep(server: Context, account: Account, incoming: Incoming, sealed: bool) -> None:
    storage, sha256 = server.storage, incoming.sha256
    place = storage.sealed(account.id, sha256) if sealed else storage.blob(sha256)
    with server.database.write() as session:
        taking(session)
        session.get(User, account.id, with_for_update={"of": User, "key_share": True})
        _need_room(server, session, account, sha256, sealed, incoming.bytes)
        incoming.move(place)
        row = Blob(sha256=sha256, owner_id=account.id, sealed=sealed, bytes=incoming.bytes)
        row.created = clock(session)
        session.merge(row)
