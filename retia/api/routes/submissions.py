"""Submit predictions, and follow how they are scored."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.concurrency import run_in_threadpool

from retia.api.accounts import Account
from retia.api.auth import Submitter
from retia.api.bodies import SMALL, check_head, limited, parse, submission_body
from retia.api.context import Context, Server
from retia.api.forms import Form
from retia.api.jail import jail
from retia.api.problems import Problem
from retia.api.queries import find_submission, parsed, published_version
from retia.api.storage import Incoming, receive
from retia.api.wire import submission_json
from retia.leaderboard.submissions import Meta, Upload, accept, check_quota, earlier, key_is_known
from retia.leaderboard.tables import Submission, User

router = APIRouter(tags=["submissions"])

Key = Annotated[str | None, Header(min_length=1, max_length=200)]


@router.post("/submissions", status_code=202, openapi_extra=submission_body())
async def submit(
    request: Request, server: Server, account: Submitter, idempotency_key: Key = None
) -> dict[str, str]:
    """Submit predictions. They are checked at once, item by item, and scored soon after."""
    limit = server.settings.max_predictions
    check_head(request, limit, need_length=True)
    async with Form(request, limited(request, limit)) as form:
        meta = parse(Meta, await form.read("meta", SMALL), "meta")
        await run_in_threadpool(_judge, server, account, meta, idempotency_key)
        with server.storage.scratch() as path:
            incoming = await receive(form.stream("predictions"), path)
            await form.finish()
            upload = Upload(meta, incoming.sha256, key=idempotency_key)
            known = await run_in_threadpool(_known, server, account, upload)
            if known is not None:
                return known
            checked = await jail.check_predictions(
                incoming.path,
                server.storage.version(meta.dataset, meta.version),
                meta.task,
                meta.deterministic,
                server.settings.check_memory,
            )
            upload = replace(upload, seeds=checked.seeds, order_sha256=checked.order_sha256)
            return await run_in_threadpool(_submit, server, account, upload, incoming)


@router.get("/submissions/{submission_id}")
def submission(submission_id: str, server: Server) -> dict[str, Any]:
    """A submission: its state, and its scores once it has them."""
    with server.database.read() as session:
        return submission_json(find_submission(session, submission_id))


def _judge(server: Context, account: Account, meta: Meta, key: str | None) -> None:
    """Refuse what will not be taken in before its predictions are read.

    A key that this user has sent before is for `_submit` to answer, which knows the whole body.
    """
    with server.database.read() as session:
        user = session.get_one(User, account.id)
        publication = published_version(session, meta.dataset, meta.version)
        if publication.digest != meta.digest:
            raise Problem(422, f"meta: digest: the version has the digest {publication.digest}")
        parsed(publication.manifest).task(meta.task)
        if key is None or not key_is_known(session, user, key):
            check_quota(session, user, meta, server.settings.quota)


def _known(server: Context, account: Account, upload: Upload) -> dict[str, str] | None:
    with server.database.read() as session:
        known = earlier(session, session.get_one(User, account.id), upload)
        return None if known is None else _state(known)


def _submit(
    server: Context, account: Account, upload: Upload, incoming: Incoming
) -> dict[str, str]:
    incoming.move(server.storage.predictions(incoming.sha256))
    with server.database.write() as session:
        user = session.get_one(User, account.id)
        publication = published_version(session, upload.meta.dataset, upload.meta.version)
        return _state(accept(session, user, publication, upload, server.settings.quota))


def _state(submission: Submission) -> dict[str, str]:
    return {"id": submission.id, "state": submission.state}
