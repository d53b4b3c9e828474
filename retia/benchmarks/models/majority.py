"""The commonest class of the training nodes."""

from retia.benchmarks.models.model import Model, node_baseline

MODEL = Model(
    name="majority",
    summary="the commonest training class, for every node; a control, from no paper",
    tasks=("node",),
    predict=node_baseline("majority"),
)
