"""Clients that are slow, greedy or gone: the server answers early, or hangs up."""

import json
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from retia.api.limits import Allowance
from retia.leaderboard.tables import Reservation
from retia.shards.version import Version
from tests.api.client import API, bearer, meta_of, parquet, predictions, publish, submit
from tests.api.conftest import Local, Running
from tests.api.raw import Answer, ask, connected, drip

PATIENCE = 1.0
LATEST = 6.0
"""Seconds: far under what a drip would take, far over the patience, for a busy machine."""


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    accounts: tuple[Path, dict[str, str]],
    versions: dict[str, Version],
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("hard") / "data"
    running = Running.on(folder, accounts, RETIA_PATIENCE=str(PATIENCE), RETIA_QUOTA="1")
    outcome = publish(running.client, running.tokens["ada"], versions["link"])
    assert outcome["state"] == "published"
    yield running
    running.stop()


def head(running: Running, url: str, *lines: str, user: str = "uma", method: str = "POST") -> bytes:
    token = running.tokens[user]
    given = [f"{method} {url} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", *lines]
    return "\r\n".join([*given, "", ""]).encode()


def is_problem(answer: Answer, status: int) -> bool:
    assert answer.status == status, answer.content[:300]
    assert b"application/problem+json" in answer.content
    return answer.seconds < LATEST


def test_headers_that_come_byte_by_byte_are_cut_off(running: Running) -> None:
    answer = drip(running.client, b"GET / HTTP/1.1\r\nX-Slow: ", 20)
    assert answer.content == b""
    assert PATIENCE / 2 < answer.seconds < LATEST


def test_a_connection_that_says_nothing_is_closed(running: Running) -> None:
    with connected(running.client) as connection:
        start = time.monotonic()
        assert connection.recv(1) == b""
        assert time.monotonic() - start < LATEST


def test_the_second_request_of_a_connection_has_no_more_time(running: Running) -> None:
    answer = drip(
        running.client, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX: ", 20
    )
    assert answer.status == 200
    assert answer.content.count(b"HTTP/1.1") == 1
    assert answer.seconds < LATEST


@pytest.mark.parametrize(
    ("url", "method", "user"),
    [
        (f"{API}/blobs/{'0' * 64}", "PUT", "ada"),
        (f"{API}/datasets/toy-link/1.0.0", "POST", "ada"),
        (f"{API}/submissions", "POST", "uma"),
        (f"{API}/tokens", "POST", "uma"),
    ],
)
def test_a_body_that_comes_byte_by_byte_is_cut_off(
    url: str, method: str, user: str, running: Running
) -> None:
    lines = ["Content-Length: 50000", "Content-Type: multipart/form-data; boundary=b"]
    request = head(running, url, *lines, user=user, method=method)
    begun = b'--b\r\nContent-Disposition: form-data; name="meta"\r\n\r\n'
    answer = drip(running.client, request + begun * url.endswith("submissions"), 20, b"{")
    assert is_problem(answer, 408)


def test_what_is_left_of_a_refused_body_is_not_awaited_for_ever(running: Running) -> None:
    request = head(running, f"{API}/blobs/{'0' * 64}", "Content-Length: 50000", method="PUT")
    answer = drip(running.client, request, 20)
    assert answer.status == 403
    assert answer.seconds < LATEST


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Transfer-Encoding: chunked"], 411),
        (["Content-Length: 99999999999999"], 413),
        (["Content-Length: 1000", "Content-Encoding: gzip"], 415),
    ],
)
@pytest.mark.parametrize("url", [f"{API}/submissions", f"{API}/blobs/{'0' * 64}"])
def test_a_body_is_judged_by_its_headers_alone(
    url: str, lines: list[str], status: int, running: Running
) -> None:
    """Nothing of the body is ever sent."""
    method, user = ("PUT", "ada") if "blobs" in url else ("POST", "uma")
    kind = "Content-Type: multipart/form-data; boundary=b"
    request = head(running, url, kind, *lines, user=user, method=method)
    assert is_problem(ask(running.client, request), status)


@pytest.mark.parametrize(
    ("kind", "status"), [("application/json", 415), ("multipart/form-data", 400)]
)
def test_a_submission_is_judged_by_its_type(kind: str, status: int, running: Running) -> None:
    lines = ["Content-Length: 1000", f"Content-Type: {kind}"]
    request = head(running, f"{API}/submissions", *lines)
    assert is_problem(ask(running.client, request), status)


def test_a_used_quota_is_answered_before_the_predictions_come(
    running: Running, versions: dict[str, Version]
) -> None:
    version = versions["link"]
    meta = meta_of(version, "link")
    table = predictions(version, "link", seeds=2)
    assert submit(running.client, running.tokens["eve"], meta, table).status_code == 202
    lines = ["Content-Length: 1000000", "Content-Type: multipart/form-data; boundary=b"]
    place = f"{API}/submissions?dataset=toy-link&task=link"
    request = head(running, place, *lines, user="eve")
    assert is_problem(ask(running.client, request), 429), "from the headers alone"
    part = (
        f'--b\r\nContent-Disposition: form-data; name="meta"\r\n\r\n{json.dumps(meta)}\r\n--b\r\n'
    )
    request = head(running, f"{API}/submissions", *lines, user="eve") + part.encode()
    assert is_problem(ask(running.client, request), 429)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n" + b"X-Flood: y\r\n" * 10_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nX-Long: " + b"y" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01 nothing of HTTP\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    ],
    ids=["flood", "long header", "long address", "no http", "negative length", "two lengths"],
)
def test_what_is_no_request_is_a_problem(request_: bytes, running: Running) -> None:
    with connected(running.client) as connection:
        try:
            connection.sendall(request_)
            content = connection.recv(10_000)
        except ConnectionError:
            content = b""  # it hung up while the flood was still being sent
    assert not content or is_problem(Answer(content, 0), 400)
    assert running.client.get("/healthz").status_code == 200


