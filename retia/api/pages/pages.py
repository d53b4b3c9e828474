"""The pages of a leaderboard and of a submission."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from retia.api.boards import PAGE_ROWS, groups_state
from retia.api.context import Server
from retia.api.pages.board import WIDTH, explain, make_axis, make_bar
from retia.api.pages.render import render
from retia.api.queries import (
    find_submission,
    parsed,
    published_version,
)
from retia.leaderboard.board_page import BoardQuery, read_page
from retia.leaderboard.boards import find_board
from retia.leaderboard.ranking import RANKED_SEEDS, summaries
from retia.protocol.rank_groups import Summary

router = APIRouter(include_in_schema=False)

Search = Annotated[str, Query(max_length=100)]


@router.get("/leaderboards/{name}/{task_name}")
def board(
    name: str,
    task_name: str,
    server: Server,
    version: Annotated[str | None, Query()] = None,
    sort: Search = "rank",
    q: Search = "",
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    """A page of the leaderboard of a task."""
    query = BoardQuery(sort, q, limit=PAGE_ROWS, cursor=cursor)
    with server.database.read() as session:
        row = published_version(session, name, version)
        manifest = parsed(row.manifest)
        task = manifest.task(task_name)
        board = find_board(session, row.id, task.name)
        assert board is not None  # it is made with the publication
        page = read_page(session, board, query)
        rows = page.values()
        found = [Summary(**entry["scores"]["test"][task.primary.key]) for entry in rows]
        axis = make_axis(found)
        return render(
            "leaderboard.html",
            row=row,
            manifest=manifest,
            task=task,
            groups=groups_state(board),
            rows=[(entry, make_bar(axis, s)) for entry, s in zip(rows, found, strict=True)],
            query=query,
            next=page.next,
            axis=axis,
            width=WIDTH,
            explanations=[(m.key, explain(m, task)) for m in task.measures],
            ranked_seeds=RANKED_SEEDS,
            quota=server.settings.quota,
        )


@router.get("/submissions/{submission_id}")
def submission(submission_id: str, server: Server) -> Response:
    """A submission and its scores."""
    with server.database.read() as session:
        found = find_submission(session, submission_id)
        return render("submission.html", row=found, scores=summaries(found.current_scores))
