"""What the model alone scores, as soon as it has described the nodes."""

import numpy as np
import pyarrow as pa

from retia.datasets.text.tans.kernels import Ints
from retia.protocol.baselines import node_predictions
from retia.protocol.evaluation import evaluate, find_truth
from retia.protocol.llm_only import filled
from retia.shards.version import Version


def llm_only_predictions(version: Version, task: str, predicted: Ints) -> pa.Table:
    """Predictions of a node task, a seed a split, ready to submit.

    `predicted` (n,) are classes, -1 where the model named none; the commonest class stands there.
    """
    return node_predictions(version, task, lambda v, t, split: filled(v, t, split, predicted))


def llm_only_score(version: Version, task: str, predicted: Ints) -> float | None:
    """The mean over splits of the primary measure on test; none where the answers are sealed."""
    described, scores = version.manifest.task(task), []
    for split in range(described.num_splits):
        truth = find_truth(version, task, split, "test")
        if truth is None:
            return None
        classes = filled(version, task, split, predicted)
        scores.append(evaluate(truth, classes[truth.items])[described.primary.key])
    return float(np.mean(scores))
