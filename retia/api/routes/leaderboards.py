"""Leaderboards as JSON, CSV or Parquet."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from retia.api.boards import MEDIA, BoardRequest, Format
from retia.api.context import Server
from retia.api.files import matches
from retia.leaderboard.board_page import BoardQuery

router = APIRouter(tags=["leaderboards"])

Text = Annotated[str | None, Query(max_length=100)]


@router.get("/leaderboards/{dataset}/{task}", response_class=Response)
async def leaderboard(
    request: Request,
    dataset: str,
    task: str,
    server: Server,
    version: Text = None,
    format: Format = "json",  # noqa: A002
    sort: Annotated[str, Query(max_length=100)] = "rank",
    q: Text = None,
    user: Text = None,
    tier: Text = None,
    baseline: bool | None = None,
    ranked: bool | None = None,
    deterministic: bool | None = None,
    external_data: bool | None = None,
    limit: Annotated[int | None, Query(ge=1, le=200)] = None,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    """The rows of a task's leaderboard; by default of the newest version, best first.

    `sort` is a column (rank, method, user, tier, parameters, num_seeds, submissions, created) or a
    figure (test.MEASURE, valid.MEASURE), turned round by a minus. `q` is part of a method's name.
    JSON comes in pages; CSV and Parquet have all rows unless there is a limit.
    """
    wanted = BoardQuery(
        sort, q, user, tier, baseline, ranked, deterministic, external_data, limit, cursor
    )
    asked = BoardRequest(dataset, task, version, format, wanted)
    etag = await server.boards.etag(asked)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    answer = await server.boards.answer(asked, etag)
    headers["ETag"] = answer.etag
    return Response(answer.body, headers=headers, media_type=MEDIA[format])
