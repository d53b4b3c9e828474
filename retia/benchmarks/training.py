"""The training loop: Adam, early stopping on the validation part, the best state kept."""

import copy
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from retia.benchmarks.checkpoint import Checkpoint, Progress
from retia.benchmarks.config import PAIR_TASKS, RunConfig, Training
from retia.benchmarks.curve import Curve
from retia.benchmarks.decoders import pair_decoder
from retia.benchmarks.environment import cores
from retia.benchmarks.inputs import edge_inputs, link_inputs, node_inputs, shared_inputs
from retia.benchmarks.learners import EdgeLearner, Learner, LinkLearner, NodeLearner
from retia.benchmarks.models import EncoderSize, model
from retia.benchmarks.view import View
from retia.protocol.evaluation import Truth, evaluate, load_truth
from retia.protocol.predictions import PARTS
from retia.protocol.randomness import Randomness
from retia.protocol.rank_groups import higher_is_better
from retia.shards.errors import InputError
from retia.shards.manifest import Part
from retia.shards.version import Version


@dataclass(frozen=True)
class Trained:
    """What training leaves.

    Predictions by part, parameters of all stages, how long it went on, the learner in its best
    state, and the graph that it predicted.
    """

    predictions: dict[Part, NDArray[np.generic]]
    parameters: int
    epochs: int
    best_epoch: int
    learner: Learner
    view: View


def train(
    version: Version,
    config: RunConfig,
    seed: int,
    device: str,
    curve: Curve,
    *,
    source: Version | None = None,
    checkpoint: Checkpoint | None = None,
) -> Trained:
    """Train the config's model with a seed, on the split of that seed.

    With a `source` it is trained there, on its labels alone, and predicts `version`. `curve` gets a
    record of every evaluation; with a `checkpoint` training goes on from it. On a CPU the result is
    the same to the last bit for equal `threads`, whatever other seeds run beside it.
    """
    assert config.training is not None
    split = seed % version.manifest.task(config.task).num_splits
    rng = Randomness.from_seed(seed).stream("run")
    torch.manual_seed(int(rng.integers(2**62)))
    draws = torch.Generator().manual_seed(int(rng.integers(2**62)))
    learner: Learner
    predict: Callable[[Part], NDArray[np.generic]]
    if config.source is not None and source is not None:
        learner, truth, predict, view = _transfer(source, version, config, seed, device, draws)
    else:
        learner = _learner(version, config, split, device, draws)
        truth, predict = load_truth(version, config.task, split, "valid"), learner.predict
        view = learner.view
    epochs, best = fit(learner, truth, config.training, curve, draws, checkpoint)
    with torch.inference_mode():
        predictions = {part: predict(part) for part in PARTS}
    parameters = sum(p.numel() for p in learner.module.parameters())
    return Trained(predictions, parameters, epochs, best, learner, view)


def fit(
    learner: Learner,
    truth: Truth,
    training: Training,
    curve: Curve,
    draws: torch.Generator,
    checkpoint: Checkpoint | None = None,
) -> tuple[int, int]:
    """Train until the primary measure on the validation part no longer gets better.

    The learner ends in its best state, in evaluation mode; returns the last and the best epoch.
    Raises `InputError` where there is nothing to validate on or the loss is not finite.
    """
    task = truth.task
    if len(truth.items) == 0:
        raise InputError(f"task '{task.name}' has no validation item to choose an epoch by")
    truth = replace(truth, task=task.model_copy(update={"secondary": ()}))
    key, sign = task.primary.key, 1 if higher_is_better(task.primary.metric) else -1
    saved = None if checkpoint is None else checkpoint.load()
    if saved is None:
        _fit_encoder(learner, draws)
    optimiser = torch.optim.Adam(
        learner.module.parameters(), lr=training.lr, weight_decay=training.weight_decay
    )
    best, best_epoch, best_state, epoch = -np.inf, 0, learner.module.state_dict(), 0
    if saved is not None:
        _restore(saved, learner, optimiser, draws)
        best, best_epoch, best_state = saved.best, saved.best_epoch, saved.best_state
        epoch = saved.epoch
    curve.keep_until(epoch)
    while epoch < training.epochs and not _stale(epoch, best_epoch, training):
        epoch += 1
        loss = _train_epoch(learner, optimiser, epoch)
        if epoch % training.evaluate_every and epoch != training.epochs:
            continue
        measured = evaluate(truth, _predict_valid(learner))[key]
        curve.add({"epoch": epoch, "loss": loss, f"valid.{key}": measured})
        if sign * measured > best:
            best, best_epoch = sign * measured, epoch
            best_state = copy.deepcopy(learner.module.state_dict())
        if checkpoint is not None and checkpoint.due():
            checkpoint.save(
                _progress(learner, optimiser, draws, epoch, best, best_epoch, best_state)
            )
    learner.module.load_state_dict(best_state)
    learner.module.eval()
    return epoch, best_epoch


@contextmanager
def torch_settings(threads: int) -> Iterator[None]:
    """Deterministic algorithms where torch has them, that many threads, and quiet about betas.

    numba and torch share OpenMP's number of threads, and numba sets it when it starts: so it is
    started first.
    """
    numba.set_num_threads(min(threads, cores()))
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filling: Any = torch.utils.deterministic
    filled = filling.fill_uninitialized_memory
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # It costs a twentieth of the time, and nothing here reads what was not written.
    filling.fill_uninitialized_memory = False
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse", category=UserWarning)
        warnings.filterwarnings("ignore", message=".*deterministic", category=UserWarning)
        yield
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])
    filling.fill_uninitialized_memory = filled


