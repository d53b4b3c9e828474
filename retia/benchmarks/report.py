"""The page of a run: what was run on what, its scores and learning curves, how to submit it."""

from pathlib import Path
from typing import Any

from scipy import stats

from retia.benchmarks.config import RunConfig, flatten
from retia.benchmarks.curve import read_curve
from retia.shards.writer import write_atomically

REPORT_FILE = "report.html"
CURVES_FILE = "curves.svg"
RANKED_SEEDS = 10
CONFIDENCE = 0.95
SHOWN_APART = {"dataset", "version", "digest", "task", "model"}


def write_report(folder: Path) -> Path:
    """Write `report.html` and, of a trained model, `curves.svg` into a run directory.

    Made of its config, its results and its learning curves; returns the path of the page. Raises
    `InputError` where the run is not finished.
    """
    from retia.benchmarks.drawing import inline_svg, write_svg
    from retia.benchmarks.learning_curves import draw_curves, draw_panel
    from retia.benchmarks.pages import render
    from retia.benchmarks.runner import read_config, read_result

    result = read_result(folder)
    config = read_config(folder)
    seeds = [read_result(folder / "seeds" / str(seed)) for seed in result["seeds"]]
    curves, panels = _read_curves(folder, seeds), []
    if curves is not None:
        write_svg(draw_curves(curves), folder / CURVES_FILE)
        for key in curves.keys:
            label = f"{key} of {len(seeds)} seeds by epoch"
            panels.append(inline_svg(draw_panel(curves, key), label))
    page = render(
        "report.html",
        folder=str(folder),
        config=config,
        result=result,
        scores=_scores(result),
        seeds=seeds,
        panels=panels,
        settings=_settings(config),
        tuned=flatten(result["submission"]["tuned"] or {}),
        ranked_seeds=RANKED_SEEDS,
    )
    path = folder / REPORT_FILE
    write_atomically(path, page)
    return path


def _settings(config: RunConfig) -> list[tuple[str, Any]]:
    flat = flatten(config.model_dump(exclude=SHOWN_APART, exclude_none=True))
    return list(flat.items())


def interval(values: list[float]) -> tuple[float, float] | None:
    """The 95 % t-interval of the mean over seeds; none for a single seed."""
    if len(values) < 2:
        return None
    mean, error = float(stats.tmean(values)), float(stats.sem(values))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * error
    return mean - half, mean + half


def _scores(result: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a measure, the primary first: mean, std and interval of each part."""
    measures = sorted(result["valid"], key=lambda measure: measure != result["primary"])
    return [
        {"measure": measure, "primary": measure == result["primary"]}
        | {part: _cell(result[part], measure) for part in ("valid", "test")}
        for measure in measures
    ]


def _cell(summary: dict[str, Any] | None, measure: str) -> dict[str, Any] | None:
    if summary is None:
        return None
    return summary[measure] | {"interval": interval(summary[measure]["seeds"])}


def _read_curves(folder: Path, seeds: list[dict[str, Any]]) -> Any:
    """The curves of a trained model; none of a computed one."""
    from retia.benchmarks.learning_curves import Curves
    from retia.benchmarks.seed import CURVE_FILE

    trained = [seed for seed in seeds if "best_epoch" in seed]
    records = [read_curve(folder / "seeds" / str(seed["seed"]) / CURVE_FILE) for seed in trained]
    kept = [(r, seed["best_epoch"]) for r, seed in zip(records, trained, strict=True) if r]
    if not kept:
        return None
    return Curves(tuple(r for r, _ in kept), tuple(best for _, best in kept))
