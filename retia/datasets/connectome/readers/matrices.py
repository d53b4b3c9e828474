"""Read a connectome from adjacency matrices: CSV, XLSX, NPZ and MATLAB files."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.io
from scipy import sparse
from scipy.io.matlab import MatReadError

from retia.datasets.connectome.graph import Connectome, Floats, Layer, Texts, make_connectome
from retia.datasets.table_file import SPACES, find_separator
from retia.shards.errors import InputError, MissingExtraError

LAYER = "chemical"
UNDIRECTED = ("gap",)
TEXT = (".csv", ".tsv", ".txt")
SPARSE_KEYS = {"data", "indices", "indptr", "format", "shape"}
NAMES = "names"
BLANK = {"keep_default_na": False, "na_values": [""]}

Matrix = Any
"""(n, n) numbers, dense or scipy sparse."""


@dataclass(frozen=True)
class _Content:
    """What a file holds: matrices, by variable or sheet, and names, of each matrix or of all."""

    matrices: dict[str, Matrix]
    names: dict[str, Texts] = field(default_factory=dict)


def read_matrices(
    path: Path,
    *,
    layers: Mapping[str, str] | None = None,
    names: str = NAMES,
    undirected: tuple[str, ...] = UNDIRECTED,
    transposed: bool = False,
    unit: str | None = None,
) -> Connectome:
    """A connectome from one or more (n, n) matrices of a file; weights go from row to column.

    `layers` maps a layer to its sheet (XLSX) or variable (NPZ, MAT); without it the file's one
    matrix is the layer `chemical`. A text file (.csv, .tsv, .txt) holds one. Names stand in the
    first row and the first column, or in either; of NPZ and MAT in the variable `names`; else the
    neurons are named 0, 1, 2 and so on. A blank cell is 0. With `transposed`, weights go from
    column to row. Raises `InputError` for a matrix that is not square, for names of rows and
    columns that differ, and as `make_connectome`.
    """
    content = _read(path, layers, names)
    chosen = dict(layers or {LAYER: _only(path, content)})
    for variable in chosen.values():
        if variable not in content.matrices:
            raise InputError(f"{path}: no matrix '{variable}'; there are: {_shapes(content)}")
    matrices = {layer: content.matrices[variable] for layer, variable in chosen.items()}
    size = _size(path, matrices)
    found = _names(path, content, list(chosen.values()), size)
    made = [
        _layer(name, matrix.T if transposed else matrix, name not in undirected, unit)
        for name, matrix in matrices.items()
    ]
    return make_connectome(str(path), found, made)


def _read(path: Path, layers: Mapping[str, str] | None, names: str) -> _Content:
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    try:
        if ending in TEXT:
            return _content(path, {LAYER: _text(path, find_separator(path, SPACES))})
        if ending == ".xlsx":
            return _content(path, _sheets(path, layers))
        if ending == ".npz":
            return _arrays(path, _load_npz(path), names)
        if ending == ".mat":
            return _arrays(path, scipy.io.loadmat(path, squeeze_me=True), names)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except NotImplementedError as error:
        raise InputError(
            f"{path}: a file of MATLAB 7.3 is not read; save it with the option -v7"
        ) from error
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, MatReadError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())[:200]}") from error
    raise InputError(f"{path}: a matrix ends in {', '.join(TEXT)}, .xlsx, .npz or .mat")


@dataclass(frozen=True)
class _Cells:
    """The numbers of a table, blank ones NaN, and the texts of its first row and column."""

    numbers: pd.DataFrame
    columns: Texts | None
    rows: Texts | None


def _text(path: Path, separator: str) -> _Cells:
    reading: dict[str, Any] = {"sep": separator, "header": None}
    head = pd.read_csv(path, nrows=2, dtype=str, keep_default_na=False, **reading)
    with_columns, with_rows = _named(head)
    cells = pd.read_csv(
        path, skiprows=int(with_columns), dtype={0: str} if with_rows else None, **BLANK, **reading
    )
    columns = _stripped(head.iloc[0, int(with_rows) :]) if with_columns else None
    return _split(cells, columns, with_rows)


def _sheets(path: Path, layers: Mapping[str, str] | None) -> dict[str, _Cells]:
    try:
        sheets = pd.read_excel(
            path, sheet_name=list(layers.values()) if layers else None, header=None, **BLANK
        )
    except ImportError as error:
        raise MissingExtraError("build", "openpyxl") from error
    return {str(name): _sheet(cells) for name, cells in sheets.items() if not cells.empty}


def _sheet(cells: pd.DataFrame) -> _Cells:
    with_columns, with_rows = _named(cells.head(2).astype(object).fillna("").astype(str))
    columns = _stripped(cells.iloc[0, int(with_rows) :]) if with_columns else None
    return _split(cells.iloc[int(with_columns) :].infer_objects(), columns, with_rows)


def _named(head: pd.DataFrame) -> tuple[bool, bool]:
    """Whether the first row holds names of columns, and the first column those of rows."""
    words = head.apply(pd.to_numeric, errors="coerce").isna().to_numpy() & (head != "").to_numpy()
    corner_is_blank = head.iloc[0, 0] == ""
    first_row = corner_is_blank or words[0, 1:].any() or (words[0, 0] and not words[-1, 0])
    first_column = corner_is_blank or words[-1, 0] or (first_row and not words[0, 1:].any())
    return bool(first_row), bool(first_column)


def _split(cells: pd.DataFrame, columns: Texts | None, with_rows: bool) -> _Cells:
    rows = _stripped(cells.iloc[:, 0]) if with_rows else None
    return _Cells(cells.iloc[:, int(with_rows) :], columns, rows)


def _stripped(names: "pd.Series[Any]") -> Texts:
    return names.fillna("").astype(str).str.strip().to_numpy(dtype=np.str_)


def _content(path: Path, tables: dict[str, _Cells]) -> _Content:
    matrices = {name: _numbers(cells) for name, cells in tables.items()}
    names = {}
    for table, cells in tables.items():
        if cells.rows is not None and cells.columns is not None:
            _same_names(path, cells.rows, cells.columns)
        found = cells.columns if cells.rows is None else cells.rows
        if found is not None:
            names[table] = found
    return _Content(matrices, names)


def _numbers(cells: _Cells) -> Floats:
    """The cells as numbers, blank ones 0."""
    texts = cells.numbers.select_dtypes(exclude="number")
    bad = texts.apply(pd.to_numeric, errors="coerce").isna() & texts.notna()
    if bad.to_numpy().any():
        row, column = np.argwhere(bad.to_numpy())[0]
        where = f"row {row + 1 + (cells.columns is not None)}, column {texts.columns[column] + 1}"
        raise ValueError(f"{where}: '{str(texts.iloc[row, column])[:40]}' is not a number")
    return cells.numbers.apply(pd.to_numeric).fillna(0).to_numpy(dtype=np.float64)


def _same_names(path: Path, rows: Texts, columns: Texts) -> None:
    if len(rows) != len(columns):
        raise InputError(
            f"{path}: {len(rows)} rows and {len(columns)} columns; a matrix of connections is "
            "square, with a row and a column for each neuron"
        )
    if (differs := rows != columns).any():
        first = int(np.argmax(differs))
        raise InputError(
            f"{path}: neuron {first + 1} is named '{rows[first]}' in the first column and "
            f"'{columns[first]}' in the first row; rows and columns need the same names in the "
            "same order"
        )


def _load_npz(path: Path) -> dict[str, Any]:
    """The arrays of a file of numpy's, never unpickled, or the matrix that scipy saved."""
    with np.load(path, allow_pickle=False) as file:
        if set(file.files) >= SPARSE_KEYS:
            others = {key: file[key] for key in file.files if key not in SPARSE_KEYS}
            return others | {LAYER: sparse.load_npz(path)}
        return {key: file[key] for key in file.files}


