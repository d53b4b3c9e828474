"""Downloads: verified, resumed, shared, offline."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import retia
from retia.loaders.cache import parse_reference
from retia.shards.canonical import canonical_json
from retia.shards.errors import InputError, IntegrityError, NotFoundError, RetiaError, ServiceError
from retia.shards.version import Version
from tests.loaders.server import API, running
from tests.toys import toy_link

ITEMS = "tasks/link/0/valid-candidates.parquet"
NODES = "nodes/part-00000.parquet"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr("retia.loaders.client.LONGEST_WAIT_S", 0.05)


def fetch(server, cache, reference="toy-link@1.0.0"):
    return retia.load(reference, server=server.url, cache=cache).version


def size(store: Path, path: str) -> int:
    return (store / "toy-link/1.0.0" / path).stat().st_size


def test_a_download_equals_the_server_s_public_files(server, store, cache):
    version = fetch(server, cache)
    assert version.root == cache / "toy-link/1.0.0"
    assert version.verify() == []
    source = Version.open(store / "toy-link/1.0.0")
    assert version.manifest == source.manifest
    for shard in source.manifest.shards:
        assert (version.root / shard.path).read_bytes() == (source.root / shard.path).read_bytes()


def test_a_sealed_version_arrives_without_its_sealed_part(server, cache):
    version = fetch(server, cache, "toy-sealed")
    assert not (version.root / "sealed").exists()
    assert not [path for _, path, _ in server.requests if "files/sealed" in path]


def test_the_newest_version_is_taken_where_none_is_named(server, cache):
    assert fetch(server, cache, "toy-link").manifest.version == "1.0.1"


def test_newest_goes_by_number_not_by_spelling(tmp_path, cache):
    for number in ("1.10.0", "1.9.0"):
        toy_link(tmp_path / "store", version=number)
    with running(tmp_path / "store") as server:
        assert fetch(server, cache, "toy-link").manifest.version == "1.10.0"


def test_a_cached_version_is_not_downloaded_again(server, cache):
    fetch(server, cache)
    asked = len(server.requests)
    fetch(server, cache)
    assert len(server.requests) == asked + 1, "the manifest alone"


def test_a_cut_download_is_resumed_from_where_it_was_cut(server, store, cache):
    whole = size(store, ITEMS)
    server.faults.cut_after[ITEMS] = [whole // 3, whole // 3]
    fetch(server, cache)
    ranges = [headers.get("Range") for headers in server.asked_for(ITEMS)]
    assert ranges == [None, f"bytes={whole // 3}-", f"bytes={2 * (whole // 3)}-"]


def test_a_download_given_up_is_no_version_and_is_resumed_by_the_next(server, store, cache):
    server.faults.cut_after[ITEMS] = [100] + [0] * 4
    with pytest.raises(ServiceError):
        fetch(server, cache)
    assert not (cache / "toy-link/1.0.0/manifest.json").exists()
    with pytest.raises(NotFoundError):
        retia.load("toy-link", cache=cache)
    fetch(server, cache)
    assert server.asked_for(ITEMS)[-1]["Range"] == "bytes=100-"
    assert sorted(path.name for path in (cache / "toy-link").iterdir()) == [".1.0.0.lock", "1.0.0"]


def test_a_file_altered_in_flight_is_fetched_once_more(server, cache, caplog):
    server.faults.altered[NODES] = 1
    assert fetch(server, cache).verify() == []
    assert len(server.asked_for(NODES)) == 2
    assert NODES in caplog.text


def test_a_file_altered_twice_is_an_error_that_names_it(server, cache):
    server.faults.altered[NODES] = 2
    with pytest.raises(IntegrityError, match=NODES):
        fetch(server, cache)
    assert len(server.asked_for(NODES)) == 2
    assert not (cache / "toy-link/1.0.0/manifest.json").exists()


def test_a_file_longer_than_stated_is_not_written(server, store, cache):
    server.faults.longer[NODES] = 2
    with pytest.raises(IntegrityError, match=NODES):
        fetch(server, cache)
    written = [path.stat().st_size for path in cache.rglob("*nodes*/*") if path.is_file()]
    assert all(bytes_ <= size(store, NODES) for bytes_ in written)


def test_another_range_than_the_one_asked_for_is_not_appended(server, store, cache):
    server.faults.cut_after[ITEMS] = [100]
    server.faults.wrong_range[ITEMS] = 1
    assert fetch(server, cache).verify() == []


@pytest.mark.parametrize("damage", [b"", b"other bytes"])
def test_a_file_altered_on_disk_is_fetched_again(server, cache, caplog, damage):
    version = fetch(server, cache)
    (version.root / NODES).write_bytes(damage)
    assert fetch(server, cache).verify() == []
    assert str(version.root / NODES) in caplog.text
    assert len(server.asked_for(NODES)) == 2


def test_offline_the_cache_serves(store, cache):
    with running(store) as server:
        fetch(server, cache)
        url = server.url
    assert retia.load("toy-link", server=url, cache=cache).version.verify() == []
    assert retia.load("toy-link", cache=cache).manifest.version == "1.0.0"


def test_offline_an_altered_file_is_refused_by_name(server, cache):
    path = fetch(server, cache).root / NODES
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(IntegrityError, match=NODES):
        retia.load("toy-link", cache=cache)


def test_offline_and_not_cached_says_that_the_server_cannot_be_reached(store, cache):
    with running(store) as server:
        url = server.url
    with pytest.raises(ServiceError, match="cannot be reached"):
        retia.load("toy-link", server=url, cache=cache)


def test_a_manifest_that_was_tampered_with_is_refused(server, store, cache):
    manifest = json.loads((store / "toy-link/1.0.0/manifest.json").read_bytes())
    manifest["title"] = "another"
    route = f"{API}/datasets/toy-link/1.0.0"
    server.faults.answers[route] = (200, {}, canonical_json(manifest))
    with pytest.raises(IntegrityError, match="digest"):
        fetch(server, cache)


def test_a_manifest_of_another_version_is_refused(server, store, cache):
    content = (store / "toy-link/1.0.1/manifest.json").read_bytes()
    server.faults.answers[f"{API}/datasets/toy-link/1.0.0"] = (200, {}, content)
    with pytest.raises(IntegrityError, match=r"toy-link@1\.0\.1"):
        fetch(server, cache)


@pytest.mark.parametrize(
    "path", ["../evil.parquet", "nodes/../../evil.parquet", "/tmp/evil.parquet", "a/..parquet"]
)
def test_a_manifest_with_a_path_that_leaves_the_folder_is_refused(server, store, cache, path):
    manifest = json.loads((store / "toy-link/1.0.0/manifest.json").read_bytes())
    manifest["shards"][0]["path"] = path
    route = f"{API}/datasets/toy-link/1.0.0"
    server.faults.answers[route] = (200, {}, canonical_json(manifest))
    with pytest.raises(IntegrityError, match="path"):
        fetch(server, cache)


def test_a_link_in_the_cache_does_not_lead_a_file_outside(server, cache, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (cache / "toy-link/1.0.0").mkdir(parents=True)
    (cache / "toy-link/1.0.0/nodes").symlink_to(outside)
    with pytest.raises(IntegrityError, match="leaves the folder"):
        fetch(server, cache)
    assert list(outside.iterdir()) == []


def test_other_content_under_a_cached_name_is_refused(server, cache, tmp_path):
    fetch(server, cache)
    toy_link(tmp_path / "other", seed=9)
    with running(tmp_path / "other") as other, pytest.raises(InputError, match="another cache"):
        fetch(other, cache)
    assert fetch(server, cache).verify() == []


LOADER = """
import sys, retia
print(retia.load("toy-link@1.0.0", server=sys.argv[1], cache=sys.argv[2]).manifest.digest)
"""


def test_processes_that_share_a_cache_download_once(server, store, cache):
    command = [sys.executable, "-c", LOADER, server.url, str(cache)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)
    ]
    digests = {process.communicate(timeout=50)[0].strip() for process in started}
    assert [process.returncode for process in started] == [0, 0, 0]
    assert digests == {Version.open(store / "toy-link/1.0.0").manifest.digest}
    for shard in Version.open(store / "toy-link/1.0.0").manifest.shards:
        assert len(server.asked_for(f"/{shard.path}")) == 1


def test_a_killed_download_leaves_no_version_and_is_taken_up_again(server, store, cache):
    command = [sys.executable, "-c", KILLED, server.url, str(cache)]
    assert subprocess.run(command, cwd=ROOT, timeout=50).returncode == -9
    assert not (cache / "toy-link/1.0.0/manifest.json").exists()
    before = len(server.requests)
    assert fetch(server, cache).verify() == []
    later = len(server.requests) - before
    assert later < len(Version.open(store / "toy-link/1.0.0").manifest.shards), "some are kept"


KILLED = """
import os, signal, sys, threading, time, retia
from pathlib import Path
def kill():
    while len(list(Path(sys.argv[2]).rglob("*.parquet"))) < 5:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)
threading.Thread(target=kill, daemon=True).start()
retia.load("toy-link@1.0.0", server=sys.argv[1], cache=sys.argv[2])
"""


@pytest.mark.parametrize(
    "reference", ["", "Toy", "toy-link@", "toy-link@1", "../x", "a b", "a@../1"]
)
def test_a_bad_reference_is_refused_before_anything_is_asked(server, cache, reference):
    with pytest.raises(InputError):
        parse_reference(reference)
    with pytest.raises(RetiaError):
        fetch(server, cache, reference)
    assert server.requests == []
