"""Tables of any source: CSV, TSV and Parquet, and arrays of NPY.

Cells of text stay as they are, line breaks included: ids of any length stay exact, and errors name
the row. A pickle is never opened.
"""

import csv as plain_csv
from collections.abc import Iterable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq
from numpy.lib import format as npy
from numpy.typing import NDArray

from retia.shards.errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Names = NDArray[np.str_] | NDArray[np.object_]

PARQUET = (".parquet", ".pq")
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
SEPARATORS = ("\t", ",", ";")
SPACES = r"\s+"
HEAD_BYTES = 1 << 20
MAX_ROW_BYTES = 1 << 26
EXACT = 2.0**53


@dataclass(frozen=True)
class TableFile:
    """The columns of a file, those of text as bytes; `first_row` is the number of its first row.

    A column is read as texts or as numbers when it is asked for; the methods raise `InputError`
    for one that is not there, or that holds something else.
    """

    where: str
    table: pa.Table
    first_row: int = 2

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __contains__(self, column: object) -> bool:
        return column in self.table.column_names

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in their order."""
        return list(self.table.column_names)

    def need(self, columns: Iterable[str]) -> None:
        """Raise `InputError` where a column lacks; the error names those that are there."""
        missing = [column for column in columns if column not in self]
        if missing:
            raise InputError(
                f"{self.where}: there is no column {', '.join(missing)}; "
                f"there are: {', '.join(self.columns)[:300]}"
            )

    def one_of(self, columns: tuple[str, ...]) -> str:
        """The first of these columns that is there; raises `InputError` for none."""
        for column in columns:
            if column in self:
                return column
        self.need([" or ".join(columns)])
        raise AssertionError

    def bad(self, row: int, column: str, what: str) -> InputError:
        """The error for a cell; `row` counts from 0."""
        return InputError(f"{self.where}: row {row + self.first_row}, column {column}: {what}")

    def texts(self, column: str) -> pa.Array:
        """Texts as they are, "" for an absent one."""
        values, kind = self._column(column)
        if pa.types.is_floating(kind):
            values = self._whole(column, values)
        try:
            if not _is_text(kind):
                values = values.cast(pa.large_string())
            # a text of Parquet is as unchecked as bytes are: only a cast from bytes looks at it
            cells = pc.fill_null(values.cast(pa.large_binary()), b"").combine_chunks()
        except pa.ArrowException:
            what = f"column {column} holds {str(kind)[:60]}; texts belong there"
            raise InputError(f"{self.where}: {what}") from None
        return self._decoded(column, cells)

    def words(self, column: str) -> pa.Array:
        """Texts without blanks around them."""
        return pc.utf8_trim_whitespace(self.texts(column))

    def ids(self, column: str) -> pa.Array:
        """Ids without blanks around them, none empty."""
        values = self.words(column)
        empty = pc.equal(values, "").to_numpy(zero_copy_only=False)
        if empty.any():
            raise self.bad(int(np.argmax(empty)), column, "is empty; an id belongs there")
        return values

    def labels(self, column: str, absent: tuple[str, ...]) -> pa.Array:
        """Words, "" for those that say in any case of letters that there is none."""
        values = self.words(column)
        none = pa.array(absent, pa.large_string())
        return pc.if_else(pc.is_in(pc.utf8_lower(values), value_set=none), "", values)

    def lists(
        self, column: str, separator: str = ";", quotes: str | None = None
    ) -> tuple[Ints, pa.Array]:
        """(m,) the row, and (m,) the word, of each member of a list that is not empty.

        Of a column of texts, lists are joined by `separator`, and what matches `quotes` is no part
        of them.
        """
        values, kind = self._column(column)
        if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
            texts = self.texts(column)
            bare = pc.replace_substring_regex(texts, quotes, "") if quotes else texts
            lists = pc.split_pattern(bare, separator)
            members = pc.utf8_trim_whitespace(pc.list_flatten(lists))
        else:
            lists = values.combine_chunks()
            flat = TableFile(self.where, pa.table({column: pc.list_flatten(lists)}))
            members = flat.words(column)
        there = pc.not_equal(members, "")
        rows = pc.filter(pc.list_parent_indices(lists), there).to_numpy(zero_copy_only=False)
        return rows.astype(np.int64), pc.filter(members, there)

    def numbers(self, column: str) -> Floats:
        """Numbers as they stand; raises `InputError`, naming the row, for a cell that is none."""
        values, kind = self._column(column)
        if (pa.types.is_integer(kind) or pa.types.is_floating(kind)) and not values.null_count:
            return np.asarray(values.to_numpy(), dtype=np.float64)
        words = self.words(column)
        try:
            return np.asarray(pc.cast(words, pa.float64()).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            given = words.to_pandas()
            found = pd.to_numeric(given, errors="coerce").to_numpy(dtype=np.float64)
            bad = np.isnan(found) & (given.str.lower() != "nan").to_numpy()
            if bad.any():
                row = int(np.argmax(bad))
                what = f"'{given[row][:40]}' is not a number"
                raise self.bad(row, column, what) from None
            return found

    def rows(self, column: str, names: Names, where: str) -> Ints:
        """The (m,) rows of `names`, which stand in `where`, that a column of ids means.

        Raises `InputError`, naming the row, for an id that is not among them.
        """
        values = self.ids(column)
        found = pc.index_in(values, value_set=pa.array(names, pa.large_string()))
        if found.null_count:
            row = int(np.argmax(found.is_null().to_numpy(zero_copy_only=False)))
            raise self.bad(
                row,
                column,
                f"'{values[row].as_py()[:80]}' is not in {where} (such cells: "
                f"{found.null_count:,}); add it there, or leave these rows out",
            )
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)

    def _column(self, column: str) -> tuple[pa.ChunkedArray, pa.DataType]:
        self.need([column])
        values = self.table[column]
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        return values, values.type

    def _whole(self, column: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Floats, whole ones as integers and NaN as nothing: so does pandas write such columns."""
        values = pc.if_else(pc.is_nan(values), None, values)
        if (greatest := pc.max(pc.abs(values)).as_py()) is not None and greatest >= EXACT:
            raise InputError(
                f"{self.where}: column {column} holds floats of 2^53 and more, in which ids lose "
                "digits; save ids as integers or texts"
            )
        whole = pc.all(pc.equal(pc.floor(values), values)).as_py()
        return values if whole is False else values.cast(pa.int64())

    def _decoded(self, column: str, values: pa.Array) -> pa.Array:
        try:
            return values.cast(pa.large_string())
        except pa.ArrowInvalid:
            row = next(i for i, cell in enumerate(values) if not _is_utf8(cell.as_py()))
            what = "holds bytes that are not UTF-8; save the file as UTF-8"
            raise self.bad(row, column, what) from None


