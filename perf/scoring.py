"""Score one seed of a million candidates, beside OGB's Evaluator.

    python perf/scoring.py [CANDIDATES]

Half of the items have a positive's scores, half a negative's; a tenth of all scores is tied. AUC,
AP, Hits@20, @50 and @100 rank all items; MRR and Hits@10 rank each of 10,000 positives among 99
negatives of its own. Times are seconds of processor time, the best of three runs, each program in
a process of its own; the memory is what scoring adds to the process's peak.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

GROUPS, GROUP_SIZE = 10_000, 100
UNGROUPED = ("rocauc", "ap", "hits@20", "hits@50", "hits@100")
RUNS = 3

Floats = NDArray[np.float64]


def main() -> None:
    """Print a line a program."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    if len(sys.argv) > 2:
        globals()[sys.argv[2]](number)
        return
    for name in ("retia", "ogb"):
        subprocess.run([sys.executable, __file__, str(number), name], check=True)


def make(number: int) -> tuple[Floats, Floats, Floats]:
    """Scores of positives (N/2,), of negatives (N/2,), and of groups (G, K), positive first."""
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(0.5, 1, number // 2), rng.normal(0, 1, number // 2)
    for scores in (positive, negative):
        chosen = rng.random(len(scores)) < 0.1
        scores[chosen] = scores[chosen].round(2)
    grouped = rng.normal(size=(GROUPS * number // 1_000_000, GROUP_SIZE))
    grouped[:, 0] += 1
    return positive, negative, grouped


def retia(number: int) -> None:
    """The server's own way, from a seed's predictions to its measures."""
    from retia.protocol.evaluation import Members, Truth, evaluate
    from retia.shards.manifest import CandidateSet, Measure, PartCounts, Split, Task

    positive, negative, grouped = make(number)
    scores = np.concatenate([positive, negative, grouped.ravel()])
    labels = np.zeros(len(scores), dtype=np.int64)
    labels[: len(positive)] = 1
    first = len(positive) + len(negative)
    labels[first::GROUP_SIZE] = 1
    task = Task(
        name="link",
        type="link",
        relation="edge",
        description="a million candidates",
        split=Split(scheme="random", parameters={}),
        primary=Measure(metric="rocauc", candidates="uniform"),
        secondary=(
            *(Measure(metric=name, candidates="uniform") for name in UNGROUPED[1:]),
            Measure(metric="mrr", candidates="hard"),
            Measure(metric="hits@10", candidates="hard"),
        ),
        candidates=(
            CandidateSet(name="uniform", grouped=False, description="all"),
            CandidateSet(name="hard", grouped=True, description="groups"),
        ),
        counts=(PartCounts(train=0, valid=0, test=len(scores)),),
        secrecy="open",
    )
    nobody = np.full(first, -1)
    groups = np.repeat(np.arange(len(grouped)), GROUP_SIZE)
    candidates = {
        "uniform": Members(np.arange(first), nobody),
        "hard": Members(np.arange(first, len(scores)), groups),
    }
    truth = Truth(task, np.arange(len(scores)), labels, candidates)
    measure("retia", lambda: evaluate(truth, scores))


def ogb(number: int) -> None:
    """OGB 1.3.6, asked metric by metric as it wants; its AP is that of a task of graphs."""
    import torch
    from ogb.graphproppred import Evaluator as GraphEvaluator
    from ogb.linkproppred import Evaluator

    torch.set_num_threads(1)
    positive, negative, grouped = make(number)
    auc, mrr = Evaluator("ogbl-vessel"), Evaluator("ogbl-citation2")
    hits, precision = Evaluator("ogbl-ddi"), GraphEvaluator("ogbg-molpcba")
    precision.num_tasks = 1  # of 128, which are averaged
    labels = np.zeros((number, 1), dtype=np.int64)
    labels[: len(positive)] = 1
    scores = np.concatenate([positive, negative])[:, None]
    own, others = torch.from_numpy(grouped[:, 0].copy()), torch.from_numpy(grouped[:, 1:].copy())

    def run() -> dict[str, float]:
        both = {"y_pred_pos": positive, "y_pred_neg": negative}
        found = dict(auc.eval(both))
        found |= precision.eval({"y_true": labels, "y_pred": scores})
        for k in (20, 50, 100):
            hits.K = k
            found |= hits.eval(both)
        ranks = mrr.eval({"y_pred_pos": own, "y_pred_neg": others})
        found["mrr"] = float(ranks["mrr_list"].mean())
        found["hits@10"] = float(ranks["hits@10_list"].mean())
        return found

    measure("ogb", run)


def measure(name: str, run: Callable[[], dict[str, float]]) -> None:
    """Print the time, the memory and the values of a program."""
    before = peak()
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        found = run()
        times.append(time.process_time() - start)
    values = " ".join(f"{key} {value:.4f}" for key, value in found.items())
    print(f"{name:6} {min(times):.2f} s, {peak() - before} MB more; {values}", flush=True)


def peak() -> int:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


if __name__ == "__main__":
    main()
