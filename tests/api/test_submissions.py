"""Submissions: checked at once, scored once, within a quota."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from retia.shards.version import Version
from tests.api.client import API, bearer, meta_of, parquet, predictions, submit
from tests.api.conftest import Local


@pytest.fixture
def link(versions: dict[str, Version]) -> Version:
    return versions["link"]


def test_a_submission_is_scored_and_ranked(board: Local, versions: dict[str, Version]) -> None:
    version = versions["sealed"]
    meta = meta_of(version, "link", method="oracle", hardware="2 cores", external_data="none")
    answer = submit(board.client, board.tokens["uma"], meta, predictions(version, "link", skill=50))
    assert answer.status_code == 202
    assert answer.json()["state"] == "received"
    board.work()
    found = board.client.get(f"{API}/submissions/{answer.json()['id']}").json()
    assert found["state"] == "scored"
    primary = found["scores"]["test"]["matched.rocauc"]
    assert primary["mean"] == 1.0
    assert len(primary["seeds"]) == 10
    row = board.client.get(f"{API}/leaderboards/toy-sealed/link").json()["items"][0]
    assert (row["rank"], row["method"], row["user"]) == (1, "oracle", "uma")
    assert (row["parameters"], row["hardware"], row["submissions"]) == (12_345, "2 cores", 1)


def test_validation_edges_as_input_are_declared(board: Local, link: Version) -> None:
    for method, declared in (("with", {"valid_edges_as_input": True}), ("without", {})):
        meta = meta_of(link, "link", method=method, **declared)
        answer = submit(board.client, board.tokens["uma"], meta, predictions(link, "link"))
        assert answer.status_code == 202
    board.work()
    rows = board.client.get(f"{API}/leaderboards/toy-link/link").json()["items"]
    shown = {row["method"]: row["valid_edges_as_input"] for row in rows}
    assert shown["with"] and not any(shown[method] for method in shown if method != "with")
    page = board.client.get("/leaderboards/toy-link/link").text
    assert page.count("Takes the validation edges as input") == 1
    meta = meta_of(link, "link", method="other", valid_edges_as_input="some")
    refused = submit(board.client, board.tokens["uma"], meta, predictions(link, "link"))
    assert refused.status_code == 422
    assert "valid_edges_as_input" in refused.text


def test_too_few_seeds_are_shown_without_a_rank(board: Local, versions: dict[str, Version]) -> None:
    version = versions["node"]
    meta = meta_of(version, "colour", method="hasty")
    table = predictions(version, "colour", seeds=3)
    assert submit(board.client, board.tokens["uma"], meta, table).status_code == 202
    board.work()
    rows = board.client.get(f"{API}/leaderboards/toy-node/colour").json()["items"]
    assert [row["rank"] for row in rows[:-1]] == list(range(1, len(rows)))
    assert (rows[-1]["method"], rows[-1]["rank"]) == ("hasty", None)


def test_the_newest_submission_of_a_method_counts(board: Local, link: Version) -> None:
    for skill in (3.0, 0.0):
        meta = meta_of(link, "link", method="again", notes=str(skill))
        table = predictions(link, "link", skill=skill)
        assert submit(board.client, board.tokens["uma"], meta, table).status_code == 202
        board.work()
    rows = board.client.get(f"{API}/leaderboards/toy-link/link").json()["items"]
    (row,) = [row for row in rows if row["method"] == "again"]
    assert row["submissions"] == 2
    assert row["scores"]["test"]["uniform.rocauc"]["mean"] < 0.6


def test_a_leaderboard_is_a_table_too(board: Local, link: Version) -> None:
    meta = meta_of(link, "link", method='=cmd|"x"')
    assert (
        submit(
            board.client, board.tokens["uma"], meta, predictions(link, "link", seeds=2)
        ).status_code
        == 202
    )
    board.work()
    answer = board.client.get(f"{API}/leaderboards/toy-link/link?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    head, *rows = answer.text.splitlines()
    assert head.startswith("rank,rank_group,method,user,baseline")
    assert any("'=cmd" in row for row in rows)


def _drop(table: pa.Table) -> pa.Table:
    return table.slice(1)


def _double(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.slice(0, 1)])


def _unknown(table: pa.Table) -> pa.Table:
    item = table["item"].to_numpy().copy()
    item[0] = 999_999
    return table.set_column(2, "item", pa.array(item))


def _infinite(table: pa.Table) -> pa.Table:
    score = table["score"].to_numpy().copy()
    score[0] = np.inf
    return table.set_column(3, "score", pa.array(score))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_drop, "item 0 is missing"),
        (_double, "item 0 stands twice"),
        (_unknown, "item 999999 is unknown"),
        (_infinite, "item 0 is not finite"),
    ],
)
def test_the_first_offender_is_named_and_nothing_is_scored(
    spoil, words: str, board: Local, link: Version
) -> None:
    table = spoil(predictions(link, "link", seeds=1))
    meta = meta_of(link, "link", method="spoilt")
    answer = submit(board.client, board.tokens["uma"], meta, table)
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"predictions: seed 0, part valid: {words}"
    board.work()
    rows = board.client.get(f"{API}/leaderboards/toy-link/link").json()["items"]
    assert "spoilt" not in [row["method"] for row in rows]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"digest": "0" * 64}, 422, "the version has the digest"),
        ({"version": "9.9.9"}, 404, "no version 9.9.9"),
        ({"dataset": "nothing"}, 404, "no dataset 'nothing'"),
        ({"task": "other"}, 404, "has no task 'other'"),
        ({"code_url": "javascript:alert(1)"}, 422, "meta: code_url"),
        ({"code_url": "file:///etc/passwd"}, 422, "meta: code_url"),
        ({"rank": 1}, 422, "meta: rank"),
        ({"parameters": -1}, 422, "meta: parameters"),
        ({"method": ""}, 422, "meta: method"),
        ({"method": "  "}, 422, "meta: method"),
        ({"tuned": {"rate": float("nan")}}, 422, "meta: tuned"),
        ({"tuned": {"rate": [float("inf")]}}, 422, "meta: tuned"),
    ],
)
def test_a_meta_that_does_not_fit_is_named(
    change: dict[str, object], status: int, words: str, board: Local, link: Version
) -> None:
    table = predictions(link, "link", seeds=1)
    answer = submit(board.client, board.tokens["uma"], meta_of(link, "link") | change, table)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_an_error_repeats_is_cut(board: Local, link: Version) -> None:
    table = predictions(link, "link", seeds=1)
    parts = pa.array(["x" * 100_000, *table["part"].to_pylist()[1:]])
    answer = submit(
        board.client, board.tokens["uma"], meta_of(link, "link"), table.set_column(1, "part", parts)
    )
    assert answer.status_code == 422
    assert "row 0: part 'xxx" in answer.json()["detail"]
    assert len(answer.content) < 2000


@pytest.mark.parametrize("content", [b"", b"PAR1 nothing", b"\x80\x04."])
def test_a_file_that_is_not_parquet_is_refused(content: bytes, board: Local, link: Version) -> None:
    answer = submit(board.client, board.tokens["uma"], meta_of(link, "link"), content)
    assert answer.status_code == 422
    assert "not a readable Parquet file" in answer.json()["detail"]


def test_a_body_that_is_no_form_is_refused(board: Local) -> None:
    headers = bearer(board.tokens["uma"])
    answer = board.client.post(f"{API}/submissions", json={}, headers=headers)
    assert answer.status_code == 415
    broken = headers | {"Content-Type": "multipart/form-data; boundary=x"}
    answer = board.client.post(f"{API}/submissions", content=b"garbage", headers=broken)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_same_key_is_the_same_submission(local: Local, link: Version) -> None:
    local.publish(link)
    table = predictions(link, "link", seeds=2)
    meta = meta_of(link, "link")
    answers = [submit(local.client, local.tokens["uma"], meta, table, key="k") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = submit(local.client, local.tokens["uma"], meta | {"notes": "x"}, table, key="k")
    assert other.status_code == 422
    assert "Idempotency-Key" in other.json()["detail"]
    own = predictions(link, "link", seeds=2)
    theirs = submit(local.client, local.tokens["eve"], meta, own, key="k")
    assert theirs.json()["id"] != answers[0].json()["id"]


def test_the_quota_holds_for_a_user_a_task_and_a_day(local: Local, link: Version) -> None:
    local.publish(link)

    def send(user: str) -> int:
        table = predictions(link, "link", seeds=1)
        return submit(local.client, local.tokens[user], meta_of(link, "link"), table).status_code

    assert [send("uma") for _ in range(4)] == [202, 202, 202, 429]
    assert send("eve") == 202


def test_the_quota_holds_when_all_come_at_once(
    make_local: Callable[..., Local], link: Version
) -> None:
    local = make_local(quota=2)
    local.publish(link)
    tables = [parquet(predictions(link, "link", seeds=1)) for _ in range(8)]

    def send(table: bytes) -> int:
        return submit(local.client, local.tokens["uma"], meta_of(link, "link"), table).status_code

    with local.client, ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, tables)) == [202] * 2 + [429] * 6


def test_the_owner_alone_changes_and_withdraws_a_submission(local: Local, link: Version) -> None:
    local.publish(link)
    answer = submit(
        local.client, local.tokens["uma"], meta_of(link, "link"), predictions(link, "link")
    )
    url = f"{API}/submissions/{answer.json()['id']}"
    local.work()
    own, theirs = bearer(local.tokens["uma"]), bearer(local.tokens["eve"])
    assert local.client.patch(url, json={"notes": "x"}, headers=theirs).status_code == 403
    assert local.client.delete(url, headers=theirs).status_code == 403
    assert local.client.delete(url).status_code == 401
    for body in ({"method": "better"}, {"code_url": "javascript:x"}, {"scores": {}}, []):
        assert local.client.patch(url, json=body, headers=own).status_code == 422
    changed = local.client.patch(url, json={"code_url": "https://example.org/"}, headers=own)
    assert changed.json()["meta"]["code_url"] == "https://example.org/"
    assert changed.json()["meta"]["parameters"] == 12_345
    gone = local.client.delete(url, headers=own).json()
    assert (gone["state"], gone["meta"]["method"]) == ("withdrawn", "guess")
    assert local.client.get(url).json() == gone, "a tombstone stays"
    assert local.client.patch(url, json={"notes": "x"}, headers=own).status_code == 422
    missing = local.client.delete(f"{API}/submissions/none", headers=own)
    assert missing.status_code == 404


def test_the_same_predictions_are_taken_once(local: Local, link: Version) -> None:
    local.publish(link)
    table, meta = predictions(link, "link", seeds=2), meta_of(link, "link")
    first = submit(local.client, local.tokens["uma"], meta, table).json()["id"]
    scaled = table.set_column(3, "score", pa.array(np.exp(table["score"].to_numpy())))
    for user, again in (("uma", table), ("eve", table), ("eve", scaled)):
        answer = submit(local.client, local.tokens[user], meta | {"method": "new"}, again)
        assert answer.status_code == 409
        assert f"submission {first} ('guess', by uma) orders all items" in answer.json()["detail"]


def test_a_version_scores_only_its_own_items(board: Local, versions: dict[str, Version]) -> None:
    table = predictions(versions["link"], "link", seeds=1)
    table = table.filter(pc.less(table["item"], 10_000))
    meta = meta_of(versions["sealed"], "link")
    assert submit(board.client, board.tokens["uma"], meta, table).status_code == 422