def read_table_file(path: Path, *, header: bool = True, separator: str = ",") -> TableFile:
    """Read Parquet, by its ending, or text, by the separator in its first row; .gz is unpacked.

    `separator` is that of a text whose first row has no tab, comma or semicolon. Without a header
    the columns are named 1, 2, 3 and so on; a first column without a name is called index. Raises
    `InputError` for a file that cannot be read or has no rows, for two columns of one name, and
    for a pickle, which is never opened.
    """
    check_file(path)
    packed = path.suffix.lower() in PARQUET
    try:
        table = _parquet(path) if packed else _text(path, header, separator)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (pa.ArrowException, ValueError) as error:
        raise InputError(f"{path}: {_reason(error)}") from error
    return make_table(str(path), table, first_row=2 if header and not packed else 1)


def make_table(where: str, table: pa.Table, first_row: int = 1) -> TableFile:
    """A table in memory; raises `InputError` where it has no rows or two columns of one name."""
    if not table.num_rows:
        raise InputError(f"{where}: the table has no rows")
    names = [name.strip() for name in table.column_names]
    if len(set(names)) < len(names):
        again = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{where}: two columns are called '{again}'; rename one")
    return TableFile(where, table.rename_columns(names), first_row)


def load_npy(path: Path) -> NDArray[Any]:
    """An array of numbers or texts; raises `InputError` for one of objects, which are pickled."""
    check_file(path)
    try:
        with path.open("rb") as file:
            return npy.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(
            f"{path}: {reason}; save an array of numbers or texts, since no pickle is read"
        ) from None


