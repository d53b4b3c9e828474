"""What the server answers: plain values made of rows."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from retia.leaderboard.boards import scores_json
from retia.leaderboard.ranking import summaries
from retia.leaderboard.tables import Submission
from retia.shards.manifest import Manifest, Task

T = TypeVar("T")

CSV_FIELDS = (
    "rank", "rank_group", "method", "user", "baseline", "tier", "parameters", "hardware",
    "external_data", "valid_edges_as_input", "deterministic", "num_seeds", "submissions", "created",
    "submission", "evaluator",
)  # fmt: skip


def stamp(seconds: float | None) -> str | None:
    """A time as ISO 8601, UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def page(items: list[T], key: Callable[[T], str], limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of a list: the items after the one that the cursor names, and the next cursor."""
    start = 0
    if cursor is not None:
        places = [place for place, item in enumerate(items) if key(item) == cursor]
        start = places[0] + 1 if places else len(items)
    shown = items[start : start + limit]
    more = start + limit < len(items)
    return {"items": shown, "next": key(shown[-1]) if more else None}


def summary(manifest: Manifest) -> dict[str, Any]:
    """What lists tell of a version."""
    return {
        "name": manifest.name,
        "version": manifest.version,
        "digest": manifest.content_digest(),
        "title": manifest.title,
        "kind": manifest.kind,
        "license": manifest.license,
        "num_nodes": manifest.num_nodes,
        "num_edges": sum(relation.num_edges for relation in manifest.relations),
        "tasks": [_task_summary(task) for task in manifest.tasks],
        "synthetic": manifest.provenance.synthetic,
        "created": manifest.created.isoformat() if manifest.created else None,
    }


def _task_summary(task: Task) -> dict[str, Any]:
    return {
        "name": task.name,
        "type": task.type,
        "secrecy": task.secrecy,
        "primary": task.primary.key,
        "num_splits": task.num_splits,
    }


def submission_json(submission: Submission) -> dict[str, Any]:
    """A submission, with its scores once it has them."""
    publication = submission.publication
    return {
        "id": submission.id,
        "state": submission.state,
        "dataset": publication.name,
        "version": publication.version,
        "digest": publication.digest,
        "task": submission.task,
        "method": submission.method,
        "user": submission.user.name if submission.user else None,
        "baseline": submission.baseline,
        "tier": submission.tier,
        "seeds": submission.seeds,
        "meta": submission.meta,
        "scores": scores_json(summaries(submission.current_scores)),
        "evaluator": submission.evaluator,
        "earlier_scores": _earlier(submission),
        "predictions_sha256": submission.predictions_sha256,
        "problem": submission.problem,
        "created": stamp(submission.created),
    }


def _earlier(submission: Submission) -> dict[str, Any]:
    """The scores of evaluators that do not count any more."""
    names = {score.evaluator for score in submission.scores} - {submission.evaluator}
    return {
        name: scores_json(summaries([s for s in submission.scores if s.evaluator == name]))
        for name in sorted(names)
    }


def flat_row(row: dict[str, Any], task: Task) -> dict[str, Any]:
    """A row of a leaderboard for CSV and Parquet: one column a figure."""
    flat = {name: row[name] for name in CSV_FIELDS}
    for part in ("test", "valid"):
        for measure in task.measures:
            figures = row["scores"].get(part, {}).get(measure.key, {})
            for figure in ("mean", "std"):
                flat[f"{part}.{measure.key}.{figure}"] = figures.get(figure)
    return flat
