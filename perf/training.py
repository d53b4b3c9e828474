"""How long GraphSAGE trains on a generated vessel graph: blocks against the loop of OGB's example.

    python perf/training.py race [NODES | FOLDER]
    python perf/training.py epoch [NODES | FOLDER]

A number of nodes is generated and built first (350,000 for the race, 3,500,000 for an epoch); a
folder is that of a built link dataset. Two layers, 64 hidden units, the difference decoder, the
negatives of `retia.benchmarks`, Adam.

`race`: OGB's loop (examples/linkproppred/vessel/gnn.py) encodes the whole graph for every batch of
65,536 training edges. As published it leaves these edges in the graph; `masked` takes them out. All
try the same learning rates on one seed, then run on three seeds of their own, in turns. Scores are
AUCs on the validation part of `matched`, once an epoch; time is that of training alone, up to the
best epoch; for blocks, up to the first that is as good as the best of each loop. One thread, which
does not wait for others where the machine is shared.

`epoch`: two epochs and the prediction of a part, two threads, and the peak resident size of the
process.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch_geometric.nn.models import GraphSAGE

from retia.benchmarks import Training
from retia.benchmarks.batching import LinkStep
from retia.benchmarks.decoders import pair_decoder
from retia.benchmarks.inputs import LinkInputs, link_inputs
from retia.benchmarks.layers.propagation import OnAdjacency
from retia.benchmarks.learners import LinkLearner
from retia.benchmarks.negatives import draw_negatives
from retia.benchmarks.training import torch_settings
from retia.protocol.evaluation import Truth, evaluate, load_truth
from retia.protocol.heuristics import link_scores
from retia.shards.version import Version

NODES = {"race": 350_000, "epoch": 3_500_000}
THREADS = {"race": 1, "epoch": 2}
TASK, HIDDEN, LAYERS = "link", 64, 2
BATCH, BATCHES = 65_536, 68
RATES, TUNING_SEED, SEEDS = (0.01, 0.03), 100, (0, 1, 2)
EPOCHS = {"example": 3, "masked": 12, "blocks": 4}


@dataclass(frozen=True)
class Point:
    """An epoch's end: training seconds so far, by the clock and of the processors; the AUC."""

    wall: float
    cpu: float
    score: float


class WholeGraph:
    """The steps of OGB's loop, with the edges of a batch left in the graph or `masked`."""

    def __init__(self, masked: bool, rng: torch.Generator) -> None:
        self.masked, self.rng = masked, rng

    def links(self, inputs: LinkInputs) -> Iterator[LinkStep]:
        """A step for every 65,536 edges."""
        order = torch.randperm(len(inputs.positives), generator=self.rng)
        for batch in order.split(BATCH):
            positives = inputs.positives[batch]
            negatives = draw_negatives(inputs, positives, self.rng)
            view = inputs.view.without(inputs.places[batch]) if self.masked else inputs.view
            yield LinkStep(view, positives, negatives)


