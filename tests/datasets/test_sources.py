import base64
import hashlib
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from retia.datasets import pinned
from retia.datasets.sources import HttpFile, LocalFile, RecordedArchive, WheelMembers, fetch
from retia.datasets.vessel.readers.archive import read_archive
from retia.shards.errors import InputError, IntegrityError, ServiceError
from retia.shards.version import Version

CONTENT = np.random.default_rng(0).bytes(300_000)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Origin:
    """An HTTP server that may cut, ignore ranges, or send something else."""

    content: bytes = CONTENT
    cut_after: int | None = None
    ranges: bool = True
    status: int = 200
    asked: list[str | None] = field(default_factory=list)
    url: str = ""

    def source(self) -> HttpFile:
        return HttpFile(self.url, sha256(CONTENT), "CC0-1.0")


@pytest.fixture
def origin() -> Iterator[Origin]:
    state = Origin()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            state.asked.append(wanted)
            start = int(wanted[6:-1]) if wanted and state.ranges else 0
            if state.status != 200:
                self.send_error(state.status)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(state.content) - start))
            if start:
                end = len(state.content)
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
            self.end_headers()
            stop = start + state.cut_after if state.cut_after else None
            self.wfile.write(state.content[start:stop])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/data.bin"
    yield state
    server.shutdown()
    server.server_close()


def test_download_that_is_cut_goes_on_where_it_stopped(origin: Origin, tmp_path: Path) -> None:
    origin.cut_after = 100_000
    (file,) = fetch(origin.source(), tmp_path)
    assert file.path.read_bytes() == CONTENT
    assert file.sha256 == sha256(CONTENT)
    assert origin.asked == [None, "bytes=100000-", "bytes=200000-"]


def test_server_without_ranges_sends_all_again(origin: Origin, tmp_path: Path) -> None:
    origin.cut_after, origin.ranges = 100_000, False
    with pytest.raises(ServiceError, match="broke off"):
        fetch(origin.source(), tmp_path)
    origin.cut_after = None
    (file,) = fetch(origin.source(), tmp_path)
    assert file.path.read_bytes() == CONTENT
    assert origin.asked[-1] == "bytes=100000-"


def test_cached_file_is_not_asked_for_again(origin: Origin, tmp_path: Path) -> None:
    fetch(origin.source(), tmp_path)
    fetch(origin.source(), tmp_path)
    assert len(origin.asked) == 1


def test_damaged_cached_file_is_fetched_once_more(origin: Origin, tmp_path: Path) -> None:
    (file,) = fetch(origin.source(), tmp_path)
    file.path.write_bytes(CONTENT[:-1] + b"?")
    (again,) = fetch(origin.source(), tmp_path)
    assert again.path.read_bytes() == CONTENT
    assert len(origin.asked) == 2


def test_wrong_content_is_fetched_twice_then_an_error(origin: Origin, tmp_path: Path) -> None:
    origin.content = CONTENT[::-1]
    with pytest.raises(IntegrityError, match=r"data\.bin"):
        fetch(origin.source(), tmp_path)
    assert len(origin.asked) == 2
    assert not list(tmp_path.rglob("data.bin*"))


def test_file_that_is_gone_is_an_error_at_once(origin: Origin, tmp_path: Path) -> None:
    origin.status = 404
    with pytest.raises(ServiceError, match="404"):
        fetch(origin.source(), tmp_path)
    assert len(origin.asked) == 1


