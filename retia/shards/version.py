"""Read a dataset version from its folder, and check it."""

import json
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from retia.shards.canonical import sha256_file
from retia.shards.errors import IntegrityError, NotFoundError
from retia.shards.manifest import (
    Column,
    Encoding,
    Manifest,
    Model,
    Part,
    SealedManifest,
    Shard,
    encoding_table,
)

MANIFEST_FILE = "manifest.json"
SECRET_FILE = "secret.json"  # noqa: S105
SEALED_FOLDER = "sealed"
MAX_MANIFEST_BYTES = 16 << 20

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Version:
    """A dataset version on disk: its folder and its manifest."""

    root: Path
    manifest: Manifest

    @classmethod
    def open(cls, root: Path) -> Self:
        """Read the manifest of the version in `root`."""
        return cls(root, read_manifest(root / MANIFEST_FILE))

    def has(self, table: str) -> bool:
        """Whether the version has a public table of that name."""
        return bool(self.manifest.files(table))

    def table(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """A public table, whole or some of its columns."""
        shards = self.manifest.files(table)
        if not shards:
            raise NotFoundError(f"{self.manifest.reference} has no table '{table}'")
        return read_shards(self.root, shards, columns)

    def nodes(self, columns: list[str] | None = None) -> pa.Table:
        """The node table; row i is node i."""
        return self.table("nodes", columns)

    def edges(self, relation: str, columns: list[str] | None = None) -> pa.Table:
        """The visible edges of a relation: src, dst and its columns, sorted by (src, dst)."""
        return self.table(f"edges/{relation}", columns)

    def encoding(self, name: str) -> pa.Table:
        """The vectors of an encoding: one column `vector`, row i is node i.

        Raises `NotFoundError` where the version has no such encoding, or its files are not here.
        """
        self.need_encoding(name)
        return self.table(encoding_table(name))

    def need_encoding(self, name: str) -> None:
        """Raise `NotFoundError` where there is no such encoding, or its files are not here."""
        if self.manifest.encoding(name).name in self.absent_encodings():
            raise NotFoundError(
                f"{self.root} is without the encoding '{name}', which {self.manifest.reference} "
                f"has; load it with encoding='{name}' and a server, or run: retia download "
                f"{self.manifest.reference} --encoding {name} --server URL"
            )

    def absent_encodings(self) -> tuple[str, ...]:
        """The encodings of which no file is here: a download leaves out what nobody asked for."""
        return tuple(
            card.name
            for card in self.manifest.encodings or ()
            if not any(
                (self.root / shard.path).exists()
                for shard in self.manifest.files(encoding_table(card.name))
            )
        )

    def task_table(self, task: str, split: int, name: str) -> pa.Table:
        """A table of one split of a task, such as `train`, `valid` or `test`."""
        self.manifest.task(task)
        return self.table(f"tasks/{task}/{split}/{name}")

    def answers(
        self, task: str, split: int, part: Part, name: Literal["answers", "candidates"] = "answers"
    ) -> pa.Table:
        """The answers of a part, from the public tables or, on the server, the sealed ones.

        Raises `NotFoundError` where they are sealed and not here.
        """
        table = f"tasks/{task}/{split}/{part}-{name}"
        if self.has(table):
            return self.table(table)
        if not (self.root / SEALED_FOLDER / MANIFEST_FILE).exists():
            raise NotFoundError(
                f"the {part} answers of {self.manifest.reference} task '{task}' are sealed: "
                "the server scores predictions, it does not give the answers away"
            )
        return read_shards(
            self.root / SEALED_FOLDER,
            tuple(shard for shard in self.sealed_manifest().shards if shard.table == table),
        )

    def sealed_manifest(self) -> SealedManifest:
        """The manifest of the sealed part."""
        return _read_model(self.root / SEALED_FOLDER / MANIFEST_FILE, SealedManifest)

    def secret(self) -> bytes:
        """The 256-bit secret of a sealed version."""
        path = self.root / SEALED_FOLDER / SECRET_FILE
        try:
            return bytes.fromhex(json.loads(path.read_bytes())["secret"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{path}: no readable secret ({error})") from error

    def verify(self, without: Collection[str] = ()) -> list[str]:
        """Everything that differs from the manifest, a line each; empty when all is well.

        The files of the encodings in `without` are not looked for.
        """
        cards = self.manifest.encodings or ()
        return list(self._problems({card.name for card in cards} - set(without)))

    def _problems(self, encodings: Collection[str]) -> Iterator[str]:
        if self.manifest.digest != self.manifest.content_digest():
            yield f"{MANIFEST_FILE}: the digest does not fit the content"
        expected = {MANIFEST_FILE}
        expected |= yield from _check_shards(self.root, self.manifest.files_with(encodings))
        if (self.root / SEALED_FOLDER).exists():
            expected |= yield from self._check_sealed()
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if path.is_file() and name not in expected:
                yield f"{name}: not in the manifest"

    def _check_sealed(self) -> Generator[str, None, set[str]]:
        folder = self.root / SEALED_FOLDER
        sealed = self.sealed_manifest()
        if sealed.commitment(self.secret()) != self.manifest.sealed_commitment:
            yield f"{SEALED_FOLDER}: the sealed part does not fit the commitment"
        names = yield from _check_shards(folder, sealed.shards)
        return {f"{SEALED_FOLDER}/{name}" for name in (names | {MANIFEST_FILE, SECRET_FILE})}


def read_manifest(path: Path) -> Manifest:
    """Read and validate a manifest file."""
    return _read_model(path, Manifest)


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Validate the bytes of a manifest; `where` names their origin in the error."""
    return _parse(content, Manifest, where)


def read_shards(
    root: Path, shards: tuple[Shard, ...], columns: list[str] | None = None
) -> pa.Table:
    """The concatenation of Parquet files below `root`."""
    tables = [_read_shard(root / shard.path, columns) for shard in shards]
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables)


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of a column; a shape gives nested fixed-size lists."""
    base: pa.DataType = pa.type_for_alias(column.dtype)
    for size in reversed(column.shape):
        base = pa.list_(base, size)
    return base


def vector_type(encoding: Encoding) -> pa.DataType:
    """The Arrow type of the vectors of an encoding."""
    return pa.list_(pa.type_for_alias(encoding.dtype), encoding.dimensions)


def _read_shard(path: Path, columns: list[str] | None) -> pa.Table:
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            return file.read(columns=columns)
    except FileNotFoundError as error:
        raise IntegrityError(f"{path}: the file is missing") from error
    except (pa.ArrowException, OSError) as error:
        raise IntegrityError(f"{path}: not a readable Parquet file ({error})") from error


def _check_shards(root: Path, shards: tuple[Shard, ...]) -> Generator[str, None, set[str]]:
    for shard in shards:
        path = root / shard.path
        if not path.is_file():
            yield f"{shard.path}: missing"
        elif path.stat().st_size != shard.bytes:
            yield f"{shard.path}: {path.stat().st_size} bytes, the manifest says {shard.bytes}"
        elif sha256_file(path) != shard.sha256:
            yield f"{shard.path}: the sha256 is not the one in the manifest"
        elif (rows := _count_rows(path)) is None:
            yield f"{shard.path}: not a readable Parquet file"
        elif rows != shard.rows:
            yield f"{shard.path}: the number of rows is not the one in the manifest"
    return {shard.path for shard in shards}


def _count_rows(path: Path) -> int | None:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return None


def _read_model(path: Path, model: type[M]) -> M:
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise IntegrityError(f"{path}: larger than any manifest")
        return _parse(path.read_bytes(), model, str(path))
    except FileNotFoundError as error:
        raise NotFoundError(f"{path.parent}: no {path.name} here") from error


def _parse(content: bytes, model: type[M], where: str) -> M:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the document"
        raise IntegrityError(f"{where}: {place}: {first['msg']}") from error
