"""Logistic regression on what needs no training: the scores of `retia.protocol.heuristics`.

The scores of a training pair are taken on the graph without the edges of its fold, its own among
them, as a hidden edge is asked for on a graph that does not have it.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from retia.protocol.heuristics import HEURISTICS, SPATIAL, visible_graph
from retia.protocol.pairs import LinkGraph, Pairs
from retia.protocol.randomness import Randomness
from retia.shards.version import Version

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS = 10
MOST_EDGES = 100_000


@dataclass(frozen=True)
class PairLogistic:
    """A fitted regression.

    A score s is taken as sign(s) log(1 + |s| / unit), where the unit (F,) is its mean size among
    the training pairs, then standardised.
    """

    unit: Floats
    regression: Pipeline

    @classmethod
    def fit(cls, features: Floats, labels: Ints) -> Self:
        """From the scores (T, F) of training pairs, and whether each is an edge (T,)."""
        size = np.abs(features).mean(axis=0)
        unit = np.where(size > 0, size, 1)
        logistic = LogisticRegression(max_iter=1000, class_weight="balanced")
        return cls(
            unit, make_pipeline(StandardScaler(), logistic).fit(_logs(features, unit), labels)
        )

    def predict(self, features: Floats) -> Floats:
        """Logits (P,) of pairs with these scores (P, F)."""
        return np.asarray(self.regression.decision_function(_logs(features, self.unit)))


def pair_features(graph: LinkGraph, pairs: Pairs) -> Floats:
    """All scores (P, F) of pairs on the visible graph; those in space where it has positions."""
    names = [name for name in HEURISTICS if graph.positions is not None or name not in SPATIAL]
    return np.column_stack([HEURISTICS[name](graph, pairs) for name in names])


def masked_features(graph: LinkGraph, pairs: Pairs, fold: Ints, whole: bool) -> Floats:
    """The scores (T, F) of training pairs, each on the graph without the pairs of its fold (T,).

    Where pairs are hidden `whole`, their reverses are hidden with them.
    """
    keyed = _keyed(graph, whole)
    visible, asked = keyed.keys(graph.visible), keyed.keys(pairs)
    order = np.argsort(fold, kind="stable")
    found = []
    for inside in np.split(order, np.flatnonzero(np.diff(fold[order])) + 1):
        left = graph.visible[~np.isin(visible, asked[inside])]
        found.append(pair_features(replace(graph, visible=left), pairs[inside]))
    return np.concatenate(found)[np.argsort(order, kind="stable")]


def draw_folds(graph: LinkGraph, pairs: Pairs, whole: bool, rng: np.random.Generator) -> Ints:
    """(T,) a fold for each pair; its reverse has the same where pairs are hidden whole."""
    _, number = np.unique(_keyed(graph, whole).keys(pairs), return_inverse=True)
    return rng.integers(FOLDS, size=len(pairs))[number]


@lru_cache(maxsize=1)
def fitted(root: Path, digest: str, task: str, split: int) -> PairLogistic:
    """The regression on the training edges of a split, and negatives as a trained model has them.

    At most `MOST_EDGES` edges are learned from. All draws are of a seed that is always the same.
    """
    import torch

    from retia.benchmarks.inputs import link_inputs
    from retia.benchmarks.negatives import draw_negatives

    version = Version.open(root)
    assert version.manifest.digest == digest
    inputs = link_inputs(version, task, split, "cpu")
    rng = Randomness.from_seed(0).stream("pair-logistic", task, split)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    chosen = torch.from_numpy(rng.permutation(len(inputs.positives))[:MOST_EDGES])
    edges = inputs.positives[chosen]
    others = draw_negatives(inputs, edges, generator)
    pairs = torch.cat([edges, others]).numpy()
    graph = visible_graph(version, task)
    whole = version.manifest.task(task).split.parameters.get("reverse") == "hidden"
    fold = draw_folds(graph, pairs, whole, rng)
    labels = np.arange(len(pairs)) < len(edges)
    return PairLogistic.fit(masked_features(graph, pairs, fold, whole), labels.astype(np.int64))


def _keyed(graph: LinkGraph, whole: bool) -> LinkGraph:
    """The graph with one key for a pair and its reverse where these are hidden together."""
    return replace(graph, directed=graph.directed and not whole)


def _logs(features: Floats, unit: Floats) -> Floats:
    return np.sign(features) * np.log1p(np.abs(features) / unit)
