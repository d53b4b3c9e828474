"""Tasks, splits, candidates, metrics, audits and trivial baselines: numpy and scipy, no torch."""

from retia.protocol.evaluation import Truth, evaluate, load_truth
from retia.protocol.predictions import Predictions, read_predictions
from retia.protocol.randomness import Randomness

__all__ = ["Predictions", "Randomness", "Truth", "evaluate", "load_truth", "read_predictions"]
