"""Read Voreen's vessel graphs: two `;`-separated tables, of nodes and of edges.

Format: `vesselgraphglobalstats.cpp` of Voreen (https://www.uni-muenster.de/Voreen).
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
from numpy.typing import NDArray

from retia.datasets.vessel.graph import MEASURES, VesselGraph, check_distances, with_distances
from retia.shards.errors import InputError

DELIMITER = ";"
GZIP_MAGIC = b"\x1f\x8b"
HEADER_BYTES = 1 << 16
FIRST_ROW = 2

POSITION = ("pos_x", "pos_y", "pos_z")
ENDS = ("node1id", "node2id")
BORDER = "isAtSampleBorder"
NEEDED = ("length",)
_BAD_CELL = re.compile(r"CSV column #(\d+): Row #(\d+): .*invalid value '(.*)'", re.DOTALL)
_BAD_ROW = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True)
class _File:
    """A table and the name that errors give it."""

    name: str
    table: pa.Table

    def bad(self, index: int, column: str, what: str) -> InputError:
        """The error for a cell; `index` counts data rows from 0."""
        return InputError(f"{self.name}: row {index + FIRST_ROW}, column {column}: {what}")

    def integers(self, column: str) -> NDArray[np.int64]:
        """A column of ids, none missing."""
        self._no_nulls(column)
        return self.table[column].to_numpy()

    def floats(self, column: str) -> NDArray[np.float64]:
        """A column of numbers, NaN where missing."""
        return self.table[column].to_numpy().astype(np.float64)

    def _no_nulls(self, column: str) -> None:
        if self.table[column].null_count:
            first = int(np.argmax(self.table[column].is_null().to_numpy()))
            raise self.bad(first, column, "is empty; a number belongs here")


def read_voreen(nodes: Path, edges: Path) -> VesselGraph:
    """Read a node file and an edge file, plain or gzipped; ids may have gaps and any order.

    Measures that the edge file lacks are absent, but for distance and curveness, which are
    computed. Raises `InputError` naming file, row (the header is row 1) and column, and where the
    distances of the vessels contradict the positions of the nodes.
    """
    node_file = _read(nodes, ("id",), POSITION, (BORDER,))
    edge_file = _read(edges, ("id", *ENDS), NEEDED, MEASURES)
    node_id = _unique_ids(node_file)
    names = [name for name in MEASURES if name in edge_file.table.column_names]
    graph = VesselGraph(
        node_id=node_id,
        position=_positions(node_file),
        edge_id=_unique_ids(edge_file),
        ends=np.column_stack([_rows(edge_file, end, node_id, nodes.name) for end in ENDS]),
        measures={name: edge_file.floats(name) for name in names},
        border=_border(node_file),
    )
    return check_distances(with_distances(graph), nodes.name, str(edges))


def _read(
    path: Path, integers: tuple[str, ...], floats: tuple[str, ...], optional: tuple[str, ...]
) -> _File:
    types = dict.fromkeys(integers, pa.int64()) | dict.fromkeys(floats, pa.float64())
    with _open(path) as file:
        header = _header(path, file, tuple(types))
        types |= {name: pa.float64() for name in optional if name in header}
        file.seek(0)
        try:
            table = csv.read_csv(
                file,
                read_options=csv.ReadOptions(use_threads=False),  # else errors name no row
                parse_options=csv.ParseOptions(delimiter=DELIMITER),
                convert_options=csv.ConvertOptions(column_types=types, include_columns=list(types)),
            )
        except pa.ArrowInvalid as error:
            raise InputError(f"{path}: {_explain(str(error), header)}") from error
    if not table.num_rows:
        raise InputError(f"{path}: the file has a header and no rows")
    return _File(str(path), table)


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked where it is gzipped."""
    try:
        with path.open("rb") as file:
            packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            if packed:
                with gzip.open(file) as unpacked:
                    yield unpacked  # type: ignore[misc]
            else:
                yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: the gzip file is truncated or damaged ({error}); copy or download it again"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _header(path: Path, file: BinaryIO, wanted: tuple[str, ...]) -> list[str]:
    """The names of the columns; raises where one that is wanted lacks."""
    line = file.readline(HEADER_BYTES).decode("utf-8-sig", errors="replace").strip()
    if not line:
        raise InputError(f"{path}: row 1 is empty; a header of column names belongs there")
    header = [name.strip('"') for name in line.split(DELIMITER)]
    if len(header) == 1:
        raise InputError(
            f"{path}: row 1 has no '{DELIMITER}' between its columns: '{line[:60]}'; "
            f"save the table with '{DELIMITER}' as the delimiter"
        )
    missing = [name for name in wanted if name not in header]
    if missing:
        raise InputError(
            f"{path}: row 1 lacks column {', '.join(missing)}; it has: {', '.join(header)[:200]}"
        )
    return header


def _explain(message: str, header: list[str]) -> str:
    """Arrow's message in the words of the file."""
    if found := _BAD_CELL.search(message):
        column, row, value = found.groups()
        return f"row {row}, column {header[int(column)]}: '{value[:40]}' is not a number"
    if found := _BAD_ROW.search(message):
        row, expected, got = found.groups()
        return f"row {row} has {got} columns, the header has {expected}"
    return " ".join(message.split())


def _unique_ids(file: _File) -> NDArray[np.int64]:
    ids = file.integers("id")
    order = np.argsort(ids, kind="stable")
    again = np.flatnonzero(np.diff(ids[order]) == 0)
    if len(again):
        second = int(order[again + 1].min())
        first = int(np.argmax(ids == ids[second]))
        what = f"id {ids[second]} stands already in row {first + FIRST_ROW}"
        raise file.bad(second, "id", what)
    return ids


def _positions(file: _File) -> NDArray[np.float64]:
    position = np.column_stack([file.floats(name) for name in POSITION])
    row, axis = np.nonzero(~np.isfinite(position))
    if len(row):
        raise file.bad(int(row[0]), POSITION[axis[0]], "a node needs a finite position")
    return position


def _border(file: _File) -> NDArray[np.bool_] | None:
    """Which nodes lie at the border of the sample; none where the table does not tell."""
    if BORDER not in file.table.column_names:
        return None
    return np.nan_to_num(file.floats(BORDER)) > 0


def _rows(file: _File, column: str, node_id: NDArray[np.int64], nodes: str) -> NDArray[np.int64]:
    """The rows of the node table that a column of node ids means."""
    wanted = file.integers(column)
    order = np.argsort(node_id)
    place = np.minimum(np.searchsorted(node_id, wanted, sorter=order), len(node_id) - 1)
    rows = order[place]
    stray = np.flatnonzero(node_id[rows] != wanted)
    if len(stray):
        first = int(stray[0])
        raise file.bad(first, column, f"node {wanted[first]} does not exist in {nodes}")
    return rows
