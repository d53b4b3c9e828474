"""Take a version in, and decide whether it may stand beside the published ones."""

from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from retia.api.accounts import Account
from retia.api.problems import Problem
from retia.api.schemas import NewPublication
from retia.api.wire import summary
from retia.leaderboard.queue import enqueue
from retia.leaderboard.tables import Blob, Dataset, Origin, Publication, PublicShard, User
from retia.shards.canonical import canonical_json
from retia.shards.errors import NotFoundError
from retia.shards.manifest import Manifest, Shard, dump

BATCH = 500


def check_form(body: NewPublication, name: str, version: str) -> None:
    """422 where the parts of the body do not fit each other or the address."""
    manifest, sealed = body.manifest, body.sealed
    if (manifest.name, manifest.version) != (name, version):
        raise Problem(422, f"the manifest is of {manifest.reference}, not of {name}@{version}")
    if manifest.digest != manifest.content_digest():
        raise Problem(422, "the digest does not fit the manifest")
    if (sealed is None) != (manifest.sealed_commitment is None):
        raise Problem(422, "a sealed commitment and a sealed part come together")
    if sealed is None:
        return
    if sealed.manifest.commitment(bytes.fromhex(sealed.secret)) != manifest.sealed_commitment:
        raise Problem(422, "the sealed part does not fit the commitment")
    belongs = (sealed.manifest.name, sealed.manifest.version, sealed.manifest.lineage)
    if belongs != (name, version, manifest.provenance.lineage):
        raise Problem(422, "the sealed part belongs to another version")


def check_blobs(session: Session, account: Account, body: NewPublication) -> None:
    """422 that names the first blob that this account may not name.

    Whether somebody else has uploaded it, or sealed it, makes no difference to the answer.
    """
    known = _uploaded(session, account, body.manifest.shards, sealed=False)
    known |= _published(session, body.manifest.shards)
    _need(body.manifest.shards, known)
    if body.sealed is not None:
        shards = body.sealed.manifest.shards
        _need(shards, _uploaded(session, account, shards, sealed=True))


def knows_blob(session: Session, account: Account, sha256: str) -> bool:
    """Whether this account uploaded the blob as a public one, or a public shard names it."""
    uploaded = session.get(Blob, (sha256, account.id, False))
    return uploaded is not None or bool(_published_sums(session, [sha256]))


def register(
    session: Session, account: Account, body: NewPublication, sealed_part: str | None
) -> Publication:
    """The row of a version that is to be checked, or the one that has the same digest.

    403 where the name is somebody else's, 409 where the version has other content. A refused
    version gives its number free.
    """
    manifest = body.manifest
    session.get(User, account.id, with_for_update=True)
    dataset = session.get(Dataset, manifest.name)
    if dataset is None:
        session.add(Dataset(name=manifest.name, owner_id=account.id))
        session.flush()
    elif dataset.owner_id != account.id:
        raise Problem(403, f"the name {manifest.name} belongs to {dataset.owner.name}")
    standing = find(session, manifest.name, manifest.version)
    if standing is not None and standing.state != "refused":
        if standing.state == "withdrawn":
            raise Problem(409, f"{manifest.reference} was withdrawn; give it another version")
        if standing.digest != manifest.digest:
            raise Problem(409, f"{manifest.reference} has other content; versions never change")
        return standing
    row = standing or Publication(name=manifest.name, version=manifest.version)
    _fill(session, row, manifest, sealed_part)
    return row


def find(session: Session, name: str, version: str) -> Publication | None:
    """The row of a version, whatever its state."""
    return session.scalars(
        select(Publication).where(Publication.name == name, Publication.version == version)
    ).first()


def conflict(session: Session, publication: Publication) -> str | None:
    """Why this version would give a sealed answer away, or have its own given away; or none.

    Two versions from one source stand beside each other only where neither is sealed: the public
    tables of one would hold answers of the other.
    """
    own = select(Origin.sha256).where(Origin.publication_id == publication.id)
    others = session.scalars(
        select(Publication)
        .join(Origin, Origin.publication_id == Publication.id)
        .where(
            Origin.sha256.in_(own),
            Publication.id != publication.id,
            Publication.state.in_(("published", "withdrawn")),  # what was public stays known
        )
    )
    for other in others.unique():
        if other.commitment != publication.commitment:
            sealed = "this version" if publication.commitment else f"{other.name}@{other.version}"
            return (
                f"it is built from a source that {other.name}@{other.version} is built from too, "
                f"and {sealed} has a sealed task: its answers could be read from the other one"
            )
    return None


def publish_shards(session: Session, publication: Publication, manifest: Manifest) -> None:
    """Let everyone read the files of a version."""
    session.add_all(
        PublicShard(publication_id=publication.id, path=s.path, sha256=s.sha256, bytes=s.bytes)
        for s in manifest.shards
    )


def withdraw_version(session: Session, name: str, version: str, reason: str) -> Publication:
    """Take a published version away: a tombstone with the reason stays, its files go.

    Raises `NotFoundError` where it is not published. Its number is never free again.
    """
    row = find(session, name, version)
    if row is None or row.state != "published":
        raise NotFoundError(f"no {name}@{version} is published here")
    row.state, row.problem = "withdrawn", reason
    session.execute(delete(PublicShard).where(PublicShard.publication_id == row.id))
    return row


def _fill(session: Session, row: Publication, manifest: Manifest, sealed_part: str | None) -> None:
    row.digest = manifest.content_digest()
    row.manifest = canonical_json(dump(manifest)).decode()
    row.summary = summary(manifest)
    row.sealed_part, row.commitment = sealed_part, manifest.sealed_commitment
    row.findings = []
    enqueue(row)
    session.add(row)
    session.flush()
    provenance = manifest.provenance
    sums = {provenance.lineage, *(source.sha256 for source in provenance.sources)}
    session.execute(delete(Origin).where(Origin.publication_id == row.id))
    session.add_all(Origin(publication_id=row.id, sha256=value) for value in sorted(sums))


def _need(shards: tuple[Shard, ...], known: set[tuple[str, int]]) -> None:
    for shard in shards:
        if (shard.sha256, shard.bytes) not in known:
            raise Problem(422, f"unknown blob {shard.sha256} ({shard.path}); upload it first")


def _uploaded(
    session: Session, account: Account, shards: tuple[Shard, ...], sealed: bool
) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for sums in _batches(shard.sha256 for shard in shards):
        rows = session.execute(
            select(Blob.sha256, Blob.bytes).where(
                Blob.owner_id == account.id, Blob.sealed == sealed, Blob.sha256.in_(sums)
            )
        )
        found |= {(sha256, size) for sha256, size in rows}
    return found


def _published(session: Session, shards: tuple[Shard, ...]) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for sums in _batches(shard.sha256 for shard in shards):
        found |= _published_sums(session, sums)
    return found


def _published_sums(session: Session, sums: list[str]) -> set[tuple[str, int]]:
    rows = session.execute(
        select(PublicShard.sha256, PublicShard.bytes).where(PublicShard.sha256.in_(sums))
    )
    return {(sha256, size) for sha256, size in rows}


def _batches(sums: Iterable[str]) -> Iterable[list[str]]:
    whole = sorted(set(sums))
    return (whole[start : start + BATCH] for start in range(0, len(whole), BATCH))
