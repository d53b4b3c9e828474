"""Nearness in space."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="distance",
    summary="minus the Euclidean distance of the two nodes",
    paper="none: a control that every spatial leaderboard shows",
    tasks=("link",),
    needs=("positions",),
    predict=link_baseline("distance"),
)
