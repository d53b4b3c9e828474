"""The row that a result on descriptions with class names has to stand beside: the model alone."""

import numpy as np
import pyarrow as pa

from retia.datasets.text.tans.kernels import Ints
from retia.protocol.baselines import majority
from retia.protocol.evaluation import evaluate, find_truth
from retia.protocol.predictions import PARTS
from retia.shards.version import Version


def llm_only_predictions(version: Version, task: str, predicted: Ints) -> pa.Table:
    """Predictions of a node task, a seed a split, ready to submit.

    `predicted` (n,) are classes, -1 where the model named none; the commonest class stands there.
    """
    tables = []
    for split in range(version.manifest.task(task).num_splits):
        classes = _filled(version, task, split, predicted)
        for part in PARTS:
            item = version.task_table(task, split, part)["item"].to_numpy()
            columns = {
                "seed": pa.array(np.full(len(item), split, dtype=np.int32)),
                "part": pa.array([part] * len(item), pa.string()),
                "item": pa.array(item),
                "pred": pa.array(classes[item]),
            }
            tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def llm_only_score(version: Version, task: str, predicted: Ints) -> float | None:
    """The mean over splits of the primary measure on test; none where the answers are sealed."""
    described, scores = version.manifest.task(task), []
    for split in range(described.num_splits):
        truth = find_truth(version, task, split, "test")
        if truth is None:
            return None
        classes = _filled(version, task, split, predicted)
        scores.append(evaluate(truth, classes[truth.items])[described.primary.key])
    return float(np.mean(scores))


def _filled(version: Version, task: str, split: int, predicted: Ints) -> Ints:
    return np.where(predicted >= 0, predicted, majority(version, task, split))
