"""A real server process with its worker: started, stopped, killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from retia.shards.version import Version
from tests.api.client import API, meta_of, predictions, publish, submit, wait
from tests.api.conftest import Local, Running

STATES = {"scored", "failed"}


def run(data: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "retia", *words, "--data", str(data)]
    return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False)


def children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in listed.stdout.split()]


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent's glance does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def all_end(pids: list[int], seconds: float = 20) -> bool:
    """Whether all of them end soon: an orphan looks for its parent from time to time."""
    end = time.monotonic() + seconds
    while any(map(lives, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(lives, pids))


def submission(running: Running, number: str) -> dict[str, object]:
    return running.client.get(f"{API}/submissions/{number}").json()


def test_every_accepted_submission_is_scored_once_whatever_is_killed(
    serve: Callable[..., Running], versions: dict[str, Version]
) -> None:
    version = versions["link"]
    running = serve(RETIA_QUOTA="100", RETIA_LEASE="3")
    assert publish(running.client, running.tokens["ada"], version)["state"] == "published"
    accepted = []

    def send(count: int) -> None:
        for _ in range(count):
            meta = meta_of(version, "link", method=f"method {len(accepted)}")
            table = predictions(version, "link")
            answer = submit(running.client, running.tokens["uma"], meta, table)
            assert answer.status_code == 202
            accepted.append(answer.json()["id"])

    send(3)
    for pid in children(running.process.pid):
        os.kill(pid, signal.SIGKILL)
    send(3)
    orphans = children(running.process.pid)
    running.stop(signal.SIGKILL)
    running.start()
    send(1)
    for number in accepted:
        found = wait(lambda number=number: submission(running, number), STATES)
        assert found["state"] == "scored", found
        for measures in found["scores"].values():
            assert all(len(measure["seeds"]) == 10 for measure in measures.values())
    rows = running.client.get(f"{API}/leaderboards/toy-link/link").json()["items"]
    own = [row for row in rows if row["user"] == "uma"]
    assert sorted(row["submission"] for row in own) == sorted(accepted)
    assert all_end(orphans)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_server_and_its_worker_stop_together(how: int, serve: Callable[..., Running]) -> None:
    running = serve()
    helpers = children(running.process.pid)
    assert len(helpers) == 2, "a worker, and who opens strangers' files"
    assert running.stop(how) in (0, 130)
    assert not any(map(lives, helpers))


def test_an_operator_makes_accounts_and_tokens(local: Local) -> None:
    data = local.context.settings.data
    made = run(
        data, "admin", "user", "add", "zoe", "--role", "publisher", "--password-stdin",
        stdin="a long password\n",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    token = run(data, "admin", "token", "zoe", "--scope", "publish", "--scope", "submit")
    assert token.stdout.startswith("retia_")
    assert len(token.stdout.split()) == 1
    headers = {"Authorization": f"Bearer {token.stdout.strip()}"}
    assert local.client.head(f"{API}/blobs/{'0' * 64}", headers=headers).status_code == 404
    again = run(data, "admin", "user", "add", "zoe", "--password-stdin", stdin="a long password\n")
    assert (again.returncode, again.stderr.strip()) == (2, "retia: the name zoe is taken")
    refused = run(data, "admin", "token", "zoe", "--scope", "admin")
    assert refused.returncode == 2
    assert refused.stdout == ""


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = run(tmp_path, "serve", "--port", str(taken.getsockname()[1]))
    assert found.returncode == 2
    assert "choose another --port" in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_a_setting_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "retia", "worker", "--once", "--data", str(tmp_path)]
    found = subprocess.run(
        command,
        env=os.environ | {"RETIA_QUOTA": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2
    assert found.stderr.startswith("retia: RETIA_QUOTA: ")


def test_the_server_needs_no_torch_pandas_or_networkx(tmp_path: Path) -> None:
    code = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "pandas", "networkx", "ogb", "torch_geometric"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from pathlib import Path
import retia.api.app, retia.api.serve, retia.api.worker
from tests.api.conftest import Context, Local, Settings, make_tokens, open_local
from tests.toys import toy_link, toy_node
root = Path(sys.argv[1])
context = Context.open(Settings(data=root / "data"))
local = open_local(root / "data", make_tokens(context))
for version in (toy_link(root, source="a"), toy_node(root, source="b")):
    outcome = local.publish(version)
    assert outcome["state"] == "published", outcome
"""
    started = time.monotonic()
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert found.returncode == 0, found.stderr
    assert time.monotonic() - started < 60


def test_an_operator_invites_and_changes_roles(local: Local) -> None:
    data = local.context.settings.data
    listed = run(data, "admin", "user", "list", "--json")
    assert [(row["name"], row["role"]) for row in json.loads(listed.stdout)] == [
        ("ada", "publisher"), ("eve", "publisher"), ("root", "admin"), ("uma", "user"),
    ]  # fmt: skip
    assert run(data, "admin", "user", "role", "uma", "publisher").returncode == 0
    unknown = run(data, "admin", "user", "role", "uma", "king")
    assert (unknown.returncode, unknown.stderr.strip()) == (
        2, "retia: no role 'king'; there are: user, publisher, admin, closed",
    )  # fmt: skip
    link = run(data, "admin", "user", "link", "uma")
    assert link.stdout.startswith("/new-password?link=")
    assert "set RETIA_PUBLIC_URL" in link.stderr
    assert local.client.get(link.stdout.strip()).status_code == 200
    invitation = run(data, "admin", "invite", "--role", "publisher").stdout.strip()
    assert invitation.startswith("/join?link=")
    nobody = run(data, "admin", "user", "link", "nobody")
    assert (nobody.returncode, nobody.stdout) == (2, "")
    noted = json.loads(run(data, "admin", "audit", "--json").stdout)
    assert [(row["actor"], row["action"], row["subject"]) for row in noted] == [
        ("(operator)", "user.role", "uma publisher"),
        ("(operator)", "password.link", "uma"),
        ("(operator)", "invitation.add", "publisher"),
    ]
