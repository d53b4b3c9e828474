"""What the server remembers, as SQL tables. Times are seconds since 1970, UTC."""

import time
from typing import Any, ClassVar, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

Role = Literal["user", "publisher", "admin", "closed"]
State = Literal[
    "received", "checking", "published", "refused", "scoring", "scored", "failed", "withdrawn"
]


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
        Index("users_email", "email"),
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
    bytes: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[float] = mapped_column(default=time.time)


class Job:
    """Work that a worker claims: a lease until a time, and a number that fences off the late.

    A job that waits has a lease too where it is not to be tried before a time. `attempts` counts
    claims that came to nothing through the job, `failures` those in a row through the server.
    """

    state: Mapped[str] = mapped_column(default="received", index=True)
    problem: Mapped[str | None] = mapped_column(Text)
    worker: Mapped[str | None]
    lease_until: Mapped[float] = mapped_column(default=0.0)
    fence: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
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
    bytes: Mapped[int] = mapped_column(BigInteger)


class Submission(Job, Base):
    """Predictions of a method for a task. Baselines belong to nobody.

    It counts under `evaluator`; scores of earlier evaluators stay. One that the server gave up is
    `blameless`: it takes nothing from the quota. `order_sha256` is equal where two submissions
    order all items alike.
    """

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("user_id", "idempotency_key"),
        Index("submissions_of_method", "publication_id", "task", "user_id", "method"),
        Index("submissions_in_order", "publication_id", "task", "order_sha256"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id"))
    task: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    method: Mapped[str]
    meta: Mapped[dict[str, Any]] = mapped_column(JSON)
    seeds: Mapped[list[int]] = mapped_column(JSON)
    predictions_sha256: Mapped[str] = mapped_column(index=True)
    order_sha256: Mapped[str | None]
    idempotency_key: Mapped[str | None]
    body_sha256: Mapped[str]
    tier: Mapped[str] = mapped_column(default="scored")
    baseline: Mapped[bool] = mapped_column(default=False)
    blameless: Mapped[bool] = mapped_column(default=False)
    evaluator: Mapped[str | None]

    publication: Mapped[Publication] = relationship(lazy="joined", innerjoin=True)
    user: Mapped[User | None] = relationship(lazy="joined")
    scores: Mapped[list["Score"]] = relationship(
        order_by="Score.seed", cascade="all, delete-orphan"
    )

    @property
    def current_scores(self) -> list["Score"]:
        """The scores of the evaluator that counts, in the order of the seeds."""
        return [score for score in self.scores if score.evaluator == self.evaluator]


class Reservation(Base):
    """A place in a quota, held by a submission that is on its way."""

    __tablename__ = "reservations"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    dataset: Mapped[str]
    task: Mapped[str]
    expires: Mapped[float]


class Score(Base):
    """One measure of one seed on one part, by one evaluator."""

    __tablename__ = "scores"

    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    evaluator: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    measure: Mapped[str] = mapped_column(primary_key=True)
    seed: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[float]


class Board(Job, Base):
    """The leaderboard of a task of a version; the job is to find its rank groups.

    `revision` counts every change that a reader could see, `changes` those of scores.
    """

    __tablename__ = "boards"
    __table_args__ = (UniqueConstraint("publication_id", "task"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id"))
    task: Mapped[str]
    measure: Mapped[str]
    lower_is_better: Mapped[bool]
    num_splits: Mapped[int]
    revision: Mapped[int] = mapped_column(default=0)
    changes: Mapped[int] = mapped_column(default=0)


class Entry(Base):
    """A row of a leaderboard: the newest scored submission of a method of a user.

    Sorted by `unranked`, `standing` (the mean of the primary measure, negative where higher is
    better), `created`. `row` is what a reader gets, as JSON, but for rank, group and tries.
    """

    __tablename__ = "entries"
    __table_args__ = (
        UniqueConstraint("board_id", "user_id", "method"),
        Index(
            "entries_by_standing", "board_id", "unranked", "standing", "created", "submission_id"
        ),
    )

    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    user: Mapped[str]
    method: Mapped[str]
    baseline: Mapped[bool]
    tier: Mapped[str]
    deterministic: Mapped[bool]
    external_data: Mapped[bool]
    parameters: Mapped[int] = mapped_column(BigInteger)
    num_seeds: Mapped[int]
    created: Mapped[float]
    unranked: Mapped[bool]
    standing: Mapped[float]
    rank: Mapped[int | None]
    rank_group: Mapped[int | None]
    tries: Mapped[int]
    row: Mapped[str] = mapped_column(Text)


class Figure(Base):
    """The mean over seeds of one measure of an entry, to sort by."""

    __tablename__ = "figures"
    __table_args__ = (
        Index("figures_by_mean", "board_id", "part", "measure", "mean", "submission_id"),
    )

    submission_id: Mapped[str] = mapped_column(
        ForeignKey("entries.submission_id", ondelete="CASCADE"), primary_key=True
    )
    part: Mapped[str] = mapped_column(primary_key=True)
    measure: Mapped[str] = mapped_column(primary_key=True)
    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id"))
    mean: Mapped[float]


class Resamples(Base):
    """The bootstrap of a submission's primary measure, as float32: what rank groups are made of."""

    __tablename__ = "resamples"

    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    evaluator: Mapped[str]
    means: Mapped[bytes] = mapped_column(LargeBinary)


class Lock(Base):
    """Who may do something that one process alone may do, and until when."""

    __tablename__ = "locks"

    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    until: Mapped[float]
