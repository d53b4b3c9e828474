"""Cleaning against the same published rules written row by row.

    python perf/cleaning.py [EDGES]

The naive version does what VesselGraph's script is documented to do (arXiv 2108.13233): it sums
parallel edges with `iloc` in a loop and takes the medians of the whole table anew for each of them.
Both run in this process on the same 100,000 edges, 5 % of them parallel; the results must agree.
"""

import sys
import time

import numpy as np
import pandas as pd

from retia.datasets.vessel.cleaning import merge_as_published, merge_parallel
from retia.datasets.vessel.graph import MEASURES, VesselGraph

EDGES = 100_000
PARALLEL = 0.05
ADDED = ("volume", "num_voxels", "avgCrossSection", "avgRadiusAvg")
AVERAGED = ("length", "curveness")


def main() -> None:
    """Print seconds and the ratio."""
    edges = int(sys.argv[1]) if len(sys.argv) > 1 else EDGES
    graph = make_graph(edges, np.random.default_rng(0))
    ours, fast = timed(lambda: merge_as_published(graph))
    _, own = timed(lambda: merge_parallel(graph))
    wanted, slow = timed(lambda: naive_merge(graph))
    for name in (*ADDED, *AVERAGED):
        np.testing.assert_allclose(ours.measures[name], wanted[name].to_numpy())
    print(f"{edges:,} edges, {edges - len(ours.edge_id):,} merged away")
    print(f"published rules, row by row  {slow:9.3f} s")
    print(f"published rules, Retia       {fast:9.3f} s   {slow / fast:7.0f} x")
    print(f"Retia's own rules            {own:9.3f} s   {slow / own:7.0f} x")


def make_graph(edges: int, rng: np.random.Generator) -> VesselGraph:
    """Random edges, a twentieth of them a second one between two nodes that have one."""
    nodes = edges * 2 // 3
    again = int(PARALLEL * edges)
    pairs = np.unique(np.sort(rng.integers(nodes, size=(2 * edges, 2)), axis=1), axis=0)
    pairs = rng.permutation(pairs[pairs[:, 0] != pairs[:, 1]])[: edges - again]
    ends = rng.permutation(np.concatenate([pairs, pairs[:again]]))
    measures = {name: rng.uniform(1, 9, edges) for name in MEASURES}
    return VesselGraph(np.arange(nodes), rng.random((nodes, 3)), np.arange(edges), ends, measures)


def naive_merge(graph: VesselGraph) -> pd.DataFrame:
    """The published rules, a row and a cell at a time."""
    low, high = np.sort(graph.ends, axis=1).T
    table = pd.DataFrame({"node1id": low, "node2id": high, **graph.measures})
    table = table.sort_values(["node1id", "node2id"], kind="stable").reset_index(drop=True)
    slope, offset = np.polyfit(table["avgRadiusAvg"].abs(), table["roundnessAvg"], 1)
    repeated = table.duplicated(["node1id", "node2id"])
    counts = table.groupby(["node1id", "node2id"]).size()
    firsts = np.flatnonzero(~repeated)[counts.to_numpy() > 1]
    for first, count in zip(firsts, counts[counts > 1], strict=True):
        total = dict.fromkeys((*ADDED, *AVERAGED), 0.0)
        for k in range(count):
            for name in total:
                total[name] += table.iloc[first + k][name]
        for name in total:
            table.loc[first, name] = total[name] / (count if name in AVERAGED else 1)
        radius = total["avgRadiusAvg"]
        spread = np.median(table["avgRadiusStd"] / table["avgRadiusAvg"])
        uneven = np.median(table["roundnessStd"] / table["roundnessAvg"])
        for which in ("min", "avg", "max"):
            table.loc[first, f"{which}RadiusAvg"] = radius
            table.loc[first, f"{which}RadiusStd"] = radius * spread
        table.loc[first, "roundnessAvg"] = slope * radius + offset
        table.loc[first, "roundnessStd"] = (slope * radius + offset) * uneven
    return table[~repeated]


def timed(work):
    """What a call returns, and its seconds."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


if __name__ == "__main__":
    main()
