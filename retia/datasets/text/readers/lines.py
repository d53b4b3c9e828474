"""Lines of plain text: one a node or an edge, as several published sources have them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retia.datasets.text.graph import Texts
from retia.shards.errors import InputError

MAX_BYTES = 1 << 30
PAIR = r"^\s*(?P<src>\S+)\s+(?P<dst>\S+)\s*$"


def read_lines(path: Path) -> Texts:
    """The lines of a file without their ends; raises `InputError` for what is not UTF-8."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: has more than {MAX_BYTES:,} bytes; is it the right file?")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}: line {row} is not UTF-8; save the file as UTF-8") from None
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    return np.array(lines, dtype=object)


def read_fields(path: Path, pattern: str, form: str) -> dict[str, Texts]:
    """The named groups of a pattern in each line that is not empty, by name.

    Raises `InputError` for a line of another form, which `form` describes.
    """
    lines = read_lines(path)
    column = pa.array(lines, pa.string())
    found = pc.extract_regex(column, pattern)
    wrong = pc.and_(found.is_null(), pc.not_equal(pc.utf8_trim_whitespace(column), ""))
    if pc.any(wrong).as_py():
        row = int(np.argmax(wrong.to_numpy(zero_copy_only=False)))
        raise InputError(f"{path}: line {row + 1} is '{lines[row][:60]}'; {form} belongs there")
    fields = found.drop_null()
    if not len(fields):
        raise InputError(f"{path}: there is nothing in it")
    return {
        field.name: np.asarray(fields.field(i).to_numpy(zero_copy_only=False), dtype=object)
        for i, field in enumerate(fields.type)
    }


def read_pairs(path: Path) -> tuple[Texts, Texts]:
    """The ids at both ends of the edges, a line each; raises `InputError`."""
    fields = read_fields(path, PAIR, "a pair of ids")
    return fields["src"], fields["dst"]
