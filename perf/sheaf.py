"""Neural Sheaf Diffusion where neighbours are unlike, beside models with the same budget of tuning.

`python perf/sheaf.py search DIR 12 > FILE` imports the graph in DIR (a folder in Geom-GCN's layout,
such as WebKB's Texas), draws 12 configurations for all models alike, trains each on the splits 0 to
4, and writes a line of JSON with the mean validation accuracy; no test answer is read.
`table DIR FILE` trains the best of each model on all ten splits; `scaling DIR FILE` trains two of
them with each way that features may reach a model. `planted 5` needs no file: two classes, edges
mostly between them, five seeds.
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
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression

from retia.benchmarks import make_config
from retia.benchmarks.curve import Curve
from retia.benchmarks.training import torch_settings, train
from retia.datasets.webkb.build import WebkbOptions, import_webkb
from retia.protocol import evaluate, load_truth
from retia.protocol.baselines import node_features
from retia.protocol.randomness import Randomness
from retia.shards.manifest import Part
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
    root: Path,
    model: str,
    seed: int,
    training: dict[str, Any],
    options: dict[str, Any],
    part: Part,
) -> float:
    """Accuracy of a seed on a part, in percent."""
    version, (name, _, maps) = Version.open(root), model.partition(" ")
    options = {**options, "maps": maps} if maps else options
    config = make_config(version, name, options=options, **training)
    with torch_settings(1):
        trained = train(version, config, seed, "cpu", Curve())
    truth = load_truth(version, config.task, seed, part)
    return 100 * evaluate(truth, trained.predictions[part])["accuracy"]


def trial(job: tuple[Path, str, int]) -> dict[str, Any]:
    """Mean validation accuracy of a drawn configuration."""
    root, model, number = job
    training, options = draw(number, model)
    start = time.process_time()
    found = [
        accuracy(root, model, seed, training, options, "valid") for seed in range(SEARCH_SPLITS)
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
    with pool() as workers:
        for row in workers.imap_unordered(trial, jobs):
            print(json.dumps(row), flush=True)


def chosen(path: Path) -> dict[str, dict[str, Any]]:
    """The row of the best validation accuracy of each model; the first where several are equal."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    ranked = sorted(rows, key=lambda row: (-row["valid"], row["number"]))
    return {model: next(row for row in ranked if row["model"] == model) for model in MODELS}


def scores(root: Path, rows: dict[str, dict[str, Any]], seeds: int) -> dict[str, np.ndarray]:
    """Test accuracy of each row on every seed, in percent."""
    jobs = [
        (root, row["model"], seed, row["training"], row["options"], "test")
        for row in rows.values()
        for seed in range(seeds)
    ]
    with pool() as workers:
        found = workers.starmap(accuracy, jobs, chunksize=1)
    test = np.array(found).reshape(len(rows), seeds)
    return dict(zip(rows, test, strict=True))


def table(root: Path, path: Path) -> None:
    """Mean and deviation of each model, and its paired difference to the models without a sheaf."""
    rows, version = chosen(path), Version.open(root)
    found = {"logistic": logistic(version)} | scores(root, rows, 10)
    for model, test in found.items():
        row = rows.get(model, {})
        against = [f"{interval(test - found[other])} over {other}" for other in ("logistic", "gcn")]
        valid = f"{row['valid']:.2f}" if row else "-"
        print(
            f"{model:18} valid {valid:5} test {test.mean():.2f} ± {test.std(ddof=1):.2f}", *against
        )
        print("   ", row.get("training"), row.get("options"))


def scaling(root: Path, path: Path) -> None:
    """Two of the chosen configurations with each way that features may reach a model."""
    for inputs in ("raw", "row-normalised", "z-score"):
        rows = {
            model: row | {"training": row["training"] | {"inputs": inputs}}
            for model, row in chosen(path).items()
            if model in ("mlp", "sheaf orthogonal")
        }
        means = {model: test.mean() for model, test in scores(root, rows, 10).items()}
        print(inputs, *(f"{model} {mean:.2f}" for model, mean in means.items()), sep="  ")