def test_a_client_that_disappears_leaves_nothing(running: Running) -> None:
    """Half a body, then a reset: no file stays, and the log has no trace of it."""
    for url, user, method in (
        (f"{API}/blobs/{'0' * 64}", "ada", "PUT"),
        (f"{API}/submissions", "uma", "POST"),
    ):
        lines = ["Content-Length: 1000000", "Content-Type: multipart/form-data; boundary=b"]
        with connected(running.client) as connection:
            connection.sendall(head(running, url, *lines, user=user, method=method) + b"x" * 5000)
            time.sleep(0.2)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end = time.monotonic() + 5
    while list((running.data / "incoming").iterdir()) and time.monotonic() < end:
        time.sleep(0.05)
    assert list((running.data / "incoming").iterdir()) == []
    assert running.client.get("/healthz").status_code == 200


FORM = {"Content-Type": "multipart/form-data; boundary=b"}
PART = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"--b--\r\n", 422, "meta: the body has no part of that name"),
        (PART % (b"predictions", b"x") + b"--b--\r\n", 422, "there is 'predictions'"),
        (PART % (b"meta", b"{}" * 100_000) + b"--b--\r\n", 413, "meta: more than"),
        (PART % (b"meta", b"{}"), 400, "ends too early"),
        (PART % (b"meta", b"{}") + b"--b--\r\n", 422, "meta: dataset"),
        (PART % (b"meta", b"[" * 50_000) + b"--b--\r\n", 422, "meta: "),
        (b"--b\r\nX-Name: meta\r\n\r\n{}\r\n--b--\r\n", 400, "a part has no name"),
        (b"--b\r\n" + b"X: y\r\n" * 1000 + b"\r\n{}\r\n--b--\r\n", 400, "not readable"),
        (b"--b\r\nX: " + b"y" * 50_000 + b"\r\n\r\n{}\r\n--b--\r\n", 400, "not readable"),
        (b"nothing", 400, "not readable"),
    ],
)
def test_a_form_that_does_not_fit_is_named(
    body: bytes, status: int, words: str, board: Local
) -> None:
    headers = bearer(board.tokens["uma"]) | FORM
    answer = board.client.post(f"{API}/submissions", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]


def test_a_form_has_its_parts_in_order_and_no_more(
    board: Local, versions: dict[str, Version]
) -> None:
    meta = json.dumps(meta_of(versions["link"], "link")).encode()
    table = parquet(predictions(versions["link"], "link", seeds=2))
    parts = PART % (b"meta", meta) + PART % (b"predictions", table)
    headers = bearer(board.tokens["uma"]) | FORM
    for end, status in (
        (b"--b", 400),
        (PART % (b"more", b"x") + b"--b--\r\n", 422),
        (b"--b--", 202),
    ):
        answer = board.client.post(f"{API}/submissions", content=parts + end, headers=headers)
        assert answer.status_code == status, answer.text


def test_a_place_in_the_quota_is_held_while_a_body_comes(
    running: Running, versions: dict[str, Version]
) -> None:
    """With one submission left, a second body is refused by its headers; it is free again later."""
    place = f"{API}/submissions?dataset=toy-link&task=link"
    lines = ["Content-Length: 1000000", "Content-Type: multipart/form-data; boundary=b"]
    request = head(running, place, *lines, user="ada")
    with connected(running.client) as first:
        first.sendall(request)
        time.sleep(0.3)
        answer = ask(running.client, request)
        assert is_problem(answer, 429)
        assert b"and 1 are on their way" in answer.content
    meta = meta_of(versions["link"], "link", method="held")
    table = predictions(versions["link"], "link", seeds=3)
    end = time.monotonic() + 5
    while (sent := submit(running.client, running.tokens["ada"], meta, table)).status_code == 429:
        assert time.monotonic() < end, sent.text
        time.sleep(0.2)
    assert sent.status_code == 202


def test_an_address_that_names_another_task_than_the_meta_is_refused(
    board: Local, versions: dict[str, Version]
) -> None:
    meta = json.dumps(meta_of(versions["link"], "link")).encode()
    headers = bearer(board.tokens["uma"]) | FORM
    for query, status in (("dataset=toy-node", 422), ("dataset=x&task=y", 422)):
        body = PART % (b"meta", meta) + b"--b--"
        answer = board.client.post(f"{API}/submissions?{query}", content=body, headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (
            status,
            "meta: the address names another dataset or task",
        )


def test_whoever_sends_broken_files_all_the_time_has_to_wait(
    local: Local, versions: dict[str, Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "retia.api.routes.submissions.REFUSED", Allowance("a test", times=2, seconds=60)
    )
    local.publish(versions["link"])
    meta = meta_of(versions["link"], "link")
    codes = [
        submit(local.client, local.tokens["uma"], meta, b"no Parquet").status_code for _ in range(3)
    ]
    assert codes == [422, 422, 429]
    with local.context.database.read() as session:
        assert session.query(Reservation).all() == []
