"""A store with one published task, and submissions to it, without any files."""

import secrets
import time
from typing import Any

from sqlalchemy.orm import Session

from retia.leaderboard.boards import open_board
from retia.leaderboard.database import Database
from retia.leaderboard.queue import claim
from retia.leaderboard.scoring import SeedScore
from retia.leaderboard.submissions import Meta, Upload, accept, keep_scores
from retia.leaderboard.tables import Dataset, Publication, Submission, User
from retia.shards.manifest import Measure, PartCounts, Split, Task

TASK = Task(
    name="link",
    type="node",
    description="A task.",
    label="colour",
    classes=("red", "green"),
    split=Split(scheme="random", parameters={}),
    primary=Measure(metric="accuracy"),
    secondary=(Measure(metric="macro-f1"),),
    counts=(PartCounts(train=2, valid=10, test=10),),
    secrecy="open",
)


def fill(database: Database, users: tuple[str, ...] = ("ada", "uma", "eve")) -> None:
    """Accounts, and a published version 1.0.0 of `toy` whose one task is `TASK`."""
    with database.write() as session:
        for number, name in enumerate(users, 1):
            session.add(User(id=number, name=name, password_hash="-", role="user"))
        session.flush()
        session.add(Dataset(name="toy", owner_id=1))
        session.flush()
        publication = Publication(
            id=1, name="toy", version="1.0.0", digest="0" * 64, manifest="{}", summary={},
            state="published", published=1.0,
        )  # fmt: skip
        session.add(publication)
        session.flush()
        open_board(session, publication, TASK)


def upload_of(method: str = "guess", key: str | None = None, **more: Any) -> Upload:
    """A submission of ten seeds that orders the items as no other one does."""
    fields = {
        "dataset": "toy", "version": "1.0.0", "digest": "0" * 64, "task": "link",
        "method": method, "parameters": 7,
    }  # fmt: skip
    seeds = more.pop("seeds", tuple(range(10)))
    order = more.pop("order", secrets.token_hex(32))
    meta = Meta.model_validate(fields | more)
    return Upload(meta, secrets.token_hex(32), seeds, order, key)


def take(database: Database, upload: Upload, user: int = 1, quota: int = 10**6) -> str:
    """Accept a submission, and give its id."""
    with database.write() as session:
        account, publication = session.get_one(User, user), session.get_one(Publication, 1)
        return accept(session, account, publication, upload, quota).id


def values(seeds: tuple[int, ...], mean: float) -> list[SeedScore]:
    """Scores of every seed on every measure and part, about the mean."""
    return [
        SeedScore(seed, part, measure, mean + shift + 0.001 * (seed % 3))
        for seed in seeds
        for part, shift in (("valid", 0.01), ("test", 0.0))
        for measure in ("accuracy", "macro-f1")
    ]


def score_next(database: Database, mean: float) -> str:
    """Score the submission that waits longest."""
    job = claim(database, Submission, 60.0)
    assert job is not None
    with database.write() as session:
        keep_scores(session, job, values(tuple(session.get_one(Submission, job.id).seeds), mean))
    return str(job.id)


def send(database: Database, mean: float, user: int = 1, **more: Any) -> str:
    """Accept a submission and score it."""
    taken = take(database, upload_of(**more), user)
    time.sleep(0.001)
    assert score_next(database, mean) == taken
    return taken


def board_id(session: Session) -> int:
    """The number of the one board."""
    return open_board(session, session.get_one(Publication, 1), TASK).id
