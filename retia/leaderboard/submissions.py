"""Take a submission in: what it says about itself, its quota, and that it is taken once."""

import secrets
import time
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.orm import Session

from retia.leaderboard.boards import open_board, show
from retia.leaderboard.queue import Claim, enqueue, held
from retia.leaderboard.scoring import EVALUATOR, SeedScore
from retia.leaderboard.tables import Publication, Score, Submission, User
from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.errors import InputError, NotFoundError
from retia.shards.manifest import Json, Line, Model, Name, Prose, SemVer, Sha256, Task, Url, dump

DAY = 86_400

Short = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, max_length=80, min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]


class Meta(Model):
    """What a submission says about itself. URLs are shown as links, and never fetched."""

    dataset: Name
    version: SemVer
    digest: Sha256
    task: Name
    method: Short
    parameters: Annotated[int, Field(ge=0, le=10**15)]
    contact: Line | None = None
    code_url: Url | None = None
    paper_url: Url | None = None
    hardware: Line | None = None
    external_data: Line | None = None
    valid_edges_as_input: bool = False
    tuned: dict[Short, Json] | Line | None = None
    deterministic: bool = False
    notes: Prose | None = None


@dataclass(frozen=True)
class Upload:
    """A submission as it came: its meta, the sum of its file, its idempotency key.

    Once it has been checked, its seeds too, and the sum of how it orders the items.
    """

    meta: Meta
    predictions_sha256: str
    seeds: tuple[int, ...] = ()
    order_sha256: str | None = None
    key: str | None = None

    @property
    def body_sha256(self) -> str:
        """What two requests with the same idempotency key have to share."""
        return sha256_bytes(canonical_json([dump(self.meta), self.predictions_sha256]))


class Changes(Model):
    """What the owner of a submission may change in its meta later on; none takes a value away."""

    contact: Line | None = None
    code_url: Url | None = None
    paper_url: Url | None = None
    hardware: Line | None = None
    notes: Prose | None = None


class QuotaError(InputError):
    """As many submissions as a user has for a task on one day, with those on their way."""

    def __init__(
        self, user: str, dataset: str, task: str, used: int, quota: int, going: int = 0
    ) -> None:
        on_the_way = f", and {going} are on their way" if going else ""
        super().__init__(
            f"{user} has sent {used} submissions for {dataset}/{task} today{on_the_way}, "
            f"the limit is {quota} a day; it starts anew at 00:00 UTC"
        )


class DuplicateError(InputError):
    """The predictions, or others that order all items alike, have been submitted before."""


def earlier(session: Session, user: User, upload: Upload) -> Submission | None:
    """The submission that this user sent before under the same key.

    Raises `InputError` where that was another one.
    """
    if upload.key is None:
        return None
    found = session.scalars(
        select(Submission).where(
            Submission.user_id == user.id, Submission.idempotency_key == upload.key
        )
    ).first()
    if found is not None and found.body_sha256 != upload.body_sha256:
        raise InputError(
            f"the Idempotency-Key was used for another submission ({found.id}); "
            "a new submission needs a new key"
        )
    return found


def key_is_known(session: Session, user: User, key: str) -> bool:
    """Whether this user has sent a submission under this idempotency key."""
    found = select(Submission.id).where(
        Submission.user_id == user.id, Submission.idempotency_key == key
    )
    return session.scalars(found).first() is not None


def used_today(session: Session, user: User, dataset: str, task: str) -> int:
    """How many submissions the user has sent today (UTC) for a task, over all versions."""
    midnight = time.time() // DAY * DAY
    used = session.scalar(
        select(func.count())
        .select_from(Submission)
        .join(Publication, Submission.publication_id == Publication.id)
        .where(
            Submission.user_id == user.id,
            Publication.name == dataset,
            Submission.task == task,
            Submission.created >= midnight,
            ~Submission.blameless,
        )
    )
    return used or 0


def accept(
    session: Session, user: User, publication: Publication, upload: Upload, quota: int
) -> Submission:
    """Take a checked submission in, or answer the earlier one with the same key.

    The session writes and locks the user and the version, so that no other submission comes
    between the checks and the row. Raises `QuotaError` and `DuplicateError`.
    """
    alone = {"of": User, "key_share": True}
    session.get(User, user.id, with_for_update=alone)
    known = earlier(session, user, upload)
    if known is not None:
        return known
    used = used_today(session, user, upload.meta.dataset, upload.meta.task)
    if used >= quota:
        raise QuotaError(user.name, upload.meta.dataset, upload.meta.task, used, quota)
    session.get(Publication, publication.id, with_for_update=alone | {"of": Publication})
    _check_new(session, publication, upload)
    submission = _row(publication, upload)
    submission.user_id = user.id
    session.add(submission)
    session.flush()
    return submission


