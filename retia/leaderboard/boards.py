"""Keep the rows of a leaderboard, so that reading a page of it is one query."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, case, delete, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from retia.leaderboard.queue import enqueue
from retia.leaderboard.ranking import Scores, is_ranked, summaries
from retia.leaderboard.tables import Board, Entry, Figure, Publication, Submission
from retia.protocol.rank_groups import higher_is_better
from retia.shards.manifest import Task

NOTHING = ("", "no", "none")


def open_board(session: Session, publication: Publication, task: Task) -> Board:
    """The board of a task, made where there is none."""
    board = find_board(session, publication.id, task.name)
    if board is None:
        board = Board(
            publication_id=publication.id,
            task=task.name,
            measure=task.primary.key,
            lower_is_better=not higher_is_better(task.primary.metric),
            num_splits=task.num_splits,
            revision=0,
            changes=0,
        )
        session.add(board)
        session.flush()
    return board


def find_board(
    session: Session, publication_id: int, task: str, lock: bool = False
) -> Board | None:
    """The board of a task of a publication; locked for one that will change it."""
    query = select(Board).where(Board.publication_id == publication_id, Board.task == task)
    return session.scalars(query.with_for_update(key_share=True) if lock else query).first()


def show(session: Session, submission: Submission) -> None:
    """Bring the row of a submission's method up to date: after a score, an edit, a withdrawal.

    The newest submission of a method of a user that has scores stands on the board. The session
    writes; it locks the board.
    """
    session.flush()
    board = find_board(session, submission.publication_id, submission.task, lock=True)
    if board is None:
        return
    newest = session.scalars(_of_method(submission)).first()
    _replace(session, board, submission, newest)
    _rank(session, board)
    board.revision += 1
    board.changes += 1
    if board.state != "grouping":
        enqueue(board)


def show_missing(session: Session, board: Board) -> None:
    """Make the rows of scored submissions whose method has none."""
    entry, newer = aliased(Entry), aliased(Submission)
    same_method = and_(
        newer.publication_id == Submission.publication_id,
        newer.task == Submission.task,
        newer.method == Submission.method,
        newer.user_id.is_not_distinct_from(Submission.user_id),
    )
    missing = session.scalars(
        select(Submission).where(
            Submission.publication_id == board.publication_id,
            Submission.task == board.task,
            Submission.evaluator.is_not(None),
            Submission.state != "withdrawn",
            ~exists().where(same_method, newer.id == entry.submission_id),
        )
    )
    for submission in missing.unique().all():
        show(session, submission)


def row_of(submission: Submission, scores: Scores) -> dict[str, Any]:
    """What a board tells of a submission, but for rank, rank group and tries."""
    meta = submission.meta
    return {
        "method": submission.method,
        "user": submission.user.name if submission.user else None,
        "baseline": submission.baseline,
        "tier": submission.tier,
        "parameters": meta.get("parameters"),
        "hardware": meta.get("hardware"),
        "external_data": meta.get("external_data"),
        "valid_edges_as_input": bool(meta.get("valid_edges_as_input")),
        "deterministic": bool(meta.get("deterministic")),
        "seeds": submission.seeds,
        "num_seeds": len(submission.seeds),
        "code_url": meta.get("code_url"),
        "paper_url": meta.get("paper_url"),
        "created": datetime.fromtimestamp(submission.created, UTC).isoformat(timespec="seconds"),
        "submission": submission.id,
        "evaluator": submission.evaluator,
        "scores": scores_json(scores),
    }


def scores_json(scores: Scores) -> dict[str, Any]:
    """Summaries by part and measure, as JSON values."""
    return {
        part: {
            measure: {
                "mean": s.mean, "std": s.std, "low": s.low, "high": s.high, "seeds": list(s.seeds),
            }
            for measure, s in measures.items()
        }
        for part, measures in scores.items()
    }  # fmt: skip


def _of_method(submission: Submission) -> Any:
    """The submissions of the same method of the same user that have scores, newest first."""
    return (
        select(Submission)
        .where(
            Submission.publication_id == submission.publication_id,
            Submission.task == submission.task,
            Submission.user_id == submission.user_id,
            Submission.method == submission.method,
            Submission.evaluator.is_not(None),
            Submission.state != "withdrawn",
        )
        .order_by(Submission.created.desc(), Submission.id)
        .limit(1)
    )


def _replace(
    session: Session, board: Board, submission: Submission, newest: Submission | None
) -> None:
    of_method = (
        Entry.board_id == board.id,
        Entry.user_id == submission.user_id,
        Entry.method == submission.method,
    )
    old = select(Entry.submission_id).where(*of_method)
    session.execute(delete(Figure).where(Figure.submission_id.in_(old)))
    session.execute(delete(Entry).where(*of_method))
    if newest is None:
        return
    tries = session.scalar(
        select(func.count())
        .select_from(Submission)
        .where(
            Submission.publication_id == board.publication_id,
            Submission.task == board.task,
            Submission.user_id == newest.user_id,
            Submission.method == newest.method,
            ~Submission.blameless,
        )
    )
    _add(session, board, newest, tries or 0)


def _add(session: Session, board: Board, submission: Submission, tries: int) -> None:
    scores, meta = summaries(submission.current_scores), submission.meta
    mean = scores["test"][board.measure].mean
    deterministic = bool(meta.get("deterministic"))
    entry = Entry(
        submission_id=submission.id,
        board_id=board.id,
        user_id=submission.user_id,
        user=submission.user.name if submission.user else "",
        method=submission.method,
        baseline=submission.baseline,
        tier=submission.tier,
        deterministic=deterministic,
        external_data=str(meta.get("external_data") or "").strip().casefold() not in NOTHING,
        parameters=int(meta.get("parameters") or 0),
        num_seeds=len(submission.seeds),
        created=submission.created,
        unranked=not is_ranked(submission.seeds, deterministic, board.num_splits),
        standing=mean if board.lower_is_better else -mean,
        tries=tries,
        row=json.dumps(row_of(submission, scores), separators=(",", ":"), allow_nan=False),
    )
    session.add(entry)
    session.flush()
    session.add_all(
        Figure(
            submission_id=submission.id,
            part=part,
            measure=measure,
            board_id=board.id,
            mean=summary.mean,
        )
        for part, measures in scores.items()
        for measure, summary in measures.items()
    )
    session.flush()


def _rank(session: Session, board: Board) -> None:
    """Write the ranks that have changed; equal means share one, the unranked have none."""
    place = func.rank().over(partition_by=Entry.unranked, order_by=Entry.standing)
    ranks = (
        select(Entry.submission_id, case((Entry.unranked, None), else_=place).label("rank"))
        .where(Entry.board_id == board.id)
        .subquery()
    )
    session.execute(
        update(Entry)
        .where(
            Entry.submission_id == ranks.c.submission_id, Entry.rank.is_distinct_from(ranks.c.rank)
        )
        .values(rank=ranks.c.rank),
        execution_options={"synchronize_session": False},
    )
