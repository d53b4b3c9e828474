"""The training loop: Adam, early stopping on the validation part, the best state kept."""

import copy
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from retia.benchmarks.config import RunConfig, Training
from retia.benchmarks.inputs import link_inputs, node_inputs, shared_inputs
from retia.benchmarks.learners import Learner, LinkLearner, NodeLearner
from retia.benchmarks.models import EncoderSize, model
from retia.protocol.evaluation import Truth, evaluate, load_truth
from retia.protocol.metrics import REGISTRY
from retia.protocol.predictions import PARTS
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import Part
from retia.shards.version import Version

Log = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Trained:
    """What training leaves: predictions by part, trainable parameters, how long it went on."""

    predictions: dict[Part, NDArray[np.generic]]
    parameters: int
    epochs: int
    best_epoch: int


def train(
    version: Version,
    config: RunConfig,
    seed: int,
    device: str,
    log: Log,
    source: Version | None = None,
) -> Trained:
    """Train the config's model with a seed, on the split of that seed.

    With a `source` it is trained there, on its labels alone, and predicts `version`. `log` gets a
    record of every evaluation. On a CPU with one thread the result is the same to the last bit,
    whatever other seeds run beside it.
    """
    assert config.training is not None
    split = seed % version.manifest.task(config.task).num_splits
    rng = Randomness.from_seed(seed).stream("run")
    torch.manual_seed(int(rng.integers(2**62)))
    draws = torch.Generator().manual_seed(int(rng.integers(2**62)))
    learner: Learner
    predict: Callable[[Part], NDArray[np.generic]]
    if config.source is not None and source is not None:
        learner, truth, predict = _transfer(source, version, config, seed, device)
    else:
        learner = _learner(version, config, split, device, draws)
        truth, predict = load_truth(version, config.task, split, "valid"), learner.predict
    epochs, best = fit(learner, truth, config.training, log)
    with torch.inference_mode():
        predictions = {part: predict(part) for part in PARTS}
    parameters = sum(p.numel() for p in learner.module.parameters() if p.requires_grad)
    return Trained(predictions, parameters, epochs, best)


def fit(learner: Learner, truth: Truth, training: Training, log: Log) -> tuple[int, int]:
    """Train until the primary measure on the validation part no longer gets better.

    The learner ends in its best state, in evaluation mode; returns the last and the best epoch.
    """
    primary = truth.task.primary
    truth = replace(truth, task=truth.task.model_copy(update={"secondary": ()}))
    sign = 1 if _higher_is_better(primary.metric) else -1
    optimiser = torch.optim.Adam(
        learner.module.parameters(), lr=training.lr, weight_decay=training.weight_decay
    )
    best, best_epoch, best_state = -np.inf, 0, learner.module.state_dict()
    for epoch in range(1, training.epochs + 1):
        loss = _train_epoch(learner, optimiser, epoch)
        if epoch % training.evaluate_every and epoch != training.epochs:
            continue
        measured = evaluate(truth, _predict_valid(learner))[primary.key]
        log({"epoch": epoch, "loss": loss, f"valid.{primary.key}": measured})
        if sign * measured > best:
            best, best_epoch = sign * measured, epoch
            best_state = copy.deepcopy(learner.module.state_dict())
        elif epoch - best_epoch >= training.patience * training.evaluate_every:
            break
    learner.module.load_state_dict(best_state)
    learner.module.eval()
    return epoch, best_epoch


@contextmanager
def torch_settings(threads: int) -> Iterator[None]:
    """Deterministic algorithms where torch has them, that many threads, and quiet about betas."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse", category=UserWarning)
        warnings.filterwarnings("ignore", message=".*deterministic", category=UserWarning)
        yield
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


def _learner(
    version: Version, config: RunConfig, split: int, device: str, draws: torch.Generator
) -> Learner:
    training = config.training
    assert training is not None
    if version.manifest.task(config.task).type != "link":
        nodes = node_inputs(version, config.task, split, device, config.encoding)
        return NodeLearner(_encoder(config, nodes.x.shape[1]), nodes, training)
    links = link_inputs(version, config.task, split, device, config.encoding)
    return LinkLearner(_encoder(config, links.x.shape[1]), links, training, draws)


def _transfer(
    source: Version, target: Version, config: RunConfig, seed: int, device: str
) -> tuple[NodeLearner, Truth, Callable[[Part], NDArray[np.generic]]]:
    """What learns on the source, its validation answers, and what predicts the target."""
    assert config.source is not None
    assert config.encoding is not None
    assert config.training is not None
    own = seed % source.manifest.task(config.source.task).num_splits
    split = seed % target.manifest.task(config.task).num_splits
    name = config.source.task
    known = shared_inputs(source, name, own, device, config.encoding, source)
    asked = shared_inputs(target, config.task, split, device, config.encoding, source)
    learner = NodeLearner(_encoder(config, known.x.shape[1]), known, config.training)
    truth = load_truth(source, name, own, "valid")
    return learner, truth, lambda part: learner.predict_other(asked, part)


def _encoder(config: RunConfig, width: int) -> torch.nn.Module:
    make, training = model(config.model).encoder, config.training
    assert make is not None
    assert training is not None
    return make(EncoderSize(width, training.hidden, training.layers, training.dropout))


def _train_epoch(learner: Learner, optimiser: torch.optim.Optimizer, epoch: int) -> float:
    learner.module.train()
    total = []
    for loss in learner.losses():
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total.append(float(loss.detach()))
    mean = float(np.mean(total))
    if not np.isfinite(mean):
        raise InputError(f"the loss is not finite in epoch {epoch}; try a smaller --lr")
    return mean


def _predict_valid(learner: Learner) -> NDArray[np.generic]:
    learner.module.eval()
    with torch.inference_mode():
        return learner.predict("valid")


def _higher_is_better(name: str) -> bool:
    return next(m.higher_is_better for (known, _), m in REGISTRY.items() if known == name)
