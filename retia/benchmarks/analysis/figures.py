"""Draw a comparison: heat maps by run and by seed, and the tree of what was learned alike."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as MatplotlibPath
from numpy.typing import NDArray
from scipy.cluster.hierarchy import dendrogram

from retia.benchmarks.analysis.alike import MARGIN, Alike
from retia.benchmarks.analysis.embeddings import Floats
from retia.benchmarks.drawing import (
    ACCENT,
    DARK_FROM,
    FAINT,
    INK,
    MUTED,
    PAPER,
    SHADES,
    STEPS,
    STYLE,
    shade,
)

CELL = 0.62
"""Inches."""
LETTER = 0.075
"""Inches that a letter of a label takes, at most."""
LETTERS = 40
"""A longer label is cut."""
SCALE_INCHES = 0.75


def draw_heat_map(matrix: Floats, labels: Sequence[str], title: str) -> Figure:
    """By run: a number a cell; framed on the diagonal, where the seeds of one run are compared."""
    number = len(labels)
    left = _width(labels)
    with mpl.rc_context(STYLE):
        figure, axes = _square(number * CELL, left, title)
        for row, column in np.ndindex(number, number):
            _draw_cell(axes, float(matrix[row, column]), row, column)
        _finish(axes, number, np.arange(number) + 0.5, labels)
    return figure


def draw_seed_map(
    matrix: Floats, runs: NDArray[np.int64], labels: Sequence[str], title: str
) -> Figure:
    """By seed: `runs` (N,) are those of the rows, in order; a gap between runs."""
    sizes = np.bincount(runs)
    ends = np.cumsum(sizes)
    side = max(3.0, min(6.5, 0.14 * len(runs)))
    with mpl.rc_context(STYLE):
        figure, axes = _square(side, _width(labels), title)
        _draw_shades(axes, matrix)
        for end in ends[:-1]:
            axes.axhline(end, color=PAPER, linewidth=2)
            axes.axvline(end, color=PAPER, linewidth=2)
        _finish(axes, len(runs), ends - sizes / 2, labels)
    return figure


def draw_tree(alike: Alike, labels: Sequence[str]) -> Figure:
    """The tree of runs; what joins left of the line has learned the same thing."""
    tree, left = alike.tree(), _width(labels)
    height = 0.34 * len(labels) + 0.95
    width = left + 3.9
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        inner = (0.34 * len(labels)) / height
        axes = figure.add_axes((left / width, 0.5 / height, 3.6 / width, inner))
        drawn = dendrogram(tree, orientation="right", no_plot=True)
        for x, y in zip(drawn["dcoord"], drawn["icoord"], strict=True):
            same = max(x) <= MARGIN
            axes.plot(x, y, color=ACCENT if same else MUTED, linewidth=2 if same else 1.1)
        leaves = drawn["leaves"]
        places = 10.0 * np.arange(len(leaves)) + 5
        _name_rows(axes, places, [labels[i] for i in leaves], [i + 1 for i in leaves])
        axes.set_ylim(0, 10 * len(leaves))
        axes.set_xlim(0, max(1.02 * float(tree[:, 2].max()), 3 * MARGIN))
        axes.axvline(MARGIN, color=ACCENT, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set_xlabel("1 − lower bound of the ratio to the ceiling")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", length=3)
        figure.text(
            0.12 / width,
            1 - 0.13 / height,
            "Which learned the same",
            weight="bold",
            va="top",
            size=9,
        )
    return figure


def _width(labels: Sequence[str]) -> float:
    return 0.35 + LETTER * (max(len(_short(label)) for label in labels) + 3)


def _short(label: str) -> str:
    return label if len(label) <= LETTERS else label[: LETTERS - 1] + "…"


def _square(side: float, left: float, title: str) -> tuple[Figure, Axes]:
    """A square of that side (inches) with room for labels, a title above and a scale beside it."""
    top, bottom = 0.4, 0.35
    width, height = left + side + SCALE_INCHES, top + side + bottom
    # A short matrix leaves its title room.
    width = max(width, LETTER * len(title) * 1.15 + 0.3)
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    figure.text(0.12 / width, 1 - 0.12 / height, title, weight="bold", va="top", size=9)
    tall = min(side, 1.9)
    scale = figure.add_axes(
        ((left + side + 0.18) / width, (bottom + side - tall) / height, 0.11 / width, tall / height)
    )
    for i, colour in enumerate(SHADES):
        scale.add_patch(Rectangle((0, i), 1, 1, color=colour, linewidth=0))
    scale.set(xlim=(0, 1), ylim=(0, len(SHADES)), xticks=[])
    scale.set_yticks([0, len(SHADES) / 2, len(SHADES)], ["≤ 0", "0.5", "1"])
    scale.yaxis.tick_right()
    scale.tick_params(length=0, pad=3, labelsize=7.5)
    scale.spines[:].set_visible(False)
    return figure, axes


def _draw_shades(axes: Axes, matrix: Floats) -> None:
    """All cells, a path a shade; what is not known is left out."""
    places = np.round(np.clip(matrix, 0, 1) * STEPS)
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])
    for step in np.unique(places[np.isfinite(places)]).astype(int):
        rows, columns = np.nonzero(places == step)
        squares = np.column_stack([columns, rows])[:, None] + corners
        path = MatplotlibPath.make_compound_path_from_polys(squares)
        axes.add_patch(PathPatch(path, facecolor=SHADES[step], edgecolor=SHADES[step], lw=0.4))


def _draw_cell(axes: Axes, value: float, row: int, column: int) -> None:
    known = bool(np.isfinite(value))
    gap = 0.09 if row == column else 0.03
    cell = Rectangle((column + gap, row + gap), 1 - 2 * gap, 1 - 2 * gap, linewidth=0)
    cell.set_facecolor(shade(value) if known else FAINT)
    axes.add_patch(cell)
    if row == column:
        frame = Rectangle((column + 0.03, row + 0.03), 0.94, 0.94, fill=False)
        frame.set(edgecolor=INK, linewidth=0.9)
        axes.add_patch(frame)
    text = f"{value:.2f}".replace("-", "−") if known else "–"
    colour = PAPER if known and value >= DARK_FROM else INK
    axes.text(column + 0.5, row + 0.5, text, ha="center", va="center_baseline", color=colour)


def _finish(axes: Axes, number: int, places: NDArray[np.floating], labels: Sequence[str]) -> None:
    axes.set(xlim=(0, number), ylim=(number, 0))
    numbers = list(range(1, len(labels) + 1))
    axes.set_xticks(places, [str(i) for i in numbers])
    axes.tick_params(length=0, pad=4)
    axes.spines[:].set_visible(False)
    _name_rows(axes, places, labels, numbers)


def _name_rows(
    axes: Axes, places: NDArray[np.floating], labels: Sequence[str], numbers: Sequence[int]
) -> None:
    """Labels left of the axes, and their numbers between."""
    axes.set_yticks(places, [str(i) for i in numbers])
    for place, label in zip(places, labels, strict=True):
        axes.annotate(
            _short(label),
            (0, place),
            xycoords=("axes fraction", "data"),
            xytext=(-20, 0),
            textcoords="offset points",
            ha="right",
            va="center_baseline",
        )
