"""A model on one split of a task: its loss, step by step, and its predictions."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from retia.benchmarks.config import Training
from retia.benchmarks.decoders import PairDecoder
from retia.benchmarks.inputs import LinkInputs, NodeInputs
from retia.benchmarks.negatives import draw_negatives
from retia.shards.manifest import Part

SCORED_AT_ONCE = 1 << 18


class Learner(Protocol):
    """What the training loop needs to know of a model and its task."""

    @property
    def module(self) -> nn.Module:
        """All that is learned."""
        ...

    def losses(self) -> Iterator[Tensor]:
        """The losses of one epoch; a step is taken after each."""
        ...

    def predict(self, part: Part) -> NDArray[np.generic]:
        """The values of a part's items, in their order."""
        ...


class LinkLearner:
    """An encoder and a pair decoder, trained to tell visible edges from other pairs.

    Each step takes a share of the training edges as positives and removes them from the message
    graph first: no edge is seen while it is asked for.
    """

    def __init__(
        self, encoder: nn.Module, inputs: LinkInputs, training: Training, rng: torch.Generator
    ) -> None:
        decoder = PairDecoder(str(training.decoder), training.hidden, inputs.directed)
        self._parts = nn.ModuleDict({"encoder": encoder, "decoder": decoder}).to(inputs.x.device)
        self.inputs, self.batches, self.rng = inputs, training.batches, rng
        self._whole = inputs.graph.adjacency()

    @property
    def module(self) -> nn.Module:
        """Encoder and decoder."""
        return self._parts

    def losses(self) -> Iterator[Tensor]:
        """Binary cross-entropy; positives and negatives weigh the same."""
        order = torch.randperm(len(self.inputs.positives), generator=self.rng)
        for batch in order.to(self.inputs.x.device).chunk(self.batches):
            positives = self.inputs.positives[batch]
            negatives = draw_negatives(self.inputs, positives, self.rng)
            adjacency = self.inputs.graph.adjacency(without=self.inputs.places[batch])
            z = self._parts["encoder"](self.inputs.x, adjacency)
            logits = self._parts["decoder"](z, torch.cat([positives, negatives]))
            found, other = logits[: len(positives)], logits[len(positives) :]
            yield functional.softplus(-found).mean() + functional.softplus(other).mean()

    def predict(self, part: Part) -> NDArray[np.generic]:
        """Logits (I,) float32 on the whole visible graph."""
        z = self._parts["encoder"](self.inputs.x, self._whole)
        chunks = self.inputs.items[part].split(SCORED_AT_ONCE)
        return torch.cat([self._parts["decoder"](z, pairs) for pairs in chunks]).cpu().numpy()


class NodeLearner:
    """An encoder and a linear head, trained on the labelled nodes in full batch.

    Classes weigh the same in the loss, by their numbers among the training labels alone. Where a
    node may have several, each class is a question of its own, and all nodes weigh the same.
    """

    def __init__(self, encoder: nn.Module, inputs: NodeInputs, training: Training) -> None:
        head = nn.Sequential(
            nn.ReLU(),
            nn.Dropout(training.dropout),
            nn.Linear(training.hidden, inputs.num_classes),
        )
        self._parts = nn.ModuleDict({"encoder": encoder, "head": head}).to(inputs.x.device)
        self.inputs = inputs
        self._whole = inputs.graph.adjacency()
        self._several = inputs.labels.ndim == 2
        if not self._several:
            count = torch.bincount(inputs.labels, minlength=inputs.num_classes)
            present = (count > 0).sum()
            self._weight = len(inputs.labels) / (present * count.clamp(min=1)).float()

    @property
    def module(self) -> nn.Module:
        """Encoder and head."""
        return self._parts

    def losses(self) -> Iterator[Tensor]:
        """Cross-entropy with balanced classes, or binary cross-entropy of each class; once."""
        logits = self._logits(self.inputs.x, self._whole)[self.inputs.train]
        if self._several:
            yield functional.binary_cross_entropy_with_logits(logits, self.inputs.labels)
            return
        yield functional.cross_entropy(logits, self.inputs.labels, weight=self._weight)

    def predict(self, part: Part) -> NDArray[np.generic]:
        """The likeliest class (I,) int16, or the probability of each (I, C) float32."""
        return self._values(self._logits(self.inputs.x, self._whole)[self.inputs.items[part]])

    def predict_other(self, other: NodeInputs, part: Part) -> NDArray[np.generic]:
        """As `predict`, of the items of another graph with the same inputs."""
        logits = self._logits(other.x, other.graph.adjacency())
        return self._values(logits[other.items[part]])

    def _logits(self, x: Tensor, adjacency: Tensor) -> Tensor:
        return self._parts["head"](self._parts["encoder"](x, adjacency))

    def _values(self, logits: Tensor) -> NDArray[np.generic]:
        values = logits.sigmoid() if self._several else logits.argmax(dim=1).to(torch.int16)
        return values.cpu().numpy()