def test_local_file_carries_its_sha256(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(b"a;b\n")
    (file,) = fetch(LocalFile(path, "CC0-1.0"), tmp_path)
    assert (file.sha256, file.bytes, file.uri) == (sha256(b"a;b\n"), 4, "file:mine.csv")
    with pytest.raises(InputError, match="no such file"):
        fetch(LocalFile(tmp_path / "none", "CC0-1.0"), tmp_path)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WheelMembers:
    """A wheel that pip finds in a folder, and nowhere else."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    path = shelf / "retia_toy_wheel-1.0-py3-none-any.whl"
    info = "retia_toy_wheel-1.0.dist-info"
    members = {
        "toy/data.json": b'{"a": 1}',
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: retia-toy-wheel\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(c).digest()).decode()},{len(c)}"
        for name, c in members.items()
    ]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,"]))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    pins = (("toy/data.json", sha256(members["toy/data.json"])),)
    return WheelMembers("retia-toy-wheel", "1.0", sha256(path.read_bytes()), pins, "CC0-1.0")


def test_wheel_member_is_read_from_the_wheel(wheel: WheelMembers, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (file,) = fetch(wheel, cache)
    assert json.loads(file.path.read_bytes()) == {"a": 1}
    assert file.uri == "pkg:pypi/retia-toy-wheel@1.0#toy/data.json"
    file.path.write_bytes(b"{}")
    (again,) = fetch(wheel, cache)
    assert again.path.read_bytes() == b'{"a": 1}'


def test_wheel_of_another_sha256_is_refused(wheel: WheelMembers, tmp_path: Path) -> None:
    other = WheelMembers(wheel.package, wheel.version, "0" * 64, wheel.members, wheel.license)
    with pytest.raises(ServiceError, match="retia-toy-wheel==1"):
        fetch(other, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("data.json"))


def test_fetch_prints_the_paths(
    retia: Callable[..., int],
    wheel: WheelMembers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(pinned.SOURCES, "toy", wheel)
    assert retia("fetch", "toy", "--cache", tmp_path / "cache") == 0
    assert Path(capsys.readouterr().out.strip()).read_bytes() == b'{"a": 1}'
    assert retia("fetch", "nothing") == 2
    assert "cook2019-hermaphrodite" in capsys.readouterr().err


@pytest.fixture
def published(origin: Origin, tables: tuple[Path, Path], tmp_path: Path) -> RecordedArchive:
    """A zip as VesselGraph's: raw and processed tables in folders."""
    path = tmp_path / "brain_raw.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for table in tables:
            archive.write(table, f"brain/brain_{table.name}")
            archive.writestr(f"brain/brain_{table.stem}_processed.csv", "not read")
        archive.writestr("__MACOSX/brain/._brain_nodes.csv", "")
    origin.content = path.read_bytes()
    return RecordedArchive(origin.url, "CC-BY-NC-4.0", "https://example.org/brains")


def test_first_download_is_recorded_and_holds(
    origin: Origin, published: RecordedArchive, tmp_path: Path
) -> None:
    origin.cut_after = len(origin.content) // 2 + 1
    cache = tmp_path / "cache"
    (file,) = fetch(published, cache)
    assert file.path.read_bytes() == origin.content
    assert len(origin.asked) == 2
    file.path.unlink()
    assert fetch(published, cache)[0].sha256 == file.sha256 == sha256(origin.content)
    origin.content = origin.content + b"PK"
    file.path.unlink()
    with pytest.raises(IntegrityError, match="pinned or recorded"):
        fetch(published, cache)


def test_page_in_place_of_an_archive_is_a_dead_link_and_not_recorded(
    origin: Origin, published: RecordedArchive, tmp_path: Path
) -> None:
    whole, origin.content = origin.content, b"<html>this link has expired</html>"
    with pytest.raises(ServiceError, match=r"link has probably died.*example\.org/brains"):
        fetch(published, tmp_path / "cache")
    origin.status = 404
    with pytest.raises(ServiceError, match=r"404; if the link has died.*example\.org/brains"):
        fetch(published, tmp_path / "cache")
    origin.content, origin.status = whole, 200
    assert fetch(published, tmp_path / "cache")[0].sha256 == sha256(whole)


def test_published_graph_builds_from_its_archive(
    retia: Callable[..., int],
    published: RecordedArchive,
    tables: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(pinned.SOURCES, "vesselgraph-toy", published)
    monkeypatch.setenv("RETIA_CACHE", str(tmp_path / "cache"))
    words = ("build", "vessel", "--name", "toy", "--boundaries", "quantiles", "--json")
    assert retia(*words, "--source", "vesselgraph-toy", "--out", tmp_path / "out") == 0
    assert retia(*words, "--nodes", tables[0], "--edges", tables[1], "--out", tmp_path / "own") == 0
    zipped, own = (
        [Version.open(tmp_path / folder / name / "1.0.0") for name in ("toy-link", "toy-node")]
        for folder in ("out", "own")
    )
    for a, b in zip(zipped, own, strict=True):
        assert a.manifest.shards == b.manifest.shards
        (source,) = a.manifest.provenance.sources
        assert (source.uri, source.license) == (published.url, "CC-BY-NC-4.0")
        assert "Paetzold" in a.manifest.citation
    capsys.readouterr()
    assert retia(*words, "--source", "vesselgraph-toy", "--sealed", "link") == 2
    assert "is public" in capsys.readouterr().err
    assert retia(*words, "--source", "cook2019-hermaphrodite") == 2
    assert "no vessel graph" in capsys.readouterr().err
    assert retia("fetch") == 0
    assert "vesselgraph-balbc-no1" in capsys.readouterr().out


def test_archive_without_tables_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("graph.mat", "")
    with pytest.raises(InputError, match=r"0 tables of nodes.*it holds graph\.mat"):
        read_archive(path)
