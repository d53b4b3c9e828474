"""The commonest class of the training nodes; the share of each where a node may have several."""

from retia.benchmarks.models.model import Model, node_baseline

MODEL = Model(
    name="majority",
    summary="the commonest training class, or the share of each; a control, from no paper",
    tasks=("node", "node-multilabel"),
    predict=node_baseline("majority"),
)