def check_file(path: Path) -> None:
    """Raise `InputError` for a file that is not there, or that only unpickling could read."""
    if path.suffix.lower() in PICKLES:
        raise InputError(
            f"{path}: a pickle can run code, so it is never opened; save what it holds as "
            "Parquet, CSV or NPY"
        )
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the file in it")
    if not path.exists():
        raise InputError(f"{path}: no such file")


def find_separator(path: Path, otherwise: str) -> str:
    """Tab, comma or semicolon, the first of them in the first row, `otherwise` for none of them.

    Raises `ValueError` for a first row that is empty.
    """
    first = _head(path).split(b"\n")[0].decode("utf-8", errors="replace")
    if not first.strip():
        raise ValueError("row 1 is empty; a table belongs there")
    return next((separator for separator in SEPARATORS if separator in first), otherwise)


def _parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, partitioning=None)
    except pa.ArrowInvalid as error:
        raise ValueError(f"is no whole Parquet file ({error})") from error


def _text(path: Path, header: bool, separator: str) -> pa.Table:
    separator = find_separator(path, separator)
    if separator == SPACES:
        return _spaces(path, header)
    names = _names(_head(path), separator)
    parse = csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    parse.ignore_empty_lines = len(names) > 1
    if not header:
        names = [str(i + 1) for i in range(len(names))]
    return _cells(path, parse, names, header).rename_columns(names)


def _head(path: Path) -> bytes:
    with pa.input_stream(str(path), compression="detect") as file:
        return bytes(file.read(HEAD_BYTES))


def _names(head: bytes, separator: str) -> list[str]:
    """The cells of the first row; a first one without a name is called 'index'."""
    text = head.decode("utf-8-sig", errors="surrogateescape")
    try:
        row = [
            name.strip()
            for name in next(plain_csv.reader(StringIO(text, newline=""), delimiter=separator))
        ]
        "".join(row).encode()
    except UnicodeEncodeError:
        raise ValueError("row 1 is not UTF-8; save the file as UTF-8") from None
    except plain_csv.Error as error:
        raise ValueError(f"row 1: {error}") from None
    return [name or ("index" if i == 0 else f"column {i + 1}") for i, name in enumerate(row)]


def _cells(path: Path, parse: csv.ParseOptions, names: list[str], header: bool) -> pa.Table:
    """The cells as bytes. Where a row is wrong, it is looked for by one thread, which counts."""
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.large_binary()), strings_can_be_null=False
    )
    read = csv.ReadOptions(
        block_size=MAX_ROW_BYTES, column_names=names, skip_rows_after_names=int(header)
    )
    try:
        return csv.read_csv(path, read, parse, convert)
    except pa.ArrowInvalid:
        read.use_threads = False
        return csv.read_csv(path, read, parse, convert)


def _spaces(path: Path, header: bool) -> pa.Table:
    frame = pd.read_csv(
        path, sep=SPACES, header=0 if header else None, dtype=str, keep_default_na=False
    )
    frame.columns = [str(c if header else c + 1) for c in frame.columns]
    return pa.Table.from_pandas(frame, preserve_index=False)


def _reason(error: Exception) -> str:
    reason = " ".join(str(error).split())[:200]
    if "straddl" in reason:
        return f"a row has more than {MAX_ROW_BYTES:,} bytes; is a quote left open?"
    return reason


def _is_text(kind: pa.DataType) -> bool:
    return any(
        of(kind)
        for of in (
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_string,
            pa.types.is_large_string,
        )
    )


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True
