"""Logistic regression on degrees, walks and distances of a pair."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retia.benchmarks.models.model import Model
from retia.shards.arrays import pairs
from retia.shards.manifest import Part
from retia.shards.version import Version


def predict(version: Version, task: str, split: int, part: Part) -> NDArray[Any]:
    """Logits of the items, on the whole visible graph."""
    from retia.benchmarks.pair_logistic import fitted, pair_features
    from retia.protocol.heuristics import visible_graph

    items = np.ascontiguousarray(pairs(version.task_table(task, split, part)).T)
    regression = fitted(version.root, str(version.manifest.digest), task, split)
    return regression.predict(pair_features(visible_graph(version, task), items))


MODEL = Model(
    name="pair-logistic",
    summary="logistic regression on all untrained scores of a pair; a control, from no paper",
    tasks=("link",),
    predict=predict,
)
