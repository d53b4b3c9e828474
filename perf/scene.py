"""How long the scene of a generated vessel network takes, and how large its files are.

python perf/scene.py 350000
"""

import argparse
import resource
import time

import numpy as np

from retia.api.exhibits.scene import MAX_LINES, MAX_NODES, Scene, quantise, widths
from retia.api.exhibits.still import draw_still
from retia.api.exhibits.thinning import thin
from retia.datasets.vessel.synthetic import generate_vessels
from retia.protocol.randomness import Randomness


def main() -> None:
    """Generate, thin, encode, draw; print what each took."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nodes", type=int)
    nodes = parser.parse_args().nodes
    network = generate_vessels(nodes, Randomness.from_seed(1))
    position = np.column_stack([network.nodes[f"pos_{axis}"].to_numpy() for axis in "xyz"])
    ends = np.column_stack([network.edges[f"node{end}id"].to_numpy() for end in (1, 2)])
    ends = ends.astype(np.int64) - int(network.nodes["id"].to_numpy().min())
    radius = np.maximum(network.edges["avgRadiusAvg"].to_numpy(), 0.0)
    length = np.linalg.norm(position[ends[:, 0]] - position[ends[:, 1]], axis=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    rows = np.arange(len(ends))
    kept = thin(np.ones(nodes, bool), ends, rows, radius, length, MAX_NODES, MAX_LINES)
    number = np.full(nodes, -1)
    number[kept.nodes] = np.arange(len(kept.nodes))
    quantised, extent = quantise(position[kept.nodes])
    lines = number[ends[kept.edges]].astype(np.uint16)
    thick = widths(radius[kept.edges])
    scene = Scene(quantised, lines, thick, (), extent, "um", (nodes, len(ends)))
    content = scene.encode()
    thinned = time.perf_counter()
    still = draw_still(scene)
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{nodes:,} nodes, {len(ends):,} edges: {len(kept.nodes):,} and {len(kept.edges):,} kept")
    print(f"thin and encode {thinned - started:.2f} s, picture {ended - thinned:.2f} s")
    print(f"scene {len(content):,} bytes, picture {len(still):,} bytes")
    print(f"peak memory {(peak - before) / 1024:,.0f} MB over the generator's")


if __name__ == "__main__":
    main()
