"""The embeddings of a trained model, for the analysis."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from retia.benchmarks.analysis.embeddings import Embedding, Head
from retia.benchmarks.learners import Learner, NodeLearner
from retia.benchmarks.view import View


@torch.inference_mode()
def embed(learner: Learner, view: View, nodes: NDArray[np.int64]) -> Embedding:
    """What the encoder gives for `nodes` (n,) of a graph, with the head that reads it, if any."""
    learner.module.eval()
    z = learner.module.get_submodule("encoder")(view)
    z = z[torch.from_numpy(nodes).to(view.x.device)]
    head = _head(learner) if isinstance(learner, NodeLearner) else None
    return Embedding(nodes, _array(z), head)


def _head(learner: NodeLearner) -> Head:
    *_, linear = learner.module.get_submodule("head").children()
    assert isinstance(linear, nn.Linear)
    return Head(_array(linear.weight), _array(linear.bias), learner.inputs.labels.ndim == 2)


def _array(values: torch.Tensor) -> NDArray[np.float64]:
    return values.detach().float().cpu().numpy().astype(np.float64)
