"""The pages home and datasets."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from retia.api.catalogue import SIZES, Filters, count_methods, find_datasets, newest_results
from retia.api.context import Server
from retia.api.pages.render import render

router = APIRouter(include_in_schema=False)

NEWEST_DATASETS = 6
NEWEST_RESULTS = 8

Word = Annotated[str, Query(max_length=100)]


@router.get("/")
def home(server: Server) -> Response:
    """What is here: the newest datasets and results."""
    with server.database.read() as session:
        found = find_datasets(session, Filters())
        return render(
            "home.html",
            public_url=server.settings.public_url,
            datasets=found.rows[:NEWEST_DATASETS],
            total=found.total,
            tasks=found.tasks,
            methods=count_methods(session),
            results=newest_results(session, NEWEST_RESULTS),
        )


@router.get("/datasets")
def datasets(
    server: Server,
    q: Word = "",
    kind: Word = "",
    task: Word = "",
    size: Word = "",
    licence: Word = "",
    order: Word = "newest",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Search and filter the datasets."""
    filters = Filters(q.strip(), kind, task, size, licence, order)
    with server.database.read() as session:
        found = find_datasets(session, filters, page)
        return render(
            "datasets.html", found=found, filters=filters, sizes=SIZES, page=min(page, found.pages)
        )
