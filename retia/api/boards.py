"""Answer with leaderboards: revalidated in the database at every request, rendered when changed.

One look at the database serves all requests that came before it began, so that an answer is never
older than its request, and a thousand requests cost a few looks.
"""

import asyncio
import csv
import hashlib
import io
import json
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from retia.api.queries import parsed, published_version, version_number
from retia.api.wire import flat_row
from retia.leaderboard.board_page import BoardPage, BoardQuery, read_page
from retia.leaderboard.database import Database
from retia.leaderboard.tables import Board, Publication
from retia.shards.manifest import Task

Format = Literal["json", "csv", "parquet"]

MEDIA: dict[Format, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
PAGE_ROWS = 200
CACHE_BYTES = 32 << 20
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class BoardRequest:
    """What is asked for; without a version, the newest one that is published."""

    dataset: str
    task: str
    version: str | None
    format: Format
    query: BoardQuery


@dataclass(frozen=True)
class BoardAnswer:
    """A body and its ETag."""

    etag: str
    body: bytes


Revision = tuple[int, int]
"""The id of a board and the number of its last change."""


@dataclass
class _Look:
    """A look at the database, that requests join until it begins."""

    loop: asyncio.AbstractEventLoop
    datasets: set[str] = field(default_factory=set)
    task: "asyncio.Task[Any] | None" = None


class Boards:
    """The boards of a server, and the answers that were rendered last."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next: _Look | None = None
        self._last: _Look | None = None
        self._answers: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._heads: dict[int, tuple[dict[str, Any], Task]] = {}

    async def look(self, request: BoardRequest) -> tuple[int, str]:
        """The board, and the ETag of what would be answered now.

        Raises `NotFoundError` where there is no such board.
        """
        found = (await self._revisions(request.dataset)).get((request.dataset, request.task), {})
        version = request.version or max(found, key=version_number, default=None)
        if version not in found:
            await run_in_threadpool(self._explain, request)
        number, revision = found[str(version)]
        return number, _etag(number, revision, request)

    async def answer(self, request: BoardRequest, board_id: int, etag: str) -> BoardAnswer:
        """The body that has this ETag, or a newer one."""
        body = self._answers.get(etag)
        if body is not None:
            self._answers.move_to_end(etag)
            return BoardAnswer(etag, body)
        answer = await run_in_threadpool(self.render, board_id, request)
        self._remember(answer)
        return answer

    def render(self, board_id: int, request: BoardRequest, whole: bool = False) -> BoardAnswer:
        """The answer to a request, and the ETag of the state that it shows."""
        query = request.query
        if request.format == "json" and query.limit is None and not whole:
            query = replace(query, limit=PAGE_ROWS)
        with self._database.read() as session:
            board = session.get_one(Board, board_id)
            page = read_page(session, board, query)
            if board_id not in self._heads:
                publication = session.get_one(Publication, board.publication_id)
                task = parsed(publication.manifest).task(board.task)
                self._heads[board_id] = board_head(publication, task), task
        head, task = self._heads[board_id]
        etag = _etag(board.id, board.revision, request)
        if request.format == "json":
            return BoardAnswer(etag, _json(head | {"rank_groups": groups_state(board)}, page))
        rows = [flat_row(row, task) for row in page.values()]
        return BoardAnswer(etag, _csv(rows) if request.format == "csv" else _parquet(rows))

    def _remember(self, answer: BoardAnswer) -> None:
        if len(answer.body) > CACHE_BYTES // 8 or answer.etag in self._answers:
            return
        self._answers[answer.etag] = answer.body
        self._bytes += len(answer.body)
        while self._bytes > CACHE_BYTES:
            self._bytes -= len(self._answers.popitem(last=False)[1])

    async def _revisions(self, dataset: str) -> dict[tuple[str, str], dict[str, Revision]]:
        loop = asyncio.get_running_loop()
        look = self._next
        if look is None or look.loop is not loop:
            look = self._next = _Look(loop)
            look.task = loop.create_task(self._take(look))
        look.datasets.add(dataset)
        assert look.task is not None
        found: dict[tuple[str, str], dict[str, Revision]] = await asyncio.shield(look.task)
        return found

    async def _take(self, look: _Look) -> dict[tuple[str, str], dict[str, Revision]]:
        last = self._last
        if last is not None and last.loop is look.loop and last.task is not None:
            await asyncio.wait([last.task])
        self._last = look
        if self._next is look:
            self._next = None
        return await run_in_threadpool(self._read, look.datasets)

    def _read(self, datasets: set[str]) -> dict[tuple[str, str], dict[str, Revision]]:
        """By dataset and task, the revision of every published version."""
        columns = (Publication.name, Publication.version, Board.task, Board.id, Board.revision)
        found: dict[tuple[str, str], dict[str, Revision]] = {}
        with self._database.read() as session:
            rows = session.execute(
                select(*columns)
                .join(Board, Board.publication_id == Publication.id)
                .where(Publication.name.in_(sorted(datasets)), Publication.state == "published")
            )
            for name, version, task, board, revision in rows:
                found.setdefault((name, task), {})[version] = board, revision
        return found

    def _explain(self, request: BoardRequest) -> None:
        """Raise what says which of dataset, version and task is not there."""
        with self._database.read() as session:
            row = published_version(session, request.dataset, request.version)
            parsed(row.manifest).task(request.task)


def board_head(publication: Publication, task: Task) -> dict[str, Any]:
    """What a board is ranked by."""
    return {
        "dataset": publication.name,
        "version": publication.version,
        "digest": publication.digest,
        "task": task.name,
        "secrecy": task.secrecy,
        "primary": task.primary.key,
        "measures": [measure.key for measure in task.measures],
    }


def groups_state(board: Board) -> str:
    """Whether the rank groups are those of the scores that are shown."""
    return {"grouped": "current", "failed": "failed"}.get(board.state, "pending")


def _etag(number: int, revision: int, request: BoardRequest) -> str:
    shown = hashlib.sha256(repr((request.format, request.query)).encode()).hexdigest()[:16]
    return f'"{number}.{revision}.{shown}"'


def _json(head: dict[str, Any], page: BoardPage) -> bytes:
    start = json.dumps(head, separators=(",", ":"))[:-1]
    return f'{start},"items":[{",".join(page.rows)}],"next":{json.dumps(page.next)}}}'.encode()


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer, compression="zstd")
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
