"""Read a page of a leaderboard: filtered, sorted and cut in SQL."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from retia.leaderboard.tables import Board, Entry, Figure
from retia.shards.errors import InputError

SORTS: dict[str, tuple[InstrumentedAttribute[Any], ...]] = {
    "rank": (Entry.unranked, Entry.standing, Entry.created),
    "method": (Entry.method,),
    "user": (Entry.user,),
    "tier": (Entry.tier,),
    "parameters": (Entry.parameters,),
    "num_seeds": (Entry.num_seeds,),
    "submissions": (Entry.tries,),
    "created": (Entry.created,),
}


@dataclass(frozen=True)
class BoardQuery:
    """Which rows, in which order, from where on.

    `sort` is one of `SORTS` or a figure, `test.uniform.rocauc`; a minus before it turns it round.
    Filters that are none let every row pass.
    """

    sort: str = "rank"
    q: str | None = None
    user: str | None = None
    tier: str | None = None
    baseline: bool | None = None
    ranked: bool | None = None
    deterministic: bool | None = None
    external_data: bool | None = None
    limit: int | None = None
    cursor: str | None = None


@dataclass(frozen=True)
class BoardPage:
    """The rows of a page, as JSON objects, and the cursor of the next one."""

    rows: list[str]
    next: str | None

    def values(self) -> list[dict[str, Any]]:
        """The rows as values."""
        return [json.loads(row) for row in self.rows]


def read_page(session: Session, board: Board | None, query: BoardQuery) -> BoardPage:
    """The rows that a query asks for; raises `InputError` for a sort or a cursor that is none."""
    if board is None:
        return BoardPage([], None)
    columns, figure = _key(query.sort)
    statement = select(
        Entry.rank, Entry.rank_group, Entry.tries, Entry.row, *columns
    ).where(Entry.board_id == board.id, *_filters(query))  # fmt: skip
    if figure is not None:
        statement = statement.join(Figure, Figure.submission_id == Entry.submission_id).where(
            figure, Figure.board_id == board.id
        )
    descending = query.sort.startswith("-")
    statement = _after(statement, columns, query.cursor, descending)
    statement = statement.order_by(*(c.desc() if descending else c.asc() for c in columns))
    if query.limit is not None:
        statement = statement.limit(query.limit + 1)
    found = session.execute(statement).all()
    shown = found if query.limit is None else found[: query.limit]
    grouped = board.state == "grouped"
    return BoardPage(
        [_text(row, grouped) for row in shown],
        _cursor(shown[-1][4:]) if len(found) > len(shown) else None,
    )


def _key(sort: str) -> tuple[list[InstrumentedAttribute[Any]], ColumnElement[bool] | None]:
    """The columns to sort by, which no two rows share, and which figures these are."""
    name = sort.removeprefix("-")
    if name in SORTS:
        return [*SORTS[name], Entry.submission_id], None
    part, _, measure = name.partition(".")
    if part not in ("test", "valid") or not measure:
        known = ", ".join(SORTS)
        raise InputError(
            f"sort: no column '{name[:80]}'; there are {known}, and figures as 'test.MEASURE'"
        )
    figure = and_(Figure.part == part, Figure.measure == measure)
    return [Figure.mean, Figure.submission_id], figure


def _filters(query: BoardQuery) -> list[ColumnElement[bool]]:
    exact = {
        Entry.user: query.user,
        Entry.tier: query.tier,
        Entry.baseline: query.baseline,
        Entry.deterministic: query.deterministic,
        Entry.external_data: query.external_data,
        Entry.unranked: None if query.ranked is None else not query.ranked,
    }
    filters = [column == value for column, value in exact.items() if value is not None]
    if query.q:
        filters.append(Entry.method.icontains(query.q, autoescape=True))
    return filters


def _after(
    statement: Select[Any],
    columns: Sequence[InstrumentedAttribute[Any]],
    cursor: str | None,
    descending: bool,
) -> Select[Any]:
    if cursor is None:
        return statement
    values = _values(cursor, columns)
    left, right = tuple_(*columns), tuple_(*values)
    return statement.where(left < right if descending else left > right)


def _cursor(values: Sequence[Any]) -> str:
    text = json.dumps(list(values), separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _values(cursor: str, columns: Sequence[InstrumentedAttribute[Any]]) -> list[Any]:
    wrong = InputError("cursor: not one of this list; start again without it")
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, RecursionError):
        raise wrong from None
    kinds = [column.type.python_type for column in columns]
    if not isinstance(values, list) or len(values) != len(kinds):
        raise wrong
    if any(type(value) is not kind for value, kind in zip(values, kinds, strict=True)):
        raise wrong
    return values


def _text(row: Sequence[Any], grouped: bool) -> str:
    """The stored JSON, with what changes without it put before."""
    rank, group, tries, stored, *_ = row
    group = group if grouped else None
    return (
        f'{{"rank":{_number(rank)},"rank_group":{_number(group)},"submissions":{tries},{stored[1:]}'
    )


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)
