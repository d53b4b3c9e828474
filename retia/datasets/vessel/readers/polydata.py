"""Read VTK polydata: legacy `.vtk`, ASCII or binary, and XML `.vtp`.

Format: https://docs.vtk.org/en/latest/design_documents/VTKFileFormats.html
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retia.datasets.vessel.readers.polyline import Polyline, merge_points
from retia.shards.errors import InputError, MissingExtraError

RADIUS_ARRAYS = {"radius": 1.0, "radii": 1.0, "diameter": 0.5, "diameters": 0.5}


def read_polydata(path: Path) -> Polyline:
    """The lines of a polydata file; points at one place are one.

    The radius is the point or the cell array `radius`, or half of `diameter`, in any case of
    letters; a cell's radius is that of all its segments. Raises `InputError`.
    """
    data = _load(path)
    lines = data.GetLines()
    if not data.GetNumberOfLines():
        raise InputError(f"{path}: the file has no lines; polydata of centrelines is needed")
    position = _array(data.GetPoints().GetData()).astype(np.float64)
    offsets = _array(lines.GetOffsetsArray()).astype(np.int64)
    points = _array(lines.GetConnectivityArray()).astype(np.int64)
    if not np.isfinite(position).all():
        raise InputError(f"{path}: a point has no finite position")
    if points.min() < 0 or points.max() >= len(position):
        raise InputError(f"{path}: a line names a point beyond the {len(position)} of the file")
    cell = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    inner = np.flatnonzero(np.diff(cell) == 0)
    segments = np.column_stack([points[inner], points[inner + 1]])
    radius = _radius(data, segments, cell[inner])
    kept, merged = merge_points(position, segments)
    return Polyline(kept.astype(np.int64), position[kept], merged, radius)


def _radius(data: Any, segments: NDArray[Any], cell: NDArray[Any]) -> NDArray[np.float64] | None:
    """(S, 2) radii at the ends of the segments, from a point or a cell array; negative is none."""
    radius = _find_radius(data.GetPointData())
    if radius is not None:
        at_ends = radius[segments]
    else:
        radius = _find_radius(data.GetCellData())
        if radius is None:
            return None
        first = data.GetNumberOfVerts()
        at_ends = np.repeat(radius[first + cell], 2).reshape(-1, 2)
    return np.where(np.isfinite(at_ends) & (at_ends >= 0), at_ends, np.nan)


def _find_radius(arrays: Any) -> NDArray[np.float64] | None:
    names = {arrays.GetArrayName(i).lower(): i for i in range(arrays.GetNumberOfArrays())}
    for name, factor in RADIUS_ARRAYS.items():
        if name in names:
            return _array(arrays.GetArray(names[name])).astype(np.float64).ravel() * factor
    return None


def _load(path: Path) -> Any:
    """The polydata of a file, read by VTK, whose complaints become one line."""
    reader = _reader(path)
    complaints: list[str] = []

    def complain(_caller: Any, _event: str, text: str) -> None:
        complaints.append(" ".join(text.split()))

    complain.CallDataType = "string0"  # type: ignore[attr-defined]
    reader.AddObserver("ErrorEvent", complain)
    reader.AddObserver("WarningEvent", complain)
    reader.SetFileName(str(path))
    with _silent():
        reader.Update()
    data = reader.GetOutput()
    if complaints or data is None or data.GetPoints() is None:
        why = complaints[0].rpartition("): ")[2] if complaints else "it holds no points"
        raise InputError(f"{path}: VTK cannot read this file as polydata: {why[:200]}")
    return data


@contextmanager
def _silent() -> Iterator[None]:
    """Keep VTK's own log off the terminal; complaints still reach the observers."""
    from vtkmodules.vtkCommonCore import vtkLogger

    before = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtkLogger.SetStderrVerbosity(before)


def _reader(path: Path) -> Any:
    try:
        from vtkmodules.vtkIOLegacy import vtkPolyDataReader
        from vtkmodules.vtkIOXML import vtkXMLPolyDataReader
    except ImportError as error:
        raise MissingExtraError("build", "vtk") from error
    try:
        with path.open("rb") as file:
            is_xml = file.read(64).lstrip().startswith(b"<")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    if is_xml:
        return vtkXMLPolyDataReader()
    reader = vtkPolyDataReader()
    reader.ReadAllScalarsOn()
    reader.ReadAllFieldsOn()
    return reader


def _array(array: Any) -> NDArray[Any]:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    return np.asarray(vtk_to_numpy(array))
