"""Mean, spread and rank of the methods on a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from retia.leaderboard.tables import Publication, Score, Submission
from retia.protocol.rank_groups import Summary, higher_is_better, summarise
from retia.shards.manifest import Task

RANKED_SEEDS = 10

Scores = dict[str, dict[str, Summary]]


@dataclass(frozen=True)
class Row:
    """A method on the leaderboard; without a rank where its seeds are too few."""

    rank: int | None
    submission: Submission
    scores: Scores
    submissions: int


def summaries(scores: Sequence[Score]) -> Scores:
    """Summaries by part and measure; the values of a measure are in the order of the seeds."""
    values: dict[tuple[str, str], list[float]] = {}
    for score in sorted(scores, key=lambda score: score.seed):
        values.setdefault((score.part, score.measure), []).append(score.value)
    result: Scores = {}
    for (part, measure), listed in values.items():
        result.setdefault(part, {})[measure] = summarise(listed)
    return result


def is_ranked(seeds: Sequence[int], deterministic: bool, num_splits: int) -> bool:
    """Ten seeds or more, counted from 0; a deterministic method needs each split once."""
    enough = num_splits if deterministic else RANKED_SEEDS
    return len(seeds) >= enough and list(seeds) == list(range(len(seeds)))


def leaderboard(session: Session, publication: Publication, task: Task) -> list[Row]:
    """The newest scored submission of each method of each user: ranked ones first, best first."""
    counts = _counts(session, publication, task)
    rows = [
        (submission, summaries(submission.scores))
        for submission in _newest(session, publication, task)
    ]
    sign = -1.0 if higher_is_better(task.primary.metric) else 1.0
    rows.sort(key=lambda row: sign * _primary(row[1], task))
    ranked = [row for row in rows if _ranked(row[0], task)]
    others = [row for row in rows if not _ranked(row[0], task)]
    means = [_primary(scores, task) for _, scores in ranked]
    return [
        Row(means.index(mean) + 1, submission, scores, counts[_method(submission)])
        for mean, (submission, scores) in zip(means, ranked, strict=True)
    ] + [
        Row(None, submission, scores, counts[_method(submission)]) for submission, scores in others
    ]


def _newest(session: Session, publication: Publication, task: Task) -> list[Submission]:
    found = session.scalars(
        select(Submission)
        .where(
            Submission.publication_id == publication.id,
            Submission.task == task.name,
            Submission.state == "scored",
        )
        .order_by(Submission.created)
        .options(selectinload(Submission.scores))
    )
    return list({_method(submission): submission for submission in found}.values())


def _counts(
    session: Session, publication: Publication, task: Task
) -> dict[tuple[int | None, str], int]:
    rows = session.execute(
        select(Submission.user_id, Submission.method, func.count())
        .where(Submission.publication_id == publication.id, Submission.task == task.name)
        .group_by(Submission.user_id, Submission.method)
    )
    return {(user, method): count for user, method, count in rows}


def _method(submission: Submission) -> tuple[int | None, str]:
    return submission.user_id, submission.method


def _primary(scores: Scores, task: Task) -> float:
    return scores["test"][task.primary.key].mean


def _ranked(submission: Submission, task: Task) -> bool:
    meta: dict[str, Any] = submission.meta
    return is_ranked(submission.seeds, bool(meta.get("deterministic")), task.num_splits)
