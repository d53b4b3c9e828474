"""The worker: checks what is to be published, scores what was submitted."""

import logging
import os
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from sqlalchemy.exc import SQLAlchemyError

from retia.api.checking import check_version
from retia.api.collecting import collect_if_free
from retia.api.context import Context
from retia.api.exhibits.keep import keep_exhibit, show
from retia.api.publishing import conflict, publish_shards
from retia.api.verify import stored_parts
from retia.leaderboard.boards import open_board
from retia.leaderboard.grouping import group
from retia.leaderboard.queue import (
    GIVEN_UP,
    Claim,
    J,
    LostClaimError,
    claim,
    held,
    keeping,
    put_back,
    release_dead,
    stop,
)
from retia.leaderboard.scoring import (
    SeedScore,
    check_predictions,
    describe,
    open_predictions,
    score,
)
from retia.leaderboard.submissions import Meta, Upload, add_baseline, keep_scores
from retia.leaderboard.tables import Board, Publication, Submission
from retia.protocol.baselines import mandatory_predictions
from retia.protocol.findings import Finding
from retia.protocol.predictions import Predictions
from retia.shards.canonical import sha256_file
from retia.shards.errors import CheckError, RetiaError
from retia.shards.manifest import Manifest
from retia.shards.version import Version
from retia.shards.writer import write_parquet

IDLE_SECONDS = 0.25
NICENESS = 5

RETRY_SECONDS = 1.0

COLLECT_SECONDS = 3600.0

log = logging.getLogger("retia.worker")


class StoredFileError(Exception):
    """A stored file that is damaged."""


SERVER_FAILURES = (OSError, MemoryError, SQLAlchemyError, StoredFileError)

Baselines = list[tuple[Upload, list[SeedScore]]]


def work(server: Context, parent: int | None = None, once: bool = False) -> None:
    """Do jobs until the parent process is gone; with `once`, until none is left.

    Beside its parent it takes the processor time that requests leave.
    """
    if parent is not None:
        os.nice(NICENESS)
    release_dead(server.database)
    next_collection = time.monotonic() + COLLECT_SECONDS
    while parent is None or os.getppid() == parent:
        try:
            busy = any(do_one(server, table, job) for table, job in JOBS)
        except SQLAlchemyError as error:
            log.error("the database does not answer: %s", error)
            time.sleep(RETRY_SECONDS)
            continue
        if not busy:
            if once:
                return
            if time.monotonic() >= next_collection:
                collect_if_free(server)
                next_collection = time.monotonic() + COLLECT_SECONDS
            time.sleep(IDLE_SECONDS)


def do_one(server: Context, table: type[J], job: Callable[[Context, Claim[J]], None]) -> bool:
    """Claim a row and do its job; false where there is nothing to do.

    What is wrong with the work ends it with a reason. Where the server fails, the job is tried
    again, ever less often: without end for want of disk, memory or database, else a few times.
    """
    lease = server.settings.lease
    claimed = claim(server.database, table, lease)
    if claimed is None:
        return False
    start, outcome = time.perf_counter(), "done"
    try:
        with keeping(server.database, claimed, lease):
            job(server, claimed)
    except Exception as error:
        outcome = type(error).__name__
        _end(server, claimed, error)
    log.info(
        "job",
        extra={
            "table": table.__tablename__,
            "job": claimed.id,
            "fence": claimed.fence,
            "outcome": outcome,
            "seconds": round(time.perf_counter() - start, 4),
        },
    )
    return True


def grade(server: Context, job: Claim[Submission]) -> None:
    """Score a submission."""
    with server.database.read() as session:
        row = session.get_one(Submission, job.id)
    version = _version(server, row.publication)
    scores = score(version, row.task, _read(server, version, row))
    with server.database.write() as session:
        keep_scores(session, job, scores)


def rank(server: Context, job: Claim[Board]) -> None:
    """Find the rank groups of a board."""
    with server.database.read() as session:
        board = session.get_one(Board, job.id)
        publication = session.get_one(Publication, board.publication_id)
    version = _version(server, publication)
    group(server.database, job, version, lambda row: _read(server, version, row))


