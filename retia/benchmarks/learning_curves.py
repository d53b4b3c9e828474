"""Draw the learning curves of a run: a line a seed, its best epoch marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from retia.benchmarks.drawing import ACCENT, FAINT, PAPER, STYLE

Records = Sequence[Mapping[str, Any]]
WIDTH, HEIGHT = 4.1, 2.75
"""Inches of one panel."""
LOGARITHMIC_FROM = 50


@dataclass(frozen=True)
class Curves:
    """Of each seed: the records of its evaluations, and the best epoch."""

    records: tuple[Records, ...]
    best: tuple[int, ...]

    @property
    def keys(self) -> list[str]:
        """What was recorded beside the epoch: the loss, the validation measure."""
        return [key for key in self.records[0][0] if key != "epoch"]


def draw_curves(curves: Curves) -> Figure:
    """All panels side by side."""
    with mpl.rc_context(STYLE):
        number = len(curves.keys)
        figure = Figure(figsize=(WIDTH * number, HEIGHT), layout=_layout())
        for key, axes in zip(
            curves.keys, figure.subplots(1, number, squeeze=False)[0], strict=True
        ):
            _draw(axes, curves, key)
    return figure


def draw_panel(curves: Curves, key: str) -> Figure:
    """One panel."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout=_layout())
        _draw(figure.subplots(), curves, key)
    return figure


def _layout() -> ConstrainedLayoutEngine:
    return ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)


def _draw(axes: Axes, curves: Curves, key: str) -> None:
    strength = 0.9 if len(curves.records) == 1 else 0.55
    low, high = float("inf"), 0.0
    for records, best in zip(curves.records, curves.best, strict=True):
        epochs, values = [r["epoch"] for r in records], [r[key] for r in records]
        low, high = min(low, *values), max(high, *values)
        axes.plot(epochs, values, color=ACCENT, linewidth=1.1, alpha=strength, zorder=2)
        if len(records) == 1 or best in epochs:
            place = epochs.index(best) if best in epochs else 0
            axes.scatter(
                epochs[place],
                values[place],
                s=22,
                color=ACCENT,
                edgecolor=PAPER,
                linewidth=0.8,
                zorder=3,
            )
    if key == "loss" and low > 0 and high / low > LOGARITHMIC_FROM:
        axes.set_yscale("log")
    axes.grid(axis="y", color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(length=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("epoch")
    axes.set_title("training loss" if key == "loss" else key.replace("valid.", "validation, "))
