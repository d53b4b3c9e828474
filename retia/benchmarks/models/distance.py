"""Nearness in space."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="distance",
    summary="minus the Euclidean distance of the two nodes; a control, from no paper",
    tasks=("link",),
    needs=("positions",),
    predict=link_baseline("distance"),
)
