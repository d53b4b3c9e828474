"""The mean of the training labels."""

from retia.benchmarks.models.model import Model, edge_baseline

MODEL = Model(
    name="mean",
    summary="the mean training label, for every edge; a control, from no paper",
    tasks=("edge-regression",),
    predict=edge_baseline("mean"),
)