def make(inputs: LinkInputs, way: str, rate: float, seed: int) -> tuple[LinkLearner, Callable]:
    """The model, and what updates it with a loss."""
    torch.manual_seed(seed)
    draws = torch.Generator().manual_seed(seed)
    training = Training(
        epochs=1, evaluate_every=1, dropout=0, batching="blocks", batches=BATCHES, layers=LAYERS
    )
    encoder = OnAdjacency(GraphSAGE(inputs.view.x.shape[1], HIDDEN, LAYERS, HIDDEN))
    decoder = pair_decoder("difference", HIDDEN, inputs.directed)
    learner = LinkLearner(encoder, decoder, inputs, training, draws)
    if way != "blocks":
        learner._batches = WholeGraph(way == "masked", draws)
    optimiser = torch.optim.Adam(learner.module.parameters(), lr=rate)

    def update(loss: torch.Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()
        if way != "blocks":  # as the example does
            torch.nn.utils.clip_grad_norm_(learner.module.parameters(), 1.0)
        optimiser.step()

    return learner, update


def curve(inputs: LinkInputs, truth: Truth, way: str, rate: float, seed: int) -> list[Point]:
    """The points of all epochs."""
    learner, update = make(inputs, way, rate, seed)
    wall, cpu, points = 0.0, 0.0, []
    for _ in range(EPOCHS[way]):
        clock, used = time.perf_counter(), time.process_time()
        learner.module.train()
        learner.epoch(update)
        wall, cpu = wall + time.perf_counter() - clock, cpu + time.process_time() - used
        learner.module.eval()
        with torch.inference_mode():
            score = evaluate(truth, learner.predict("valid"))["matched.rocauc"]
        points.append(Point(wall, cpu, score))
    print(f"  {way:<8} lr {rate:<6} seed {seed:<4}", end=" ")
    print(" ".join(f"{point.score:.3f}" for point in points), f"{cpu:.0f} s CPU", flush=True)
    return points


def best(points: list[Point]) -> Point:
    """The best epoch."""
    return max(points, key=lambda point: point.score)


def race(version: Version) -> None:
    """Print the curves, and who is where when."""
    inputs = link_inputs(version, TASK, 0, "cpu")
    truth = load_truth(version, TASK, 0, "valid")
    src, dst = inputs.items["valid"].numpy().T
    alone = evaluate(truth, link_scores("distance", version, TASK, src, dst))["matched.rocauc"]
    print(f"distance alone {alone:.3f}")
    rates = {
        way: max(RATES, key=lambda r: best(curve(inputs, truth, way, r, TUNING_SEED)).score)
        for way in EPOCHS
    }
    for seed in SEEDS:
        points = {way: curve(inputs, truth, way, rates[way], seed) for way in EPOCHS}
        for way in ("example", "masked"):
            goal = best(points[way])
            reached = next((p for p in points["blocks"] if p.score >= goal.score), None)
            print(f"{way}: {goal.score:.3f} in {goal.wall:.1f} s (CPU {goal.cpu:.1f})", end="; ")
            if reached is None:
                print("blocks do not reach it")
                continue
            print(f"blocks in {reached.wall:.1f} s (CPU {reached.cpu:.1f})", end=", ")
            print(
                f"{goal.wall / reached.wall:.1f} times as fast (CPU {goal.cpu / reached.cpu:.1f})"
            )


def epoch(version: Version) -> None:
    """Print the cost of each step."""
    inputs = timed("inputs", lambda: link_inputs(version, TASK, 0, "cpu"))
    learner, update = timed("parts", lambda: make(inputs, "blocks", RATES[-1], 0))
    updates = 0

    def counted(loss: torch.Tensor) -> None:
        nonlocal updates
        updates += 1
        update(loss)

    for _ in range(2):
        timed("epoch", lambda: learner.epoch(counted))
    print(f"{len(inputs.positives):,} positives, {updates // 2} updates an epoch")
    learner.module.eval()
    with torch.inference_mode():
        scores = timed("predict", lambda: learner.predict("valid"))
    truth = load_truth(version, TASK, 0, "valid")
    print(f"valid, after two epochs: {evaluate(truth, scores)}")


def timed(name: str, function: Callable):
    """Print what a call takes."""
    clock, used = time.perf_counter(), time.process_time()
    result = function()
    wall, cpu = time.perf_counter() - clock, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:<8} {wall:7.1f} s (CPU {cpu:7.1f} s)  peak {peak:5.2f} GB", flush=True)
    return result


def main() -> None:
    """Build where there is only a number, and measure."""
    what, given = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else str(NODES[sys.argv[1]])
    run = {"race": race, "epoch": epoch}[what]
    with torch_settings(THREADS[what]):
        if not given.replace("_", "").isdigit():
            run(Version.open(Path(given)))
            return
        folder = Path(tempfile.mkdtemp(prefix="retia-perf-"))
        words = ("build", "vessel", "--generate", given.replace("_", ""), "--name", "perf")
        try:
            command = [sys.executable, "-m", "retia", *words, "--only", "link", "--out", folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            run(Version.open(folder / "perf-link" / "1.0.0"))
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