def logistic(version: Version) -> np.ndarray:
    """The accuracy of logistic regression on the features as they are, without edges, by split."""
    task, features = version.manifest.task(), node_features(version)
    found = []
    for split in range(task.num_splits):
        train_rows = version.task_table(task.name, split, "train")
        nodes, labels = train_rows["node"].to_numpy(), train_rows["label"].to_numpy()
        model = LogisticRegression(max_iter=1000).fit(features[nodes], labels)
        items = version.task_table(task.name, split, "test")["item"].to_numpy()
        truth = load_truth(version, task.name, split, "test")
        found.append(evaluate(truth, model.predict(features[items]))["accuracy"])
    return 100 * np.array(found)


def interval(difference: np.ndarray) -> str:
    """The mean of paired differences, with its 95 % t-interval."""
    half = student.ppf(0.975, len(difference) - 1) * difference.std(ddof=1)
    return f"{difference.mean():+.2f} ± {half / np.sqrt(len(difference)):.2f}"


def planted(seeds: int) -> None:
    """Test accuracy on a planted graph a seed, with one setting for all models."""
    training = {"epochs": 150, "patience": 30, "hidden": 24, "weight_decay": 5e-4}
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, list[float]] = {model: [] for model in MODELS}
        for seed in range(seeds):
            home = plant(Path(folder) / f"planted-{seed}", seed)
            (built,) = import_webkb(home, WebkbOptions(), Path(folder) / "store")
            rows = {
                model: {
                    "model": model,
                    "training": training,
                    "options": {"stalk": 3} if model.startswith("sheaf") else {},
                }
                for model in MODELS
            }
            for model, test in scores(built.version.root, rows, 1).items():
                found[model].append(float(test[0]))
        for model, test in found.items():
            print(f"{model:18} {np.mean(test):.1f} ± {np.std(test, ddof=1):.1f}", test)


def plant(folder: Path, seed: int, num_nodes: int = 400) -> Path:
    """A graph of two classes and two kinds of node, in Geom-GCN's layout.

    Nodes of one kind are joined within their class, nodes of both across classes; 70 % of the edges
    are of the second sort, and a node has eight on the mean. Features: four numbers, N(±1/2, 2) by
    class, and the kind, ±1.
    """
    rng = Randomness.from_seed(seed).stream("planted")
    block = rng.permutation(np.arange(num_nodes) % 4)
    label, kind = block % 2, block // 2
    like, alike = label[:, None] == label, kind[:, None] == kind
    rate = np.where(like & alike, 0.3, np.where(~like & ~alike, 0.7, 0.0)) * 8 / (num_nodes / 4)
    edges = np.argwhere(np.triu(rng.random(rate.shape) < rate, k=1))
    features = np.column_stack(
        [np.where(label, 0.5, -0.5)[:, None] + 2 * rng.normal(size=(num_nodes, 4)), 2 * kind - 1]
    )
    raw = folder / "raw"
    raw.mkdir(parents=True)
    rows = [
        f"{node}\t{','.join(f'{value:.6f}' for value in values)}\t{label[node]}\n"
        for node, values in enumerate(features)
    ]
    (raw / "out1_node_feature_label.txt").write_text("node_id\tfeature\tlabel\n" + "".join(rows))
    links = "".join(f"{src}\t{dst}\n" for src, dst in edges)
    (raw / "out1_graph_edges.txt").write_text("node_id\tnode_id\n" + links)
    place = rng.permutation(num_nodes) / num_nodes
    np.savez(
        raw / "planted_split_0.6_0.2_0.npz",
        train_mask=place < 0.48,
        val_mask=(place >= 0.48) & (place < 0.8),
        test_mask=place >= 0.8,
    )
    return folder


def pool() -> Any:
    """All cores, a process each."""
    return multiprocessing.get_context("spawn").Pool(os.cpu_count())


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    if verb == "planted":
        planted(int(words[0]))
        sys.exit()
    with tempfile.TemporaryDirectory() as store:
        (imported,) = import_webkb(Path(words[0]), WebkbOptions(), Path(store))
        home = imported.version.root
        if verb == "search":
            search(home, int(words[1]))
        else:
            {"table": table, "scaling": scaling}[verb](home, Path(words[1]))
