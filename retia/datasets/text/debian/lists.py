"""Debian's lists of packages as apt keeps them: where they lie, what they say, and of what date.

A list is named by the sha256 of its text, as it is in the release file, and not by that of the
file: apt compresses again what it fetched, and the same list gives the same datasets whether it is
plain, gz, xz or lz4.
"""

import gzip
import importlib.util
import lzma
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from retia.shards.canonical import sha256_bytes
from retia.shards.errors import InputError, IntegrityError, MissingExtraError
from retia.shards.manifest import Source

APT_LISTS = Path("/var/lib/apt/lists")
LICENSE = "LicenseRef-Debian-package-metadata"
MAX_BYTES = 1 << 30
CHUNK = 1 << 20
SUFFIXES = ("", ".lz4", ".xz", ".gz")
NAME = re.compile(
    r"(?P<start>.*_dists_(?P<suite>[^_]+))_(?P<path>main_binary-(?P<arch>[^_]+)_Packages)"
    r"(\.lz4|\.xz|\.gz)?"
)
PLACE = re.compile(r"(?P<start>.*_dists_[^_]+)_(?P<path>.+)")
HEADER = re.compile(r"^(Origin|Suite|Codename|Version|Date):[ \t]*(.+)$", re.MULTILINE)
SUM = re.compile(r"^ ([0-9a-f]{64})[ \t]+\d+[ \t]+(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """What a Release or InRelease file says: its headers, and the sha256 of each file by path."""

    path: Path
    origin: str
    codename: str
    version: str
    date: datetime | None
    sums: dict[str, str]

    def as_dict(self) -> dict[str, str]:
        """Codename, version and date, those that are there."""
        date = self.date.isoformat() if self.date else ""
        fields = {"codename": self.codename, "version": self.version, "date": date}
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True)
class ListFile:
    """A list: its uncompressed content, and the release that it is of, where that is known."""

    path: Path
    content: bytes
    sha256: str
    release: Release | None

    def as_source(self) -> Source:
        """The list as provenance."""
        return Source(
            uri=f"file:{self.path.name.removesuffix(compression(self.path))}",
            sha256=self.sha256,
            bytes=len(self.content),
            license=LICENSE,
            retrieved=datetime.fromtimestamp(int(self.path.stat().st_mtime), UTC),
        )


def find_list(arch: str | None = None, folder: Path | None = None) -> Path:
    """The list of Debian's own packages that apt keeps: `main` of one suite, one architecture.

    `folder` is where apt keeps them. Updates, security, backports and other makers' archives are
    left out; of several suites it is the one whose release has the latest date. Raises `InputError`
    where there is none, or where there are several architectures and none is named.
    """
    folder = folder or APT_LISTS
    found = []
    for path in sorted(folder.glob("*_Packages*")) if folder.is_dir() else ():
        match = NAME.fullmatch(path.name)
        release = find_release(path) if match and "-" not in match["suite"] else None
        if match and release and release.origin == "Debian" and arch in (None, match["arch"]):
            found.append((release.date or datetime.min.replace(tzinfo=UTC), match["arch"], path))
    if not found:
        what = f"no list of Debian's packages{f' for {arch}' if arch else ''}"
        raise InputError(
            f"{folder}: {what} is here; run 'apt-get update' on a Debian machine, or give a "
            "Packages file with --packages"
        )
    if len(architectures := sorted({one for _, one, _ in found})) > 1:
        raise InputError(f"{folder}: lists for {', '.join(architectures)}; choose one with --arch")
    return max(found)[2]


def read_list(path: Path, max_bytes: int = MAX_BYTES) -> ListFile:
    """Read a list, plain or compressed as its suffix says, and compare it with its release.

    The release is the InRelease or Release file that apt keeps beside it. Raises `InputError` for
    a file that is not there, ends early or is too large, `IntegrityError` for one that is not the
    file of its release.
    """
    content = _content(path, max_bytes)
    listed = ListFile(path, content, sha256_bytes(content), find_release(path))
    place = PLACE.fullmatch(path.name.removesuffix(compression(path)))
    if listed.release and place:
        member = unquote(place["path"].replace("_", "/"))
        pinned = listed.release.sums.get(member, listed.sha256)
        if pinned != listed.sha256:
            raise IntegrityError(
                f"{path}: sha256 {listed.sha256[:12]}... is not that of {member} in "
                f"{listed.release.path.name}, {pinned[:12]}...; run 'apt-get update', or copy the "
                "list again"
            )
    return listed


def find_release(path: Path) -> Release | None:
    """The release file beside a list that apt keeps, read; none where there is none."""
    place = PLACE.fullmatch(path.name)
    names = [f"{place['start']}_{kind}" for kind in ("InRelease", "Release")] if place else []
    for release in (path.with_name(name) for name in names):
        if release.is_file():
            return read_release(release)
    return None


def read_release(path: Path) -> Release:
    """Read a Release or InRelease file; its signature is apt's matter."""
    text = path.read_text(encoding="utf-8", errors="replace")
    headers: dict[str, str] = dict(HEADER.findall(text))
    try:
        date = parsedate_to_datetime(headers["Date"]) if "Date" in headers else None
    except ValueError as error:
        raise InputError(f"{path}: '{headers['Date'][:80]}' is no date of a release") from error
    return Release(
        path,
        headers.get("Origin", "").strip(),
        headers.get("Codename", headers.get("Suite", "")).strip(),
        headers.get("Version", "").strip(),
        date.astimezone(UTC) if date else None,
        {member: digest for digest, member in SUM.findall(text)},
    )


def compression(path: Path) -> str:
    """The suffix that says how a file is compressed, "" for a plain one."""
    return path.suffix if path.suffix in SUFFIXES else ""


def _content(path: Path, max_bytes: int) -> bytes:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    chunks: list[bytes] = []
    size = 0
    try:
        with _opener(compression(path))(path, "rb") as file:
            for chunk in iter(lambda: file.read(CHUNK), b""):
                chunks.append(chunk)
                size += len(chunk)
                if size > max_bytes:
                    raise InputError(
                        f"{path}: more than {max_bytes:,} bytes; that is no list of packages"
                    )
    except EOFError as error:
        raise InputError(
            f"{path}: the compressed file ends early, after {_lines(chunks):,} whole lines of "
            "text; copy or fetch it again"
        ) from error
    except (OSError, RuntimeError, lzma.LZMAError) as error:
        raise InputError(
            f"{path}: cannot be read as {compression(path)[1:] or 'a file'} after "
            f"{_lines(chunks):,} lines ({error})"
        ) from error
    return b"".join(chunks)


def _lines(chunks: Iterable[bytes]) -> int:
    return sum(chunk.count(b"\n") for chunk in chunks)


def _opener(suffix: str) -> Callable[..., IO[Any]]:
    match suffix:
        case ".gz":
            return gzip.open
        case ".xz":
            return lzma.open
        case ".lz4":
            if importlib.util.find_spec("lz4") is None:
                raise MissingExtraError("build", "lz4")
            from lz4 import frame

            return frame.open
        case _:
            return Path.open
