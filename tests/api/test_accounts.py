"""Accounts and tokens: who may do what, decided before a body is read."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from retia.leaderboard.tables import Token, User
from tests.api.client import API, bearer
from tests.api.conftest import PASSWORD, Local, Running

SUM = "0" * 64
WRITES = [
    ("PUT", f"{API}/blobs/{SUM}"),
    ("POST", f"{API}/datasets/toy-link/1.0.0"),
    ("POST", f"{API}/submissions"),
]


@pytest.mark.parametrize(("method", "url"), WRITES)
def test_a_write_needs_a_token(method: str, url: str, local: Local) -> None:
    for headers in ({}, bearer("retia_wrong"), {"Authorization": "Basic x"}, {"Cookie": "token=x"}):
        answer = local.client.request(method, url, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("change", [{"revoked": True}, {"expires": 1.0}])
def test_a_revoked_or_expired_token_is_refused(change: dict[str, float], local: Local) -> None:
    with local.context.database.write() as session:
        session.execute(update(Token).values(change))
    answer = local.client.head(f"{API}/blobs/{SUM}", headers=bearer(local.tokens["ada"]))
    assert answer.status_code == 401


def test_a_token_without_the_scope_is_forbidden(local: Local) -> None:
    answer = local.client.put(f"{API}/blobs/{SUM}", headers=bearer(local.tokens["uma"]))
    assert answer.status_code == 403
    assert answer.json()["detail"] == "this needs a token with the scope 'publish'"


def test_a_lower_role_takes_scopes_away(local: Local) -> None:
    with local.context.database.write() as session:
        session.execute(update(User).where(User.name == "ada").values(role="user"))
    answer = local.client.head(f"{API}/blobs/{SUM}", headers=bearer(local.tokens["ada"]))
    assert answer.status_code == 403


def test_the_use_of_a_token_is_noted(local: Local) -> None:
    local.client.head(f"{API}/blobs/{SUM}", headers=bearer(local.tokens["ada"]))
    with local.context.database.read() as session:
        used = [token.last_used for token in session.query(Token) if token.last_used]
    assert len(used) == 1
    assert time.time() - used[0] < 60


def test_a_token_is_made_with_the_password_and_kept_as_a_hash(local: Local) -> None:
    body = {"name": "uma", "password": PASSWORD, "scopes": ["submit"], "days": 3}
    answer = local.client.post(f"{API}/tokens", json=body)
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert answer.json()["scopes"] == ["submit"]
    database = (local.context.settings.data / "retia.sqlite").read_bytes()
    log = (local.context.settings.data / "retia.sqlite-wal").read_bytes()
    assert token.encode() not in database + log
    assert PASSWORD.encode() not in database + log
    answer = local.client.post(f"{API}/submissions", headers=bearer(token))
    assert answer.status_code == 415


def test_a_wrong_password_or_name_makes_no_token(local: Local) -> None:
    for name, password in (("uma", "wrong"), ("nobody", PASSWORD)):
        body = {"name": name, "password": password, "scopes": ["read"]}
        answer = local.client.post(f"{API}/tokens", json=body)
        assert answer.status_code == 401
        assert answer.json()["detail"] == "the name or the password is wrong"


def test_a_role_limits_the_scopes(local: Local) -> None:
    body = {"name": "uma", "password": PASSWORD, "scopes": ["publish"]}
    answer = local.client.post(f"{API}/tokens", json=body)
    assert answer.status_code == 422
    assert "'publish' is not one of them" in answer.json()["detail"]


def test_registration_is_closed_unless_the_operator_opens_it(
    make_local: Callable[..., Local],
) -> None:
    body = {"name": "newcomer", "password": "a long password"}
    local = make_local(registration="open")
    assert local.client.post(f"{API}/users", json=body).status_code == 201
    again = local.client.post(f"{API}/users", json=body | {"name": "Newcomer"})
    assert again.status_code == 409
    closed = Local(local.context, local.client, local.tokens)
    object.__setattr__(closed.context.settings, "registration", "closed")
    assert closed.client.post(f"{API}/users", json=body | {"name": "two"}).status_code == 403


def test_the_token_is_checked_before_the_body_is_read(serve: Callable[..., Running]) -> None:
    """Headers alone, a body announced and never sent: the answer comes at once."""
    running = serve()
    address = (running.client.base_url.host, running.client.base_url.port)
    for method, url in WRITES:
        for token, status in (("retia_wrong", b"401"), (running.tokens["uma"], b"403")):
            if url.endswith("submissions") and status == b"403":
                continue
            with socket.create_connection(address, timeout=5) as connection:
                connection.sendall(
                    f"{method} {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
                    f"Authorization: Bearer {token}\r\n\r\n".encode()
                )
                assert connection.recv(1000).split()[1] == status


def test_a_body_that_is_too_large_is_refused(make_local: Callable[..., Local]) -> None:
    local = make_local(max_body=1 << 16)
    content = b"x" * ((1 << 16) + 1)
    headers = bearer(local.tokens["ada"])
    for body in (content, iter([content])):
        answer = local.client.put(f"{API}/blobs/{SUM}", content=body, headers=headers)
        assert answer.status_code in (411, 413)
        assert answer.headers["content-type"] == "application/problem+json"
    answer = local.client.post(f"{API}/tokens", content=content)
    assert answer.status_code == 413


def test_guesses_at_passwords_do_not_stop_the_others(
    board: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More guesses at once than there are threads; a page comes all the same."""
    going = threading.Event()
    monkeypatch.setattr("retia.api.signin.password_is", lambda _user, _password: not going.wait(10))
    bodies = [
        {"name": f"guess-{number}", "password": "a wrong one", "scopes": ["read"]}
        for number in range(60)
    ]
    with board.client, ThreadPoolExecutor(61) as pool:
        guesses = [pool.submit(board.client.post, f"{API}/tokens", json=body) for body in bodies]
        time.sleep(0.5)
        page = pool.submit(board.client.get, f"{API}/datasets")
        try:
            assert page.result(timeout=5).status_code == 200
        finally:
            going.set()
        assert {guess.result().status_code for guess in guesses} == {401}


def test_a_failure_of_the_server_is_a_problem_document_too(
    board: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retia.api.routes.datasets.search_datasets", lambda *_: 1 / 0)
    answer = board.client.get(f"{API}/datasets")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "division" not in answer.text


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", f"{API}/nothing", 404),
        ("DELETE", f"{API}/datasets", 405),
        ("GET", f"{API}/datasets?limit=0", 422),
        ("GET", f"{API}/submissions/none", 404),
        ("GET", f"{API}/leaderboards/none/link", 404),
        ("POST", f"{API}/tokens", 422),
    ],
)
def test_every_error_is_a_problem_document(
    method: str, url: str, status: int, local: Local
) -> None:
    answer = local.client.request(method, url)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status
