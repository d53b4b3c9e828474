import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retia.datasets.table_file import SPACES, TableFile, load_npy, read_table_file
from retia.shards.errors import InputError


def saved(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def parquet(folder: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), folder / "t.parquet")
    return folder / "t.parquet"


def test_csv_and_parquet_of_pandas_give_the_same_cells(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"id": [720575940623636701, 2], "text": ["two\nlines, 'quoted'", ""], "n": [1.5, 2.0]}
    )
    frame.to_csv(tmp_path / "t.csv", index=False, quoting=csv.QUOTE_NONNUMERIC)
    frame.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        table = read_table_file(tmp_path / name)
        assert table.ids("id").to_pylist() == ["720575940623636701", "2"]
        assert table.texts("text").to_pylist() == frame["text"].tolist()
        assert table.numbers("n").tolist() == [1.5, 2.0]
        assert table.rows("id", np.array(["2", "720575940623636701"]), "here").tolist() == [1, 0]


def test_the_separator_is_that_of_the_first_row(tmp_path: Path) -> None:
    for content in ("a;b\n1;x, y\n", "a\tb\n1\tx, y\n", 'a,b\n1,"x, y"\n'):
        table = read_table_file(saved(tmp_path, "t.csv", content))
        assert table.texts("b").to_pylist() == ["x, y"]
    spaces = read_table_file(saved(tmp_path, "t.txt", "p  q 3\n"), header=False, separator=SPACES)
    assert [spaces.columns, spaces.texts("2").to_pylist()] == [["1", "2", "3"], ["q"]]


def test_an_empty_line_is_a_cell_where_there_is_one_column(tmp_path: Path) -> None:
    table = read_table_file(saved(tmp_path, "t.csv", "text\none\n\nthree\n"))
    assert table.texts("text").to_pylist() == ["one", "", "three"]


def test_lists_of_parquet_keep_semicolons_and_those_of_csv_are_joined_by_them(
    tmp_path: Path,
) -> None:
    of_parquet = read_table_file(parquet(tmp_path, tags=[["a;b", " c"], [], None, [""]]))
    rows, words = of_parquet.lists("tags")
    assert (rows.tolist(), words.to_pylist()) == ([0, 0], ["a;b", "c"])
    of_csv = read_table_file(saved(tmp_path, "t.csv", "tags,x\na; b,1\n,2\nc;,3\n"))
    rows, words = of_csv.lists("tags")
    assert (rows.tolist(), words.to_pylist()) == ([0, 0, 2], ["a", "b", "c"])


def test_numbers_in_lists_are_words(tmp_path: Path) -> None:
    rows, words = read_table_file(parquet(tmp_path, near=[[1, 2], [0]])).lists("near")
    assert (rows.tolist(), words.to_pylist()) == ([0, 0, 1], ["1", "2", "0"])


def test_the_folders_above_a_table_are_no_columns(tmp_path: Path) -> None:
    (tmp_path / "year=2020").mkdir()
    assert read_table_file(parquet(tmp_path / "year=2020", a=["x"])).columns == ["a"]


def test_floats_that_lose_digits_are_numbers_and_no_ids(tmp_path: Path) -> None:
    table = read_table_file(parquet(tmp_path, id=[7.2e17, 1.0], part=[0.5, np.nan]))
    assert table.numbers("id").tolist() == [7.2e17, 1.0]
    assert table.words("part").to_pylist() == ["0.5", ""]
    with pytest.raises(InputError, match=r"column id holds floats of 2\^53 and more"):
        table.ids("id")


def numpys(folder: Path, array: np.ndarray, pickle: bool = False) -> Path:
    np.save(folder / "a.npy", array, allow_pickle=pickle)
    return folder / "a.npy"


Case = Callable[[Path], object]
BAD: dict[str, tuple[Case, str]] = {
    "no file": (lambda folder: read_table_file(folder / "t.csv"), "t.csv: no such file"),
    "no Parquet file": (
        lambda folder: read_table_file(folder / "usa.parquet"),
        "usa.parquet: no such file",
    ),
    "a folder": (lambda folder: read_table_file(folder), "is a folder; name the file in it"),
    "a pickle": (lambda folder: read_table_file(folder / "t.pkl"), "a pickle can run code"),
    "an empty file": (
        lambda folder: read_table_file(saved(folder, "t.csv", "")),
        "t.csv: row 1 is empty; a table belongs there",
    ),
    "an empty Parquet file": (
        lambda folder: read_table_file(saved(folder, "t.parquet", "")),
        "t.parquet: is no whole Parquet file (",
    ),
    "text as Parquet": (
        lambda folder: read_table_file(saved(folder, "t.parquet", "id,text\n1,a\n" * 9)),
        "t.parquet: is no whole Parquet file (",
    ),
    "names of UTF-16": (
        lambda folder: read_table_file(saved(folder, "t.tsv", "id\ttext\n1\ta\n".encode("utf-16"))),
        "t.tsv: row 1 is not UTF-8; save the file as UTF-8",
    ),
    "Parquet as CSV": (
        lambda folder: read_table_file(saved(folder, "t.csv", b"PAR1\x15\x04\xa2\x0d\xff,\n" * 9)),
        "t.csv: row 1 is not UTF-8; save the file as UTF-8",
    ),
    "a long row": (
        lambda folder: read_table_file(saved(folder, "t.csv", "a,b\n1,2\n3,4,5\n6,7\n")),
        "t.csv: CSV parse error: Row #3: Expected 2 columns, got 3: 3,4,5",
    ),
    "two columns of a name": (
        lambda folder: read_table_file(saved(folder, "t.csv", "a, a\n1,2\n")),
        "t.csv: two columns are called 'a'; rename one",
    ),
    "lists as texts": (
        lambda folder: read_table_file(parquet(folder, tags=[["a"]])).texts("tags"),
        "t.parquet: column tags holds list<element: string>; texts belong there",
    ),
    "bytes in Parquet": (
        lambda folder: read_table_file(parquet(folder, a=[b"x", b"\xff"])).texts("a"),
        "t.parquet: row 2, column a: holds bytes that are not UTF-8",
    ),
    "no number": (
        lambda folder: read_table_file(saved(folder, "t.csv", "w,x\n1,a\nten,b\n")).numbers("w"),
        "t.csv: row 3, column w: 'ten' is not a number",
    ),
    "an absent number": (
        lambda folder: read_table_file(parquet(folder, w=[1, None])).numbers("w"),
        "t.parquet: row 2, column w: '' is not a number",
    ),
    "an absent id": (
        lambda folder: one_column(folder).rows("a", np.array(["x"]), "nodes.csv"),
        "row 3, column a: 'y' is not in nodes.csv (such cells: 2); add it there, or leave",
    ),
    "an unknown column": (
        lambda folder: one_column(folder).need(["b", "c"]),
        "there is no column b, c; there are: a",
    ),
    "objects": (
        lambda folder: load_npy(numpys(folder, np.array([{}], dtype=object), pickle=True)),
        "since no pickle is read",
    ),
    "no array": (
        lambda folder: load_npy(saved(folder, "a.npy", "1,2")),
        "save an array of numbers or texts",
    ),
}


def one_column(folder: Path) -> TableFile:
    return read_table_file(saved(folder, "t.csv", "a\nx\ny\nz\n"))


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_one_clear_line(tmp_path: Path, case: str) -> None:
    read, problem = BAD[case]
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
