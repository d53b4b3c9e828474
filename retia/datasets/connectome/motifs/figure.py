"""Draw counts against null models: the triads, a dot a null model; the rich club, a line each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from retia.datasets.connectome.motifs.significance import Significance
from retia.datasets.connectome.motifs.wiring import Floats
from retia.protocol.triad_classes import SHAPES
from retia.protocol.triads import CONNECTED
from retia.shards.errors import MissingExtraError

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch
except ImportError as error:
    raise MissingExtraError("build", "matplotlib") from error

COLOURS = {"degree": "#2b6c9e", "mutual": "#d4622a", "weights": "#7a5ea8", "spatial": "#3d8a5f"}
INK, MUTED, FAINT = "#222222", "#6b6b6b", "#e4e4e4"
UNIT = 0.56
"""Inches between two columns."""
LEFT, RIGHT, TOP, PLOT, DRAWINGS = 0.75, 0.2, 0.72, 2.7, 0.95
PLACES = {"a": (-0.29, 0.0), "b": (0.0, 0.5), "c": (0.29, 0.0)}
LINEAR_UP_TO = 100
STYLE: Any = {
    "font.size": 8.5,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.labelcolor": INK,
    "svg.hashsalt": "retia",
    "svg.fonttype": "none",
}


def write_triads(
    found: Mapping[str, Significance], title: str, subtitle: str, folder: Path
) -> list[Path]:
    """Write motifs.svg and motifs.png: z of the 13 connected triads, by null model."""
    with mpl.rc_context(STYLE):
        z = {null: figures.z[-len(CONNECTED) :] for null, figures in found.items()}
        return _save(draw_triads(z, title, f"{subtitle}; grey: |z| < 2"), folder / "motifs")


def write_rich_club(
    found: Mapping[str, Significance], title: str, subtitle: str, folder: Path
) -> list[Path]:
    """Write rich-club.svg and rich-club.png: the ratio to each null model, by degree."""
    with mpl.rc_context(STYLE):
        figure = draw_rich_club(found, title, f"{subtitle}; pale: mean of the draws ± 2 std")
        return _save(figure, folder / "rich-club")


def draw_triads(z: Mapping[str, Floats], title: str, subtitle: str) -> Figure:
    """`z` (13,) of the connected triads, by null model. Size and places are in inches."""
    columns = len(CONNECTED)
    width, height = LEFT + UNIT * columns + RIGHT, TOP + PLOT + DRAWINGS
    figure = Figure(figsize=(width, height))
    inner = UNIT * columns / width
    plot = figure.add_axes((LEFT / width, DRAWINGS / height, inner, PLOT / height))
    drawings = figure.add_axes((LEFT / width, 0, inner, DRAWINGS / height))
    _plot(plot, z)
    _draw_triads(drawings)
    _head(figure, title, subtitle)
    return figure


def draw_rich_club(found: Mapping[str, Significance], title: str, subtitle: str) -> Figure:
    """The rich club coefficient as a multiple of that of the draws, above every degree."""
    width, height, below = LEFT + UNIT * len(CONNECTED) + RIGHT, TOP + PLOT + 0.6, 0.6
    figure = Figure(figsize=(width, height))
    inner = (width - LEFT - RIGHT) / width
    axes = figure.add_axes((LEFT / width, below / height, inner, PLOT / height))
    for null, one in found.items():
        degree, width_of_two = np.arange(len(one.ratio)), 2 * one.std / one.mean
        colour = COLOURS[null]
        axes.fill_between(
            degree,
            1 - width_of_two,
            1 + width_of_two,
            step="post",
            color=colour,
            alpha=0.12,
            linewidth=0,
        )
        axes.step(
            degree, one.ratio, where="post", color=colour, linewidth=1.6, label=f"{null} null"
        )
    axes.axhline(1, color=MUTED, linewidth=0.8)
    axes.set_xlim(0, None)
    axes.set_ylim(0, None)
    axes.set_xlabel("nodes of more than so many edges, in and out")
    axes.set_ylabel("edges among them / mean of the draws")
    axes.tick_params(length=3)
    axes.spines[["top", "right"]].set_visible(False)
    _legend(axes, len(found))
    _head(figure, title, subtitle)
    return figure


def _save(figure: Figure, stem: Path) -> list[Path]:
    """The same figure gives the same bytes."""
    paths = [stem.with_suffix(".svg"), stem.with_suffix(".png")]
    figure.savefig(paths[0], metadata={"Date": None})
    figure.savefig(paths[1], dpi=200)
    return paths


def _head(figure: Figure, title: str, subtitle: str) -> None:
    width, height = figure.get_size_inches()
    figure.text(LEFT / width, 1 - 0.22 / height, title, fontsize=10.5, fontweight="bold", va="top")
    figure.text(LEFT / width, 1 - 0.45 / height, subtitle, color=MUTED, va="top")


def _legend(axes: Axes, columns: int) -> None:
    axes.legend(
        frameon=False,
        ncols=columns,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.2,
        handlelength=1.2,
        handletextpad=0.4,
    )


def _plot(axes: Axes, z: Mapping[str, Floats]) -> None:
    axes.set_xlim(-0.5, len(CONNECTED) - 0.5)
    axes.axhspan(-2, 2, color=FAINT, linewidth=0, zorder=0)
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    for place, (null, values) in enumerate(z.items()):
        x = [column + 0.2 * (place - (len(z) - 1) / 2) for column in range(len(CONNECTED))]
        colour = COLOURS[null]
        axes.vlines(x, 0, values, color=colour, linewidth=1.6, alpha=0.55, zorder=2)
        axes.scatter(x, values, s=26, color=colour, zorder=3, label=f"{null} null", linewidth=0)
    axes.set_ylabel("z-score")
    largest = max(np.abs(values[np.isfinite(values)]).max(initial=0) for values in z.values())
    if largest > LINEAR_UP_TO:
        _compress(axes, largest)
    axes.set_xticks([])
    axes.tick_params(length=3)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    _legend(axes, len(z))


def _compress(axes: Axes, largest: float) -> None:
    """Make the scale of z logarithmic beyond ±10."""
    axes.set_yscale("symlog", linthresh=10)
    low, high = axes.get_ylim()
    steps = [tick for tick in np.outer(10.0 ** np.arange(1, 9), (1, 3)).ravel() if tick < largest]
    ticks = [0, *steps, *(-step for step in steps)]
    axes.set_yticks(ticks, [f"{tick:,.0f}".replace("-", "−") for tick in ticks], minor=False)
    axes.set_yticks([], minor=True)
    axes.set_ylim(low, high)
    axes.set_ylabel("z-score, logarithmic beyond ±10")


def _draw_triads(axes: Axes) -> None:
    """The triads under their columns, with their names."""
    axes.set_xlim(-0.5, len(CONNECTED) - 0.5)
    axes.set_ylim(0, DRAWINGS / UNIT)
    axes.axis("off")
    for column, name in enumerate(CONNECTED):
        _draw_triad(axes, SHAPES[name].split(), column, 0.72)
        axes.text(column, 0.3, name, ha="center", va="center")


def _draw_triad(axes: Axes, arcs: list[str], x: float, y: float) -> None:
    at = {node: (x + dx, y + dy) for node, (dx, dy) in PLACES.items()}
    for arc in arcs:
        is_mutual = arc[::-1] in arcs
        if is_mutual and arc > arc[::-1]:
            continue
        axes.add_patch(
            FancyArrowPatch(
                at[arc[0]],
                at[arc[1]],
                arrowstyle="<|-|>" if is_mutual else "-|>",
                mutation_scale=5.5,
                shrinkA=3,
                shrinkB=3,
                linewidth=0.9,
                color=INK,
                joinstyle="miter",
            )
        )
    across, up = zip(*at.values(), strict=True)
    axes.scatter(across, up, s=13, color=INK, linewidth=0, zorder=3)