def add_baseline(
    session: Session, publication: Publication, upload: Upload, scores: list[SeedScore], task: Task
) -> None:
    """Add a row that the server made itself, with its scores."""
    open_board(session, publication, task)
    submission = _row(publication, upload)
    submission.baseline, submission.state, submission.evaluator = True, "scored", EVALUATOR
    submission.scores = _scores(scores)
    session.add(submission)
    show(session, submission)


def keep_scores(session: Session, job: Claim[Submission], scores: list[SeedScore]) -> None:
    """Write the scores of a claimed submission; raises where the claim has passed on.

    Scores of other evaluators stay; those of this one are written anew.
    """
    submission = held(session, job)
    session.execute(
        delete(Score).where(
            Score.submission_id == submission.id, Score.evaluator == EVALUATOR
        )
    )  # fmt: skip
    session.expire(submission, ["scores"])
    submission.scores.extend(_scores(scores))
    submission.state, submission.evaluator, submission.problem = "scored", EVALUATOR, None
    submission.attempts, submission.failures, submission.blameless = 0, 0, False
    show(session, submission)


def withdraw(session: Session, submission_id: str) -> Submission:
    """Take a submission from the board; a tombstone stays, and the quota is not given back."""
    submission = _locked(session, submission_id)
    submission.state = "withdrawn"
    submission.fence += 1  # a worker that scores it now throws the result away
    show(session, submission)
    return submission


def change(session: Session, submission_id: str, changes: Changes) -> Submission:
    """Change what a submission says about itself, and its row on the board."""
    submission = _locked(session, submission_id)
    if submission.state == "withdrawn":
        raise InputError(f"submission {submission.id} is withdrawn; it does not change any more")
    given = changes.model_dump(mode="json", exclude_unset=True)
    submission.meta = submission.meta | given
    show(session, submission)
    return submission


def rescore(session: Session, submission_id: str) -> Submission:
    """Let a submission be scored again; until then, and in case of failure, its scores stand."""
    submission = _locked(session, submission_id)
    if submission.state not in ("scored", "failed"):
        raise InputError(
            f"submission {submission.id} is {submission.state}; nothing to score again"
        )
    enqueue(submission)
    return submission


def outdated(session: Session) -> list[str]:
    """Submissions that an older evaluator scored, or that the server gave up at."""
    older = and_(Submission.state == "scored", Submission.evaluator != EVALUATOR)
    given_up = and_(Submission.state == "failed", Submission.blameless)
    return list(session.scalars(select(Submission.id).where(or_(older, given_up))))


def _locked(session: Session, submission_id: str) -> Submission:
    lock = {"of": Submission, "key_share": True}
    submission = session.get(Submission, submission_id, with_for_update=lock)
    if submission is None:
        raise NotFoundError(f"no submission '{submission_id[:40]}'")
    return submission


def _check_new(session: Session, publication: Publication, upload: Upload) -> None:
    found = session.scalars(
        select(Submission)
        .where(
            Submission.publication_id == publication.id,
            Submission.task == upload.meta.task,
            or_(
                Submission.predictions_sha256 == upload.predictions_sha256,
                Submission.order_sha256 == upload.order_sha256,
            ),
            Submission.state.not_in(("failed", "withdrawn")),
        )
        .order_by(Submission.created)
        .limit(1)
    ).first()
    if found is not None:
        by = found.user.name if found.user else "the server, as a baseline"
        raise DuplicateError(
            f"predictions: submission {found.id} ('{found.method}', by {by}) orders all items as "
            "this one does; change that submission's meta, or withdraw it, instead"
        )


def _row(publication: Publication, upload: Upload) -> Submission:
    meta: dict[str, Any] = upload.meta.model_dump(mode="json")
    return Submission(
        id=secrets.token_hex(8),
        publication_id=publication.id,
        task=upload.meta.task,
        method=upload.meta.method,
        meta=meta,
        seeds=list(upload.seeds),
        predictions_sha256=upload.predictions_sha256,
        order_sha256=upload.order_sha256,
        idempotency_key=upload.key,
        body_sha256=upload.body_sha256,
    )


def _scores(scores: list[SeedScore]) -> list[Score]:
    return [
        Score(part=s.part, measure=s.measure, seed=s.seed, value=s.value, evaluator=EVALUATOR)
        for s in scores
    ]
