"""Training labels spread over the visible edges of all relations."""

from retia.benchmarks.models.model import Model, node_baseline

MODEL = Model(
    name="label-propagation",
    summary="training labels spread over the visible edges, directions ignored; no features",
    paper="Zhou et al. 2004, Learning with local and global consistency",
    tasks=("node", "node-multilabel"),
    predict=node_baseline("label-propagation"),
)
