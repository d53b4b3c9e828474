"""Download a version, verify every file, keep it: `{cache}/{name}/{version}/`.

The cache has the layout of a store. Files arrive beside the version's folder, are resumed after a
cut, checked, and moved into place; the manifest comes last, so half a download is no version.
Processes share a cache through a lock a version.
"""

import logging
import os
import shutil
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
from filelock import FileLock
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from retia.loaders.client import Client, TransientError, UnreachableError, retry
from retia.shards.canonical import canonical_json, sha256_file
from retia.shards.errors import InputError, IntegrityError, NotFoundError, RetiaError, ServiceError
from retia.shards.manifest import Manifest, Name, SemVer, Shard, dump
from retia.shards.store import default_cache, resolve
from retia.shards.version import MANIFEST_FILE, Version
from retia.shards.writer import write_atomically

DATASETS = "datasets"
CONNECTIONS = 4
TRIES = 2

log = logging.getLogger("retia")


def fetch(
    reference: str,
    client: Client,
    cache: Path | None = None,
    encodings: Collection[str] | None = (),
) -> Version:
    """The version that `name[@version]` names, downloaded and verified; the newest without `@`.

    Of the encodings of texts those named are downloaded, all where `encodings` is None. Where the
    server cannot be reached, the cached version serves. Raises `IntegrityError` that names the file
    where the server's bytes are wrong twice.
    """
    cache = cache or default_cache() / DATASETS
    name, number = parse_reference(reference)
    try:
        manifest = client.manifest(name, number or newest(client, name))
    except UnreachableError as error:
        return _offline(reference, cache, encodings or (), error)
    if encodings is None:
        encodings = [card.name for card in manifest.encodings or ()]
    shards = manifest.files_with(encodings)
    folder = cache / name / manifest.version
    if _is_whole(folder, manifest, shards):
        return Version(folder, manifest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{manifest.version}.lock")):
        if not _is_whole(folder, manifest, shards):
            _complete(folder, manifest, shards, client)
    return Version(folder, manifest)


def find_cached(reference: str, cache: Path | None = None) -> Version:
    """A version from the cache alone, as it lies there."""
    parse_reference(reference)
    return resolve(reference, cache or default_cache() / DATASETS)


def verified(version: Version, encodings: Collection[str] = ()) -> Version:
    """The version itself, its files and those of the named encodings looked at.

    Raises `IntegrityError` naming an altered file, `NotFoundError` for an encoding that is absent.
    """
    if version.manifest.digest != version.manifest.content_digest():
        raise IntegrityError(f"{version.root / MANIFEST_FILE}: the digest does not fit the content")
    for name in encodings:
        version.need_encoding(name)
    wrong = _wrong_files(version.root, version.manifest.files_with(encodings))
    if wrong:
        raise IntegrityError(
            f"{version.root / wrong[0].path}: missing or altered ({len(wrong)} such files); "
            "build it again, or load it with server= to download it"
        )
    return version


def parse_reference(reference: str) -> tuple[str, str | None]:
    """`name[@version]` as its two parts; raises `InputError` where it is neither."""
    name, at, number = reference.partition("@")
    try:
        TypeAdapter(Name).validate_python(name)
        if at:
            TypeAdapter(SemVer).validate_python(number)
    except ValidationError as error:
        raise InputError(
            f"'{reference}' names no dataset; it looks like celegans-link or celegans-link@1.0.0"
        ) from error
    return name, number or None


def newest(client: Client, name: str) -> str:
    """The highest version number that a server has of a dataset."""
    try:
        numbers = [entry["version"] for entry in client.dataset(name)["versions"]]
        numbers = TypeAdapter(list[SemVer]).validate_python(numbers)
    except (KeyError, TypeError, ValidationError) as error:
        raise ServiceError(f"{client.server}: no list of the versions of '{name}'") from error
    if not numbers:
        raise NotFoundError(f"{client.server} has no published version of '{name}'")
    return max(numbers, key=lambda number: [int(part) for part in number.split(".")])


def _offline(
    reference: str, cache: Path, encodings: Collection[str], error: UnreachableError
) -> Version:
    try:
        version = verified(find_cached(reference, cache), encodings)
    except NotFoundError:
        raise error from None
    log.warning("%s; using %s of the cache", error, version.manifest.reference)
    return version


def _cached_manifest(folder: Path) -> Manifest | None:
    """The manifest in the cache, if it is there and whole."""
    try:
        manifest = Version.open(folder).manifest
    except RetiaError:
        return None
    return manifest if manifest.digest == manifest.content_digest() else None


def _is_whole(folder: Path, manifest: Manifest, shards: tuple[Shard, ...]) -> bool:
    """Whether the version lies here with those files right; other content is refused."""
    present = _cached_manifest(folder)
    if present is not None and present.digest != manifest.digest:
        raise InputError(
            f"{folder} holds another {manifest.reference} (digest {str(present.digest)[:12]}, the "
            f"server's is {str(manifest.digest)[:12]}); remove it or choose another cache"
        )
    return present is not None and not _wrong_files(folder, shards)


def _wrong_files(folder: Path, shards: tuple[Shard, ...]) -> list[Shard]:
    """The files that are missing or altered."""
    return [shard for shard in shards if not _is_right(_place(folder, shard), shard)]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_right(path: Path, shard: Shard) -> bool:
    try:
        return path.stat().st_size == shard.bytes and sha256_file(path) == shard.sha256
    except FileNotFoundError:
        return False


def _place(folder: Path, shard: Shard) -> Path:
    """Where a file goes; nothing leaves the folder, whatever a manifest or a link says."""
    path = folder / shard.path
    if not path.resolve().is_relative_to(folder.resolve()):
        raise IntegrityError(f"{shard.path}: leaves the folder of the version")
    return path


def _complete(folder: Path, manifest: Manifest, shards: tuple[Shard, ...], client: Client) -> None:
    """Fetch what is missing or altered, then write the manifest. Holds the version's lock."""
    wrong = _wrong_files(folder, shards)
    for shard in wrong:
        if (folder / shard.path).exists():
            log.warning("%s: altered; downloading it again", folder / shard.path)
    parts = folder.with_name(f".{manifest.version}.parts")
    with _bar() as bar:
        total = sum(shard.bytes for shard in wrong)
        task = bar.add_task(manifest.reference, total=total)
        stop = threading.Event()
        download = _Download(client, manifest, folder, parts, stop, lambda n: bar.advance(task, n))
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            try:
                list(pool.map(download.file, wrong))
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
    write_atomically(folder / MANIFEST_FILE, canonical_json(dump(manifest)))
    shutil.rmtree(parts, ignore_errors=True)


@dataclass(frozen=True)
class _Download:
    """The download of one version: fetches a file into `parts`, checks it, moves it to `folder`."""

    client: Client
    manifest: Manifest
    folder: Path
    parts: Path
    stop: threading.Event
    report: Callable[[int], None]

    def file(self, shard: Shard) -> None:
        """Put one file in its place; wrong bytes are fetched once more, then refused."""
        part, target = self.parts / f"{shard.path}.part", _place(self.folder, shard)
        part.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(TRIES):
            retry(lambda: self._receive(shard, part))
            if _is_right(part, shard):
                target.parent.mkdir(parents=True, exist_ok=True)
                part.replace(target)
                return
            self.report(-_size(part))
            part.unlink(missing_ok=True)
            log.warning("%s: received with a wrong sha256", shard.path)
        raise IntegrityError(
            f"{self.client.server}: {self.manifest.reference}: {shard.path} does not have the "
            "sha256 of the manifest, twice; tell the server's maintainer"
        )

    def _receive(self, shard: Shard, part: Path) -> None:
        """Append to `part` until it has all its bytes; one connection.

        An answer that is longer than the manifest allows is dropped whole.
        """
        start = _size(part)
        if start >= shard.bytes:
            return
        name, version = self.manifest.name, self.manifest.version
        with self.client.file(name, version, shard.path, start, shard.sha256) as response:
            resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
            if resumed and not response.headers.get("Content-Range", "").startswith(
                f"bytes {start}-"
            ):
                part.unlink(missing_ok=True)
                raise self._cut(shard, "sent another range than the one asked for")
            size = start if resumed else 0
            with part.open("ab" if resumed else "wb") as file:
                for chunk in response.iter_raw():
                    if self.stop.is_set():
                        raise ServiceError(f"{shard.path}: stopped, another file failed")
                    size += len(chunk)
                    if size > shard.bytes:
                        break
                    file.write(chunk)
                    self.report(len(chunk))
                file.flush()
                os.fsync(file.fileno())
        if size > shard.bytes:
            part.unlink()
        elif size < shard.bytes:
            raise self._cut(shard, f"ended after {size} of {shard.bytes} bytes")

    def _cut(self, shard: Shard, why: str) -> TransientError:
        return TransientError(ServiceError(f"{self.client.server}: {shard.path}: {why}"))


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
