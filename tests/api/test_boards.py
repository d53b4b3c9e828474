"""Leaderboards over HTTP: pages, forms, ETags, rank groups."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retia.api.worker import JOBS, do_one, rank
from retia.leaderboard.scoring import check_predictions
from retia.leaderboard.tables import Board
from retia.protocol.rank_groups import Bootstrap, rank_groups
from retia.shards.version import Version
from tests.api.client import API, bearer, meta_of, predictions, submit
from tests.api.conftest import Local

URL = f"{API}/leaderboards/toy-link/link"


@pytest.fixture
def link(versions: dict[str, Version]) -> Version:
    return versions["link"]


@pytest.fixture
def filled(make_local: Callable[..., Local], link: Version) -> Local:
    local = make_local(quota=100)
    local.publish(link)
    return local


def send(local: Local, version: Version, table: pa.Table | None = None, **meta: object) -> str:
    table = predictions(version, "link") if table is None else table
    answer = submit(local.client, local.tokens["uma"], meta_of(version, "link", **meta), table)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def work_without_groups(local: Local) -> None:
    while any(do_one(local.context, table, job) for table, job in JOBS if job is not rank):
        pass


def test_an_unchanged_board_is_304_and_a_new_score_changes_it(filled: Local, link: Version) -> None:
    first = filled.client.get(URL)
    etag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    again = filled.client.get(URL, headers={"If-None-Match": f'"x", {etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    name = send(filled, link)
    assert filled.client.get(URL, headers={"If-None-Match": etag}).status_code == 304
    work_without_groups(filled)
    scored = filled.client.get(URL, headers={"If-None-Match": etag})
    assert scored.status_code == 200
    assert name in scored.text
    assert filled.client.get(URL).json() == scored.json()
    filled.work()
    grouped = filled.client.get(URL, headers={"If-None-Match": scored.headers["etag"]})
    assert grouped.status_code == 200
    withdrawn = filled.client.delete(
        f"{API}/submissions/{name}", headers=bearer(filled.tokens["uma"])
    )
    assert withdrawn.status_code == 200
    gone = filled.client.get(URL, headers={"If-None-Match": grouped.headers["etag"]})
    assert name not in gone.text


def test_every_query_has_an_etag_of_its_own(filled: Local) -> None:
    queries = ("", "?limit=1", "?sort=-rank", "?format=csv", "?q=degree", "?baseline=true")
    assert len({filled.client.get(URL + query).headers["etag"] for query in queries}) == 6


def test_pages_follow_their_cursor(filled: Local, link: Version) -> None:
    for number in range(3):
        send(filled, link, method=f"m{number}")
    filled.work()
    whole = filled.client.get(URL).json()["items"]
    seen, cursor = [], ""
    while cursor is not None:
        found = filled.client.get(f"{URL}?limit=2&cursor={cursor}" if cursor else f"{URL}?limit=2")
        seen += found.json()["items"]
        cursor = found.json()["next"]
    assert seen == whole
    assert len(whole) > 4
    for query in ("cursor=zzz", "sort=nothing", "limit=0", "limit=201", "format=xml"):
        assert filled.client.get(f"{URL}?{query}").status_code == 422
    for missing in ("/leaderboards/toy-link/other", "/leaderboards/none/link"):
        assert filled.client.get(API + missing).status_code == 404
    assert filled.client.get(f"{URL}?version=9.9.9").status_code == 404


def test_csv_and_parquet_tell_the_same_as_json(filled: Local, link: Version) -> None:
    send(filled, link, hardware="2 cores")
    filled.work()
    items = filled.client.get(URL).json()["items"]
    answer = filled.client.get(f"{URL}?format=parquet")
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    rows = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    lines = filled.client.get(f"{URL}?format=csv").text.splitlines()
    assert len(rows) == len(items) == len(lines) - 1
    for row, item in zip(rows, items, strict=True):
        assert row["test.uniform.rocauc.mean"] == item["scores"]["test"]["uniform.rocauc"]["mean"]
        assert (row["rank"], row["rank_group"]) == (item["rank"], item["rank_group"])


def test_rank_groups_are_pending_until_the_worker_has_found_them(
    filled: Local, link: Version
) -> None:
    tables = {f"skill {skill}": predictions(link, "link", skill=skill) for skill in (0, 0.1, 3, 9)}
    for method, table in tables.items():
        send(filled, link, table, method=method)
    send(filled, link, predictions(link, "link", seeds=2), method="few seeds")
    work_without_groups(filled)
    pending = filled.client.get(URL).json()
    assert pending["rank_groups"] == "pending"
    assert {row["rank_group"] for row in pending["items"]} == {None}
    assert "<b>pending</b>" in filled.client.get("/leaderboards/toy-link/link").text
    filled.work()
    found = filled.client.get(URL).json()
    assert found["rank_groups"] == "current"
    groups = {row["method"]: row["rank_group"] for row in found["items"]}
    assert groups.pop("few seeds") is None
    assert sorted(set(groups.values())) == list(range(1, max(groups.values()) + 1))
    assert groups["skill 9"] == 1 < groups["skill 0"]
    page = filled.client.get("/leaderboards/toy-link/link").text
    assert page.count('title="Rank group: its methods') == len(groups)


def test_rank_groups_are_those_of_the_bootstrap_of_all_methods(
    filled: Local, link: Version
) -> None:
    """The groups of the submissions alone, recomputed from what was sent."""
    tables = {f"skill {skill}": predictions(link, "link", skill=skill) for skill in (0, 2, 2.2)}
    for method, table in tables.items():
        send(filled, link, table, method=method)
        filled.work()
    rows = filled.client.get(f"{URL}?baseline=false").json()["items"]
    bootstrap, samples = Bootstrap(link, "link"), []
    for row in rows:
        found = check_predictions(link, "link", tables[row["method"]], deterministic=False)
        seeds = {seed: found.values[seed, "test"] for seed in found.seeds}
        samples.append(bootstrap.samples(row["method"], seeds))
    primary = found_primary(filled)
    means = np.array([row["scores"]["test"][primary]["mean"] for row in rows])
    expected = rank_groups(means, np.stack(samples), primary.rpartition(".")[2])
    shown = [row["rank_group"] for row in rows]
    apart = [[a == b for b in expected] for a in expected]
    assert [[a == b for b in shown] for a in shown] == apart


def found_primary(local: Local) -> str:
    return local.client.get(URL).json()["primary"]


def test_a_board_whose_scores_change_while_it_is_grouped_waits_again(
    filled: Local, link: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(filled, link, method="first")
    work_without_groups(filled)
    real = rank_groups

    def slow(*given: object) -> list[int]:
        send(filled, link, method="second")
        work_without_groups(filled)
        monkeypatch.setattr("retia.leaderboard.grouping.rank_groups", real)
        return real(*given)

    monkeypatch.setattr("retia.leaderboard.grouping.rank_groups", slow)
    assert do_one(filled.context, Board, rank)
    assert filled.client.get(URL).json()["rank_groups"] == "pending"
    assert do_one(filled.context, Board, rank)
    found = filled.client.get(URL).json()
    assert found["rank_groups"] == "current"
    assert all(row["rank_group"] for row in found["items"])


def test_many_readers_at_once_have_the_same_answer(filled: Local) -> None:
    with filled.client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: filled.client.get(URL), range(40)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["etag"] for answer in answers}) == 1