def publish(server: Context, job: Claim[Publication]) -> None:
    """Check a version, add its baselines, and let everyone see it; or say why not."""
    with server.database.read() as session:
        row = session.get_one(Publication, job.id)
        _refuse_conflict(conflict(session, row))
        manifest = Manifest.model_validate_json(row.manifest)
        sealed, owner_id = stored_parts(server.storage, row), row.dataset.owner_id
    with server.storage.workplace(row.name, row.version, job.fence) as folder:
        version = server.storage.lay_out(folder, manifest, sealed, owner_id)
        findings = check_version(version)
        _keep_findings(server, job, findings)
        baselines = _baselines(server, version)
        shown = keep_exhibit(server.storage, version)
        with server.database.write() as session:
            row = held(session, job)
            _refuse_conflict(conflict(session, row))
            row.state, row.published, row.problem = "published", time.time(), None
            publish_shards(session, row, manifest)
            show(session, row, shown)
            for task in manifest.tasks:
                open_board(session, row, task)
            for upload, scores in baselines:
                add_baseline(session, row, upload, scores, manifest.task(upload.meta.task))
            server.storage.install(folder, row.name, row.version)


def _keep_findings(server: Context, job: Claim[Publication], findings: list[Finding]) -> None:
    with server.database.write() as session:
        held(session, job).findings = [finding.as_dict() for finding in findings]
    failed = [finding for finding in findings if finding.status == "failed"]
    if failed:
        first = failed[0]
        raise CheckError(
            f"{len(failed)} of {len(findings)} checks failed; the first: "
            f"{first.check} on {first.subject}: {first.detail}"
        )


def _refuse_conflict(reason: str | None) -> None:
    if reason is not None:
        raise CheckError(reason)


def _baselines(server: Context, version: Version) -> Baselines:
    return [
        _baseline(server, version, task.name, method, table)
        for task in version.manifest.tasks
        for method, table in mandatory_predictions(version, task.name).items()
    ]


def _baseline(
    server: Context, version: Version, task: str, method: str, table: pa.Table
) -> tuple[Upload, list[SeedScore]]:
    manifest = version.manifest
    predictions = check_predictions(version, task, table, deterministic=True)
    meta = Meta(
        dataset=manifest.name,
        version=manifest.version,
        digest=manifest.content_digest(),
        task=task,
        method=method,
        parameters=0,
        deterministic=True,
    )
    with server.storage.scratch() as path:
        write_parquet(table, path)
        sha256 = sha256_file(path)
        place = server.storage.predictions(sha256)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.replace(place)
    checked = describe(predictions, manifest.task(task), deterministic=True)
    upload = Upload(meta, sha256, checked.seeds, checked.order_sha256)
    return upload, score(version, task, predictions)


def _version(server: Context, publication: Publication) -> Version:
    if publication.state == "withdrawn":
        raise CheckError(f"the version was withdrawn: {publication.problem}")
    return Version.open(server.storage.version(publication.name, publication.version))


def _read(server: Context, version: Version, row: Submission) -> Predictions:
    """The predictions of a submission, as they were taken in."""
    path = server.storage.predictions(row.predictions_sha256)
    if sha256_file(path) != row.predictions_sha256:
        raise StoredFileError(f"{path} is not what was stored there; restore it from a backup")
    table = open_predictions(path, version.manifest.task(row.task))
    return check_predictions(version, row.task, table, bool(row.meta.get("deterministic")))


def _reason(server: Context, error: RetiaError) -> str:
    return " ".join(str(error).replace(f"{server.settings.data}/", "").split())


def _end(server: Context, job: Claim, error: Exception) -> None:
    """Write how a job ended; while the database is away, try until the lease would be over."""
    log.warning("%s %s", job.table.__tablename__, job.id, exc_info=error)
    end = time.monotonic() + server.settings.lease
    while True:
        try:
            return _write_end(server, job, error)
        except LostClaimError:
            return None  # another worker has taken it over
        except SQLAlchemyError as lost:
            if time.monotonic() >= end:
                log.error("how %s ended was not written: %s", job.id, lost)
                return None
        time.sleep(RETRY_SECONDS)


def _write_end(server: Context, job: Claim, error: Exception) -> None:
    if isinstance(error, LostClaimError):
        return
    if isinstance(error, RetiaError):
        stop(server.database, job, _reason(server, error))
    elif not put_back(server.database, job, counts=not isinstance(error, SERVER_FAILURES)):
        stop(server.database, job, GIVEN_UP, blameless=True)


JOBS: tuple[tuple[Any, Callable[[Context, Any], None]], ...] = (
    (Publication, publish),
    (Submission, grade),
    (Board, rank),
)