def _stale(epoch: int, best_epoch: int, training: Training) -> bool:
    """Whether `patience` evaluations have passed since the best; asked at an evaluation alone."""
    return (
        epoch % training.evaluate_every == 0
        and epoch > best_epoch
        and epoch - best_epoch >= training.patience * training.evaluate_every
    )


def _learner(
    version: Version, config: RunConfig, split: int, device: str, draws: torch.Generator
) -> Learner:
    training, kind = config.training, version.manifest.task(config.task).type
    assert training is not None
    if kind not in PAIR_TASKS:
        nodes = node_inputs(version, config.task, split, device, config.encoding, training.inputs)
        return NodeLearner(_encoder(config, nodes.view), nodes, training, draws, _refine(config))
    if kind == "edge-regression":
        edges = edge_inputs(version, config.task, split, device, config.encoding, training.inputs)
        decoder = _decoder(config, edges.view, edges.directed)
        return EdgeLearner(_encoder(config, edges.view), decoder, edges, training)
    links = link_inputs(version, config.task, split, device, config.encoding, training.inputs)
    encoder = _encoder(config, links.view)
    return LinkLearner(
        encoder, _decoder(config, links.view, links.directed), links, training, draws
    )


def _transfer(
    source: Version,
    target: Version,
    config: RunConfig,
    seed: int,
    device: str,
    draws: torch.Generator,
) -> tuple[NodeLearner, Truth, Callable[[Part], NDArray[np.generic]], View]:
    """What learns on the source, its validation answers, what predicts the target, its graph."""
    assert config.source is not None
    assert config.encoding is not None
    assert config.training is not None
    own = seed % source.manifest.task(config.source.task).num_splits
    split = seed % target.manifest.task(config.task).num_splits
    name = config.source.task
    like = config.encoding, source, config.training.inputs
    known = shared_inputs(source, name, own, device, *like)
    asked = shared_inputs(target, config.task, split, device, *like)
    learner = NodeLearner(_encoder(config, known.view), known, config.training, draws)
    truth = load_truth(source, name, own, "valid")
    return learner, truth, lambda part: learner.predict_other(asked, part), asked.view


def _encoder(config: RunConfig, view: View) -> torch.nn.Module:
    chosen = model(config.model)
    assert chosen.encoder is not None
    return chosen.encoder(_size(config, view), chosen.options.model_validate(config.options))


def _decoder(config: RunConfig, view: View, directed: bool) -> torch.nn.Module:
    chosen, size = model(config.model), _size(config, view)
    if chosen.decoder is not None:
        return chosen.decoder(size, chosen.options.model_validate(config.options), directed)
    assert config.training is not None
    return pair_decoder(str(config.training.decoder), size.hidden, directed)


def _refine(config: RunConfig) -> Callable[..., torch.Tensor] | None:
    chosen = model(config.model)
    if chosen.refine is None:
        return None
    return partial(chosen.refine, options=chosen.options.model_validate(config.options))


def _size(config: RunConfig, view: View) -> EncoderSize:
    training = config.training
    assert training is not None
    return EncoderSize(
        inputs=view.x.shape[1],
        hidden=training.hidden,
        layers=training.layers,
        dropout=training.dropout,
        num_nodes=view.num_nodes,
        num_edge_types=view.num_edge_types,
        dimensions=0 if view.positions is None else view.positions.shape[1],
    )


def _fit_encoder(learner: Learner, draws: torch.Generator) -> None:
    """What an encoder learns by itself, before it is trained on the task."""
    prepare = getattr(learner.module.get_submodule("encoder"), "fit", None)
    if prepare is not None:
        prepare(learner.view, draws)


def _train_epoch(learner: Learner, optimiser: torch.optim.Optimizer, epoch: int) -> float:
    def update(loss: torch.Tensor) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    learner.module.train()
    mean = learner.epoch(update)
    if not np.isfinite(mean):
        raise InputError(f"the loss is not finite in epoch {epoch}; try a smaller --lr")
    return mean


def _predict_valid(learner: Learner) -> NDArray[np.generic]:
    learner.module.eval()
    with torch.inference_mode():
        return learner.predict("valid")


def _progress(
    learner: Learner,
    optimiser: torch.optim.Optimizer,
    draws: torch.Generator,
    epoch: int,
    best: float,
    best_epoch: int,
    best_state: dict[str, Any],
) -> Progress:
    return Progress(
        epoch=epoch,
        best=float(best),
        best_epoch=best_epoch,
        best_state=best_state,
        module=learner.module.state_dict(),
        optimiser=optimiser.state_dict(),
        draws=draws.get_state(),
        rng=torch.get_rng_state(),
        cuda_rng=torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    )


def _restore(
    saved: Progress, learner: Learner, optimiser: torch.optim.Optimizer, draws: torch.Generator
) -> None:
    learner.module.load_state_dict(saved.module)
    optimiser.load_state_dict(saved.optimiser)
    draws.set_state(saved.draws)
    torch.set_rng_state(saved.rng)
    if saved.cuda_rng:
        torch.cuda.set_rng_state_all(saved.cuda_rng)
