"""Write all that is public, in open forms, so that nothing dies with the server.

Datasets are folders of shards as `retia` reads them, tables are Parquet, boards are JSON.
"""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from retia.api.boards import BoardRequest, Boards
from retia.api.context import Context
from retia.api.storage import Storage, blob_key, predictions_key, sealed_key
from retia.api.verify import stored_parts
from retia.api.wire import stamp
from retia.leaderboard.board_page import BoardQuery
from retia.leaderboard.tables import Board, Publication, Score, Submission
from retia.shards.canonical import canonical_json
from retia.shards.errors import InputError
from retia.shards.manifest import Manifest, dump
from retia.shards.version import MANIFEST_FILE, SEALED_FOLDER, SECRET_FILE
from retia.shards.writer import write_atomically

BATCH = 10_000

Step = Callable[[int, int], None]

SUBMISSIONS = pa.schema(
    [(name, pa.string()) for name in (
        "id", "dataset", "version", "digest", "task", "method", "user", "tier", "state", "problem",
        "evaluator", "predictions_sha256", "created", "meta",
    )] + [("baseline", pa.bool_()), ("seeds", pa.list_(pa.int64()))]
)  # fmt: skip
SCORES = pa.schema(
    [
        ("submission", pa.string()),
        ("evaluator", pa.string()),
        ("part", pa.string()),
        ("measure", pa.string()),
        ("seed", pa.int64()),
        ("value", pa.float64()),
    ]
)


def export(
    server: Context, out: Path, private: bool = False, step: Step = lambda *_: None
) -> dict[str, int]:
    """Write the dump to a new folder; `private` adds sealed parts and predictions.

    Passwords, tokens, sessions and e-mail addresses are in none.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; export into a new folder")
    out.mkdir(parents=True, exist_ok=True)
    with server.database.read() as session:
        published = select(Publication).where(Publication.state == "published")
        versions = session.scalars(published.order_by(Publication.id)).all()
        for number, row in enumerate(versions, 1):
            _version(server.storage, row, out / "datasets" / row.name / row.version, private)
            step(number, len(versions))
        counts = {"versions": len(versions)}
        counts["submissions"] = _submissions(session, out / "submissions.parquet")
        counts["scores"] = _scores(session, out / "scores.parquet")
        counts["boards"] = _boards(server, session, out / "leaderboards")
        if private:
            sums = sorted(set(session.scalars(select(Submission.predictions_sha256))))
            for sha256 in sums:
                place = out / "predictions" / f"{sha256}.parquet"
                _copy(server.storage, predictions_key(sha256), place)
            counts["predictions"] = len(sums)
    write_atomically(out / "export.json", json.dumps(counts, indent=2).encode())
    return counts


def _version(storage: Storage, row: Publication, folder: Path, private: bool) -> None:
    manifest = Manifest.model_validate_json(row.manifest)
    for shard in manifest.shards:
        _copy(storage, blob_key(shard.sha256), folder / shard.path)
    write_atomically(folder / MANIFEST_FILE, canonical_json(dump(manifest)))
    about = {"owner": row.dataset.owner.name, "published": stamp(row.published)}
    write_atomically(
        folder.with_name(f"{row.version}.json"),
        json.dumps(about | {"findings": row.findings}, indent=2).encode(),
    )
    sealed = stored_parts(storage, row) if private else None
    if sealed is not None:
        home = folder / SEALED_FOLDER
        for shard in sealed.manifest.shards:
            _copy(storage, sealed_key(row.dataset.owner_id, shard.sha256), home / shard.path)
        write_atomically(home / MANIFEST_FILE, canonical_json(dump(sealed.manifest)))
        write_atomically(home / SECRET_FILE, canonical_json({"secret": sealed.secret}))


def _submissions(session: Session, path: Path) -> int:
    found = session.scalars(
        select(Submission)
        .join(Publication, Publication.id == Submission.publication_id)
        .where(Publication.state == "published")
        .order_by(Submission.created, Submission.id)
        .execution_options(yield_per=BATCH)
    )
    rows = (
        {
            "id": row.id,
            "dataset": row.publication.name,
            "version": row.publication.version,
            "digest": row.publication.digest,
            "task": row.task,
            "method": row.method,
            "user": row.user.name if row.user else None,
            "tier": row.tier,
            "state": row.state,
            "problem": row.problem,
            "evaluator": row.evaluator,
            "predictions_sha256": row.predictions_sha256,
            "created": stamp(row.created),
            "meta": json.dumps(row.meta),
            "baseline": row.baseline,
            "seeds": row.seeds,
        }
        for row in found
    )
    return _table(path, SUBMISSIONS, rows)


def _scores(session: Session, path: Path) -> int:
    found = session.execute(
        select(
            Score.submission_id.label("submission"),
            Score.evaluator,
            Score.part,
            Score.measure,
            Score.seed,
            Score.value,
        )
        .order_by(Score.submission_id, Score.evaluator, Score.part, Score.measure, Score.seed)
        .execution_options(yield_per=BATCH)
    )
    return _table(path, SCORES, (dict(row) for row in found.mappings()))


def _table(path: Path, schema: pa.Schema, rows: Iterable[dict[str, Any]]) -> int:
    count, batch = 0, []
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for row in rows:
            batch.append(row)
            count += 1
            if len(batch) == BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema))
                batch.clear()
        writer.write_table(pa.Table.from_pylist(batch, schema))
    return count


def _boards(server: Context, session: Session, folder: Path) -> int:
    rows = session.execute(
        select(Publication.name, Publication.version, Board.task, Board.id)
        .join(Board, Board.publication_id == Publication.id)
        .where(Publication.state == "published")
    ).all()
    boards = Boards(server.database)
    for name, version, task, number in rows:
        place = folder / name / version / f"{task}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        request = BoardRequest(name, task, version, "json", BoardQuery())
        write_atomically(place, boards.render(number, request, whole=True).body)
    return len(rows)


def _copy(storage: Storage, key: str, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with storage.open(key) as source, place.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
