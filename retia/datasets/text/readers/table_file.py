"""Tables with texts: CSV, TSV and Parquet, whose cells may hold line breaks, and are kept whole."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from retia.datasets.text.graph import Ints, Labels, Texts, find_rows, known_rows
from retia.shards.errors import InputError

PARQUET = (".parquet", ".pq")
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
SEPARATORS = ("\t", ",", ";")
HEAD_BYTES = 1 << 20
MAX_ROW_BYTES = 1 << 26
LIST_SEPARATOR = ";"
NO_LABEL = pa.array(["", "nan"], pa.large_string())
EXACT = 2.0**53


@dataclass(frozen=True)
class TableFile:
    """Columns of bytes, as the file has them; `first_row` is the number of its first row."""

    where: str
    table: pa.Table
    first_row: int = 2

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __contains__(self, column: object) -> bool:
        return column in self.table.column_names

    def need(self, columns: Iterable[str]) -> None:
        """Raise `InputError` where a column lacks; the error names those that are there."""
        missing = [column for column in columns if column not in self]
        if missing:
            raise InputError(
                f"{self.where}: there is no column {', '.join(missing)}; "
                f"there are: {', '.join(self.table.column_names)[:300]}"
            )

    def one_of(self, columns: tuple[str, ...]) -> str:
        """The first of these columns that is there; raises `InputError` for none."""
        for column in columns:
            if column in self:
                return column
        self.need([" or ".join(columns)])
        raise AssertionError

    def texts(self, column: str) -> Texts:
        """A column of texts as they are; raises `InputError`, naming the row, for other bytes."""
        return _objects(self._utf8(column))

    def ids(self, column: str) -> Texts:
        """Ids without blanks around them, none empty."""
        values = pc.utf8_trim_whitespace(self._utf8(column))
        empty = pc.equal(values, "").to_numpy(zero_copy_only=False)
        if empty.any():
            raise self.bad(
                int(np.argmax(empty)), column, "is empty; the id of a node belongs there"
            )
        return _objects(values)

    def words(self, column: str) -> Texts:
        """Short texts without blanks around them, "" for an empty cell and for nan."""
        values = pc.utf8_trim_whitespace(self._utf8(column))
        return _objects(pc.if_else(pc.is_in(values, value_set=NO_LABEL), "", values))

    def lists(self, column: str) -> tuple[Ints, Texts]:
        """(m,) the row, and (m,) the text, of each member of lists joined by semicolons."""
        return split_lists(self._utf8(column), LIST_SEPARATOR)

    def bad(self, row: int, column: str, what: str) -> InputError:
        """The error for a cell; `row` counts from 0."""
        return InputError(f"{self.where}: row {row + self.first_row}, column {column}: {what}")

    def _utf8(self, column: str) -> pa.Array:
        self.need([column])
        values = self.table[column].combine_chunks()
        try:
            return values.cast(pa.large_string())
        except pa.ArrowInvalid:
            row = next(i for i, cell in enumerate(values) if not _is_utf8(cell.as_py()))
            what = "holds bytes that are not UTF-8; save the file as UTF-8"
            raise self.bad(row, column, what) from None


def read_table_file(path: Path) -> TableFile:
    """Read Parquet, by its ending, or text, by the separator in its first row; .gz is unpacked.

    Raises `InputError` for a file that cannot be read or has no rows, and for a pickle, which is
    never opened.
    """
    refuse_pickle(path)
    if not path.is_file():
        raise InputError(f"{path}: No such file")
    packed = path.suffix.lower() in PARQUET
    try:
        table = _parquet(path) if packed else _delimited(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        if "straddl" in reason:
            reason = f"a row has more than {MAX_ROW_BYTES:,} bytes; is a quote left open?"
        raise InputError(f"{path}: {reason}") from error
    if not table.num_rows:
        raise InputError(f"{path}: the table has no rows")
    names = table.column_names
    if len(set(names)) < len(names):
        again = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}: two columns are called '{again}'; rename one")
    return TableFile(str(path), table, first_row=1 if packed else 2)


def refuse_pickle(path: Path) -> None:
    """Raise `InputError` for a file that only unpickling could read."""
    if path.suffix.lower() in PICKLES:
        raise InputError(
            f"{path}: a pickle can run code, so it is never opened; save what it holds as "
            "Parquet, CSV or NPY"
        )


def split_lists(values: pa.Array, separator: str) -> tuple[Ints, Texts]:
    """(m,) the place, and (m,) the text, of each member of joined lists, without blanks around."""
    lists = pc.split_pattern(values, separator)
    members = pc.utf8_trim_whitespace(pc.list_flatten(lists))
    rows = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    there = pc.not_equal(members, "").to_numpy(zero_copy_only=False)
    return rows[there], _objects(members)[there]


def single_labels(words: Texts) -> Labels:
    """The classes that occur, in the order of their names, and each node's, "" being none."""
    classes = sorted(set(words.tolist()) - {""}, key=_in_order)
    return Labels(tuple(classes), known_rows(np.array(classes, dtype=object), words))


