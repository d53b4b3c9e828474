"""Boards: what a page of them shows, against the same thing done by hand."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from retia.leaderboard.board_page import BoardQuery, read_page
from retia.leaderboard.database import Database
from retia.leaderboard.queue import claim, stop
from retia.leaderboard.submissions import Changes, change, keep_scores, rescore, withdraw
from retia.leaderboard.tables import Board, Submission
from retia.shards.errors import InputError
from tests.leaderboard.store import board_id, fill, score_next, send, take, upload_of, values


@pytest.fixture(autouse=True)
def filled(database: Database) -> None:
    fill(database)


def page(database: Database, query: BoardQuery | None = None) -> list[dict[str, Any]]:
    """All rows that a query finds, a page after the other."""
    query, rows = query or BoardQuery(), []
    with database.read() as session:
        board = session.get_one(Board, board_id(session))
        while True:
            found = read_page(session, board, query)
            rows += found.values()
            if found.next is None:
                return rows
            query = replace(query, cursor=found.next)


def revision(database: Database) -> int:
    with database.read() as session:
        return session.get_one(Board, board_id(session)).revision


def many(database: Database) -> list[dict[str, Any]]:
    """Forty submissions of all kinds, as the API would tell of them."""
    rng = np.random.default_rng(0)
    for number in range(40):
        send(
            database,
            mean=round(float(rng.choice([0.5, rng.random()])), 6),
            user=int(rng.integers(1, 4)),
            method=f"Method {rng.integers(30):02}%_{'Net' if number % 2 else 'GCN'}",
            parameters=int(rng.integers(1, 5)) * 10**12,
            deterministic=bool(rng.random() < 0.3),
            seeds=tuple(range(int(rng.choice([1, 9, 10, 12])))),
            external_data=[None, "None", "Wikipedia"][int(rng.integers(3))],
        )
    return page(database)


def mean(row: dict[str, Any]) -> float:
    return row["scores"]["test"]["accuracy"]["mean"]


KEYS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "method": lambda row: row["method"],
    "user": lambda row: row["user"],
    "parameters": lambda row: row["parameters"],
    "num_seeds": lambda row: row["num_seeds"],
    "submissions": lambda row: row["submissions"],
    "created": lambda row: row["created"],
    "test.accuracy": mean,
    "valid.macro-f1": lambda row: row["scores"]["valid"]["macro-f1"]["mean"],
}

FILTERS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({"user": "uma"}, lambda row: row["user"] == "uma"),
    ({"q": "net"}, lambda row: "net" in row["method"].lower()),
    ({"q": "%_g"}, lambda row: "%_g" in row["method"].lower()),
    ({"deterministic": True}, lambda row: row["deterministic"]),
    ({"external_data": True}, lambda row: row["external_data"] == "Wikipedia"),
    ({"external_data": False}, lambda row: row["external_data"] != "Wikipedia"),
    ({"ranked": False, "tier": "scored"}, lambda row: row["rank"] is None),
    ({"baseline": True}, lambda row: False),
    ({"user": "' OR 1=1 --"}, lambda row: False),
]


def test_rows_are_ranked_sorted_filtered_and_cut_as_by_hand(database: Database) -> None:
    rows = many(database)
    ranked = [row for row in rows if row["rank"] is not None]
    others = rows[len(ranked) :]
    assert all(
        len(row["seeds"]) >= (1 if row["deterministic"] else 10) for row in ranked
    )  # fmt: skip
    assert all(row["rank"] is None and not row["deterministic"] for row in others)
    assert len(ranked) > 5 < len(others)
    for listed in (ranked, others):
        assert [mean(row) for row in listed] == sorted(map(mean, listed), reverse=True)
    means = [mean(row) for row in ranked]
    assert [row["rank"] for row in ranked] == [1 + sum(m > own for m in means) for own in means]
    assert len(set(means)) < len(means), "some are equal"
    for sort, key in KEYS.items():
        for reverse in (False, True):
            query = BoardQuery(sort=("-" if reverse else "") + sort, limit=7)
            found = page(database, query)
            assert [key(row) for row in found] == sorted(map(key, rows), reverse=reverse), sort
            assert {row["submission"] for row in found} == {row["submission"] for row in rows}
    for given, fits in FILTERS:
        for limit in (None, 3):
            found = page(database, BoardQuery(**given, limit=limit))
            assert found == [row for row in rows if fits(row)], given


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (BoardQuery(sort="password"), "sort: no column 'password'"),
        (BoardQuery(sort="test."), "sort: no column 'test.'"),
        (BoardQuery(sort="rank; DROP TABLE users"), "sort: no column"),
        (BoardQuery(cursor="x"), "cursor: not one of this list"),
        (BoardQuery(cursor="WzFd"), "cursor: not one of this list"),
        (BoardQuery(cursor="\u00fc"), "cursor: not one of this list"),
        (BoardQuery(cursor="W1tb"), "cursor: not one of this list"),
    ],
)
def test_a_query_that_cannot_be_is_refused(
    query: BoardQuery, words: str, database: Database
) -> None:
    with pytest.raises(InputError, match=words):
        page(database, query)


def test_an_unknown_figure_has_no_rows(database: Database) -> None:
    send(database, 0.5)
    assert page(database, BoardQuery(sort="test.rocauc")) == []


def test_rows_that_come_between_two_pages_neither_double_nor_hide_any(database: Database) -> None:
    ids = [send(database, number / 10, method=str(number)) for number in range(8)]
    with database.read() as session:
        first = read_page(session, session.get_one(Board, 1), BoardQuery(limit=4))
    send(database, 0.95, method="new and best")
    with database.read() as session:
        query = BoardQuery(limit=4, cursor=first.next)
        second = read_page(session, session.get_one(Board, 1), query)
    seen = [row["submission"] for row in first.values() + second.values()]
    assert seen == ids[::-1]


def test_the_newest_of_a_method_stands_and_a_withdrawn_one_gives_way(database: Database) -> None:
    first, second = send(database, 0.9), send(database, 0.3)
    other = send(database, 0.5, user=2)
    assert [row["submission"] for row in page(database)] == [other, second]
    before = revision(database)
    with database.write() as session:
        withdraw(session, second)
    rows = page(database)
    assert [(row["submission"], row["rank"]) for row in rows] == [(first, 1), (other, 2)]
    assert rows[0]["submissions"] == 2, "withdrawn ones count"
    assert revision(database) > before
    with database.read() as session:
        assert session.get_one(Submission, second).state == "withdrawn"
    with database.write() as session:
        withdraw(session, first)
    assert [row["submission"] for row in page(database)] == [other]
    with pytest.raises(InputError, match="is withdrawn"), database.write() as session:
        change(session, first, Changes(notes="x"))


def test_a_submission_that_is_scored_late_does_not_push_a_newer_one_off(database: Database) -> None:
    take(database, upload_of())
    slow = claim(database, Submission, 60.0)
    newer = send(database, 0.5)
    assert slow is not None
    with database.write() as session:
        keep_scores(session, slow, values(tuple(range(10)), 0.9))
    assert [row["submission"] for row in page(database)] == [newer]


def test_a_change_of_the_meta_is_seen_on_the_board(database: Database) -> None:
    name, before = send(database, 0.5), revision(database)
    with database.write() as session:
        change(session, name, Changes(code_url="https://example.org/x", hardware="a laptop"))
    (row,) = page(database)
    assert (row["code_url"], row["hardware"]) == ("https://example.org/x", "a laptop")
    assert row["parameters"] == 7
    assert revision(database) > before


def test_scoring_again_keeps_the_old_scores(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = send(database, 0.5)
    monkeypatch.setattr("retia.leaderboard.submissions.EVALUATOR", "retia 99")
    with database.write() as session:
        rescore(session, name)
    assert mean(page(database)[0]) == pytest.approx(0.5009), "it stands meanwhile"
    assert score_next(database, 0.7) == name
    (row,) = page(database)
    assert mean(row) == pytest.approx(0.7009)
    assert row["evaluator"] == "retia 99"
    with database.read() as session:
        found = session.get_one(Submission, name)
        assert len(found.scores) == 2 * len(found.current_scores) == 80
        old = {score.evaluator for score in found.scores} - {"retia 99"}
        assert len(old) == 1


def test_scoring_again_with_one_evaluator_counts_once(database: Database) -> None:
    name = send(database, 0.5)
    with database.write() as session:
        rescore(session, name)
    score_next(database, 0.5)
    with database.read() as session:
        assert len(session.get_one(Submission, name).scores) == 40


def test_a_failure_to_score_again_leaves_the_scores(database: Database) -> None:
    name = send(database, 0.5)
    with database.write() as session:
        rescore(session, name)
    job = claim(database, Submission, 60.0)
    assert job is not None
    stop(database, job, "cannot be")
    with database.read() as session:
        found = session.get_one(Submission, name)
        assert (found.state, found.problem) == ("scored", "cannot be")
    assert [row["submission"] for row in page(database)] == [name]


def test_a_withdrawn_submission_is_not_scored_any_more(database: Database) -> None:
    name = take(database, upload_of())
    job = claim(database, Submission, 60.0)
    assert job is not None
    with database.write() as session:
        withdraw(session, name)
    with pytest.raises(Exception, match=name), database.write() as session:
        keep_scores(session, job, values((0,), 0.5))
    assert claim(database, Submission, 60.0) is None
    assert page(database) == []


def test_scores_that_come_at_once_give_the_ranks_of_all(database: Database) -> None:
    for number in range(12):
        take(database, upload_of(method=str(number)), user=1 + number % 3)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: score_next(database, number / 20), range(12)))
    rows = page(database)
    assert [row["rank"] for row in rows] == list(range(1, 13))
    assert len({row["method"] for row in rows}) == 12
    assert json.loads(json.dumps(rows)) == rows
