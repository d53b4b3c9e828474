"""What draws of the null models cost, with a triad census each.

    python perf/nulls.py [FILE.mat [DRAWS]]

FILE.mat holds the chemical synapses of Varshney et al. 2011, by default that of the test data
beside the checkout. Printed are seconds for the draws of every null model, with one worker and with
two, and their seconds of CPU time, which other work on the machine does not change.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from retia.datasets.connectome.motifs.draws import Plan, draw
from retia.datasets.connectome.motifs.nulls import NULLS
from retia.datasets.connectome.motifs.wiring import Wiring
from retia.protocol.triads import triad_census

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WORM = DATA / "connectome" / "varshney" / "ConnOrdered_040903.mat"


def worm(path: Path) -> Wiring:
    """The synapses, their numbers as weights, and random positions."""
    matrix = np.asarray(loadmat(path)["A_init_t_ordered"].todense())
    np.fill_diagonal(matrix, 0)
    pairs = np.argwhere(matrix > 0)
    position = np.random.default_rng(0).random((len(matrix), 3))
    return Wiring.of(len(matrix), pairs, matrix[*pairs.T].astype(float), position)


def seconds(plan: Plan, draws: int, workers: int) -> str:
    """Seconds for the draws, in a folder of their own, by the clock and of CPU time."""
    with tempfile.TemporaryDirectory() as folder:
        start, used = time.perf_counter(), time.process_time()
        draw(Plan(plan.wiring, plan.null, plan.counts, Path(folder)), draws, workers)
        taken, used = time.perf_counter() - start, time.process_time() - used
    return f"{taken:6.2f} s (CPU {used:5.2f} s)"


def main(path: Path, draws: int) -> None:
    """Print a line a null model."""
    wiring = worm(path)
    print(f"{wiring.num_nodes} nodes, {len(wiring.pairs):,} edges, {draws:,} draws with a census")
    for null in NULLS:
        given = Wiring(**vars(wiring) | {"min_weight": 2.0}) if null == "weights" else wiring
        plan = Plan(given, null, {"triads": triad_census}, Path())
        seconds(plan, 2, 1)
        one, two = (seconds(plan, draws, workers) for workers in (1, 2))
        print(f"  {null:<8} {one} with one worker  {two} with two")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else WORM,
        int(sys.argv[2]) if len(sys.argv) > 2 else 1000,
    )
