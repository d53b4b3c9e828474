"""Find the rank groups of a board: which methods can be told apart.

The bootstrap of each ranked submission is kept, so that a new one costs its own alone.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from retia.leaderboard.boards import show_missing
from retia.leaderboard.database import Database
from retia.leaderboard.queue import Claim, enqueue, held
from retia.leaderboard.tables import Board, Entry, Resamples, Submission
from retia.protocol.predictions import Predictions
from retia.protocol.rank_groups import Bootstrap, rank_groups
from retia.shards.version import Version

Floats = NDArray[np.float64]

Read = Callable[[Submission], Predictions]
"""Reads the predictions of a submission from where they are stored."""


def group(database: Database, job: Claim[Board], version: Version, read: Read) -> None:
    """Compute the bootstraps that are missing, then the groups, and write them.

    Where scores have changed meanwhile, the board waits for its groups again.
    """
    with database.write() as session:
        board = held(session, job)
        show_missing(session, board)
        changes, task_name, measure = board.changes, board.task, board.measure
        lacking = _lacking(session, board)
    if lacking:
        bootstrap = Bootstrap(version, task_name)
        for submission in lacking:
            _keep(database, job, submission, bootstrap, read(submission))
    with database.read() as session:
        names, means, samples = _ranked(session, int(job.id))
    groups = rank_groups(means, samples, measure.rpartition(".")[2]) if names else []
    with database.write() as session:
        board = held(session, job)
        enqueue(board)
        if board.changes == changes:
            _write(session, board, dict(zip(names, groups, strict=True)))
            board.state = "grouped"
            board.revision += 1


def _lacking(session: Session, board: Board) -> list[Submission]:
    found = session.scalars(
        select(Submission)
        .join(Entry, Entry.submission_id == Submission.id)
        .outerjoin(
            Resamples,
            (Resamples.submission_id == Submission.id)
            & (Resamples.evaluator == Submission.evaluator),
        )
        .where(Entry.board_id == board.id, Entry.unranked.is_(False), Resamples.evaluator.is_(None))
    )
    return list(found.unique())


def _keep(
    database: Database,
    job: Claim[Board],
    submission: Submission,
    bootstrap: Bootstrap,
    predictions: Predictions,
) -> None:
    seeds = {seed: predictions.values[seed, "test"] for seed in predictions.seeds}
    means = bootstrap.samples(submission.method, seeds).astype(np.float32)
    with database.write() as session:
        held(session, job)
        row = session.get(Resamples, submission.id) or Resamples(submission_id=submission.id)
        row.evaluator, row.means = str(submission.evaluator), means.tobytes()
        session.add(row)


def _ranked(session: Session, board_id: int) -> tuple[list[str], Floats, Floats]:
    """Ids, means (M,) and bootstraps (M, B) of the ranked entries."""
    board = session.get_one(Board, board_id)
    rows = session.execute(
        select(Entry.submission_id, Entry.standing, Resamples.means)
        .join(Resamples, Resamples.submission_id == Entry.submission_id)
        .where(Entry.board_id == board_id, Entry.unranked.is_(False))
        .order_by(Entry.standing, Entry.created, Entry.submission_id)
    ).all()
    sign = 1 if board.lower_is_better else -1
    samples = [np.frombuffer(row.means, dtype=np.float32).astype(np.float64) for row in rows]
    means = sign * np.array([row.standing for row in rows])
    return [row.submission_id for row in rows], means, np.array(samples)


def _write(session: Session, board: Board, groups: dict[str, int]) -> None:
    session.execute(update(Entry).where(Entry.board_id == board.id).values(rank_group=None))
    session.execute(
        update(Entry),
        [{"submission_id": name, "rank_group": number} for name, number in groups.items()],
    )
