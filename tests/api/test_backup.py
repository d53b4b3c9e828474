"""Backup, restore, verify and export, on real servers and on both databases."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq
import pytest

from retia.api.accounts import SCOPES, add_token, add_user
from retia.api.audit import note
from retia.api.context import Context
from retia.api.settings import Settings
from retia.api.verify import verify
from retia.api.worker import work
from retia.cli import main
from retia.leaderboard.database import Database
from retia.leaderboard.dump import dump, load
from retia.leaderboard.migrate import revisions
from retia.leaderboard.tables import Submission, User
from retia.shards.version import Version
from tests.api.client import API, meta_of, predictions, submit
from tests.api.conftest import PASSWORD, Local, open_local
from tests.databases import BOTH, fresh_url


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory, versions: dict[str, Version]
) -> tuple[Path, dict[str, str]]:
    """A server with an open and a sealed version, submissions, and one that waits."""
    folder = tmp_path_factory.mktemp("template")
    context = Context.open(Settings(data=folder / "data"))
    tokens = {}
    with context.database.write() as session:
        for name, role in (("ada", "publisher"), ("uma", "user")):
            user = add_user(session, name, PASSWORD, role)
            user.email = f"{name}@example.org"
            tokens[name] = add_token(session, user, SCOPES[role], "test", 1)[0]
        note(session, "ada", "a", "b")
    context.database.close()
    local = open_local(folder / "data", tokens, quota=100)
    for name in ("link", "sealed"):
        assert local.publish(versions[name])["state"] == "published"
        send(local, versions[name])
        local.work()
    send(local, versions["link"], method="waiting")
    dump(local.context.database, folder / "tables")
    local.context.database.close()
    return folder, tokens


@pytest.fixture
def filled(template: tuple[Path, dict[str, str]], database_url: str, tmp_path: Path) -> Local:
    """A copy of it, on each of the two databases."""
    folder, tokens = template
    data = shutil.copytree(folder / "data", tmp_path / "data")
    database = Database(database_url)
    load(database, folder / "tables", revisions()[-1])
    database.close()
    return open_local(data, tokens, database_url=database_url, quota=100)


def send(local: Local, version: Version, method: str = "guess") -> str:
    table = predictions(version, "link")
    answer = submit(
        local.client, local.tokens["uma"], meta_of(version, "link", method=method), table
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def admin(local_or_env: Local | dict[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    """The command, run in this process to save the imports."""
    env = local_or_env if isinstance(local_or_env, dict) else env_of(local_or_env)
    argv = ["retia", "admin", *map(str, words)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.dict(os.environ, env),
        mock.patch.object(sys, "argv", argv),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def env_of(local: Local) -> dict[str, str]:
    settings = local.context.settings
    return {"RETIA_DATA": str(settings.data), "RETIA_DATABASE_URL": settings.database}


def answers(local: Local) -> list[object]:
    paths = ("datasets", "datasets/toy-link/1.0.0", "leaderboards/toy-link/link?baseline=false")
    paths += ("leaderboards/toy-sealed/link", "leaderboards/toy-sealed/link?format=csv")
    return [local.client.get(f"{API}/{path}").text for path in paths]


@pytest.fixture
def other_url(database_url: str, tmp_path: Path) -> Iterator[str]:
    """An empty database of the other kind."""
    folder = tmp_path / "other"
    folder.mkdir()
    kind = BOTH[database_url.startswith(BOTH[0])]
    with fresh_url(kind, folder) as url:
        yield url


def test_a_restored_server_answers_as_the_old_one_and_goes_on(
    filled: Local, other_url: str, tmp_path: Path, versions: dict[str, Version]
) -> None:
    made = admin(filled, "backup", tmp_path / "backup")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0, "it holds the secrets"
    env = {"RETIA_DATA": str(tmp_path / "new"), "RETIA_DATABASE_URL": other_url}
    done = admin(env, "restore", tmp_path / "backup")
    assert done.returncode == 0, done.stderr
    checked = admin(env, "verify")
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stderr
    again = open_local(tmp_path / "new", filled.tokens, database_url=other_url, quota=100)
    assert answers(again) == answers(filled)
    tags = [
        local.client.get(f"{API}/leaderboards/toy-link/link").headers["etag"]
        for local in (again, filled)
    ]
    assert tags[0] != tags[1], "no old ETag stands for a new state"
    again.work()
    rows = again.client.get(f"{API}/leaderboards/toy-link/link?user=uma").json()["items"]
    assert {row["method"] for row in rows} == {"guess", "waiting"}
    send(again, versions["link"], method="after")
    with again.context.database.write() as session:
        add_user(session, "zoe", PASSWORD, "user")  # numbers go on where they were
        note(session, "zoe", "c", "d")
    again.work()
    assert list(verify(again.context)) == []
    refused = admin(env, "restore", tmp_path / "backup")
    assert refused.returncode == 2
    assert "there are files already" in refused.stderr


def test_a_second_backup_copies_what_is_new_and_a_broken_one_is_refused(
    filled: Local, tmp_path: Path, versions: dict[str, Version]
) -> None:
    out = tmp_path / "backup"
    assert admin(filled, "backup", out).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in (out / "files").rglob("*")}
    send(filled, versions["link"], method="later")
    made = admin(filled, "backup", out, "--json")
    card = json.loads(made.stdout)
    files = [path for path in (out / "files").rglob("*") if path.is_file()]
    assert card["files"] == len(files)
    new = [path for path in files if path not in before]
    assert len(new) == 1
    assert all(path.stat().st_mtime_ns == before[path] for path in files if path not in new)
    env = {"RETIA_DATA": str(tmp_path / "new"), "RETIA_DATABASE_URL": ""}
    files[0].write_bytes(b"damaged")
    refused = admin(env, "restore", out)
    assert refused.returncode != 0
    assert "damaged" in refused.stderr
    (out / "backup.json").unlink()
    assert "not a whole backup" in admin(env, "restore", out).stderr
    assert (
        "neither empty nor a backup" in admin(filled, "backup", filled.context.settings.data).stderr
    )


def test_verify_names_every_damage(filled: Local) -> None:
    storage = filled.context.storage
    keys = list(storage.all_keys())
    root = filled.context.settings.data
    damaged = {
        kind: next(k for k in keys if k.startswith(kind)) for kind in ("blobs", "predictions")
    }
    for key in damaged.values():
        path = root / key
        content = path.read_bytes()
        path.unlink()  # versions are hard links to the blobs
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    gone = next(key for key in keys if key.startswith("sealed"))
    (root / gone).unlink()
    with filled.context.database.write() as session:
        scored = session.query(Submission).filter_by(state="scored", baseline=False).first()
        assert scored is not None
        session.delete(scored.scores[0])
    found = admin(filled, "verify")
    assert found.returncode == 1
    lines = found.stdout.splitlines()
    assert len(lines) == 4, lines
    for key in damaged.values():
        assert any(line.startswith(f"{key}: damaged, its sha256 is ") for line in lines), lines
    assert f"{gone}: missing, and a row names it" in lines
    assert f"submission {scored.id}: scored, and its scores are not whole" in lines
    assert "damaged" in admin(filled, "backup", root.parent / "backup").stderr


def test_an_export_is_public_and_holds_no_credentials(
    filled: Local, tmp_path: Path, versions: dict[str, Version]
) -> None:
    made = admin(filled, "export", tmp_path / "public")
    assert made.returncode == 0, made.stderr
    made = admin(filled, "export", tmp_path / "private", "--private")
    assert made.returncode == 0, made.stderr
    sealed = versions["sealed"]
    with filled.context.database.read() as session:
        users = session.query(User).all()
    credentials = [user.password_hash for user in users] + [str(user.email) for user in users]
    secret = sealed.secret().hex()
    for out, private in (("public", False), ("private", True)):
        folder = tmp_path / out
        opened = Version.open(folder / "datasets/toy-link/1.0.0")
        assert opened.verify() == []
        assert opened.manifest.digest == versions["link"].manifest.digest
        rows = pq.read_table(folder / "submissions.parquet").to_pylist()
        uma = [row for row in rows if row["user"] == "uma"]
        assert sorted(row["state"] for row in uma) == ["received", "scored", "scored"]
        scores = pq.read_table(folder / "scores.parquet").to_pylist()
        shown = filled.client.get(f"{API}/submissions/{uma[0]['id']}").json()
        own = [s for s in scores if s["submission"] == uma[0]["id"]]
        for score in own:
            listed = shown["scores"][score["part"]][score["measure"]]["seeds"]
            assert listed[score["seed"]] == score["value"]
        assert len(own) == sum(
            len(m["seeds"]) for p in shown["scores"].values() for m in p.values()
        )
        board = json.loads((folder / "leaderboards/toy-sealed/1.0.0/link.json").read_bytes())
        assert (
            board["items"]
            == filled.client.get(f"{API}/leaderboards/toy-sealed/link").json()["items"]
        )
        content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert not any(text.encode() in content for text in credentials)
        assert (secret.encode() in content) == private
        assert (folder / "datasets/toy-sealed/1.0.0/sealed").exists() == private
        assert (folder / "predictions").exists() == private
    whole = Version.open(tmp_path / "private/datasets/toy-sealed/1.0.0")
    assert whole.verify() == []
    assert whole.secret() == sealed.secret()


def test_an_operator_lists_withdraws_and_scores_again(filled: Local) -> None:
    listed = json.loads(admin(filled, "list", "--json", "--dataset", "toy-sealed").stdout)
    (own,) = [row for row in listed if row["user"] == "uma"]
    assert (own["state"], own["board"]) == ("scored", "toy-sealed@1.0.0/link")
    waiting = json.loads(admin(filled, "list", "--state", "received", "--json").stdout)
    assert [row["method"] for row in waiting] == ["waiting"]
    found = json.loads(admin(filled, "list", "versions", "--json").stdout)
    assert [row["version"] for row in found] == ["toy-sealed@1.0.0", "toy-link@1.0.0"]
    assert admin(filled, "rescore", own["id"]).returncode == 0
    filled.work()
    assert admin(filled, "withdraw", own["id"]).returncode == 0
    shown = filled.client.get(f"{API}/submissions/{own['id']}").json()
    assert shown["state"] == "withdrawn"
    refused = admin(filled, "rescore", own["id"])
    assert (refused.returncode, "is withdrawn" in refused.stderr) == (2, True)
    for words in (("rescore",), ("withdraw", "none"), ("list", "nothing")):
        assert admin(filled, *words).returncode == 2
    assert admin(filled, "rescore", "--older").stderr.startswith("0 submissions wait")
    actions = admin(filled, "audit").stdout
    assert "submission.withdraw" in actions
    assert "submission.rescore" in actions


@pytest.mark.slow
def test_a_backup_under_load_loses_nothing_that_was_accepted_before_it(
    serve: Callable[..., object], tmp_path: Path, versions: dict[str, Version]
) -> None:
    from tests.api.client import publish

    version = versions["link"]
    running = serve(RETIA_QUOTA="1000")
    assert publish(running.client, running.tokens["ada"], version)["state"] == "published"
    accepted: list[str] = []
    stopping = threading.Event()

    def load(user: str) -> None:
        while not stopping.is_set():
            meta = meta_of(version, "link", method=f"{user} {len(accepted)}")
            table = predictions(version, "link", seeds=2)
            answer = submit(running.client, running.tokens[user], meta, table)
            assert answer.status_code == 202
            accepted.append(answer.json()["id"])

    threads = [threading.Thread(target=load, args=(user,)) for user in ("uma", "eve")]
    for thread in threads:
        thread.start()
    env = {"RETIA_DATA": str(running.data)}
    try:
        while len(accepted) < 4:
            stopping.wait(0.05)
        before = list(accepted)
        made = admin(env, "backup", tmp_path / "backup")
        after = len(accepted)
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    running.stop(signal.SIGKILL)
    assert made.returncode == 0, made.stderr
    assert after > len(before), "there was a load"
    new = {"RETIA_DATA": str(tmp_path / "new")}
    assert admin(new, "restore", tmp_path / "backup").returncode == 0
    assert admin(new, "verify").returncode == 0
    context = Context.open(Settings(data=tmp_path / "new"))
    work(context, once=True)
    with context.database.read() as session:
        states = {row.id: row.state for row in session.query(Submission).filter_by(baseline=False)}
    assert set(before) <= set(states) <= set(accepted)
    assert set(states.values()) == {"scored"}
    assert list(verify(context)) == []
