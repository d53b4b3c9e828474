"""What the server remembers, as SQL tables. Times are seconds since 1970, UTC."""

import time
from typing import Any, ClassVar, Literal

from sqlalchemy import JSON, Double, ForeignKey, Index, MetaData, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

Role = Literal["user", "publisher", "admin"]
State = Literal["received", "checking", "published", "refused", "scoring", "scored", "failed"]


CONSTRAINTS = {  # as PostgreSQL names them by itself
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


LOOKALIKES = str.maketrans({"i": "l", "1": "l", "0": "o", ".": "", "_": "", "-": ""})


class Base(DeclarativeBase):
    """The tables of a server. A change here goes with a revision in `migrations/versions`."""

    metadata = MetaData(naming_convention=CONSTRAINTS)
    type_annotation_map: ClassVar = {float: Double}


def likeness(name: str) -> str:
    """A name without what the eye confuses: capitals, dots and dashes, l and I and 1, O and 0."""
    return name.lower().translate(LOOKALIKES).replace("rn", "m").replace("vv", "w")


def _likeness(context: Any) -> str:
    return likeness(context.get_current_parameters()["name"])


class User(Base):
    """An account. Its name is public; its e-mail address is shown to nobody else.

    The likeness is equal for names that look alike, and belongs to one of them.
    """

    __tablename__ = "users"
    __table_args__ = (
        Index("users_likeness", "likeness", unique=True),
        Index("users_email", "email", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str]
    email: Mapped[str | None]
    likeness: Mapped[str] = mapped_column(default=_likeness, server_default="")
    created: Mapped[float] = mapped_column(default=time.time)


class Token(Base):
    """A bearer token; its sha256 alone is kept."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    sha256: Mapped[str] = mapped_column(unique=True)
    label: Mapped[str]
    scopes: Mapped[str]
    created: Mapped[float] = mapped_column(default=time.time)
    expires: Mapped[float]
    last_used: Mapped[float | None]
    revoked: Mapped[bool] = mapped_column(default=False)

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class BrowserSession(Base):
    """A browser that is signed in; the sha256 of its cookie alone is kept."""

    __tablename__ = "sessions"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created: Mapped[float] = mapped_column(default=time.time)
    expires: Mapped[float]

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Link(Base):
    """A secret address for one use: an invitation with a role, or a new password for a user."""

    __tablename__ = "links"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    purpose: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    role: Mapped[str | None]
    created: Mapped[float] = mapped_column(default=time.time)
    expires: Mapped[float]
    used: Mapped[float | None]


class Identity(Base):
    """Who an account is at an OpenID provider."""

    __tablename__ = "identities"

    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created: Mapped[float] = mapped_column(default=time.time)

    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Place(Base):
    """A network, as a keyed hash, from which an account has signed in."""

    __tablename__ = "places"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    network: Mapped[str] = mapped_column(primary_key=True)
    seen: Mapped[float] = mapped_column(default=time.time)


class Limit(Base):
    """How often something has been done since a time, counted for all replicas."""

    __tablename__ = "limits"

    key: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    until: Mapped[float]


class Secret(Base):
    """A secret that the first start makes and all replicas share."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Audit(Base):
    """What was done to an account or with its rights. The database refuses to change a row."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float] = mapped_column(default=time.time)
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    request: Mapped[str | None]


class Blob(Base):
    """That an account has uploaded these bytes, as a public or as a sealed file."""

    __tablename__ = "blobs"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    sealed: Mapped[bool] = mapped_column(primary_key=True)
    bytes: Mapped[int]
    created: Mapped[float] = mapped_column(default=time.time)


class Job:
    """Work that a worker claims: a lease until a time, and a number that fences off the late."""

    state: Mapped[str] = mapped_column(default="received", index=True)
    problem: Mapped[str | None] = mapped_column(Text)
    worker: Mapped[str | None]
    lease_until: Mapped[float] = mapped_column(default=0.0)
    fence: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    created: Mapped[float] = mapped_column(default=time.time)


class Dataset(Base):
    """A name, and the account it belongs to."""

    __tablename__ = "datasets"

    name: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created: Mapped[float] = mapped_column(default=time.time)

    owner: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Publication(Job, Base):
    """A version that is to be, or has been, published; its sealed part is a sealed blob."""

    __tablename__ = "publications"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(ForeignKey("datasets.name"))
    version: Mapped[str]
    digest: Mapped[str]
    manifest: Mapped[str] = mapped_column(Text, deferred=True)
    summary: Mapped[dict[str, Any]] = mapped_column(JSON)
    sealed_part: Mapped[str | None]
    commitment: Mapped[str | None]
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    published: Mapped[float | None]

    dataset: Mapped[Dataset] = relationship(lazy="joined", innerjoin=True)


class Origin(Base):
    """A lineage or a source of a version: what siblings share."""

    __tablename__ = "origins"

    publication_id: Mapped[int] = mapped_column(
        ForeignKey("publications.id", ondelete="CASCADE"), primary_key=True
    )
    sha256: Mapped[str] = mapped_column(primary_key=True, index=True)


class PublicShard(Base):
    """A file that anyone may read: a shard of a published version."""

    __tablename__ = "shards"

    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id"), primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int]


class Submission(Job, Base):
    """Predictions of a method for a task. Baselines belong to nobody."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("user_id", "idempotency_key"),
        Index("submissions_of_task", "publication_id", "task"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id"))
    task: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    method: Mapped[str]
    meta: Mapped[dict[str, Any]] = mapped_column(JSON)
    seeds: Mapped[list[int]] = mapped_column(JSON)
    predictions_sha256: Mapped[str]
    idempotency_key: Mapped[str | None]
    body_sha256: Mapped[str]
    tier: Mapped[str] = mapped_column(default="scored")
    baseline: Mapped[bool] = mapped_column(default=False)

    publication: Mapped[Publication] = relationship(lazy="joined", innerjoin=True)
    user: Mapped[User | None] = relationship(lazy="joined")
    scores: Mapped[list["Score"]] = relationship(
        order_by="Score.seed", cascade="all, delete-orphan"
    )


class Score(Base):
    """One measure of one seed on one part."""

    __tablename__ = "scores"

    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    measure: Mapped[str] = mapped_column(primary_key=True)
    seed: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float]
    evaluator: Mapped[str]
