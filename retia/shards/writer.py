"""Write a dataset version: all of it, under its name, or nothing."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retia.shards.canonical import canonical_json, sha256_file
from retia.shards.errors import InputError
from retia.shards.manifest import Manifest, SealedManifest, Shard, dump
from retia.shards.processes import is_alive
from retia.shards.version import MANIFEST_FILE, SEALED_FOLDER, SECRET_FILE, Version

SHARD_BYTES = 64 << 20
ROW_GROUP_ROWS = 1 << 17
SECRET_BYTES = 32


def new_secret() -> bytes:
    """A fresh 256-bit secret for a sealed build."""
    return secrets.token_bytes(SECRET_BYTES)


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write one Parquet file (zstd) and flush it to the disk; same table, same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pq.write_table(
            table, file, compression="zstd", version="2.6", row_group_size=ROW_GROUP_ROWS
        )
        file.flush()
        os.fsync(file.fileno())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old bytes or the new ones, never half of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class VersionWriter:
    """Collects the tables of one version in a hidden folder beside its final place.

    `add` takes public tables, `seal` those that never leave the server; `finish` writes the
    manifest and moves the folder to `out/name/version` in one step.
    """

    def __init__(self, folder: Path, name: str, version: str, secret: bytes | None) -> None:
        self.name, self.version, self.secret = name, version, secret
        self._folder = folder
        self._public: list[Shard] = []
        self._sealed: list[Shard] = []

    def add(self, table: str, content: pa.Table) -> None:
        """Write a public table; `table` is its logical name, `nodes` or `tasks/link/0/train`."""
        self._public += _write_shards(self._folder, table, content)

    def seal(self, table: str, content: pa.Table) -> None:
        """Write a table into the sealed part."""
        if self.secret is None:
            raise ValueError("a build without a secret has nothing to seal")
        self._sealed += _write_shards(self._folder / SEALED_FOLDER, table, content)

    def finish(self, **header: Any) -> Manifest:
        """Write the manifests; `header` holds the fields of `Manifest` that are not files.

        Shards are listed by path, so the order and the threads they were written in do not
        matter.
        """
        commitment = None
        if self.secret is not None:
            sealed = SealedManifest(
                name=self.name,
                version=self.version,
                lineage=header["provenance"].lineage,
                shards=tuple(sorted(self._sealed, key=lambda shard: shard.path)),
            )
            commitment = sealed.commitment(self.secret)
            folder = self._folder / SEALED_FOLDER
            write_atomically(folder / MANIFEST_FILE, canonical_json(dump(sealed)))
            write_atomically(folder / SECRET_FILE, canonical_json({"secret": self.secret.hex()}))
        manifest = Manifest(
            name=self.name,
            version=self.version,
            shards=tuple(sorted(self._public, key=lambda shard: shard.path)),
            sealed_commitment=commitment,
            created=datetime.now(UTC).replace(microsecond=0),
            **header,
        )
        manifest = manifest.model_copy(update={"digest": manifest.content_digest()})
        write_atomically(self._folder / MANIFEST_FILE, canonical_json(dump(manifest)))
        return manifest


@contextmanager
def write_version(
    out: Path, name: str, version: str, secret: bytes | None = None
) -> Iterator[VersionWriter]:
    """Write `out/name/version` through a `VersionWriter`; the block must end with `finish`.

    A block that fails or is killed leaves no version. Writing the same content again leaves the
    version that stands; other content under the same name is refused with `InputError`.
    """
    home = out / name
    home.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(home)
    final = home / version
    folder = home / f".{version}.{os.getpid()}.tmp"
    folder.mkdir()
    try:
        yield VersionWriter(folder, name, version, secret)
        built = Version.open(folder)
        if final.exists():
            _compare(Version.open(final), built)
        else:
            folder.rename(final)
            _sync_folder(home)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compare(standing: Version, built: Version) -> None:
    if standing.manifest.digest == built.manifest.digest:
        return
    raise InputError(
        f"{standing.root} holds other content (digest {_short(standing)}, this build "
        f"{_short(built)}); versions never change: choose another --version or --out"
    )


def _short(version: Version) -> str:
    return (version.manifest.digest or "")[:12]


def _write_shards(folder: Path, table: str, content: pa.Table) -> list[Shard]:
    if table.startswith("tasks/"):
        return [_write_shard(folder, f"{table}.parquet", table, content)]
    rows = max(1, content.num_rows * SHARD_BYTES // max(content.nbytes, 1))
    starts = range(0, max(content.num_rows, 1), rows)
    return [
        _write_shard(folder, f"{table}/part-{i:05d}.parquet", table, content.slice(start, rows))
        for i, start in enumerate(starts)
    ]


def _write_shard(folder: Path, path: str, table: str, content: pa.Table) -> Shard:
    file = folder / path
    write_parquet(content, file)
    return Shard(
        path=path,
        table=table,
        rows=content.num_rows,
        bytes=file.stat().st_size,
        sha256=sha256_file(file),
    )


def _remove_leftovers(home: Path) -> None:
    """Remove the hidden folders of builds whose process has died."""
    for folder in home.glob(".*.tmp"):
        pid = folder.name.split(".")[-2]
        if not pid.isdigit() or not is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
