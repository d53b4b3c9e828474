"""Least squares on the degrees of both ends of an edge."""

from retia.benchmarks.models.model import Model, edge_baseline

MODEL = Model(
    name="degree-regression",
    summary="least squares on log(1 + degree) of both ends; a control, from no paper",
    tasks=("edge-regression",),
    predict=edge_baseline("degree-regression"),
)
