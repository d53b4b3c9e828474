"""What an operator sees of submissions and versions."""

from typing import Any

from sqlalchemy import select

from retia.api.context import Context
from retia.api.wire import stamp
from retia.leaderboard.tables import Publication, Submission


def submissions(server: Context, state: str | None, dataset: str | None) -> list[dict[str, Any]]:
    """Submissions, newest first."""
    query = (
        select(Submission)
        .join(Publication, Publication.id == Submission.publication_id)
        .order_by(Submission.created.desc(), Submission.id)
    )
    if state is not None:
        query = query.where(Submission.state == state)
    if dataset is not None:
        query = query.where(Publication.name == dataset)
    with server.database.read() as session:
        return [
            {
                "id": row.id,
                "board": f"{row.publication.name}@{row.publication.version}/{row.task}",
                "method": row.method,
                "user": row.user.name if row.user else None,
                "state": row.state,
                "attempts": row.attempts + row.failures,
                "evaluator": row.evaluator,
                "created": stamp(row.created),
                "problem": row.problem,
            }
            for row in session.scalars(query)
        ]


def versions(server: Context, state: str | None, dataset: str | None) -> list[dict[str, Any]]:
    """Versions, newest first."""
    query = select(Publication).order_by(Publication.created.desc(), Publication.id)
    if state is not None:
        query = query.where(Publication.state == state)
    if dataset is not None:
        query = query.where(Publication.name == dataset)
    with server.database.read() as session:
        return [
            {
                "version": f"{row.name}@{row.version}",
                "owner": row.dataset.owner.name,
                "state": row.state,
                "created": stamp(row.created),
                "digest": row.digest[:12],
                "problem": row.problem,
            }
            for row in session.scalars(query)
        ]
