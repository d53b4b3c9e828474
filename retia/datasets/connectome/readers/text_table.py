"""Tables whose cells are kept as texts: ids of any length stay exact, and errors name the row."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retia.datasets.connectome.graph import NONE, Floats, Ints, Texts
from retia.shards.errors import InputError

PARQUET = (".parquet", ".pq")
SPACES = r"\s+"
SEPARATORS = ("\t", ",", ";")
HEAD_BYTES = 1 << 20
NO_LABEL = pa.array(["", "na", "n/a", "#n/a", "nan", "none", "null"])


@dataclass(frozen=True)
class TextTable:
    """Columns of texts, without surrounding blanks; `first_row` is the number of its first row."""

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

    def bad(self, row: int, column: str, what: str) -> InputError:
        """The error for a cell; `row` counts from 0."""
        return InputError(f"{self.where}: row {row + self.first_row}, column {column}: {what}")

    def ids(self, column: str) -> pa.Array:
        """Names of neurons, none empty."""
        values = self.table[column].combine_chunks()
        empty = pc.equal(values, "").to_numpy(zero_copy_only=False)
        if empty.any():
            raise self.bad(int(np.argmax(empty)), column, "is empty; a neuron belongs there")
        return values

    def names(self, column: str) -> Texts:
        """Names of neurons as an array, none empty."""
        return _texts(self.ids(column))

    def labels(self, column: str) -> Texts:
        """Texts, "" where a cell is empty or says nan, none, null or n/a."""
        values = self.table[column].combine_chunks()
        absent = pc.is_in(pc.utf8_lower(values), value_set=NO_LABEL)
        return _texts(pc.if_else(absent, "", values))

    def numbers(self, column: str) -> Floats:
        """Numbers, as they stand; raises `InputError` for a cell that is none."""
        values = self.table[column].combine_chunks()
        try:
            return np.asarray(pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            words = values.to_pandas()
            found = pd.to_numeric(words, errors="coerce").to_numpy(dtype=np.float64)
            bad = np.isnan(found) & (words.str.lower() != "nan").to_numpy()
            if bad.any():
                row = int(np.argmax(bad))
                what = f"'{words[row][:40]}' is not a number"
                raise self.bad(row, column, what) from None
            return found

    def rows(self, column: str, names: Texts, where: str) -> Ints:
        """The rows of `names` that a column means; an unknown one is an `InputError`."""
        values = self.ids(column)
        found = pc.index_in(values, value_set=pa.array(names, pa.string()))
        if found.null_count:
            row = int(np.argmax(found.is_null().to_numpy(zero_copy_only=False)))
            raise self.bad(
                row,
                column,
                f"neuron '{values[row].as_py()}' is not in {where}; {found.null_count} cells of "
                "this column name such neurons; add them there, or leave these rows out",
            )
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)

    def partners(self, column: str, names: Texts) -> Ints:
        """(n,) the row of `names` that a column means, -1 for a cell that names none of them."""
        labels = pa.array(self.labels(column), pa.string())
        found = pc.index_in(labels, value_set=pa.array(names, pa.string()))
        return np.asarray(pc.fill_null(found, NONE).to_numpy(zero_copy_only=False), dtype=np.int64)


def read_text_table(path: Path, *, header: bool = True) -> TextTable:
    """Read Parquet, by its ending, or text, by the separator in its first row; .gz is unpacked.

    Without a header the columns are named 1, 2, 3 and so on; a first column without a name is
    called index. Raises `InputError` for a file that cannot be read or has no rows, and for ids
    that Parquet holds as floats.
    """
    packed = path.suffix.lower() in PARQUET
    try:
        table = _parquet(path) if packed else _delimited(path, find_separator(path), header)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (pa.ArrowInvalid, ValueError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())[:200]}") from error
    return text_table(str(path), table, first_row=2 if header and not packed else 1)


def find_separator(path: Path) -> str:
    """Tab, comma or semicolon, the first of them in the first row, else blanks, as a pattern."""
    with pa.input_stream(str(path), compression="detect") as file:
        first = file.read(HEAD_BYTES).split(b"\n")[0].decode("utf-8", errors="replace")
    if not first.strip():
        raise ValueError("row 1 is empty; a table belongs there")
    return next((separator for separator in SEPARATORS if separator in first), SPACES)


def text_table(where: str, table: pa.Table, first_row: int = 2) -> TextTable:
    """A table of any columns as one of texts; raises `InputError` where it has no rows."""
    if not table.num_rows:
        raise InputError(f"{where}: the table has no rows")
    columns = [
        pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))
        for column in table.columns
    ]
    names = [name.strip() for name in table.column_names]
    return TextTable(where, pa.table(dict(zip(names, columns, strict=True))), first_row)


def _delimited(path: Path, separator: str, header: bool) -> pa.Table:
    if separator == SPACES:
        return _spaces(path, header)
    parse = csv.ParseOptions(delimiter=separator)
    names = _head(path, parse)
    if not header:
        names = [str(i + 1) for i in range(len(names))]
    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(column_names=names, skip_rows=int(header)),
        parse_options=parse,
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )


def _head(path: Path, parse: csv.ParseOptions) -> list[str]:
    """The cells of the first row; a first column without a name is called 'index'."""
    with csv.open_csv(path, parse_options=parse) as reader:
        names = [name.strip() for name in reader.schema.names]
    return [name or ("index" if i == 0 else f"column {i + 1}") for i, name in enumerate(names)]


def _spaces(path: Path, header: bool) -> pa.Table:
    frame = pd.read_csv(
        path, sep=r"\s+", header=0 if header else None, dtype=str, keep_default_na=False
    )
    frame.columns = [str(c if header else c + 1) for c in frame.columns]
    return pa.Table.from_pandas(frame, preserve_index=False)


def _parquet(path: Path) -> pa.Table:
    table = pq.read_table(path)
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_floating(column.type) and _beyond_exact(column):
            raise ValueError(
                f"column {name} holds floats of 2^53 and more, in which ids lose digits; "
                "save ids as integers or texts"
            )
    plain = [name for name in table.column_names if not pa.types.is_nested(table[name].type)]
    return table.select(plain)


def _beyond_exact(column: pa.ChunkedArray) -> bool:
    greatest = pc.max(pc.abs(column)).as_py()
    return greatest is not None and greatest >= 2.0**53


def _texts(values: pa.Array) -> NDArray[np.str_]:
    return values.to_numpy(zero_copy_only=False).astype(np.str_)
