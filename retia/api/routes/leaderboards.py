"""Leaderboards as JSON, CSV or Parquet."""

from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from retia.api.boards import MEDIA, PAGE_ROWS, BoardRequest, Format
from retia.api.context import Server
from retia.api.files import matches
from retia.leaderboard.board_page import SORTS, BoardQuery

router = APIRouter(tags=["leaderboards"])

Text = Annotated[str, StringConstraints(max_length=100)]


class BoardParameters(BaseModel):
    """What stands behind the question mark."""

    version: Text | None = Field(None, description="By default the newest one.")
    format: Format = "json"
    sort: Text = Field(
        "rank",
        description=f"One of {', '.join(SORTS)}, or a figure: test.MEASURE, valid.MEASURE. "
        "A minus before it turns the order round.",
    )
    q: Text | None = Field(None, description="Part of the method's name.")
    user: Text | None = None
    tier: Text | None = None
    baseline: bool | None = None
    ranked: bool | None = None
    deterministic: bool | None = None
    external_data: bool | None = None
    limit: int | None = Field(
        None,
        ge=1,
        le=PAGE_ROWS,
        description=f"JSON has {PAGE_ROWS} rows a page by default, other formats all rows.",
    )
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = Field(
        None, description="Where a page starts: `next` of the one before."
    )


@lru_cache(maxsize=512)
def parameters(query: str) -> BoardParameters:
    """A query string, read; the same few come again and again."""
    try:
        return BoardParameters.model_validate(dict(parse_qsl(query, keep_blank_values=True)))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise RequestValidationError(
            [item | {"loc": ("query", *item["loc"])} for item in found]
        ) from error


def described() -> list[dict[str, Any]]:
    """The parameters, as OpenAPI tells of them."""
    schema = BoardParameters.model_json_schema()["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": content}
        for name, content in schema.items()
    ]


@router.get(
    "/leaderboards/{dataset}/{task}",
    response_class=Response,
    openapi_extra={"parameters": described()},
)
async def leaderboard(request: Request, dataset: str, task: str, server: Server) -> Response:
    """The rows of a task's leaderboard, by default best first."""
    given = parameters(request.scope["query_string"].decode("latin-1"))
    fields = given.model_dump(exclude={"version", "format"})
    asked = BoardRequest(dataset, task, given.version, given.format, BoardQuery(**fields))
    board, etag = await server.boards.look(asked)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    answer = await server.boards.answer(asked, board, etag)
    headers["ETag"] = answer.etag
    return Response(answer.body, headers=headers, media_type=MEDIA[given.format])
