"""Files by their sha256: public blobs, sealed blobs apart from them, predictions, versions.

A file that stands under its sum is whole: it is written under another name, checked, flushed,
and moved.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool

from retia.api.schemas import SealedPart
from retia.shards.canonical import canonical_json
from retia.shards.errors import IntegrityError
from retia.shards.manifest import Manifest, dump
from retia.shards.version import MANIFEST_FILE, SEALED_FOLDER, SECRET_FILE, Version
from retia.shards.writer import write_atomically

BUFFER_BYTES = 1 << 20


@dataclass
class Incoming:
    """A file that has been received and has no place yet."""

    path: Path
    sha256: str
    bytes: int

    def move(self, place: Path) -> None:
        """Give it its place; the same bytes may stand there already."""
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.replace(place)

    def discard(self) -> None:
        """Remove it, if it has not been given a place."""
        self.path.unlink(missing_ok=True)


def blob_key(sha256: str) -> str:
    """What a public blob is stored as."""
    return f"blobs/{sha256[:2]}/{sha256}"


def sealed_key(owner_id: int, sha256: str) -> str:
    """What a sealed blob of an account is stored as."""
    return f"sealed/{owner_id}/{sha256}"


def predictions_key(sha256: str) -> str:
    """What a file of predictions is stored as."""
    return f"predictions/{sha256[:2]}/{sha256}"


KINDS = ("blobs", "sealed", "predictions")


class Storage:
    """The files of a server, below its data folder. A key ends with the sha256 of the file."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        for folder in (self._incoming, root / "sealed", root / "versions"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def blob(self, sha256: str) -> Path:
        """Where a public blob stands."""
        return self._root / blob_key(sha256)

    def sealed(self, owner_id: int, sha256: str) -> Path:
        """Where a sealed blob of an account stands."""
        return self._root / sealed_key(owner_id, sha256)

    def predictions(self, sha256: str) -> Path:
        """Where a file of predictions stands."""
        return self._root / predictions_key(sha256)

    def version(self, name: str, version: str) -> Path:
        """The folder of a version."""
        return self._root / "versions" / name / version

    def all_keys(self) -> Iterator[str]:
        """All stored files, in order; versions are made from them and are none."""
        for kind in KINDS:
            paths = sorted((self._root / kind).rglob("*"))
            yield from (
                path.relative_to(self._root).as_posix()
                for path in paths
                if path.is_file() and not path.name.startswith(".")
            )

    def open(self, key: str) -> BinaryIO:
        """A stored file."""
        return (self._root / key).open("rb")

    def stored_at(self, key: str) -> float | None:
        """When a file was stored, in seconds since 1970; none where there is no such file."""
        try:
            return (self._root / key).stat().st_mtime
        except FileNotFoundError:
            return None

    def remove(self, key: str) -> int:
        """Remove a file, if it is there: how many bytes it had."""
        path = self._root / key
        try:
            size = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            return 0
        return size

    def remove_version(self, name: str, version: str) -> None:
        """Remove the folder of a version; its blobs stay."""
        shutil.rmtree(self.version(name, version), ignore_errors=True)

    def put(self, key: str, path: Path) -> None:
        """Store a copy of a file that has been checked."""
        with self.scratch() as draft, path.open("rb") as source:
            with draft.open("xb") as target:
                shutil.copyfileobj(source, target, BUFFER_BYTES)
                _flush(target)
            place = self._root / key
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.replace(place)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A path for a file that is on its way; what is left there is removed."""
        path = self._incoming / secrets.token_hex(16)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def keep(self, content: bytes) -> tuple[str, int]:
        """Keep bytes that the server has made as a public blob: their sha256 and size."""
        sha256 = hashlib.sha256(content).hexdigest()
        with self.scratch() as path:
            with path.open("xb") as file:
                file.write(content)
                _flush(file)
            Incoming(path, sha256, len(content)).move(self.blob(sha256))
        return sha256, len(content)

    @contextmanager
    def workplace(self, name: str, version: str, fence: int) -> Iterator[Path]:
        """A hidden folder beside a version's place, gone after the block."""
        folder = self.version(name, f".{version}.{fence}.tmp")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def lay_out(
        self, folder: Path, manifest: Manifest, sealed: SealedPart | None, owner_id: int
    ) -> Version:
        """Make the folder of a version from blobs, by hard links where the disk has them."""
        shutil.rmtree(folder, ignore_errors=True)
        for shard in manifest.shards:
            _link(self.blob(shard.sha256), folder / shard.path)
        write_atomically(folder / MANIFEST_FILE, canonical_json(dump(manifest)))
        if sealed is not None:
            home = folder / SEALED_FOLDER
            home.mkdir(mode=0o700)
            for shard in sealed.manifest.shards:
                _link(self.sealed(owner_id, shard.sha256), home / shard.path)
            write_atomically(home / MANIFEST_FILE, canonical_json(dump(sealed.manifest)))
            write_atomically(home / SECRET_FILE, canonical_json({"secret": sealed.secret}))
        return Version.open(folder)

    def install(self, folder: Path, name: str, version: str) -> None:
        """Move a checked folder to its place."""
        place = self.version(name, version)
        shutil.rmtree(place, ignore_errors=True)
        folder.rename(place)


async def receive(chunks: AsyncIterator[bytes], path: Path, sha256: str | None = None) -> Incoming:
    """Write a stream to `path`; raises `IntegrityError` where its sum is not the one stated."""
    digest = hashlib.sha256()
    total = 0
    with path.open("xb") as file:
        async for block in _blocks(chunks):
            await run_in_threadpool(_append, file, digest.update, block)
            total += len(block)
        await run_in_threadpool(_flush, file)
    if sha256 is not None and digest.hexdigest() != sha256:
        raise IntegrityError(
            f"the bytes have the sha256 {digest.hexdigest()}, not {sha256}; send them again"
        )
    return Incoming(path, digest.hexdigest(), total)


async def _blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in blocks of a megabyte, so that a thread is worth its while."""
    buffer = bytearray()
    async for chunk in chunks:
        buffer += chunk
        if len(buffer) >= BUFFER_BYTES:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)


def _append(file: BinaryIO, update: Callable[[bytes], None], block: bytes) -> None:
    update(block)
    file.write(block)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _link(blob: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(blob, place)
    except FileNotFoundError as error:
        raise IntegrityError(f"{place.name}: its blob is gone; upload it again") from error
    except OSError:
        shutil.copyfile(blob, place)
