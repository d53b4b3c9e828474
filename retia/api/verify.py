"""Check what is stored: every file against its sum, every row against the files, every score."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from retia.api.context import Context
from retia.api.schemas import SealedPart
from retia.api.storage import Storage, blob_key, predictions_key, sealed_key
from retia.leaderboard.tables import (
    Blob,
    Board,
    Entry,
    Publication,
    PublicShard,
    Score,
    Submission,
)

CHUNK = 1 << 20

Step = Callable[[int, int], None]


def verify(server: Context, step: Step = lambda *_: None) -> Iterator[str]:
    """What is wrong, one line each: damaged and missing files, rows that do not fit each other."""
    before = set(server.storage.all_keys())
    with server.database.read() as session:
        wanted = _wanted(session)
        yield from _row_problems(session)
    keys = set(server.storage.all_keys()) | before
    yield from (f"{key}: missing, and a row names it" for key in sorted(wanted - keys))
    for number, key in enumerate(sorted(keys), 1):
        problem = _damage(server.storage, key)
        if problem is not None:
            yield problem
        step(number, len(keys))


def missing_files(tables: Path, keys: set[str]) -> list[str]:
    """The files that the rows of a dump name, and that are not among these."""
    wanted = set()
    for row in pq.read_table(tables / "blobs.parquet").to_pylist():
        wanted.add(
            sealed_key(row["owner_id"], row["sha256"]) if row["sealed"] else blob_key(row["sha256"])
        )
    for name, key in (("shards", blob_key), ("submissions", predictions_key)):
        column = "sha256" if name == "shards" else "predictions_sha256"
        table = pq.read_table(tables / f"{name}.parquet", columns=[column])
        wanted |= {key(value) for value in table[column].to_pylist()}
    return sorted(wanted - keys)


def stored_parts(storage: Storage, row: Publication) -> SealedPart | None:
    """The sealed part of a version, read from where it is stored."""
    if row.sealed_part is None:
        return None
    with storage.open(sealed_key(row.dataset.owner_id, row.sealed_part)) as file:
        return SealedPart.model_validate_json(file.read())


def _damage(storage: Storage, key: str) -> str | None:
    try:
        with storage.open(key) as file:
            digest = hashlib.sha256()
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return None  # removed meanwhile; a row that still names it has been reported
    except OSError as error:
        return f"{key}: not readable ({error.strerror or error})"
    name = key.rpartition("/")[2]
    found = digest.hexdigest()
    return None if found == name else f"{key}: damaged, its sha256 is {found}"


def _wanted(session: Session) -> set[str]:
    blobs = session.execute(select(Blob.sha256, Blob.owner_id, Blob.sealed))
    wanted = {
        sealed_key(owner, sha256) if sealed else blob_key(sha256) for sha256, owner, sealed in blobs
    }
    wanted |= {blob_key(sha256) for sha256 in session.scalars(select(PublicShard.sha256))}
    wanted |= {
        predictions_key(sha256) for sha256 in session.scalars(select(Submission.predictions_sha256))
    }
    parts = select(Publication).where(
        Publication.sealed_part.is_not(None),
        Publication.state.in_(("received", "checking", "published")),
    )
    wanted |= {
        sealed_key(row.dataset.owner_id, str(row.sealed_part)) for row in session.scalars(parts)
    }
    return wanted


def _row_problems(session: Session) -> Iterator[str]:
    """Scores that are not whole, and board rows that are not of scored submissions."""
    counts = (
        select(
            Score.submission_id,
            Score.evaluator,
            func.count().label("scores"),
            func.count(Score.seed.distinct()).label("seeds"),
            func.count(Score.measure.distinct()).label("measures"),
        )
        .group_by(Score.submission_id, Score.evaluator)
        .subquery()
    )
    scored = (
        select(Submission, counts)
        .outerjoin(
            counts,
            (counts.c.submission_id == Submission.id)
            & (counts.c.evaluator == Submission.evaluator),
        )
        .where(Submission.state == "scored")
    )
    for row in session.execute(scored):
        seeds = len(row.Submission.seeds)
        if row.seeds != seeds or row.scores != 2 * seeds * row.measures:
            yield f"submission {row.Submission.id}: scored, and its scores are not whole"
    stale = (
        select(Entry.submission_id)
        .join(Submission, Submission.id == Entry.submission_id)
        .where((Submission.state == "withdrawn") | Submission.evaluator.is_(None))
    )
    for number in session.scalars(stale):
        yield f"submission {number}: on a board, and it has no scores that count"
    for version in session.scalars(select(Publication).where(Publication.state == "published")):
        boards = select(Board.task).where(Board.publication_id == version.id)
        tasks = {task["name"] for task in version.summary.get("tasks", ())}
        for name in sorted(tasks - set(session.scalars(boards))):
            yield f"{version.name}@{version.version}: the task {name} has no board"
