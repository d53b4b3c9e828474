"""Time and memory of tracing a vessel graph from a segmentation, by the size of the volume.

    python perf/volume.py 128 256 512

Each volume holds tubes of 2 to 6 voxels' radius along random walks, about 5 % of its voxels, and is
saved plane by plane as an uncompressed .npy file. Each row is a process of its own; `lee` is
scikit-image's `skeletonize` on the whole array, for comparison.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

SHARE = 0.05
BALLS = {r: np.linalg.norm(np.indices((2 * r + 1,) * 3) - r, axis=0) <= r for r in range(2, 7)}


def make_volume(size: int, path: Path) -> None:
    """Walks of drifting direction with balls along them, until 5 % is vessel."""
    rng = np.random.default_rng(0)
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(size,) * 3)
    walks = max(2, size**3 // 128**3 * 4)
    for _ in range(walks):
        _walk(file, rng, int(rng.integers(2, 7)))
    while np.mean(file[:: max(1, size // 32)]) < SHARE:
        _walk(file, rng, int(rng.integers(2, 7)))
    file.flush()


def _walk(file: np.ndarray, rng: np.random.Generator, radius: int) -> None:
    size = len(file)
    turns = rng.normal(size=(size, 3)).cumsum(axis=0)
    way = ndimage.gaussian_filter1d(turns, 12, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    place = np.rint(rng.uniform(radius, size - radius, 3) + way.cumsum(axis=0)).astype(int)
    inside = ((place >= radius) & (place < size - radius)).all(axis=1)
    ball = BALLS[radius]
    for z, y, x in place[inside]:
        box = tuple(slice(c - radius, c + radius + 1) for c in (z, y, x))
        file[box] |= ball


def measure(what: str, path: Path) -> dict[str, float | str]:
    """Run one method in this process; seconds, peak memory, and what it found."""
    start = time.perf_counter()
    if what == "lee":
        from skimage.morphology import skeletonize

        found = f"{int((skeletonize(np.load(path)) > 0).sum()):,} voxels of skeleton, no graph"
    else:
        from retia.datasets.vessel.volumes.volume import read_volume

        graph, report = read_volume(path, (3.0,))
        found = (
            f"{len(graph.node_id):,} nodes, {len(graph.ends):,} edges, {report['graph_loops']:,} "
            f"of {report['mask_loops']:,} loops, {report['graph_components']:,} of "
            f"{report['mask_components']:,} components, clDice {report['cl_dice']:.3f}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": time.perf_counter() - start, "peak_mib": peak, "found": found}


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
        return
    print("| volume | voxels | method | seconds | peak MiB | found |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for size in map(int, sys.argv[1:] or ["128", "256", "512"]):
            path = Path(folder) / f"{size}.npy"
            make_volume(size, path)
            for what in ("retia", "lee"):
                words = [sys.executable, __file__, "--one", what, str(path)]
                row = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
                print(
                    f"| {size}³ | {size**3 / 1e6:.1f} M | {what} | {row['seconds']:.1f} "
                    f"| {row['peak_mib']:,.0f} | {row['found']} |",
                    flush=True,
                )
            path.unlink()


if __name__ == "__main__":
    main()
