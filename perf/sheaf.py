"""Neural Sheaf Diffusion on Texas, beside models with the same budget of tuning.

`python perf/sheaf.py search DIR 12` imports the graph in DIR (a folder in Geom-GCN's layout), draws
12 configurations for all models alike, trains each on the splits 0 to 4, and prints the mean
validation accuracy; no test answer is read. `table DIR` trains those chosen so, on all ten splits.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from retia.benchmarks import make_config
from retia.benchmarks.curve import Curve
from retia.benchmarks.training import torch_settings, train
from retia.datasets.webkb.build import WebkbOptions, import_webkb
from retia.protocol import evaluate, load_truth
from retia.protocol.randomness import Randomness
from retia.shards.version import Version

MAPS = ("identity", "diagonal", "orthogonal", "general")
MODELS = ("mlp", "gcn", *(f"sheaf {maps}" for maps in MAPS))
SEARCH_SPLITS = 5


def draw(number: int, model: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Training and options of configuration `number`; models share what they have in common."""
    rng = Randomness.from_seed(0).stream("search", number)
    training = {
        "epochs": 200,
        "patience": 20,
        "hidden": int(rng.choice([24, 48])),
        "layers": int(rng.integers(1, 5)),
        "dropout": float(rng.choice([0.2, 0.35, 0.5, 0.65])),
        "lr": float(rng.choice([0.01, 0.02])),
        "weight_decay": float(f"{np.exp(rng.uniform(np.log(1e-4), np.log(5e-3))):.1e}"),
        "inputs": str(rng.choice(["raw", "row-normalised"])),
        "class_weights": str(rng.choice(["balanced", "none"])),
    }
    options = {
        "stalk": int(rng.integers(2, 5)),
        "sparse_learner": bool(rng.integers(2)),
        "low_pass": bool(rng.integers(2)),
        "high_pass": bool(rng.integers(2)),
    }
    if not model.startswith("sheaf"):
        return training, {}
    whole = options["stalk"] + options["low_pass"] + options["high_pass"]
    training["hidden"] -= training["hidden"] % whole
    return training, options


def accuracy(
    version: Version, model: str, seed: int, training: dict[str, Any], options: dict[str, Any]
) -> dict[str, float]:
    """Accuracy of a seed on validation, and on test."""
    name, _, maps = model.partition(" ")
    options = {**options, "maps": maps} if maps else options
    config = make_config(version, name, options=options, **training)
    task = config.task
    with torch_settings(1):
        trained = train(version, config, seed, "cpu", Curve())
    return {
        part: evaluate(load_truth(version, task, seed, part), trained.predictions[part])["accuracy"]
        for part in ("valid", "test")
    }


def trial(job: tuple[Path, str, int]) -> dict[str, Any]:
    """Mean validation accuracy of a drawn configuration."""
    root, model, number = job
    version, (training, options) = Version.open(root), draw(number, model)
    start = time.process_time()
    found = [
        accuracy(version, model, seed, training, options)["valid"] for seed in range(SEARCH_SPLITS)
    ]
    return {
        "model": model,
        "number": number,
        "valid": float(np.mean(found)),
        "cpu_s": round(time.process_time() - start, 1),
        "training": training,
        "options": options,
    }


def search(root: Path, count: int) -> None:
    """A line of JSON a configuration and model."""
    jobs = [(root, model, number) for number in range(count) for model in MODELS]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for row in pool.imap_unordered(trial, jobs):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        (built,) = import_webkb(Path(sys.argv[2]), WebkbOptions(), Path(folder))
        search(built.version.root, int(sys.argv[3]))
