"""Draw the pipeline of a vessel build, docs/figures/vessel-pipeline.svg, from a network of its own.

    python scripts/vessel_figure.py

A generated network is drawn as a flat mask, traced, cleaned, split and turned into its line graph
by the code that a build runs.
"""

import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from retia.datasets.vessel.cleaning import clean
from retia.datasets.vessel.graph import VesselGraph
from retia.datasets.vessel.line_graph import line_graph
from retia.datasets.vessel.volumes.volume import read_volume
from retia.protocol.link_task import hide_edges
from retia.protocol.negatives import FreeNodes, matched_negatives
from retia.protocol.pairs import LinkGraph
from retia.protocol.randomness import Randomness

FIGURE = Path(__file__).resolve().parents[1] / "docs" / "figures" / "vessel-pipeline.svg"
SIZE, STEP = 420, 46
INK, SOFT, RED, BLUE, GOLD = "#22262e", "#b9bec8", "#b8293d", "#2b6cb0", "#c98a12"

Pairs = NDArray[np.int64]


def main() -> None:
    """Write the figure."""
    randomness = Randomness.from_seed(4)
    mask = draw_mask(randomness.stream("mask"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.npy"
        np.save(path, mask.T)
        graph, _ = clean(read_volume(path, (1.0,))[0])
    plt.rcParams |= {"font.family": "sans-serif", "font.size": 10, "svg.hashsalt": "retia"}
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.5), layout="constrained")
    show_mask(axes[0], mask)
    show_graph(axes[1], graph)
    show_links(axes[2], graph, randomness)
    show_line_graph(axes[3], graph)
    for axis in axes:
        axis.set(xlim=(0, SIZE), ylim=(0, SIZE), aspect="equal", xticks=[], yticks=[])
        axis.spines[:].set_color(SOFT)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, metadata={"Date": None})


def draw_mask(rng: np.random.Generator) -> NDArray[np.bool_]:
    """A jittered lattice with some of its segments, as tubes of several widths; (x, y)."""
    count = SIZE // STEP
    grid = np.stack(np.meshgrid(*[np.arange(count)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    place = (grid + 0.75) * STEP + rng.uniform(-12, 12, grid.shape)
    number = np.arange(count * count).reshape(count, count)
    across = np.column_stack([number[:-1].ravel(), number[1:].ravel()])
    along = np.column_stack([number[:, :-1].ravel(), number[:, 1:].ravel()])
    segments = np.concatenate([across, along])
    kept = segments[rng.random(len(segments)) < 0.62]
    trunk = np.concatenate([along[2 * (count - 1) : 3 * (count - 1)], across[5::count]])
    at = np.stack(np.indices((SIZE, SIZE)), axis=-1)
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    for pairs, low, high in ((kept, 2.0, 4.5), (trunk, 6.0, 8.0)):
        for (a, b), radius in zip(place[pairs], rng.uniform(low, high, len(pairs)), strict=True):
            share = np.clip((at - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
            mask |= np.linalg.norm(at - a - share[..., None] * (b - a), axis=-1) <= radius
    return mask


def show_mask(axis: plt.Axes, mask: NDArray[np.bool_]) -> None:
    axis.imshow(mask.T, origin="lower", cmap=mpl.colors.ListedColormap(["white", INK]))
    axis.set_title("a segmentation")


def show_graph(axis: plt.Axes, graph: VesselGraph) -> None:
    lines(axis, graph, np.ones(len(graph.ends), dtype=bool), graph.measures["minRadiusAvg"] / 2)
    axis.scatter(*graph.position.T, s=9, color=RED, zorder=3)
    axis.set_title("traced, measured, cleaned")


def show_links(axis: plt.Axes, graph: VesselGraph, randomness: Randomness) -> None:
    """Visible vessels, hidden ones, and the matched non-edges that are listed beside them."""
    pairs = np.sort(graph.ends, axis=1)
    hidden = hide_edges(len(pairs), 0.2, randomness.stream("hide"))
    links = LinkGraph(len(graph.position), False, pairs[~hidden], pairs[hidden], graph.position)
    nodes = FreeNodes(np.ones(links.num_nodes, dtype=bool))
    negatives, found = matched_negatives(links, links.hidden, nodes, randomness.stream("matched"))
    lines(axis, graph, ~hidden, 1.1, SOFT)
    lines(axis, graph, hidden, 1.8, RED)
    chosen = graph.position[negatives[found]]
    axis.add_collection(LineCollection(list(chosen), colors=BLUE, linewidths=1.3, linestyles=":"))
    axis.scatter(*graph.position.T, s=5, color=INK, zorder=3)
    axis.set_title("NAME-link: hidden, and its match")


def show_line_graph(axis: plt.Axes, graph: VesselGraph) -> None:
    middle = graph.position[graph.ends].mean(axis=1)
    joined = middle[line_graph(graph.ends, len(graph.position))]
    axis.add_collection(LineCollection(list(joined), colors=SOFT, linewidths=0.8))
    thirds = np.quantile(graph.measures["minRadiusAvg"], (1 / 3, 2 / 3))
    classes = np.digitize(graph.measures["minRadiusAvg"], thirds)
    colours = np.array([BLUE, GOLD, RED])[classes]
    axis.scatter(*middle.T, s=12, c=colours, zorder=3)
    axis.set_title("NAME-node: vessels, by radius")


def lines(
    axis: plt.Axes,
    graph: VesselGraph,
    chosen: NDArray[np.bool_],
    width: NDArray[np.float64] | float,
    colour: str = INK,
) -> None:
    ends = graph.position[graph.ends[chosen]]
    axis.add_collection(LineCollection(list(ends), colors=colour, linewidths=width))


if __name__ == "__main__":
    main()
