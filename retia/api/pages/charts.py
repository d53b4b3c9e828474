"""Plots as they are drawn: bars with an axis, in units of the drawing."""

import math
from dataclasses import dataclass

from retia.api.exhibits.plots import Plot
from retia.api.pages.render import short_number, unit

WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 8, 8, 22, 34
ROW = 22
NAME_WIDTH = 120


@dataclass(frozen=True)
class Rect:
    """A bar, and what it says."""

    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A drawing: its size, its bars, ticks as (x, label), rows of its table as (what, count)."""

    title: str
    axis: str
    note: str
    width: int
    height: int
    bars: tuple[Rect, ...]
    ticks: tuple[tuple[float, str], ...]
    names: tuple[tuple[float, str], ...]
    rows: tuple[tuple[str, int], ...]


def draw(plot: Plot) -> Chart:
    """A histogram with bars that stand, or classes with bars that lie."""
    return _classes(plot) if plot.labels else _histogram(plot)


def _histogram(plot: Plot) -> Chart:
    edges = plot.edges
    span = WIDTH - LEFT - RIGHT
    place = _log_place(edges, span) if plot.log else _place(edges[0], edges[-1], span)
    top = max(plot.counts)
    room = HEIGHT - TOP - BOTTOM
    bars, rows = [], []
    for count, low, high in zip(plot.counts, edges, edges[1:], strict=False):
        left, right = place(low), place(high)
        tall = round(max(count / top * room, 1.5 if count else 0), 1)
        what = _between(low, high, plot.axis)
        y = round(HEIGHT - BOTTOM - tall, 1)
        bars.append(Rect(left, y, round(max(right - left - 1, 1), 1), tall, f"{what}: {count:,}"))
        rows.append((what, count))
    note = f"{sum(plot.counts):,} in all"
    if plot.median is not None:
        note += f", median {short_number(round(plot.median, 3))}"
    ticks = tuple((place(value), short_number(value)) for value in _ticks(plot))
    return Chart(
        plot.title, unit(plot.axis), note, WIDTH, HEIGHT, tuple(bars), ticks, (), tuple(rows)
    )


def _classes(plot: Plot) -> Chart:
    top = max(plot.counts)
    room = WIDTH - NAME_WIDTH - 56
    bars, names = [], []
    for place, (label, count) in enumerate(zip(plot.labels, plot.counts, strict=True)):
        y = 4 + place * ROW
        wide = round(max(count / top * room, 1.5 if count else 0), 1)
        bars.append(Rect(NAME_WIDTH, y + 3, wide, ROW - 7, f"{count:,}"))
        names.append((y + ROW / 2 + 4, label if len(label) <= 18 else f"{label[:17]}…"))
    rows = tuple(zip(plot.labels, plot.counts, strict=True))
    height = 10 + ROW * len(rows)
    note = f"{sum(plot.counts):,} in all"
    return Chart(
        plot.title, unit(plot.axis), note, WIDTH, height, tuple(bars), (), tuple(names), rows
    )


def _place(low: float, high: float, span: float):
    return lambda value: round(LEFT + (value - low) / ((high - low) or 1) * span, 1)


def _log_place(edges: list[float], span: float):
    """Places on a logarithm; the first bin, which may begin at 0, is as wide as the second."""
    ratio = edges[2] / edges[1] if len(edges) > 2 and edges[1] > 0 else 2.0
    low = math.log(max(edges[0], edges[1] / ratio, 1e-300))
    high = math.log(edges[-1])
    return lambda value: round(
        LEFT + max(0.0, math.log(max(value, 1e-300)) - low) / ((high - low) or 1) * span, 1
    )


def _ticks(plot: Plot) -> list[float]:
    """A few round values within the axis."""
    low, high = plot.edges[0], plot.edges[-1]
    if plot.log:
        first = math.ceil(math.log10(max(plot.edges[1], 1e-300)))
        powers = list(range(first, math.floor(math.log10(high)) + 1))
        every = max(1, -(-len(powers) // 6))
        return [10.0**power for power in powers[::every]]
    rough = max(high - low, 1e-300) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _between(low: float, high: float, axis: str) -> str:
    """A bin in words; whole numbers where its ends lie half-way between two."""
    is_whole = axis in ("visible edges of a node", "characters")
    if is_whole and low % 1 == 0.5 and high % 1 == 0.5:
        first, last = int(low + 0.5), int(high - 0.5)
        return f"{first:,}" if first == last else f"{first:,} to {last:,}"
    return f"{low:.4g} to {high:.4g}"
