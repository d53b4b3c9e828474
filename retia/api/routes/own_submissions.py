"""Change or withdraw an own submission."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from retia.api.accounts import Account
from retia.api.audit import note
from retia.api.auth import Submitter
from retia.api.bodies import json_body, read_json
from retia.api.context import Context, Server
from retia.api.problems import Problem
from retia.api.queries import find_submission
from retia.api.wire import submission_json
from retia.leaderboard.submissions import Changes, change, withdraw
from retia.leaderboard.tables import Submission

router = APIRouter(tags=["submissions"])


@router.patch("/submissions/{submission_id}", openapi_extra=json_body(Changes))
async def change_submission(
    submission_id: str, request: Request, server: Server, account: Submitter
) -> dict[str, Any]:
    """Change links, contact, hardware or notes; null takes one away. Method and scores stay."""
    changes = await read_json(request, Changes)
    return await run_in_threadpool(
        _edit,
        server,
        account,
        submission_id,
        "submission.change",
        lambda s: change(s, submission_id, changes),
    )


@router.delete("/submissions/{submission_id}")
def withdraw_submission(submission_id: str, server: Server, account: Submitter) -> dict[str, Any]:
    """Take a submission from the board. It stays as withdrawn, and counts for the quota."""
    action = "submission.withdraw"
    return _edit(server, account, submission_id, action, lambda s: withdraw(s, submission_id))


def _edit(
    server: Context,
    account: Account,
    submission_id: str,
    action: str,
    edit: Callable[[Session], Submission],
) -> dict[str, Any]:
    with server.database.write() as session:
        if find_submission(session, submission_id).user_id != account.id:
            raise Problem(403, f"submission {submission_id} is not yours")
        edit(session)
        note(session, account.name, action, submission_id)
    with server.database.read() as session:
        return submission_json(find_submission(session, submission_id))
