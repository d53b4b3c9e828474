"""A model on one split of a task: its loss, step by step, and its predictions."""

import math
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from retia.benchmarks.batching import LinkStep, NodeStep, make_batches
from retia.benchmarks.config import Training
from retia.benchmarks.inputs import EdgeInputs, LinkInputs, NodeInputs
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

    Each step asks for a share of the training edges, which its view does not have: no edge is seen
    while it is asked for.
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
        self.inputs, self.training, self._rng = inputs, training, rng
        self._batches = make_batches(inputs.view, training, rng)

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
        losses: list[float] = []
        share = getattr(self._parts["decoder"], "share", 1.0)
        for whole in self._batches.links(self.inputs):
            step = whole if share == 1 else self._thinned(whole, share)
            with _precision(self.training, step.view):
                z = self._parts["encoder"](step.view)
            losses += self._decode(z, step, update)
        return float(np.mean(losses))

    def predict(self, part: Part) -> NDArray[np.generic]:
        """Logits (I,) float32 on the whole visible graph."""
        return _scores(self._parts, self.training, self.view, self.inputs.items[part])

    def _thinned(self, step: LinkStep, share: float) -> LinkStep:
        """A random share of a step's pairs, of each kind one at least, on the same view."""
        positives, negatives = (
            torch.randperm(len(pairs), generator=self._rng)[: math.ceil(share * len(pairs))]
            for pairs in (step.positives, step.negatives)
        )
        return LinkStep(
            step.view,
            step.positives[positives],
            step.negatives[negatives],
            None if step.weight is None else step.weight[positives],
        )

    def _decode(self, z: Tensor, step: LinkStep, update: Update) -> Iterator[float]:
        """The decoder's updates on shares of the pairs, then the encoder's one update."""
        count = self.training.decoder_steps
        if count == 1:
            loss = self._loss(z, step)
            update(loss)
            yield float(loss.detach())
            return
        leaf = z.detach().requires_grad_()
        shares = _shares(step, count)
        for share in shares:
            loss = self._loss(leaf, share)
            update(loss)
            yield float(loss.detach())
        assert leaf.grad is not None
        update((z * (leaf.grad / len(shares)).detach()).sum())

    def _loss(self, z: Tensor, step: LinkStep) -> Tensor:
        with _precision(self.training, step.view):
            pairs = torch.cat([step.positives, step.negatives])
            logits = self._parts["decoder"](z, pairs, step.view).float()
        found, other = logits[: len(step.positives)], logits[len(step.positives) :]
        loss = functional.softplus(-found)
        if step.weight is not None:
            loss = loss * (step.weight / step.weight.mean())
        return loss.mean() + functional.softplus(other).mean()


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
    """An encoder and a linear head, trained on the labelled nodes.

    With balanced `class_weights` classes weigh the same in the loss, by their numbers among the
    training labels alone. Where a node may have several, each class is a question of its own, and
    all nodes weigh the same.
    `refine` is applied to the probabilities of all nodes when they are asked for.
    """

    def __init__(
        self,
        encoder: nn.Module,
        inputs: NodeInputs,
        training: Training,
        rng: torch.Generator,
        refine: Callable[[Tensor, View, Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        head = nn.Sequential(
            nn.ReLU(),
            nn.Dropout(training.dropout),
            nn.Linear(training.hidden, inputs.num_classes),
        )
        self._parts = _on_device(inputs.view, encoder=encoder, head=head)
        self.inputs, self.training, self._refine = inputs, training, refine
        self._batches = make_batches(inputs.view, training, rng, shares=1)
        self._several = inputs.labels.ndim == 2
        self._weight = torch.ones(inputs.num_classes, device=inputs.view.x.device)
        if not self._several and training.class_weights == "balanced":
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
        """Cross-entropy of the class, or binary cross-entropy of each class.

        The encoder's `graph_loss` is added, where it has one.
        """
        losses: list[float] = []
        graph_loss = getattr(self._parts["encoder"], "graph_loss", None)
        for step in self._batches.nodes(self.inputs):
            logits = self._logits(step.view)[step.nodes]
            loss = self._loss(logits, step)
            if graph_loss is not None:
                loss = loss + graph_loss(step.nodes, self._correct(logits.detach(), step))
            update(loss)
            losses.append(float(loss.detach()))
        return float(np.mean(losses))

    def predict(self, part: Part) -> NDArray[np.generic]:
        """The likeliest class (I,) int16, or the probability of each (I, C) float32."""
        logits = self._logits(self.view)
        if self._refine is not None:
            inputs = self.inputs
            logits = self._refine(logits.softmax(dim=1), self.view, inputs.train, inputs.labels)
        return self._values(logits[self.inputs.items[part]])

    def predict_other(self, other: NodeInputs, part: Part) -> NDArray[np.generic]:
        """As `predict`, of the items of another graph with the same inputs; nothing is refined."""
        return self._values(self._logits(other.view)[other.items[part]])

    def _loss(self, logits: Tensor, step: NodeStep) -> Tensor:
        labels = self.inputs.labels[step.which]
        if self._several:
            entropy = functional.binary_cross_entropy_with_logits
            loss = entropy(logits, labels, reduction="none").mean(dim=1)
            weight = torch.ones_like(loss)
        else:
            loss = functional.cross_entropy(logits, labels, reduction="none")
            weight = self._weight[labels]
        if step.weight is not None:
            weight = weight * step.weight
        return (loss * weight).sum() / weight.sum()

    def _correct(self, logits: Tensor, step: NodeStep) -> Tensor:
        """(T,) float32: whether each node is classified right, or the share of its classes."""
        labels = self.inputs.labels[step.which]
        if self._several:
            return ((logits > 0) == (labels > 0)).float().mean(dim=1)
        return (logits.argmax(dim=1) == labels).float()

    def _logits(self, view: View) -> Tensor:
        with _precision(self.training, view):
            return self._parts["head"](self._parts["encoder"](view)).float()

    def _values(self, logits: Tensor) -> NDArray[np.generic]:
        values = logits.sigmoid() if self._several else logits.argmax(dim=1).to(torch.int16)
        return values.cpu().numpy()


def _shares(step: LinkStep, count: int) -> list[LinkStep]:
    """The pairs of a step, in up to that many steps on the same view."""
    columns = [step.positives.chunk(count), step.negatives.chunk(count)]
    weights = [None] * count if step.weight is None else step.weight.chunk(count)
    return [LinkStep(step.view, *share) for share in zip(*columns, weights, strict=False)]


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
