"""A leaderboard as it is drawn: where every interval lies on a common axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from retia.protocol.metrics import REGISTRY
from retia.protocol.rank_groups import Summary
from retia.shards.manifest import Measure, Task

WIDTH = 180.0
MARGIN = 14.0
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Bar:
    """A mean and its interval, in units of the drawing."""

    mean: float
    low: float
    high: float
    label: str


@dataclass(frozen=True)
class Axis:
    """The common axis: its ends, and its ticks as (place, label)."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """Where a value lies; beyond the ends, at the end."""
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)


def make_axis(found: Sequence[Summary]) -> Axis:
    """An axis with round ends that holds every interval; shares end at 0 and 1."""
    low = min((_low(s) for s in found), default=0.0)
    high = max((_high(s) for s in found), default=1.0)
    if all(0 <= s.mean <= 1 for s in found):
        low, high = max(low, 0.0), min(high, 1.0)
    step = _round_step(max(high - low, 0.02) / 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    bare = Axis(first * step, last * step, ())
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) + (f"{step:e}"[0:3] == "2.5")
    every = 1 if last - first <= 4 else 2
    ticks = tuple(
        (bare.place(i * step), f"{i * step:.{decimals}f}" if (i - first) % every == 0 else "")
        for i in range(first, last + 1)
    )
    return Axis(bare.low, bare.high, ticks)


def make_bar(axis: Axis, summary: Summary) -> Bar:
    """The drawing of a summary."""
    label = f"mean {summary.mean:.4f}"
    if summary.low is not None and summary.high is not None:
        label += f", 95 % interval {summary.low:.4f} to {summary.high:.4f}"
    return Bar(
        axis.place(summary.mean), axis.place(_low(summary)), axis.place(_high(summary)), label
    )


def explain(measure: Measure, task: Task) -> str:
    """A measure in a sentence."""
    metric = next(m for (name, _), m in REGISTRY.items() if name == measure.metric)
    way = "higher is better" if metric.higher_is_better else "lower is better"
    where = ""
    for candidates in task.candidates:
        if candidates.name == measure.candidates:
            where = f" on '{candidates.name}' candidates ({candidates.description.rstrip('.')})"
    return f"{metric.description}{where}; {way}"


def _low(summary: Summary) -> float:
    return summary.mean if summary.low is None else summary.low


def _high(summary: Summary) -> float:
    return summary.mean if summary.high is None else summary.high


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in STEPS if step * power >= rough * (1 - 1e-9))
