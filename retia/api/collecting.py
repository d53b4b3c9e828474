"""Remove stored files that no version names any more, a day after they came.

What is taken in and what is removed exclude each other: whoever stores a file with its row, or
registers a version, holds `taking`; whoever removes holds `removing`, for a few files at a time.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from retia.api.context import Context
from retia.api.schemas import SealedPart
from retia.api.storage import blob_key, sealed_key
from retia.api.verify import stored_parts
from retia.leaderboard.leases import clock
from retia.leaderboard.locks import STORAGE, locked
from retia.leaderboard.tables import Blob, Publication, PublicShard
from retia.shards.errors import ServiceError
from retia.shards.manifest import Manifest

KEEP_S = 86_400.0
BATCH = 100
ALIVE = ("received", "checking", "published")
LOCK = 0x626C6F62  # of PostgreSQL's advisory locks; SQLite has one writer at a time anyway

log = logging.getLogger("retia.collecting")


@dataclass(frozen=True)
class Collected:
    """What was removed."""

    files: int
    bytes: int


def taking(session: Session) -> None:
    """From here to the end of this transaction nothing that is stored is removed."""
    _lock(session, "pg_advisory_xact_lock_shared")


def removing(session: Session) -> None:
    """From here to the end of this transaction nothing is taken in."""
    _lock(session, "pg_advisory_xact_lock")


def collect(server: Context, keep: float = KEEP_S) -> Collected:
    """Remove the files that nothing names and that are older than `keep` seconds, and their rows.

    Raises `ServiceError` while a backup, or another collector, is at work.
    """
    files = size = 0
    with locked(server.database, STORAGE, patience=0.0):
        with server.database.read() as session:
            candidates = sorted(_old(server, session, keep) - _named(server, session))
        for start in range(0, len(candidates), BATCH):
            with server.database.write() as session:
                removing(session)
                batch = set(candidates[start : start + BATCH]) & _old(
                    server, session, keep, candidates[start : start + BATCH]
                )
                for key in sorted(batch - _named(server, session)):
                    _forget(session, key)
                    files, size = files + 1, size + server.storage.remove(key)
    if files:
        log.info("removed %d unnamed files of %d bytes", files, size)
    return Collected(files, size)


def collect_if_free(server: Context) -> None:
    """The same, for a worker: whoever is first does it."""
    try:
        collect(server)
    except ServiceError:
        log.info("the storage is in use; nothing was collected")


def used_bytes(session: Session, owner_id: int) -> int:
    """How much an account has uploaded that is still stored."""
    return session.scalar(select(func.sum(Blob.bytes)).where(Blob.owner_id == owner_id)) or 0


def _lock(session: Session, function: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SELECT {function}({LOCK})"))


def _old(
    server: Context, session: Session, keep: float, keys: Iterable[str] | None = None
) -> set[str]:
    """The keys that came more than `keep` seconds ago, of these or of all.

    A file that was stored anew counts from then on, and so does one whose row says so.
    """
    rows = {
        sealed_key(owner, sha256) if sealed else blob_key(sha256): created
        for sha256, owner, sealed, created in session.execute(
            select(Blob.sha256, Blob.owner_id, Blob.sealed, Blob.created).order_by(Blob.created)
        )
    }
    found = set(server.storage.all_keys()) | rows.keys() if keys is None else keys
    row_end, file_end = clock(session) - keep, time.time() - keep
    return {
        key
        for key in found
        if not key.startswith("predictions/")
        and rows.get(key, 0.0) < row_end
        and (server.storage.stored_at(key) or 0.0) < file_end
    }


def _named(server: Context, session: Session) -> set[str]:
    """The keys that a public file, or a version that is or may be published, names."""
    named = {blob_key(sha256) for sha256 in session.scalars(select(PublicShard.sha256))}
    for row in session.scalars(select(Publication).where(Publication.state.in_(ALIVE))):
        if row.state != "published":
            manifest = Manifest.model_validate_json(row.manifest)
            named |= {blob_key(shard.sha256) for shard in manifest.shards}
        part: SealedPart | None = stored_parts(server.storage, row)
        if part is not None:
            owner_id = row.dataset.owner_id
            named.add(sealed_key(owner_id, str(row.sealed_part)))
            named |= {sealed_key(owner_id, shard.sha256) for shard in part.manifest.shards}
    return named


def _forget(session: Session, key: str) -> None:
    kind, owner, sha256 = key.split("/")
    rows = delete(Blob).where(Blob.sha256 == sha256, Blob.sealed.is_(kind == "sealed"))
    session.execute(rows.where(Blob.owner_id == int(owner)) if kind == "sealed" else rows)
