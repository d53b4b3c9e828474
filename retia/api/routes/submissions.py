"""Submit predictions, and follow how they are scored."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool

from retia.api.accounts import Account
from retia.api.auth import Submitter
from retia.api.bodies import SMALL, check_head, limited, parse, submission_body
from retia.api.context import Context, Server
from retia.api.forms import Form
from retia.api.jail import jail
from retia.api.limits import Allowance, ensure, spend
from retia.api.places import Place
from retia.api.problems import Problem
from retia.api.queries import find_submission, parsed, published_version
from retia.api.storage import Incoming, receive
from retia.api.wire import submission_json
from retia.leaderboard.reservations import release
from retia.leaderboard.submissions import Meta, Upload, accept, earlier
from retia.leaderboard.tables import Submission, User
from retia.shards.errors import InputError

router = APIRouter(tags=["submissions"])

Key = Annotated[str | None, Header(min_length=1, max_length=200)]
Told = Annotated[str | None, Query(max_length=100)]

REFUSED = Allowance("submissions that are refused", 60, 3600)


@router.post("/submissions", status_code=202, openapi_extra=submission_body())
async def submit(
    request: Request,
    server: Server,
    account: Submitter,
    dataset: Told = None,
    task: Told = None,
    idempotency_key: Key = None,
) -> dict[str, str]:
    """Submit predictions. They are checked at once, item by item, and scored soon after.

    `dataset` and `task`, which the meta has too, let the quota be judged before the body is sent.
    """
    limit = server.settings.max_predictions
    check_head(request, limit, need_length=True)
    await run_in_threadpool(ensure, server, REFUSED, account.name)
    async with Place(server, account, idempotency_key) as place:
        if dataset is not None and task is not None:
            await place.take(dataset, task)
        async with Form(request, limited(request, limit)) as form:
            meta = parse(Meta, await form.read("meta", SMALL), "meta")
            if (dataset or meta.dataset, task or meta.task) != (meta.dataset, meta.task):
                raise Problem(422, "meta: the address names another dataset or task")
            await run_in_threadpool(_judge, server, meta)
            await place.take(meta.dataset, meta.task)
            with server.storage.scratch() as path:
                incoming = await receive(form.stream("predictions"), path)
                await form.finish()
                return await _take_in(server, place, meta, incoming)


@router.get("/submissions/{submission_id}")
def submission(submission_id: str, server: Server) -> dict[str, Any]:
    """A submission: its state, and its scores once it has them."""
    with server.database.read() as session:
        return submission_json(find_submission(session, submission_id))


def _judge(server: Context, meta: Meta) -> None:
    """Refuse what does not fit a published version before the predictions are read."""
    with server.database.read() as session:
        publication = published_version(session, meta.dataset, meta.version)
        if publication.digest != meta.digest:
            raise Problem(422, f"meta: digest: the version has the digest {publication.digest}")
        parsed(publication.manifest).task(meta.task)


async def _take_in(server: Context, place: Place, meta: Meta, incoming: Incoming) -> dict[str, str]:
    upload = Upload(meta, incoming.sha256, key=place.key)
    known = await run_in_threadpool(_known, server, place.account, upload)
    if known is not None:
        return known
    version = server.storage.version(meta.dataset, meta.version)
    try:
        checked = await jail.check_predictions(
            incoming.path, version, meta.task, meta.deterministic, server.settings.check_memory
        )
    except InputError:
        await run_in_threadpool(spend, server, REFUSED, place.account.name)
        raise
    upload = replace(upload, seeds=checked.seeds, order_sha256=checked.order_sha256)
    return await run_in_threadpool(_submit, server, place, upload, incoming)


def _known(server: Context, account: Account, upload: Upload) -> dict[str, str] | None:
    with server.database.read() as session:
        known = earlier(session, session.get_one(User, account.id), upload)
        return None if known is None else _state(known)


def _submit(server: Context, place: Place, upload: Upload, incoming: Incoming) -> dict[str, str]:
    incoming.move(server.storage.predictions(incoming.sha256))
    with server.database.write() as session:
        if place.id is not None:
            release(session, place.id)
        user = session.get_one(User, place.account.id)
        publication = published_version(session, upload.meta.dataset, upload.meta.version)
        return _state(accept(session, user, publication, upload, server.settings.quota))


def _state(submission: Submission) -> dict[str, str]:
    return {"id": submission.id, "state": submission.state}
