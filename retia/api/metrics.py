"""What an operator watches: requests, jobs, this process; in the form that Prometheus reads."""

import time
from collections.abc import Iterator

from fastapi import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from retia.leaderboard.database import Database
from retia.leaderboard.tables import Publication, Submission

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class Metrics:
    """The counters of one app."""

    def __init__(self, database: Database) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "retia_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.seconds = Histogram(
            "retia_request_seconds",
            "From the headers of a request to the end of its answer.",
            ("route",),
            buckets=BUCKETS,
            registry=registry,
        )
        self.going = Gauge(
            "retia_requests_going", "Requests that are being answered.", registry=registry
        )
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        registry.register(_Jobs(database))

    def response(self) -> Response:
        """All of them, as they are now."""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


class _Jobs(Collector):
    """Counts that all replicas share: they are read from the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing is read before somebody asks."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The rows of each state, and how long the oldest has been waiting."""
        jobs = GaugeMetricFamily("retia_jobs", "Rows by state.", labels=("table", "state"))
        waiting = GaugeMetricFamily(
            "retia_oldest_waiting_seconds", "Age of the oldest job that waits.", labels=("table",)
        )
        with self._database.read() as session:
            for table in (Publication, Submission):
                name = table.__tablename__
                counts = select(table.state, func.count()).group_by(table.state)
                for state, count in session.execute(counts):
                    jobs.add_metric((name, state), count)
                oldest = session.scalar(
                    select(func.min(table.created)).where(table.state == "received")
                )
                waiting.add_metric((name,), 0.0 if oldest is None else time.time() - oldest)
        yield jobs
        yield waiting
