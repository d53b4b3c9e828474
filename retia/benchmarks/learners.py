"""A model on one split of a task: its loss, step by step, and its predictions."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from retia.benchmarks.config import Training
from retia.benchmarks.inputs import EdgeInputs, LinkInputs, NodeInputs
from retia.benchmarks.negatives import draw_negatives
from retia.benchmarks.view import View
from retia.shards.manifest import Part

SCORED_AT_ONCE = 1 << 18

Update = Callable[[Tensor], None]


class Learner(Protocol):
    """What the training loop needs to know of a model and its task."""

    @property
    def module(self) -> nn.Module:
        """All that is learned: a `ModuleDict` with an `encoder`."""
        ...

    @property
    def view(self) -> View:
        """The whole visible graph."""
        ...

    def epoch(self, update: Update) -> float:
        """Train for one epoch: call `update` with the loss of every step; returns their mean."""
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
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        inputs: LinkInputs,
        training: Training,
        rng: torch.Generator,
    ) -> None:
        self._parts = _on_device(inputs.view, encoder=encoder, decoder=decoder)
        self.inputs, self.training, self.rng = inputs, training, rng

    @property
    def module(self) -> nn.Module:
        """Encoder and decoder."""
        return self._parts

    @property
    def view(self) -> View:
        """The whole visible graph."""
        return self.inputs.view

    def epoch(self, update: Update) -> float:
        """Binary cross-entropy; positives and negatives weigh the same."""
        order = torch.randperm(len(self.inputs.positives), generator=self.rng)
        losses: list[float] = []
        for batch in order.to(self.view.x.device).chunk(self.training.batches):
            view = self.view.without(self.inputs.places[batch])
            with _precision(self.training, view):
                z = self._parts["encoder"](view)
            losses += self._decode(z, view, self.inputs.positives[batch], update)
        return float(np.mean(losses))

    def predict(self, part: Part) -> NDArray[np.generic]:
        """Logits (I,) float32 on the whole visible graph."""
        return _scores(self._parts, self.training, self.view, self.inputs.items[part])

    def _decode(self, z: Tensor, view: View, positives: Tensor, update: Update) -> Iterator[float]:
        """The decoder's updates on shares of the positives, then the encoder's one update."""
        steps = self.training.decoder_steps
        if steps == 1:
            loss = self._loss(z, view, positives)
            update(loss)
            yield float(loss.detach())
            return
        leaf = z.detach().requires_grad_()
        shares = positives.chunk(steps)
        for share in shares:
            loss = self._loss(leaf, view, share)
            update(loss)
            yield float(loss.detach())
        assert leaf.grad is not None
        update((z * (leaf.grad / len(shares)).detach()).sum())

    def _loss(self, z: Tensor, view: View, positives: Tensor) -> Tensor:
        negatives = draw_negatives(self.inputs, positives, self.rng)
        with _precision(self.training, view):
            logits = self._parts["decoder"](z, torch.cat([positives, negatives]), view).float()
        found, other = logits[: len(positives)], logits[len(positives) :]
        return functional.softplus(-found).mean() + functional.softplus(other).mean()


class EdgeLearner:
    """An encoder and a pair decoder, trained in full batch on the standardised weights of edges."""

    def __init__(
        self, encoder: nn.Module, decoder: nn.Module, inputs: EdgeInputs, training: Training
    ) -> None:
        self._parts = _on_device(inputs.view, encoder=encoder, decoder=decoder)
        self.inputs, self.training = inputs, training

    @property
    def module(self) -> nn.Module:
        """Encoder and decoder."""
        return self._parts

    @property
    def view(self) -> View:
        """The whole visible graph."""
        return self.inputs.view

    def epoch(self, update: Update) -> float:
        """Mean squared error, once."""
        with _precision(self.training, self.view):
            z = self._parts["encoder"](self.view)
            values = self._parts["decoder"](z, self.inputs.train, self.view).float()
        loss = functional.mse_loss(values, self.inputs.labels)
        update(loss)
        return float(loss.detach())

    def predict(self, part: Part) -> NDArray[np.generic]:
        """Values (I,) float32, in the unit of the labels."""
        values = _scores(self._parts, self.training, self.view, self.inputs.items[part])
        return values * np.float32(self.inputs.spread) + np.float32(self.inputs.mean)


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
        self._parts = _on_device(inputs.view, encoder=encoder, head=head)
        self.inputs, self.training = inputs, training
        self._several = inputs.labels.ndim == 2
        if not self._several:
            count = torch.bincount(inputs.labels, minlength=inputs.num_classes)
            present = (count > 0).sum()
            self._weight = len(inputs.labels) / (present * count.clamp(min=1)).float()

    @property
    def module(self) -> nn.Module:
        """Encoder and head."""
        return self._parts

    @property
    def view(self) -> View:
        """The whole graph."""
        return self.inputs.view

    def epoch(self, update: Update) -> float:
        """Cross-entropy with balanced classes, or binary cross-entropy of each class; once.

        The encoder's `graph_loss` is added, where it has one.
        """
        logits = self._logits(self.view)[self.inputs.train]
        if self._several:
            loss = functional.binary_cross_entropy_with_logits(logits, self.inputs.labels)
        else:
            loss = functional.cross_entropy(logits, self.inputs.labels, weight=self._weight)
        graph_loss = getattr(self._parts["encoder"], "graph_loss", None)
        if graph_loss is not None:
            loss = loss + graph_loss(self.inputs.train, self._correct(logits.detach()))
        update(loss)
        return float(loss.detach())

    def predict(self, part: Part) -> NDArray[np.generic]:
        """The likeliest class (I,) int16, or the probability of each (I, C) float32."""
        return self._values(self._logits(self.view)[self.inputs.items[part]])

    def predict_other(self, other: NodeInputs, part: Part) -> NDArray[np.generic]:
        """As `predict`, of the items of another graph with the same inputs."""
        return self._values(self._logits(other.view)[other.items[part]])

    def _logits(self, view: View) -> Tensor:
        with _precision(self.training, view):
            return self._parts["head"](self._parts["encoder"](view)).float()

    def _correct(self, logits: Tensor) -> Tensor:
        """(T,) float32: whether each training node is classified right, or the share of classes."""
        if self._several:
            return ((logits > 0) == (self.inputs.labels > 0)).float().mean(dim=1)
        return (logits.argmax(dim=1) == self.inputs.labels).float()

    def _values(self, logits: Tensor) -> NDArray[np.generic]:
        values = logits.sigmoid() if self._several else logits.argmax(dim=1).to(torch.int16)
        return values.cpu().numpy()


def _on_device(view: View, **parts: nn.Module) -> nn.ModuleDict:
    return nn.ModuleDict(parts).to(view.x.device)


def _precision(training: Training, view: View) -> torch.autocast:
    """Automatic mixed precision, where it is asked for."""
    device = view.x.device.type
    return torch.autocast(device, torch.bfloat16, enabled=training.precision == "bfloat16")


def _scores(parts: nn.ModuleDict, training: Training, view: View, pairs: Tensor) -> NDArray:
    """The decoder's values (I,) float32 of pairs (I, 2)."""
    with _precision(training, view):
        z = parts["encoder"](view)
        chunks = [parts["decoder"](z, chunk, view) for chunk in pairs.split(SCORED_AT_ONCE)]
    return torch.cat(chunks).float().cpu().numpy()
