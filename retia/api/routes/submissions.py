"""Submit predictions, and follow how they are scored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from retia.api.accounts import Account
from retia.api.auth import Submitter
from retia.api.bodies import SMALL, limited, parse, submission_body
from retia.api.context import Context, Server
from retia.api.problems import Problem
from retia.api.queries import find_submission, published_version
from retia.api.storage import Incoming, receive
from retia.api.wire import submission_json
from retia.leaderboard.scoring import check_predictions, open_predictions
from retia.leaderboard.submissions import Meta, Upload, accept, check_quota, earlier
from retia.leaderboard.tables import Submission, User
from retia.shards.version import Version

router = APIRouter(tags=["submissions"])

Key = Annotated[str | None, Header(min_length=1, max_length=200)]


@router.post("/submissions", status_code=202, openapi_extra=submission_body())
async def submit(
    request: Request, server: Server, account: Submitter, idempotency_key: Key = None
) -> dict[str, str]:
    """Submit predictions. They are checked at once, item by item, and scored soon after."""
    async with _form(request, server.settings.max_predictions) as (meta, file):
        with server.storage.scratch() as path:
            incoming = await receive(_chunks(file), path)
            upload = Upload(meta, incoming.sha256, key=idempotency_key)
            return await run_in_threadpool(_submit, server, account, upload, incoming)


@router.get("/submissions/{submission_id}")
def submission(submission_id: str, server: Server) -> dict[str, Any]:
    """A submission: its state, and its scores once it has them."""
    with server.database.read() as session:
        return submission_json(find_submission(session, submission_id))


def _submit(
    server: Context, account: Account, upload: Upload, incoming: Incoming
) -> dict[str, str]:
    quota = server.settings.quota
    with server.database.read() as session:
        user = session.get_one(User, account.id)
        known = earlier(session, user, upload)
        if known is not None:
            return _state(known)
        publication = published_version(session, upload.meta.dataset, upload.meta.version)
        if publication.digest != upload.meta.digest:
            raise Problem(422, f"meta: digest: the version has the digest {publication.digest}")
        check_quota(session, user, upload.meta, quota)
    upload = replace(upload, seeds=_check(server, upload.meta, incoming))
    incoming.move(server.storage.predictions(incoming.sha256))
    with server.database.write() as session:
        return _state(accept(session, user, publication, upload, quota))


def _check(server: Context, meta: Meta, incoming: Incoming) -> tuple[int, ...]:
    version = Version.open(server.storage.version(meta.dataset, meta.version))
    table = open_predictions(incoming.path, version.manifest.task(meta.task))
    return check_predictions(version, meta.task, table, meta.deterministic).seeds


def _state(submission: Submission) -> dict[str, str]:
    return {"id": submission.id, "state": submission.state}


@asynccontextmanager
async def _form(request: Request, limit: int) -> AsyncIterator[tuple[Meta, UploadFile]]:
    """The meta and the file of a multipart body; the file is on disk where it is large."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Problem(415, "send multipart/form-data: 'meta' (JSON), then 'predictions' (Parquet)")
    parser = MultiPartParser(
        request.headers,
        limited(request, limit),
        max_files=2,
        max_fields=1,
        max_part_size=SMALL,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(400, f"the multipart body is not readable: {error.message}") from error
    try:
        meta, file = form.get("meta"), form.get("predictions")
        if not isinstance(file, UploadFile):
            raise Problem(422, "predictions: the body has no file of that name")
        if meta is None:
            raise Problem(422, "meta: the body has no part of that name")
        text = await meta.read(SMALL) if isinstance(meta, UploadFile) else meta
        yield parse(Meta, text, "meta"), file
    finally:
        await form.close()


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(1 << 20):
        yield chunk