def multi_labels(num_nodes: int, rows: Ints, words: Texts) -> Labels:
    """Labels of any number a node, from (m,) rows and words; a node without any is unlabelled."""
    classes, place = np.unique(words, return_inverse=True)
    values = np.zeros((num_nodes, len(classes)), dtype=bool)
    values[rows, place] = True
    return Labels(tuple(classes.tolist()), values, np.asarray(values.any(axis=1)))


def edge_rows(table: TableFile, columns: tuple[str, str], ids: Texts) -> Ints:
    """(E, 2) the nodes that two columns name; raises `InputError` for one that is not there."""
    ends = [find_rows(f"{table.where}, column {c}", ids, table.ids(c)) for c in columns]
    return np.column_stack(ends)


def _in_order(name: str) -> tuple[int, int, str]:
    """Numbers by size, before words."""
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)


def _objects(values: pa.Array) -> Texts:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=object)


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True


def _delimited(path: Path) -> pa.Table:
    parse = csv.ParseOptions(delimiter=_separator(path), newlines_in_values=True)
    read = csv.ReadOptions(block_size=MAX_ROW_BYTES)
    with csv.open_csv(path, read_options=read, parse_options=parse) as reader:
        names = reader.schema.names
    types = dict.fromkeys(names, pa.large_binary())
    table = csv.read_csv(
        path,
        read_options=read,
        parse_options=parse,
        convert_options=csv.ConvertOptions(column_types=types, strings_can_be_null=False),
    )
    return table.rename_columns([name.strip().lstrip("\ufeff") for name in names])


def _separator(path: Path) -> str:
    with pa.input_stream(str(path), compression="detect") as file:
        head = file.read(HEAD_BYTES).split(b"\n")[0].decode("utf-8", errors="replace")
    if not head.strip():
        raise ValueError("row 1 is empty; the names of the columns belong there")
    return next((separator for separator in SEPARATORS if separator in head), ",")


def _parquet(path: Path) -> pa.Table:
    table = pq.read_table(path)
    columns = [_bytes(*one) for one in zip(table.column_names, table.columns, strict=True)]
    kept = [place for place, column in enumerate(columns) if column is not None]
    return pa.table([columns[i] for i in kept], [table.column_names[i] for i in kept])


def _bytes(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """A column as bytes, lists of texts joined by semicolons; none for what is no text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)
        if (greatest := pc.max(pc.abs(column)).as_py()) is not None and greatest >= EXACT:
            raise ValueError(
                f"column {name} holds floats of 2^53 and more, in which ids lose digits; "
                "save ids as integers or texts"
            )
        if (whole := pc.all(pc.equal(pc.floor(column), column)).as_py()) or whole is None:
            column = column.cast(pa.int64())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if not (pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type)):
            return None
        column = pc.binary_join(column, pa.scalar(LIST_SEPARATOR, kind.value_type))
    elif pa.types.is_nested(kind):
        return None
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        column = column.cast(pa.large_string())
    return pc.fill_null(column.cast(pa.large_binary()), b"")
