import gzip
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retia.datasets.vessel.readers.voreen import read_voreen

Tables = tuple[Path, Path]
Spoil = Callable[[Path, Path], Path]


def rewrite(path: Path, pattern: str, replacement: str) -> Path:
    text, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)
    return path


def cell(path: Path, row: int, column: str, value: str) -> Path:
    lines = path.read_text().splitlines()
    cells = lines[row - 1].split(";")
    cells[lines[0].split(";").index(column)] = value
    lines[row - 1] = ";".join(cells)
    path.write_text("\n".join(lines) + "\n")
    return path


def cut_gzip(path: Path) -> Path:
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])
    return path


def emptied(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def commas(path: Path) -> Path:
    path.write_text(path.read_text().replace(";", ","))
    return path


def header_only(path: Path) -> Path:
    path.write_text(path.read_text().splitlines()[0] + "\n")
    return path


def gone(path: Path) -> Path:
    path.unlink()
    return path


BAD: dict[str, tuple[Spoil, list[str]]] = {
    "missing column": (lambda n, e: rewrite(e, ";length;", ";size;"), ["row 1", "length"]),
    "wrong delimiter": (lambda n, e: commas(e), ["row 1", "';'"]),
    "text for a number": (lambda n, e: cell(e, 7, "volume", "big"), ["row 7", "volume", "big"]),
    "text for an id": (lambda n, e: cell(n, 3, "id", "x1"), ["row 3", "column id", "x1"]),
    "text for a place": (lambda n, e: cell(n, 9, "pos_y", "?"), ["row 9", "column pos_y"]),
    "no place": (lambda n, e: cell(n, 9, "pos_z", ""), ["row 9", "column pos_z"]),
    "no id": (lambda n, e: cell(e, 5, "node1id", ""), ["row 5", "column node1id"]),
    "infinite place": (lambda n, e: cell(n, 4, "pos_x", "inf"), ["row 4", "column pos_x"]),
    "unknown node": (lambda n, e: cell(e, 12, "node2id", "99999"), ["row 12", "node2id", "99999"]),
    "negative node": (lambda n, e: cell(e, 12, "node1id", "-1"), ["row 12", "node1id", "-1"]),
    "duplicate node": (lambda n, e: cell(n, 20, "id", "4"), ["row 20", "column id", "row 6"]),
    "duplicate edge": (lambda n, e: cell(e, 20, "id", "4"), ["row 20", "column id", "row 6"]),
    "short row": (lambda n, e: rewrite(n, r"^7;[^;]*;", "7;"), ["row 9", "5 columns"]),
    "empty nodes": (lambda n, e: emptied(n), ["row 1", "empty"]),
    "empty edges": (lambda n, e: emptied(e), ["row 1", "empty"]),
    "no rows": (lambda n, e: header_only(e), ["no rows"]),
    "truncated gzip": (lambda n, e: cut_gzip(e), ["gzip", "truncated"]),
    "no file": (lambda n, e: gone(n), ["no such file"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_table_is_one_line_and_nothing_written(
    name: str,
    tables: Tables,
    retia: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil, words = BAD[name]
    culprit = spoil(*tables)
    out = tmp_path / "out"
    words_ = ("--nodes", tables[0], "--edges", tables[1], "--name", "bad", "--out", out)
    assert retia("build", "vessel", *words_) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("retia: ")
    assert captured.err.count("\n") == 1
    assert all(word in captured.err for word in [culprit.name, *words])
    assert not out.exists()


def test_bad_cell_far_down_is_found(tables: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    nodes, edges = tables
    lines = edges.read_text().splitlines()
    first = lines[1].split(";")
    many = [";".join([str(i), *first[1:]]) for i in range(60_000)]
    edges.write_text("\n".join([lines[0], *many]) + "\n")
    cell(edges, 50_000, "length", "long")
    with pytest.raises(Exception, match="row 50000, column length"):
        read_voreen(nodes, edges)


def test_gzipped_tables_are_read_whatever_their_name(tables: Tables) -> None:
    plain = read_voreen(*tables)
    for path in tables:
        path.write_bytes(gzip.compress(path.read_bytes()))
    packed = read_voreen(*tables)
    np.testing.assert_array_equal(plain.ends, packed.ends)
    np.testing.assert_array_equal(plain.position, packed.position)


def test_ids_need_be_neither_contiguous_nor_sorted(tables: Tables) -> None:
    nodes, edges = tables
    plain = read_voreen(nodes, edges)

    def renamed(old: str) -> str:
        return str(10**12 - 37 * int(old))

    header, *rows = (line.split(";") for line in nodes.read_text().splitlines())
    rows = [[renamed(row[0]), *row[1:]] for row in rows][::-1]
    nodes.write_text("\n".join(map(";".join, [header, *rows])))
    header, *rows = (line.split(";") for line in edges.read_text().splitlines())
    rows = [[row[0], renamed(row[1]), renamed(row[2]), *row[3:]] for row in rows]
    edges.write_text("\n".join(map(";".join, [header, *rows])))
    other = read_voreen(nodes, edges)
    np.testing.assert_array_equal(other.position[other.ends], plain.position[plain.ends])


def test_real_tables_are_read_whole(data: Path) -> None:
    folder = data / "vessel" / "voreen_demo"
    graph = read_voreen(folder / "vertices.csv", folder / "edges.csv")
    assert (len(graph.node_id), len(graph.edge_id)) == (3197, 3249)
    counts = np.bincount(np.digitize(graph.measures["minRadiusAvg"] * 3, [15, 40]), minlength=3)
    assert counts.tolist() == [3232, 17, 0]
    assert graph.measures["length"][0] == pytest.approx(38.5211)
