"""The worker: checks what is to be published, scores what was submitted."""

import logging
import os
import time
from collections.abc import Callable

import pyarrow as pa

from retia.api.checking import check_version
from retia.api.context import Context
from retia.api.publishing import conflict, publish_shards
from retia.api.schemas import SealedPart
from retia.leaderboard.queue import (
    Claim,
    LostClaimError,
    claim,
    held,
    keeping,
    release_dead,
    stop,
)
from retia.leaderboard.scoring import (
    SeedScore,
    check_predictions,
    open_predictions,
    score,
)
from retia.leaderboard.submissions import Meta, Upload, add_baseline, keep_scores
from retia.leaderboard.tables import Publication, Submission
from retia.protocol.baselines import mandatory_predictions
from retia.protocol.findings import Finding
from retia.shards.canonical import sha256_file
from retia.shards.errors import CheckError, RetiaError
from retia.shards.manifest import Manifest
from retia.shards.version import Version
from retia.shards.writer import write_parquet

IDLE_SECONDS = 0.25

log = logging.getLogger("retia.worker")

Baselines = list[tuple[Upload, list[SeedScore]]]


def work(server: Context, parent: int | None = None, once: bool = False) -> None:
    """Do jobs until the parent process is gone; with `once`, until none is left."""
    release_dead(server.database)
    while parent is None or os.getppid() == parent:
        if not (do_one(server, Publication, publish) or do_one(server, Submission, grade)):
            if once:
                return
            time.sleep(IDLE_SECONDS)


def do_one(server: Context, table: type, job: Callable[[Context, Claim], None]) -> bool:
    """Claim a row and do its job; false where there is nothing to do.

    What is wrong with the work ends it with a reason. What is wrong with the server ends it too,
    and the log says more: the next attempt would fail the same way.
    """
    lease = server.settings.lease
    claimed = claim(server.database, table, lease)
    if claimed is None:
        return False
    try:
        with keeping(server.database, claimed, lease):
            job(server, claimed)
    except LostClaimError as error:
        log.warning("another worker has taken over %s", error)
    except Exception as error:
        _give_up(server, claimed, error)
    return True


def grade(server: Context, job: Claim[Submission]) -> None:
    """Score a submission."""
    with server.database.read() as session:
        row = session.get_one(Submission, job.id)
        meta = Meta.model_validate(row.meta)
        path = server.storage.predictions(row.predictions_sha256)
    version = Version.open(server.storage.version(meta.dataset, meta.version))
    table = open_predictions(path, version.manifest.task(meta.task))
    predictions = check_predictions(version, meta.task, table, meta.deterministic)
    scores = score(version, meta.task, predictions)
    with server.database.write() as session:
        keep_scores(session, job, scores)


def publish(server: Context, job: Claim[Publication]) -> None:
    """Check a version, add its baselines, and let everyone see it; or say why not."""
    with server.database.read() as session:
        row = session.get_one(Publication, job.id)
        _refuse_conflict(conflict(session, row))
        manifest = Manifest.model_validate_json(row.manifest)
        sealed, owner_id = _sealed_part(server, row), row.dataset.owner_id
    with server.storage.workplace(row.name, row.version, job.fence) as folder:
        version = server.storage.lay_out(folder, manifest, sealed, owner_id)
        findings = check_version(version)
        _keep_findings(server, job, findings)
        baselines = _baselines(server, version)
        with server.database.write() as session:
            row = held(session, job)
            _refuse_conflict(conflict(session, row))
            row.state, row.published = "published", time.time()
            publish_shards(session, row, manifest)
            for upload, scores in baselines:
                add_baseline(session, row, upload, scores)
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


def _sealed_part(server: Context, row: Publication) -> SealedPart | None:
    if row.sealed_part is None:
        return None
    path = server.storage.sealed(row.dataset.owner_id, row.sealed_part)
    return SealedPart.model_validate_json(path.read_bytes())


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
    return Upload(meta, sha256, predictions.seeds), score(version, task, predictions)


def _give_up(server: Context, job: Claim, error: Exception) -> None:
    if isinstance(error, RetiaError):
        problem = " ".join(str(error).replace(f"{server.settings.data}/", "").split())
    else:
        log.exception("%s %s", job.table.__tablename__, job.id, exc_info=error)
        problem = "the server failed at this; its operator finds the reason in its log"
    try:
        stop(server.database, job, problem)
    except LostClaimError:
        log.warning("another worker has taken over %s", job.id)
