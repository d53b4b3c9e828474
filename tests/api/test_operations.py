"""What an operator needs: settings that are checked, logs, metrics, health, a graceful end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError

from retia.api.settings import Settings
from retia.shards.canonical import sha256_bytes
from retia.shards.errors import InputError
from retia.shards.version import Version
from tests.api.client import API, bearer, put
from tests.api.conftest import Local, Running
from tests.api.raw import connected

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_setting_is_documented_and_nothing_else() -> None:
    rows = [
        line.split("|")[1].strip()
        for line in (DOCS / "server.md").read_text().splitlines()
        if line.startswith("| `RETIA_")
    ]
    assert sorted(rows) == sorted(f"`{name}`" for name in Settings.variables())


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"RETIA_QUOTA": "none"}, "RETIA_QUOTA: "),
        ({"RETIA_QUOTTA": "5"}, "RETIA_QUOTTA is no setting; did you mean RETIA_QUOTA?"),
        ({"RETIA_PUBLIC_URL": "retia.example.org"}, "RETIA_PUBLIC_URL: write the address as"),
        ({"RETIA_PUBLIC_URL": "javascript:alert(1)"}, "RETIA_PUBLIC_URL: "),
        ({"RETIA_QUOTA": "0", "RETIA_LEASE": "x"}, "RETIA_QUOTA: .*; RETIA_LEASE: "),
    ],
)
def test_a_setting_that_does_not_fit_is_named(environment: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Settings.from_environment(environment)


def test_a_client_may_have_its_own_variables() -> None:
    environment = {"RETIA_TOKEN": "x", "RETIA_STORE": "/s", "RETIA_UNHEARD_OF": "y", "HOME": "/"}
    assert Settings.from_environment(environment) == Settings()


def test_a_server_with_a_wrong_setting_does_not_start(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "retia", "serve", "--data", str(tmp_path), "--port", "0"],
        env=os.environ | {"RETIA_QUOTTA": "5"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert found.returncode == 2
    assert found.stderr.splitlines() == [
        "retia: RETIA_QUOTTA is no setting; did you mean RETIA_QUOTA?"
    ]


def lines(running: Running) -> list[dict[str, object]]:
    return [json.loads(line) for line in running.log.read_text().splitlines()]


def line_of(running: Running, number: str) -> dict[str, object]:
    """The line of a request; it is written when its answer has gone."""
    end = time.monotonic() + 10
    while not (found := [line for line in lines(running) if line["request"] == number]):
        assert time.monotonic() < end
        time.sleep(0.05)
    (line,) = found
    return line


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, accounts: tuple[Path, dict[str, str]]
) -> Iterator[Running]:
    running = Running.on(tmp_path_factory.mktemp("operations") / "data", accounts)
    yield running
    running.stop()


def test_every_request_is_a_line_of_json_with_its_id(running: Running) -> None:
    answer = running.client.get(
        f"{API}/datasets?q=secret-word", headers={"X-Request-ID": "from-a-proxy-1"}
    )
    assert answer.headers["x-request-id"] == "from-a-proxy-1"
    line = line_of(running, "from-a-proxy-1")
    assert (line["method"], line["path"], line["status"]) == ("GET", f"{API}/datasets", 200)
    assert (line["level"], line["client"], line["user"]) == ("INFO", "127.0.0.1", None)
    assert line["bytes"] == len(answer.content)
    assert "secret-word" not in running.log.read_text()


def test_the_log_names_the_account_and_no_token(running: Running) -> None:
    token = running.tokens["ada"]
    answer = running.client.head(f"{API}/blobs/{'0' * 64}", headers=bearer(token))
    line = line_of(running, answer.headers["x-request-id"])
    assert line["user"] == "ada"
    assert token not in running.log.read_text()


@pytest.mark.parametrize("given", ["short", "with space", "x" * 65, 'quote"quote"'])
def test_an_id_that_is_none_is_replaced(given: str, local: Local) -> None:
    answer = local.client.get("/healthz", headers={"X-Request-ID": given})
    assert len(answer.headers["x-request-id"]) == 16


def test_a_path_cannot_forge_a_line(running: Running) -> None:
    running.client.get('/x%0a{"request":"forged"}')
    assert "forged" not in {str(line["request"]) for line in lines(running)}


def families(local: Local) -> dict[str, dict[tuple[str, ...], float]]:
    answer = local.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        family.name: {
            tuple(value for _, value in sorted(s.labels.items())): s.value for s in family.samples
        }
        for family in text_string_to_metric_families(answer.text)
    }


def test_the_metrics_count_requests_and_jobs(local: Local, versions: dict[str, Version]) -> None:
    local.publish(versions["link"])
    before = families(local)
    route = f"{API}/datasets/{{name}}"
    for name in ("toy-link", "toy-link", "nothing"):
        local.client.get(f"{API}/datasets/{name}")
    after = families(local)
    for status, count in (("200", 2), ("404", 1)):
        key = ("GET", route, status)
        assert after["retia_requests"][key] - before["retia_requests"].get(key, 0) == count
    assert after["retia_jobs"][("published", "publications")] == 1
    assert after["retia_jobs"][("scored", "submissions")] > 0
    assert after["retia_oldest_waiting_seconds"][("submissions",)] == 0
    assert after["retia_requests_going"][()] == 1
    assert "process_resident_memory_bytes" in after


def test_names_of_strangers_make_no_new_metric(local: Local) -> None:
    local.client.get("/never-heard-of")
    local.client.request("BREW", "/healthz")
    text = local.client.get("/metrics").text
    assert "never-heard-of" not in text
    assert "BREW" not in text
    assert 'method="other"' in text


def test_health_is_the_process_and_readiness_the_database(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert local.client.get("/readyz").json() == {"status": "ok"}

    def broken() -> None:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    monkeypatch.setattr(local.context.database, "read", broken)
    assert local.client.get("/healthz").status_code == 200
    for place in ("/readyz", f"{API}/datasets"):
        answer = local.client.get(place)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        assert answer.json()["detail"] == "the database does not answer; try again"


def test_a_full_disk_is_said(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retia.api.storage._append", full)
    answer = put(local.client, local.tokens["ada"], "0" * 64, b"x")
    assert answer.status_code == 507
    assert "no room left" in answer.json()["detail"]


def test_a_failure_names_the_request_in_the_log(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retia.api.routes.datasets.search_datasets", lambda *_: 1 / 0)
    answer = local.client.get(f"{API}/datasets", headers={"X-Request-ID": "failing-one"})
    assert answer.json()["detail"].endswith("its log says more at request failing-one")
    assert answer.headers["x-request-id"] == "failing-one"


def test_a_request_that_is_going_is_finished_before_the_end(
    serve: Callable[..., Running],
) -> None:
    """SIGTERM in the middle of an upload: it is answered, and no new connection is taken."""
    running = serve()
    content = b"x" * 100_000
    sha256 = sha256_bytes(content)
    head = (
        f"PUT {API}/blobs/{sha256} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
        f"Authorization: Bearer {running.tokens['ada']}\r\n\r\n"
    )
    with connected(running.client) as connection:
        connection.sendall(head.encode() + content[:50_000])
        time.sleep(0.3)
        running.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 8
        with pytest.raises(ConnectionRefusedError):
            while time.monotonic() < end:
                socket.create_connection(connection.getpeername(), timeout=2).close()
                time.sleep(0.1)
        connection.sendall(content[50_000:])
        assert connection.recv(1000).split()[1] == b"201"
    assert running.process.wait(20) == 0


def test_a_client_that_leaves_is_no_error_of_the_server(running: Running) -> None:
    with connected(running.client) as connection:
        connection.sendall(
            f"PUT {API}/blobs/{'0' * 64} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            f"Authorization: Bearer {running.tokens['ada']}\r\n\r\nxx".encode()
        )
        time.sleep(0.3)
    end = time.monotonic() + 5
    while not any(line.get("status") == 400 for line in lines(running)):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert {line["level"] for line in lines(running)} == {"INFO"}


def test_every_job_is_a_line_too(
    local: Local, versions: dict[str, Version], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "retia.worker"):
        local.publish(versions["link"])
    found = [record.__dict__ for record in caplog.records if record.message == "job"]
    assert ("publications", "done") in {(line["table"], line["outcome"]) for line in found}
    assert all(line["seconds"] > 0 for line in found)


@pytest.mark.parametrize(("trusted", "shown"), [("127.0.0.1", "198.51.100.9"), ("", "127.0.0.1")])
def test_a_proxy_is_believed_where_it_is_trusted(
    trusted: str, shown: str, serve: Callable[..., Running]
) -> None:
    running = serve(RETIA_TRUSTED_PROXIES=trusted)
    headers = {"X-Forwarded-For": "198.51.100.9", "X-Request-ID": "through-a-proxy"}
    running.client.get("/healthz", headers=headers)
    assert line_of(running, "through-a-proxy")["client"] == shown
