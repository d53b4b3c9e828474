"""What happens when app, worker or PostgreSQL is killed in the middle of work, or the disk is full.

After each: what was accepted is scored, once, and every stored file and row fits.
"""

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from retia.api.context import Context
from retia.api.settings import Settings
from retia.api.verify import verify
from retia.leaderboard.database import Database
from retia.leaderboard.dump import dump, load
from retia.leaderboard.migrate import revisions
from retia.leaderboard.tables import Submission
from retia.shards.version import Version
from tests.api.client import (
    API,
    meta_of,
    parquet,
    post_version,
    predictions,
    publication,
    publish,
    submit,
    upload,
    wait,
)
from tests.api.conftest import Running
from tests.api.test_serve import children
from tests.cluster import Cluster, cluster

pytestmark = pytest.mark.slow


class Load:
    """Clients that send submissions, and send each again under its key until it is accepted."""

    def __init__(self, running: Running, version: Version, users: tuple[str, ...]) -> None:
        self.running, self.version = running, version
        self.accepted: list[str] = []
        self.troubles = 0
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(user,)) for user in users]
        for thread in self._threads:
            thread.start()

    def _send(self, user: str) -> None:
        while not self._stopping.is_set():
            table = parquet(predictions(self.version, "link", seeds=2))
            self.accepted.append(self._insist(user, table, secrets.token_hex(8)))

    def _insist(self, user: str, table: bytes, key: str) -> str:
        meta = meta_of(self.version, "link", method=f"{user} {key}")
        while True:
            try:
                answer = submit(self.running.client, self.running.tokens[user], meta, table, key)
            except (httpx.HTTPError, RuntimeError):  # or the client was closed with its server
                self.troubles += 1
            else:
                if answer.status_code == 202:
                    return str(answer.json()["id"])
                assert answer.status_code >= 500, answer.text
                self.troubles += 1
            time.sleep(0.1)

    def until(self, more: int) -> None:
        """Wait until so many more have been accepted."""
        goal, end = len(self.accepted) + more, time.monotonic() + 60
        while len(self.accepted) < goal:
            assert time.monotonic() < end, f"only {len(self.accepted)} were accepted"
            time.sleep(0.02)

    def stop(self) -> list[str]:
        """The ids of all that were accepted."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        return self.accepted


@pytest.fixture(scope="module")
def postgres() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def running(
    serve: Callable[..., Running],
    postgres: Cluster,
    accounts: tuple[Path, dict[str, str]],
    tmp_path: Path,
) -> Running:
    """A server on that PostgreSQL, with the accounts of all tests."""
    source = Database(f"sqlite:///{accounts[0] / 'retia.sqlite'}")
    dump(source, tmp_path / "tables")
    source.close()
    target = Database(postgres.url)
    load(target, tmp_path / "tables", revisions()[-1])
    target.close()
    return serve(RETIA_DATABASE_URL=postgres.url, RETIA_QUOTA="100000", RETIA_LEASE="3")


def all_scored_once(running: Running, accepted: list[str]) -> None:
    """No accepted submission is lost or doubled, each has all its scores, every file is whole."""
    for number in accepted:
        found = wait(
            lambda number=number: running.client.get(f"{API}/submissions/{number}").json(),
            {"scored", "failed", "withdrawn"},
            60,
        )
        assert found["state"] == "scored", found
        assert found["seeds"] == [0, 1]
        for part in found["scores"].values():
            assert all(len(measure["seeds"]) == 2 for measure in part.values())
    assert len(set(accepted)) == len(accepted)
    url = running.env.get("RETIA_DATABASE_URL", "")
    context = Context.open(Settings(data=running.data, database_url=url))
    with context.database.read() as session:
        stored = session.query(Submission.id).filter_by(baseline=False).all()
    assert sorted(row.id for row in stored) == sorted(accepted)
    assert list(verify(context)) == []
    context.database.close()


def test_kills_of_worker_database_and_app_lose_and_double_nothing(
    running: Running, postgres: Cluster, versions: dict[str, Version]
) -> None:
    version = versions["link"]
    assert publish(running.client, running.tokens["ada"], version)["state"] == "published"
    load = Load(running, version, ("uma", "eve"))
    try:
        load.until(3)
        for pid in children(running.process.pid):
            os.kill(pid, signal.SIGKILL)  # the worker, and who checks what comes in
        load.until(3)
        postgres.kill()
        time.sleep(0.5)
        assert running.client.get("/readyz").status_code == 503
        postgres.start()
        load.until(3)
        running.stop(signal.SIGKILL)
        time.sleep(0.3)
        running.start()
        load.until(3)
        postgres.kill()
        postgres.start()
        load.until(3)
    finally:
        accepted = load.stop()
    assert load.troubles > 0, "nobody noticed anything"
    assert len(accepted) >= 15
    all_scored_once(running, accepted)


def test_a_publication_survives_the_death_of_worker_and_database(
    serve: Callable[..., Running], versions: dict[str, Version]
) -> None:
    with cluster() as own:
        database = Database(own.url)
        database.migrate()
        database.close()
        running = serve(RETIA_DATABASE_URL=own.url, RETIA_LEASE="2")
        token = admin_token(running)
        version = versions["sealed"]
        upload(running.client, token, version)
        assert post_version(running.client, token, version).status_code == 202
        wait(lambda: publication(running.client, token, version), {"checking"})
        for pid in children(running.process.pid):
            os.kill(pid, signal.SIGKILL)
        wait(lambda: publication(running.client, token, version), {"checking"})
        time.sleep(0.3)
        own.kill()
        own.start()
        found = wait_through_trouble(
            lambda: publication(running.client, token, version), {"published", "refused"}
        )
        assert found["state"] == "published", found
        rows = running.client.get(f"{API}/leaderboards/toy-sealed/link").json()["items"]
        assert len(rows) == len({row["method"] for row in rows}) > 1, "baselines are there once"
        all_scored_once(running, [])
        running.stop()


def admin_token(running: Running) -> str:
    from retia.api.accounts import SCOPES, add_token, add_user

    context = Context.open(
        Settings(data=running.data, database_url=running.env["RETIA_DATABASE_URL"])
    )
    with context.database.write() as session:
        user = add_user(session, "pia", "a long password", "publisher")
        token = add_token(session, user, SCOPES["publisher"], "test", 1)[0]
    context.database.close()
    return token


def wait_through_trouble(
    ask: Callable[[], dict[str, object]], states: set[str]
) -> dict[str, object]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            answer = ask()
        except httpx.HTTPError:
            answer = {}
        if answer.get("state") in states:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"still {answer}")


def limit_files(pid: int, size: str) -> None:
    """Let a process write no file past this size, as on a disk that is full."""
    subprocess.run(["prlimit", "--pid", str(pid), f"--fsize={size}:"], check=True)


def test_a_full_disk_is_told_and_lasts_no_longer_than_it_is_full(
    serve: Callable[..., Running], versions: dict[str, Version]
) -> None:
    version = versions["link"]
    running = serve(RETIA_QUOTA="100000", RETIA_LEASE="3")
    assert publish(running.client, running.tokens["ada"], version)["state"] == "published"
    uma = running.tokens["uma"]
    workers = [p for p in children(running.process.pid) if b"worker" in command(p)]
    for pid in workers:
        limit_files(pid, "8192")
    accepted = []
    for _ in range(2):
        table = predictions(version, "link", seeds=2)
        accepted.append(submit(running.client, uma, meta_of(version, "link"), table).json()["id"])
    limit_files(running.process.pid, "8192")
    for _ in range(2):
        table = predictions(version, "link", seeds=2)
        refused = submit(running.client, uma, meta_of(version, "link"), table)
        assert refused.status_code in (503, 507), refused.text
        assert refused.headers["content-type"] == "application/problem+json"
    time.sleep(1.5)
    states = [running.client.get(f"{API}/submissions/{n}").json()["state"] for n in accepted]
    assert not set(states) & {"failed", "scored"}
    assert running.client.get("/healthz").status_code == 200
    for pid in [running.process.pid, *children(running.process.pid)]:
        limit_files(pid, "unlimited")
    answer = submit(
        running.client, uma, meta_of(version, "link"), predictions(version, "link", seeds=2)
    )
    assert answer.status_code == 202, answer.text
    all_scored_once(running, [*accepted, answer.json()["id"]])


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
