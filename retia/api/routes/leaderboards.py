"""Leaderboards as JSON or CSV."""

import csv
import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from retia.api.context import Server
from retia.api.queries import task_board
from retia.api.wire import flat_row, page, row_json
from retia.shards.manifest import Task

router = APIRouter(tags=["leaderboards"])

FORMULA = ("=", "+", "-", "@", "\t")


@router.get("/leaderboards/{dataset}/{task}", response_model=None)
def leaderboard(
    dataset: str,
    task: str,
    server: Server,
    version: str | None = None,
    format: Literal["json", "csv"] = "json",  # noqa: A002
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> dict[str, Any] | Response:
    """The rows of a task's leaderboard, best first; by default of the newest version."""
    with server.database.read() as session:
        publication, _, described, rows = task_board(session, dataset, task, version)
        items = [row_json(row) for row in rows]
    if format == "csv":
        return Response(_csv(items, described), media_type="text/csv; charset=utf-8")
    head = {
        "dataset": dataset,
        "version": publication.version,
        "digest": publication.digest,
        "task": task,
        "secrecy": described.secrecy,
        "primary": described.primary.key,
        "measures": [measure.key for measure in described.measures],
    }
    return head | page(items, lambda row: str(row["submission"]), limit, cursor)


def _csv(items: list[dict[str, Any]], task: Task) -> str:
    rows = [flat_row(item, task) for item in items]
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
