"""Problems with a known answer, and what a model makes of them."""

import copy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import networkx as nx
import numpy as np
import torch

from retia.benchmarks import Training, make_config, model
from retia.benchmarks.curve import Curve
from retia.benchmarks.inputs import NodeInputs
from retia.benchmarks.layers.snowflake import Snowflake
from retia.benchmarks.learners import NodeLearner
from retia.benchmarks.models import EncoderSize
from retia.benchmarks.settings import read_settings
from retia.benchmarks.training import torch_settings, train
from retia.benchmarks.view import View
from retia.datasets.vessel.build import build_vessel
from retia.datasets.vessel.inputs import Generator
from retia.datasets.vessel.options import VesselOptions
from retia.protocol import evaluate, load_truth
from retia.shards.version import Version

Problem = tuple[NodeInputs, torch.Tensor]


def node_problem(
    x: np.ndarray, label: np.ndarray, edges: np.ndarray, parts: list[np.ndarray]
) -> Problem:
    """The inputs of a node task whose train, valid and test nodes are `parts`; and all labels."""
    labels, (train, valid, test) = torch.from_numpy(label), map(torch.from_numpy, parts)
    z = torch.from_numpy(((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32))
    relation = torch.zeros(edges.shape[1], dtype=torch.long)
    view = View(z, torch.from_numpy(edges), relation, (False,), None)
    items = {"valid": valid, "test": test}
    return NodeInputs(view, train, labels[train], int(label.max()) + 1, items), labels


def accuracy(problem: Problem, name: str, seed: int, epochs: int = 100, **options: Any) -> float:
    """On the test nodes, of the epoch that is best on the valid ones, with Retia's defaults."""
    inputs, labels = problem
    training = Training(epochs=epochs, evaluate_every=5, dropout=0.2)
    chosen = model(name)
    size = EncoderSize(
        inputs=inputs.view.x.shape[1],
        hidden=training.hidden,
        layers=training.layers,
        dropout=training.dropout,
        num_nodes=inputs.view.num_nodes,
        num_edge_types=inputs.view.num_edge_types,
        dimensions=0,
    )
    torch.manual_seed(seed)
    with torch_settings(1):
        encoder = chosen.encoder(size, read_settings(chosen.options, options, name))
        learner = NodeLearner(encoder, inputs, training, torch.Generator())
        optimiser = torch.optim.Adam(learner.module.parameters(), lr=training.lr)

        def update(loss: torch.Tensor) -> None:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

        def right(part: str) -> float:
            learner.module.eval()
            with torch.inference_mode():
                found = learner.predict(part) == labels[inputs.items[part]].numpy()
            learner.module.train()
            return float(found.mean())

        best, state = -1.0, {}
        for epoch in range(1, epochs + 1):
            learner.epoch(update)
            if epoch % training.evaluate_every == 0 and (score := right("valid")) > best:
                best, state = score, copy.deepcopy(learner.module.state_dict())
        learner.module.load_state_dict(state)
        return right("test")


def noisy_sites(seed: int, n: int = 600, sites: int = 40) -> Problem:
    """Two classes; a site has one of them. A node knows where it is, and a noisy reading of it.

    The edges are random: who is near has to be found, so that readings can be averaged.
    """
    rng = np.random.default_rng(seed)
    centre, label = rng.random((sites, 8)) * 10, rng.permutation(sites) % 2
    site = rng.integers(sites, size=n)
    place = centre[site] + rng.normal(size=(n, 8)) * 0.15
    reading = 0.7 * (2 * label[site] - 1) + rng.normal(size=n)
    parts = np.split(rng.permutation(n), [n // 10, n // 5])
    edges = rng.integers(n, size=(2, 2 * n))
    return node_problem(np.column_stack([place, reading]), label[site], edges, parts)


def dense_and_loose(seed: int, n: int = 600, clouds: int = 40) -> Problem:
    """Clouds of points in space, tight or loose; edges are random. No part shares a cloud."""
    rng = np.random.default_rng(seed)
    loose, cloud = rng.permutation(clouds) % 2, rng.integers(clouds, size=n)
    spread = np.where(loose, 0.9, 0.3)[cloud, None]
    x = rng.normal(size=(clouds, 3))[cloud] * 6 + rng.normal(size=(n, 3)) * spread
    part = np.digitize(cloud, [0.4 * clouds, 0.6 * clouds])
    edges = rng.integers(n, size=(2, 2 * n))
    return node_problem(x, loose[cloud], edges, [np.flatnonzero(part == i) for i in range(3)])


@cache
def tree_error(metric: str, seed: int, n: int = 32, dimensions: int = 16) -> float:
    """The mean squared error of the distances of a random tree, from free coordinates.

    1,000 steps of Adam on the coordinates and what the metric has to learn.
    """
    tree = nx.random_labeled_tree(n, seed=seed)
    u, v = torch.triu_indices(n, n, 1)
    wanted = torch.from_numpy(nx.floyd_warshall_numpy(tree).astype(np.float32))[u, v]
    torch.manual_seed(seed)
    z = torch.nn.Parameter(torch.randn(n, dimensions) / 2)
    length = Snowflake() if metric == "snowflake" else torch.nn.Identity()
    optimiser = torch.optim.Adam([z, *length.parameters()], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 1000)
    with torch_settings(1):
        for _ in range(1000):
            optimiser.zero_grad()
            error = (length((z[u] - z[v]).norm(dim=1)) - wanted).square().mean()
            error.backward()
            optimiser.step()
            schedule.step()
    return float(error.detach())


@cache
def vessels(seed: int) -> tuple[Version, TemporaryDirectory[str]]:
    """A generated network of 5,000 nodes with a fifth of its vessels hidden, and where it is."""
    folder = TemporaryDirectory(prefix="retia-vessels-")
    options = VesselOptions(name="net", seed=seed, only="link")
    (built,) = build_vessel(Generator(5000), options, Path(folder.name))
    return built.version, folder


@cache
def vessel_scores(name: str, seed: int, decoder: str | None = None) -> dict[str, float]:
    """All measures of the test part of a generated network, after 15 epochs with the defaults."""
    version, _ = vessels(seed)
    config = make_config(version, name, epochs=15, decoder=decoder)
    with torch_settings(1):
        trained = train(version, config, seed, "cpu", Curve())
    return evaluate(load_truth(version, "link", 0, "test"), trained.predictions["test"])
