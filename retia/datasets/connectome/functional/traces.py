"""Read the activity of named neurons: CSV, NPZ or NWB, one animal a file."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray

from retia.shards.errors import InputError, MissingExtraError

Floats = NDArray[np.float64]
Names = NDArray[np.str_]

MAX_GAP_S = 2.0
MIN_SAMPLES = 8
JITTER = 0.01
NAME_COLUMNS = ("neuron_name", "neuron", "name", "label", "cell_id", "ID_label", "id")


@dataclass(frozen=True)
class Traces:
    """The traces of one animal: `activity` (T, N), sampled every `step_s` seconds.

    `neurons` (N,) are distinct names. A neuron that was never seen is left out.
    """

    animal: str
    neurons: Names
    step_s: float
    activity: Floats


@dataclass(frozen=True)
class _Raw:
    """What a file holds: `times` (T,) in seconds, `names`, and `values` (T, N) with its NaN."""

    times: Floats
    names: Names
    values: Floats


def read_traces(path: Path, max_gap_s: float = MAX_GAP_S) -> Traces:
    """The traces of the animal that the file is named for.

    A neuron whose trace is all NaN was not seen. A run of NaN of at most `max_gap_s` seconds is
    interpolated; at the ends of a trace the nearest value stands. Raises `InputError` for longer
    gaps, two neurons with one name, values that are infinite, times that do not ascend.
    """
    if path.suffix.lower() not in READERS:
        raise InputError(f"{path}: traces are read from {', '.join(READERS)}")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    raw = READERS[path.suffix.lower()](path)
    _check(path, raw, max_gap_s)
    seen = ~np.isnan(raw.values).all(axis=0)
    if not seen.any():
        raise InputError(f"{path}: no neuron has a value")
    filled = _fill(path, raw.times, raw.names[seen], raw.values[:, seen], max_gap_s)
    step, activity = _on_grid(raw.times, filled)
    return Traces(path.stem, raw.names[seen], step, activity)


def read_csv(path: Path) -> _Raw:
    """A column of times in seconds, then one column a neuron, the names in the first row."""
    one_by_one = csv.ReadOptions(use_threads=False)
    try:
        with csv.open_csv(path, read_options=one_by_one) as reader:
            header = reader.schema.names
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.float64()), null_values=["", "nan", "NaN", "NA"]
        )
        table = csv.read_csv(path, read_options=one_by_one, convert_options=convert)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())[:200]}") from error
    if len(header) < 2:
        raise InputError(f"{path}: a column of times and a column a neuron are needed")
    columns = [column.to_numpy() for column in table.columns]
    return _Raw(columns[0], np.array(header[1:], dtype=np.str_), np.column_stack(columns[1:]))


def read_npz(path: Path) -> _Raw:
    """The arrays `traces` (T, N), `neurons` (N,), and `dt`, the seconds of one step."""
    try:
        with np.load(path, allow_pickle=False) as content:
            values = np.asarray(content["traces"], dtype=np.float64)
            names = np.asarray(content["neurons"]).astype(np.str_)
            step = float(content["dt"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: no NPZ of 'traces' (T, N), 'neurons' (N,) and 'dt' ({error})"
        ) from error
    return _with_step(path, step, names, values)


def read_nwb(path: Path) -> _Raw:
    """The only RoiResponseSeries of an NWB file, in its own units.

    Its times are `timestamps`, or the `rate` of `starting_time`; names are read from a column of
    the table that `rois` is drawn from, such as `neuron_name` or `name`, or else are its row ids.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("build", "h5py") from error
    try:
        with h5py.File(path, "r") as file:
            series = _only_series(path, file)
            values = np.asarray(series["data"], dtype=np.float64)
            values = values[:, None] if values.ndim == 1 else values
            names = _roi_names(file, series, values.shape[1])
            if "timestamps" in series:
                return _shaped(path, np.asarray(series["timestamps"], np.float64), names, values)
            rate = float(series["starting_time"].attrs["rate"])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path}: not an NWB file with a RoiResponseSeries ({error})") from error
    return _with_step(path, 1 / rate if rate > 0 else np.nan, names, values)


READERS: dict[str, Callable[[Path], _Raw]] = {
    ".csv": read_csv,
    ".npz": read_npz,
    ".nwb": read_nwb,
}


def _only_series(path: Path, file: Any) -> Any:
    found: list[Any] = []

    def collect(_: str, item: Any) -> None:
        if _text(item.attrs.get("neurodata_type", "")) == "RoiResponseSeries":
            found.append(item)

    file.visititems(collect)
    if len(found) != 1:
        known = ", ".join(series.name for series in found) or "none"
        raise InputError(f"{path}: one RoiResponseSeries is needed; there are: {known}")
    return found[0]


