"""The client: what it repeats, what it sends where, what it says when refused."""

import json
import threading
import time

import pytest

from retia.loaders.client import Client, server_url
from retia.loaders.tokens import find_token, require_token, store_token
from retia.shards.errors import InputError, NotFoundError, ServiceError
from tests.loaders.server import API, running

TOKEN = "a-token-of-tests"


def answer(server, path, value=None, status=200, **headers):
    body = value if isinstance(value, bytes) else json.dumps(value or {}).encode()
    server.faults.answers[API + path] = (status, headers, body)


def test_a_busy_server_is_asked_again(server):
    server.faults.busy[f"{API}/datasets/toy-link"] = 2
    with Client(server.url) as client:
        assert client.dataset("toy-link")["name"] == "toy-link"
    assert len(server.requests) == 3


def test_retry_after_is_honoured(server):
    answer(server, "/datasets/slow", status=503, **{"Retry-After": "1"})
    with Client(server.url) as client:
        start = time.monotonic()
        answer_later(server)
        assert client.dataset("slow") == {"name": "slow"}
        assert 0.9 < time.monotonic() - start < 3


def answer_later(server):
    threading.Timer(0.5, answer, (server, "/datasets/slow", {"name": "slow"})).start()


def test_a_server_that_stays_busy_is_an_error_in_the_end(server):
    server.faults.busy[f"{API}/datasets/toy-link"] = 100
    with Client(server.url) as client, pytest.raises(ServiceError, match="503"):
        client.dataset("toy-link")
    assert len(server.requests) == 5


def test_a_publication_is_not_asked_for_twice(server):
    server.faults.busy[f"{API}/datasets/toy-link/1.0.0"] = 1
    with Client(server.url, TOKEN) as client, pytest.raises(ServiceError, match="503"):
        client.publish({"name": "toy-link", "version": "1.0.0"})
    assert len(server.requests) == 1


def test_a_submission_is_repeated_under_one_key(server, tmp_path):
    answer(server, "/submissions", {"id": "7", "state": "received"})
    server.faults.busy[f"{API}/submissions"] = 1
    predictions = tmp_path / "predictions.parquet"
    predictions.write_bytes(b"PAR1 some bytes PAR1")
    with Client(server.url, TOKEN) as client:
        assert client.submit({"task": "link", "method": "m"}, predictions)["id"] == "7"
        client.submit({"method": "m", "task": "link"}, predictions)
        client.submit({"method": "other", "task": "link"}, predictions)
    keys = [headers["Idempotency-Key"] for _, _, headers in server.requests]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    bodies = [headers["body"] for _, _, headers in server.requests]
    assert all(b"PAR1 some bytes PAR1" in body for body in bodies)
    assert all(body.index(b'name="meta"') < body.index(b'name="predictions"') for body in bodies)


def test_a_problem_document_becomes_one_line(server):
    with Client(server.url) as client, pytest.raises(NotFoundError) as raised:
        client.dataset("nothing")
    assert str(raised.value) == f"{server.url}: no such thing"


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"", b"\xff\xfe"])
def test_an_answer_that_is_no_json_object_is_an_error(server, body):
    answer(server, "/datasets/odd", body)
    with Client(server.url) as client, pytest.raises(ServiceError, match=r"not .*JSON"):
        client.dataset("odd")


def test_an_answer_without_a_token_is_an_error(server):
    answer(server, "/tokens", {"state": "fine"}, status=201)
    with Client(server.url) as client, pytest.raises(ServiceError, match="no 'token'"):
        client.create_token("ann", "correct horse", ["read"], "test")


def test_an_endless_answer_is_cut_off(server):
    answer(server, "/datasets/endless", b" " * (17 << 20))
    with Client(server.url) as client, pytest.raises(ServiceError, match="longer"):
        client.dataset("endless")


def test_lists_are_read_to_their_last_page(server):
    server.faults.pages = [{"items": [{"name": "a"}], "next": "a b"}, {"items": [{"name": "c"}]}]
    with Client(server.url) as client:
        assert [item["name"] for item in client.datasets(q="x")] == ["a", "c"]
    asked = [path for _, path, _ in server.requests]
    assert asked == [f"{API}/datasets?q=x&limit=200", f"{API}/datasets?q=x&limit=200&cursor=a+b"]


def test_a_refused_head_says_what_a_token_lacks(server):
    answer(server, "/blobs/" + "0" * 64, status=403)
    with Client(server.url, TOKEN) as client, pytest.raises(ServiceError, match="--scope"):
        client.has_blob("0" * 64)


def test_a_token_goes_to_its_server(server):
    with Client(server.url, TOKEN) as client:
        client.dataset("toy-link")
    assert server.requests[0][2]["Authorization"] == f"Bearer {TOKEN}"


def test_a_redirect_to_another_host_does_not_take_the_token_along(server, store, cache):
    with running(store) as other:
        server.faults.redirect_to = other.url
        with Client(server.url, TOKEN) as client:
            assert client.dataset("toy-link")["name"] == "toy-link"
        assert "Authorization" in server.requests[0][2]
        assert "Authorization" not in other.requests[0][2]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_password_is_not_sent_along_a_redirect(server, store, status):
    with running(store) as other:
        answer(server, "/tokens", status=status, Location=f"{other.url}{API}/tokens")
        with Client(server.url) as client, pytest.raises(ServiceError, match=str(status)):
            client.create_token("ann", "correct horse", ["read"], "test")
        assert other.requests == []


@pytest.mark.parametrize("host", ["retia.example.org", "10.0.0.1", "127.0.0.1.example.org"])
def test_over_plain_http_a_token_goes_to_this_machine_only(host):
    with Client(f"http://{host}", TOKEN) as client:
        with pytest.raises(ServiceError, match="plain http"):
            client.dataset("toy-link")
        with pytest.raises(ServiceError, match="plain http"):
            client.create_token("ann", "correct horse", ["read"], "test")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("http://Example.org/", "http://example.org"),
        ("https://example.org:443", "https://example.org"),
        ("https://example.org:8443/retia//", "https://example.org:8443/retia"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_server_has_one_address(given, wanted):
    assert server_url(given) == wanted


@pytest.mark.parametrize(
    "given",
    ["", "example.org", "ftp://x", "http://", "https://a:b@c", "http://a:x1", "http://a?b=c"],
)
def test_what_is_no_address_is_refused(given):
    with pytest.raises(ServiceError):
        Client(given)


def test_tokens_are_kept_by_server_in_a_file_of_the_owner(tmp_path):
    path = store_token("https://a.example", "one")
    store_token("https://b.example", "two")
    assert path.stat().st_mode & 0o777 == 0o600
    assert find_token("https://a.example") == "one"
    assert find_token("https://b.example") == "two"
    assert find_token("https://c.example") is None
    with pytest.raises(InputError, match="retia login"):
        require_token("https://c.example")


def test_the_environment_s_token_comes_first(monkeypatch):
    store_token("https://a.example", "one")
    monkeypatch.setenv("RETIA_TOKEN", "mine\n")
    assert find_token("https://a.example") == "mine"


def test_a_token_file_that_others_can_read_is_refused():
    path = store_token("https://a.example", "one")
    path.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        find_token("https://a.example")
