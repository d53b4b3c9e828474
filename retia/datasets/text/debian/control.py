"""Control files, as Debian's lists are written, as columns.

The form is that of Debian Policy 5.1: stanzas of `Field: value`, an empty line after each, and
values that go on in lines that start with a blank. A list holds a million lines, so a field is a
slice of the file: its bounds are found with numpy, its values cut out with Arrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retia.shards.errors import InputError

NEWLINE, COLON = ord("\n"), ord(":")
CONTINUES = np.array([ord(" "), ord("\t")], dtype=np.uint8)
TEXT = pa.large_string()


@dataclass(frozen=True)
class Stanzas:
    """The stanzas of a file: (n,) large_string columns by field, null where it has no such field.

    Values are without the blanks around them; their further lines follow after newlines, as they
    stand. `line` (n,) is where each stanza starts, from 1. `replaced` counts the lines with bytes
    that are no UTF-8; U+FFFD stands in their place.
    """

    columns: dict[str, pa.LargeStringArray]
    line: NDArray[np.int64]
    replaced: int

    def __len__(self) -> int:
        return len(self.line)


@dataclass(frozen=True)
class _Lines:
    """The lines of a file: content and its bytes, and (L,) start and end of each line."""

    content: bytes
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    first: NDArray[np.uint8]


def parse_control(
    where: str, content: bytes, fields: Sequence[str], required: Sequence[str]
) -> Stanzas:
    """The wanted fields of all stanzas; a field's name is compared without regard to case.

    Raises `InputError`, naming the line, for a file that is cut: its last line or stanza does not
    end, or a stanza lacks a required field; for a line that is no field, and for a field that a
    stanza has twice.
    """
    content, replaced = _as_utf8(content)
    lines = _split(where, content)
    blank = lines.first == NEWLINE
    new = ~blank & np.concatenate([[True], blank[:-1]])
    stanza = np.cumsum(new) - 1
    is_field = ~blank & ~np.isin(lines.first, CONTINUES)
    _check_starts(where, new & ~is_field)
    at = np.flatnonzero(is_field)
    colon = _colons(where, lines, at)
    text = _slices(content, lines.start[at], len(content))
    key = pc.ascii_lower(_cut(content, lines.start[at], colon))
    columns = {}
    first_line = np.flatnonzero(new) + 1
    for name in dict.fromkeys((*fields, *required)):
        found = np.flatnonzero(pc.equal(key, name.lower()).to_numpy(zero_copy_only=False))
        rows = stanza[at[found]]
        _check_once(where, name, rows, at[found])
        value = pc.utf8_slice_codeunits(text.take(pa.array(found)), len(name) + 1)
        columns[name] = _spread(pc.utf8_trim_whitespace(value), rows, len(first_line))
    for name in required:
        _check_there(where, name, columns[name], first_line)
    return Stanzas({name: columns[name] for name in fields}, first_line, replaced)


def _as_utf8(content: bytes) -> tuple[bytes, int]:
    """The content as UTF-8, and the number of lines in which bytes had to be replaced."""
    try:
        content.decode()
    except UnicodeDecodeError:
        replaced = content.decode(errors="surrogateescape").split("\n")
        wrong = sum(not line.isascii() and _has_surrogate(line) for line in replaced)
        return content.decode(errors="replace").encode(), wrong
    return content, 0


def _has_surrogate(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return True
    return False


def _split(where: str, content: bytes) -> _Lines:
    if not content:
        raise InputError(f"{where}: the file is empty")
    data = np.frombuffer(content, dtype=np.uint8)
    end = np.flatnonzero(data == NEWLINE)
    if data[-1] != NEWLINE:
        raise InputError(
            f"{where}, line {len(end) + 1:,}: the file is cut in the middle of the line; copy or "
            "fetch it again"
        )
    start = np.concatenate([[0], end[:-1] + 1])
    if data[start[-1]] != NEWLINE:
        raise InputError(
            f"{where}, line {len(end):,}: the last stanza does not end with an empty line: the "
            "file is cut; copy or fetch it again"
        )
    return _Lines(content, start, end, data[start])


def _check_starts(where: str, odd: NDArray[np.bool_]) -> None:
    if odd.any():
        raise InputError(
            f"{where}, line {int(np.argmax(odd)) + 1:,}: a stanza starts with a line that goes on "
            "from another; this is no control file, or lines are missing"
        )


def _colons(where: str, lines: _Lines, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of the first colon of each of these lines."""
    colons = np.flatnonzero(np.frombuffer(lines.content, dtype=np.uint8) == COLON)
    place = np.searchsorted(colons, lines.start[at])
    colon = np.append(colons, len(lines.content))[place]
    odd = colon >= lines.end[at]
    if odd.any():
        line = int(at[np.argmax(odd)])
        text = lines.content[lines.start[line] : lines.end[line]][:60].decode(errors="replace")
        raise InputError(
            f"{where}, line {line + 1:,}: '{text}' is no field; 'Field: value' belongs there"
        )
    return colon


def _slices(content: bytes, start: NDArray[np.int64], end: int) -> pa.LargeStringArray:
    """The content from each start to the next, without a copy."""
    offsets = np.append(start, end).astype(np.int64)
    return pa.LargeStringArray.from_buffers(
        len(start), pa.py_buffer(offsets), pa.py_buffer(content)
    )


def _cut(content: bytes, start: NDArray[np.int64], end: NDArray[np.int64]) -> pa.LargeStringArray:
    """The content from each start to its end."""
    bounds = np.column_stack([start, end]).ravel()
    both = _slices(content, bounds, len(content))
    return both.take(pa.array(np.arange(0, len(bounds), 2)))


def _check_once(where: str, name: str, rows: NDArray[np.int64], line: NDArray[np.int64]) -> None:
    again = rows[1:] == rows[:-1]
    if again.any():
        raise InputError(
            f"{where}, line {int(line[1:][np.argmax(again)]) + 1:,}: the stanza has a second "
            f"'{name}'; an empty line may be missing before it"
        )


def _spread(values: pa.LargeStringArray, rows: NDArray[np.int64], size: int) -> pa.LargeStringArray:
    """(size,) the values at their rows, null elsewhere."""
    place = np.full(size, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    return values.take(pa.array(place, mask=place < 0))


def _check_there(
    where: str, name: str, values: pa.LargeStringArray, line: NDArray[np.int64]
) -> None:
    lacks = pc.fill_null(pc.equal(values, ""), True).to_numpy(zero_copy_only=False)
    if lacks.any():
        first = int(np.argmax(lacks))
        raise InputError(
            f"{where}, line {line[first]:,}: the stanza that starts here has no '{name}': it is "
            "cut, or this is no such list"
        )