def _arrays(path: Path, arrays: dict[str, Any], names: str) -> _Content:
    """The variables of two dimensions are matrices; the one called `names` holds names."""
    found = {}
    if names in arrays:
        found[names] = np.char.strip(np.asarray(arrays[names]).ravel().astype(np.str_))
    elif names != NAMES:
        raise InputError(f"{path}: no variable '{names}'; there are: {', '.join(arrays)}")
    plain = {key: value for key, value in arrays.items() if _is_matrix(value)}
    return _Content(plain, found)


def _is_matrix(value: Any) -> bool:
    if not (sparse.issparse(value) or isinstance(value, np.ndarray)):
        return False
    return value.ndim == 2 and value.dtype.kind in "buif"


def _only(path: Path, content: _Content) -> str:
    if len(content.matrices) == 1:
        return next(iter(content.matrices))
    square = [name for name, m in content.matrices.items() if m.shape[0] == m.shape[1]]
    if len(square) == 1:
        return square[0]
    raise InputError(
        f"{path}: which of its matrices is meant? name a layer's; there are: {_shapes(content)}"
    )


def _shapes(content: _Content) -> str:
    shapes = (f"{name} ({m.shape[0]} x {m.shape[1]})" for name, m in content.matrices.items())
    return ", ".join(shapes) or "none"


def _size(path: Path, matrices: dict[str, Matrix]) -> int:
    sizes = set()
    for name, matrix in matrices.items():
        rows, columns = matrix.shape
        if rows != columns:
            raise InputError(
                f"{path}: the matrix of layer {name} has {rows} rows and {columns} columns; a "
                "matrix of connections is square, with a row and a column for each neuron"
            )
        sizes.add(rows)
    if len(sizes) != 1:
        raise InputError(f"{path}: the layers have {min(sizes)} and {max(sizes)} neurons")
    return int(sizes.pop())


def _names(path: Path, content: _Content, variables: list[str], size: int) -> Texts:
    found = [content.names[name] for name in (*variables, *content.names) if name in content.names]
    if not found:
        return np.arange(size).astype(np.str_)
    for other in (content.names[name] for name in variables if name in content.names):
        if len(other) != len(found[0]) or (other != found[0]).any():
            raise InputError(f"{path}: {variables[0]} and another layer name other neurons")
    if len(found[0]) != size:
        raise InputError(f"{path}: {len(found[0])} names for {size} neurons")
    return found[0]


def _layer(name: str, matrix: Matrix, directed: bool, unit: str | None) -> Layer:
    entries = sparse.coo_array(matrix)
    pairs = np.column_stack([entries.row, entries.col]).astype(np.int64)
    return Layer(name, directed, pairs, entries.data.astype(np.float64), unit)
