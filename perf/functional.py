"""What the functional atlas recovers of planted components and communities, and what that costs.

`python perf/functional.py planted 10` plants rank 4 at 5 dB with 30 % of the neurons missing from
each animal, one seed a row; `ranks 10` lets the rule choose among ranks 1 to 6 on the same tensors;
`lfr 10` finds the communities of the nine weighted LFR settings, means over seeds; `mask` compares
the time and the fit with tensorly's masked multiplicative updates.
"""

import sys
import time

import numpy as np

from retia.datasets.connectome.functional.factorise import descend, draw, factorise, masked
from retia.datasets.connectome.functional.lfr import SETTINGS, lfr_graph, score
from retia.datasets.connectome.functional.planted import plant, recovery
from retia.datasets.connectome.functional.rank import assess, choose_rank
from retia.protocol.randomness import Randomness

RANK = 4
FIRST_SEED, MIDDLE_SEED = 13, 23


def planted(seeds: int) -> None:
    """Lowest cosine and lowest ARI of the four components, seed by seed."""
    passed = 0
    for seed in range(seeds):
        randomness = Randomness.from_seed(seed)
        tensor = plant(randomness)
        start = time.perf_counter()
        best = factorise(tensor.values, tensor.seen, RANK, randomness, workers=2)[0]
        factored = time.perf_counter() - start
        found = recovery(tensor, best, randomness)
        cosine, ari = min(one.cosine for one in found), min(one.ari for one in found)
        passed += cosine > 0.95 and ari >= 0.8
        print(f"seed {seed}  cosine {cosine:.4f}  ARI {ari:.3f}  10 restarts {factored:5.1f} s")
    print(f"{passed} of {seeds} seeds: cosine > 0.95 and ARI >= 0.8")


def ranks(seeds: int) -> None:
    """The rank that the rule chooses where 4 is planted."""
    for seed in range(seeds):
        randomness = Randomness.from_seed(seed)
        tensor = plant(randomness)
        reports = []
        for rank in range(1, 7):
            restarts = factorise(tensor.values, tensor.seen, rank, randomness, workers=2)
            reports.append(assess(tensor.values, tensor.seen, restarts))
        shown = "  ".join(f"{r.rank}: {r.stability:.2f} {r.consistency:.0f}" for r in reports)
        print(f"seed {seed}  chosen {choose_rank(reports)}  (stability, core consistency) {shown}")


def lfr(seeds: int) -> None:
    """Mean mixing, NMI and ARI of each setting; the middle one has seeds of its own."""
    for number, setting in enumerate(SETTINGS):
        first = MIDDLE_SEED if number == 4 else FIRST_SEED
        rows = []
        for seed in range(first, first + seeds):
            randomness = Randomness.from_seed(seed)
            graph = lfr_graph(setting, randomness)
            same = np.diff(graph.membership[graph.pairs], axis=1)[:, 0] == 0
            result = score(graph, randomness)
            mixing = (1 - same.mean(), 1 - graph.weights[same].sum() / graph.weights.sum())
            rows.append((*mixing, result.nmi, result.ari, result.planted, result.found))
        mut, muw, nmi, ari, there, found = np.mean(rows, axis=0)
        print(
            f"{number}  k {setting.degree:g}  beta {setting.beta:g}  mut {setting.mut:g} "
            f"({mut:.3f})  muw {setting.muw:g} ({muw:.3f})  NMI {nmi:.2f}  ARI {ari:.2f}  "
            f"communities {there:.1f}, found {found:.1f}"
        )


def mask(_: int) -> None:
    """Seconds and seen loss of one descent, ours and tensorly's, from the same start."""
    import tensorly as tl
    from tensorly.decomposition import non_negative_parafac

    randomness = Randomness.from_seed(0)
    tensor = plant(randomness)
    data = masked(tensor.values, tensor.seen)
    start = draw(data.shape, RANK, randomness.stream("start"))
    begin = time.perf_counter()
    ours = descend(data, tensor.seen, [factor.copy() for factor in start])
    took = time.perf_counter() - begin
    full = np.broadcast_to(tensor.seen, data.shape).astype(data.dtype)
    single = [factor.astype(data.dtype) for factor in start]
    for sweeps in (25, 100, 400):
        begin = time.perf_counter()
        theirs = non_negative_parafac(
            data, RANK, n_iter_max=sweeps, init=(None, single), tol=0, mask=full
        )
        other = time.perf_counter() - begin
        left = ((data - tl.cp_to_tensor(theirs)) * full) ** 2
        loss = float(left.sum() / (data**2).sum())
        print(f"tensorly, {sweeps} sweeps: loss {loss:.4f}, {other / took:.0f} times ours")
    print(f"ours, {ours.sweeps} sweeps: loss {ours.loss:.4f}, {took:.2f} s")


if __name__ == "__main__":
    verb, *count = sys.argv[1:]
    number = int(count[0]) if count else 10
    {"planted": planted, "ranks": ranks, "lfr": lfr, "mask": mask}[verb](number)
