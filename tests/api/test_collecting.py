"""What nothing names is removed after a day, and never under the hands of a publication."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from retia.api.collecting import Collected, collect
from retia.api.context import Context
from retia.api.settings import Settings
from retia.api.storage import blob_key, sealed_key
from retia.api.verify import verify
from retia.cli import make_app
from retia.leaderboard.locks import STORAGE, locked
from retia.leaderboard.tables import Blob
from retia.shards.canonical import sha256_bytes
from retia.shards.errors import InputError, ServiceError
from retia.shards.version import Version
from tests.api.client import API, post_version, publication, put, upload
from tests.api.conftest import Local, make_tokens, open_local

DAY = 86_400


@pytest.fixture
def either(database_url: str, tmp_path: Path) -> Iterator[Local]:
    """An app on each kind of database."""
    context = Context.open(Settings(data=tmp_path / "data", database_url=database_url))
    tokens = make_tokens(context)
    context.database.close()
    local = open_local(tmp_path / "data", tokens, database_url=database_url, blob_quota=1 << 24)
    yield local
    local.context.database.close()


def age(local: Local, seconds: float = DAY + 60) -> None:
    """Let everything that is stored have come earlier."""
    storage = local.context.storage
    for key in storage.all_keys():
        then = float(storage.stored_at(key) or 0) - seconds
        os.utime(storage._root / key, (then, then))
    with local.context.database.write() as session:
        session.execute(update(Blob).values(created=Blob.created - seconds))


def collect_after(context: Context, seconds: float) -> Collected:
    time.sleep(seconds)
    return collect(context)


def keys(local: Local) -> set[str]:
    return set(local.context.storage.all_keys())


def test_what_nothing_names_goes_after_a_day(either: Local, versions: dict[str, Version]) -> None:
    for version in (versions["link"], versions["sealed"]):
        assert either.publish(version)["state"] == "published"
    kept = keys(either)
    ada = either.tokens["ada"]
    assert put(either.client, ada, sha256_bytes(b"a"), b"a").status_code == 201
    assert put(either.client, ada, sha256_bytes(b"b"), b"b", sealed=True).status_code == 201
    assert collect(either.context).files == 0
    age(either, DAY - 600)
    assert collect(either.context).files == 0
    assert len(keys(either)) == len(kept) + 2
    age(either, 1200)
    assert collect(either.context).files == 2
    assert keys(either) == kept
    assert list(verify(either.context)) == []
    head = either.client.head(
        f"{API}/blobs/{sha256_bytes(b'a')}", headers={"Authorization": f"Bearer {ada}"}
    )
    assert head.status_code == 404
    path = versions["link"].manifest.shards[0].path
    assert either.client.get(f"{API}/datasets/toy-link/1.0.0/files/{path}").status_code == 200


def test_a_file_without_a_row_goes_and_a_row_without_a_file_too(either: Local) -> None:
    storage = either.context.storage
    storage.keep(b"left by a process that was killed")
    lost = sha256_bytes(b"lost")
    put(either.client, either.tokens["ada"], lost, b"lost")
    storage.blob(lost).unlink()
    age(either)
    assert collect(either.context).files == 2
    assert keys(either) == set()
    assert list(verify(either.context)) == []


def test_an_upload_or_a_publication_begins_the_day_anew(
    either: Local, versions: dict[str, Version]
) -> None:
    version, ada = versions["sealed"], either.tokens["ada"]
    upload(either.client, ada, version)
    age(either)
    upload(either.client, ada, version)
    assert collect(either.context).files == 0
    assert post_version(either.client, ada, version).status_code == 202
    age(either)  # it waits for a worker for days
    assert collect(either.context).files == 0
    either.work()
    assert publication(either.client, ada, version)["state"] == "published"


def test_publishing_and_collecting_at_once_loses_nothing(
    either: Local, versions: dict[str, Version]
) -> None:
    """Either the version is taken in whole, or it is told which blob to upload again."""
    version, ada = versions["link"], either.tokens["ada"]
    outcomes = set()
    for round_ in range(6):
        upload(either.client, ada, version)
        age(either)
        with ThreadPoolExecutor(2) as pool:
            removed = pool.submit(collect_after, either.context, 0.004 * round_)
            posted = pool.submit(post_version, either.client, ada, version)
            status = posted.result().status_code
            files = removed.result().files
        outcomes.add(status)
        if status == 202:
            assert files == 0
            break
        assert (status, files > 0) == (422, True)
    else:
        upload(either.client, ada, version)
        assert post_version(either.client, ada, version).status_code == 202
    stored = keys(either)
    assert all(blob_key(shard.sha256) in stored for shard in version.manifest.shards)
    either.work()
    assert publication(either.client, ada, version)["state"] == "published"


def test_a_backup_keeps_the_collector_away(either: Local) -> None:
    with locked(either.context.database, STORAGE, patience=0.0), pytest.raises(ServiceError):
        collect(either.context)


def test_an_account_has_a_quota_of_blobs(either: Local) -> None:
    ada, half = either.tokens["ada"], 9 << 20
    first, second = b"1" * half, b"2" * half
    assert put(either.client, ada, sha256_bytes(first), first).status_code == 201
    assert put(either.client, ada, sha256_bytes(first), first).status_code == 201
    refused = put(either.client, ada, sha256_bytes(second), second)
    assert refused.status_code == 413
    assert f"your account has uploaded {half} of {1 << 24} bytes" in refused.json()["detail"]
    eve = put(either.client, either.tokens["eve"], sha256_bytes(second), second)
    assert eve.status_code == 201
    age(either)
    collect(either.context)
    assert put(either.client, ada, sha256_bytes(second), second).status_code == 201


def test_a_withdrawn_version_leaves_a_tombstone(
    either: Local, versions: dict[str, Version], tmp_path: Path
) -> None:
    version, ada = versions["sealed"], either.tokens["ada"]
    either.publish(version)
    settings = either.context.settings
    words = ["admin", "withdraw", "toy-sealed@1.0.0", "--data", str(settings.data)]
    words += ["--database", settings.database]
    wordless = CliRunner().invoke(make_app(), words)
    assert isinstance(wordless.exception, InputError)
    done = CliRunner().invoke(make_app(), [*words, "--reason", "a person asked"])
    assert done.exit_code == 0, done.output
    path = version.manifest.shards[0].path
    for address in ("", f"/files/{path}"):
        answer = either.client.get(f"{API}/datasets/toy-sealed/1.0.0{address}")
        assert answer.status_code == 410
        assert answer.json()["detail"] == "toy-sealed@1.0.0 was withdrawn: a person asked"
    assert either.client.get(f"{API}/datasets").json()["items"] == []
    again = post_version(either.client, ada, version)
    assert again.status_code == 409
    age(either)
    collect(either.context)
    sealed = {sealed_key(1, shard.sha256) for shard in version.sealed_manifest().shards} | {
        blob_key(shard.sha256) for shard in version.manifest.shards
    }
    assert not sealed & keys(either)
    assert not either.context.storage.version("toy-sealed", "1.0.0").exists()
    assert list(verify(either.context)) == []