def _roi_names(file: Any, series: Any, number: int) -> Names:
    if "rois" not in series:
        raise KeyError("the series has no 'rois'")
    rows = np.asarray(series["rois"], dtype=np.int64)
    reference = series["rois"].attrs.get("table")
    table: Any = file[reference] if reference is not None else {}
    column = next((name for name in NAME_COLUMNS if name in table), None)
    names = rows if column is None else np.asarray(table[column])[rows]
    if len(names) != number:
        raise ValueError(f"{len(names)} regions for {number} traces")
    return np.array([_text(name) for name in names], dtype=np.str_)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _with_step(path: Path, step: float, names: Names, values: Floats) -> _Raw:
    if not (np.isfinite(step) and step > 0):
        raise InputError(f"{path}: a positive time step in seconds is needed, not {step}")
    return _shaped(path, step * np.arange(len(values), dtype=np.float64), names, values)


def _shaped(path: Path, times: Floats, names: Names, values: Floats) -> _Raw:
    if values.ndim != 2 or names.shape != values.shape[1:] or times.shape != values.shape[:1]:
        raise InputError(
            f"{path}: traces of shape {values.shape} with {times.size} times and {names.size} names"
        )
    return _Raw(times, names, values)


def _check(path: Path, raw: _Raw, max_gap_s: float) -> None:
    names, counts = np.unique(raw.names, return_counts=True)
    if (counts > 1).any():
        raise InputError(f"{path}: two neurons are named '{names[counts > 1][0]}'")
    if (names == "").any():
        raise InputError(f"{path}: a neuron has no name")
    if len(raw.times) < MIN_SAMPLES:
        raise InputError(f"{path}: {len(raw.times)} samples; at least {MIN_SAMPLES} are needed")
    steps = np.diff(raw.times)
    bad = np.flatnonzero(~(steps > 0))
    if bad.size or not np.isfinite(raw.times).all():
        row = int(bad[0]) + 2 if bad.size else 1
        raise InputError(f"{path}: sample {row}: times must be numbers that ascend")
    longest = int(steps.argmax())
    if steps[longest] > max(max_gap_s, (1 + JITTER) * float(np.median(steps))):
        raise InputError(
            f"{path}: no sample for {steps[longest]:g} s after {raw.times[longest]:g} s; "
            f"gaps up to {max_gap_s:g} s are interpolated"
        )
    if np.isinf(raw.values).any():
        row, column = np.argwhere(np.isinf(raw.values))[0]
        raise InputError(f"{path}: neuron {raw.names[column]} is infinite at {raw.times[row]:g} s")


def _fill(path: Path, times: Floats, names: Names, values: Floats, max_gap_s: float) -> Floats:
    """Values with their short gaps interpolated; the gap of the first neuron too long is named."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    edge = np.diff(np.pad(missing, ((1, 1), (0, 0))).astype(np.int8), axis=0)
    column, first = np.nonzero((edge == 1).T)
    last = np.nonzero((edge == -1).T)[1]
    step = float(np.median(np.diff(times)))
    long = np.flatnonzero((last - first) * step > max_gap_s * (1 + JITTER))
    if long.size:
        gap = long[0]
        raise InputError(
            f"{path}: neuron {names[column[gap]]} is NaN for {(last - first)[gap] * step:g} s from "
            f"{times[first[gap]]:g} s; gaps up to {max_gap_s:g} s are interpolated"
        )
    row = np.arange(len(values))[:, None]
    before = np.maximum.accumulate(np.where(missing, -1, row), axis=0)
    after = np.minimum.accumulate(np.where(missing, len(row), row)[::-1], axis=0)[::-1]
    before, after = np.where(before < 0, after, before), np.where(after == len(row), before, after)
    column = np.arange(values.shape[1])
    low, high = values[before, column], values[after, column]
    span = np.maximum(times[after] - times[before], np.finfo(np.float64).tiny)
    share = np.where(after > before, (times[:, None] - times[before]) / span, 0)
    return np.asarray(np.where(missing, low + share * (high - low), values))


def _on_grid(times: Floats, values: Floats) -> tuple[float, Floats]:
    """The median step, and the values at even times where the clock was not even."""
    steps = np.diff(times)
    step = float(np.median(steps))
    if (np.abs(steps - step) <= JITTER * step).all():
        return float(times[-1] - times[0]) / (len(times) - 1), values
    grid = np.arange(times[0], times[-1] + JITTER * step, step)
    return step, interpolate(times, values, grid)


def interpolate(times: Floats, values: Floats, grid: Floats) -> Floats:
    """(G, N) values at the times of a grid, linear between the (T, N) samples."""
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    share = (grid - times[after - 1]) / (times[after] - times[after - 1])
    share = np.clip(share, 0, 1)[:, None]
    return (1 - share) * values[after - 1] + share * values[after]
