"""The rank of the target among the nodes nearest in space."""

from retia.benchmarks.models.model import Model, link_baseline

MODEL = Model(
    name="knn-rank",
    summary="minus the rank of the target among the nodes nearest to the source; from no paper",
    tasks=("link",),
    needs=("positions",),
    predict=link_baseline("knn-rank"),
)
