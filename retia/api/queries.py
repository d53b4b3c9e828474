"""Read what is published."""

from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from retia.leaderboard.tables import Publication, PublicShard, Submission
from retia.shards.errors import NotFoundError
from retia.shards.manifest import Manifest


class GoneError(NotFoundError):
    """A version that was withdrawn."""


def search_datasets(session: Session, query: str = "", kind: str = "") -> list[Publication]:
    """The newest published version of every dataset that fits, by name."""
    rows = session.scalars(select(Publication).where(Publication.state == "published"))
    newest = {row.name: row for row in sorted(rows, key=lambda row: version_number(row.version))}
    words = query.casefold().split()
    return [
        newest[name]
        for name in sorted(newest)
        if kind in ("", newest[name].summary["kind"])
        and all(word in f"{name} {newest[name].summary['title']}".casefold() for word in words)
    ]


def published_versions(session: Session, name: str) -> list[Publication]:
    """The published versions of a dataset, oldest first; raises `NotFoundError` without any."""
    rows = session.scalars(
        select(Publication).where(Publication.name == name, Publication.state == "published")
    ).all()
    if not rows:
        raise NotFoundError(f"no dataset '{name}' is published here")
    return sorted(rows, key=lambda row: version_number(row.version))


def published_version(session: Session, name: str, version: str | None = None) -> Publication:
    """A published version, by default the newest; raises `NotFoundError` where there is none."""
    if version is not None:
        _refuse_withdrawn(session, name, version)
    rows = published_versions(session, name)
    if version is None:
        return rows[-1]
    for row in rows:
        if row.version == version:
            return row
    known = ", ".join(row.version for row in rows)
    raise NotFoundError(f"no version {version} of '{name}' is published here; there are: {known}")


def _refuse_withdrawn(session: Session, name: str, version: str) -> None:
    row = session.scalars(
        select(Publication).where(
            Publication.name == name,
            Publication.version == version,
            Publication.state == "withdrawn",
        )
    ).first()
    if row is not None:
        raise GoneError(f"{name}@{version} was withdrawn: {row.problem}")


def shard_of(session: Session, name: str, version: str, path: str) -> PublicShard:
    """The public file of that path; raises `NotFoundError` where there is none."""
    publication = published_version(session, name, version)
    shard = session.get(PublicShard, (publication.id, path))
    if shard is None:
        raise NotFoundError(f"{name}@{version} has no public file '{path[:200]}'")
    return shard


def find_submission(session: Session, submission_id: str) -> Submission:
    """The submission of that id; raises `NotFoundError` where there is none."""
    submission = session.get(Submission, submission_id)
    if submission is None:
        raise NotFoundError(f"no submission '{submission_id[:40]}'")
    return submission


@lru_cache(maxsize=32)
def parsed(manifest: str) -> Manifest:
    """A stored manifest as a model; manifests never change."""
    return Manifest.model_validate_json(manifest)


def version_number(version: str) -> tuple[int, ...]:
    """What versions are sorted by."""
    return tuple(int(part) for part in version.split("."))
