"""Find datasets and results for the pages: filters, newest first, how much there is."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import inf
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from retia.api.queries import parsed, search_datasets
from retia.leaderboard.ranking import summaries
from retia.leaderboard.tables import Publication, Submission
from retia.protocol.rank_groups import Summary

SIZES = {"small": (0, 1_000), "medium": (1_000, 100_000), "large": (100_000, inf)}
PAGE = 24

ORDERS: dict[str, Callable[[Publication], Any]] = {
    "newest": lambda row: (-(row.published or 0), row.name),
    "name": lambda row: row.name,
    "nodes": lambda row: (-row.summary["num_nodes"], row.name),
}


@dataclass(frozen=True)
class Filters:
    """Which datasets to show; an empty string lets every one pass."""

    q: str = ""
    kind: str = ""
    task: str = ""
    size: str = ""
    licence: str = ""
    order: str = "newest"

    def fit(self, summary: dict[str, Any]) -> bool:
        """Whether a dataset passes; its words and its kind have been looked at."""
        low, high = SIZES.get(self.size, (0, inf))
        return (
            low <= summary["num_nodes"] < high
            and self.licence in ("", summary["license"])
            and (not self.task or any(self.task == task["type"] for task in summary["tasks"]))
        )

    def query(self, **changes: object) -> str:
        """The filters as a query string."""
        values = asdict(self) | changes
        return urlencode({key: value for key, value in values.items() if value})


@dataclass(frozen=True)
class Found:
    """A page of datasets, and what the filters can be set to."""

    rows: list[Publication]
    total: int
    tasks: int
    pages: int
    choices: dict[str, list[str]]


@dataclass(frozen=True)
class Result:
    """A scored submission and its primary measure on the test items."""

    submission: Submission
    measure: str
    summary: Summary


def find_datasets(session: Session, filters: Filters, page: int = 1) -> Found:
    """The datasets that fit, in order; a page beyond the last is the last."""
    everything = search_datasets(session)
    choices = {
        "kind": sorted({row.summary["kind"] for row in everything}),
        "task": sorted({task["type"] for row in everything for task in row.summary["tasks"]}),
        "licence": sorted({row.summary["license"] for row in everything}),
    }
    rows = [
        row for row in search_datasets(session, filters.q, filters.kind) if filters.fit(row.summary)
    ]
    rows.sort(key=ORDERS.get(filters.order, ORDERS["newest"]))
    pages = max(1, -(-len(rows) // PAGE))
    start = PAGE * (min(max(page, 1), pages) - 1)
    tasks = sum(len(row.summary["tasks"]) for row in rows)
    return Found(rows[start : start + PAGE], len(rows), tasks, pages, choices)


def count_methods(session: Session) -> int:
    """How many methods people have had scored."""
    methods = (
        select(Submission.user_id, Submission.method)
        .where(Submission.state == "scored", Submission.baseline.is_(False))
        .distinct()
    )
    return session.scalar(select(func.count()).select_from(methods.subquery())) or 0


def newest_results(session: Session, limit: int) -> list[Result]:
    """The submissions that were scored last, on versions that are published."""
    rows = session.scalars(
        select(Submission)
        .join(Publication)
        .where(
            Submission.state == "scored",
            Submission.baseline.is_(False),
            Publication.state == "published",
        )
        .order_by(Submission.created.desc())
        .limit(limit)
    )
    results = []
    for row in rows:
        measure = parsed(row.publication.manifest).task(row.task).primary.key
        found = summaries(row.current_scores)["test"].get(measure)
        if found is not None:
            results.append(Result(row, measure, found))
    return results
