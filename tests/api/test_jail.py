"""Files that are made to hurt: they are refused, and the server does not feel them."""

import asyncio
import io
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retia.api.jail import Jail, jail
from retia.leaderboard.scoring import Checked
from retia.shards.errors import InputError
from retia.shards.version import Version
from tests.api.client import meta_of, parquet, predictions, submit
from tests.api.conftest import Local

GIB = 1 << 30
COMPRESSED = 4 << 20


def peak() -> int:
    """The most memory that this process has ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def row_bomb() -> bytes:
    """Fifty million equal rows in some kilobytes."""
    buffer = io.BytesIO()
    block = pa.table({
        "seed": pa.array(np.zeros(10**6, np.int64)),
        "part": pa.DictionaryArray.from_arrays(np.zeros(10**6, np.int32), ["valid"]),
        "item": pa.array(np.zeros(10**6, np.int64)),
        "score": pa.array(np.zeros(10**6)),
    })  # fmt: skip
    with pq.ParquetWriter(buffer, block.schema, compression="zstd") as writer:
        for _ in range(50):
            writer.write_table(block, row_group_size=10**6)
    return buffer.getvalue()


def value_bomb(rows: int) -> bytes:
    """Few rows whose every `part` is the same 64 MiB."""
    buffer = io.BytesIO()
    word = pa.array(["x" * (64 << 20)])
    table = pa.table({
        "seed": pa.array(np.zeros(rows, np.int64)),
        "part": pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), word),
        "item": pa.array(np.arange(rows)),
        "score": pa.array(np.zeros(rows)),
    })  # fmt: skip
    pq.write_table(
        table.replace_schema_metadata(None), buffer, compression="zstd", store_schema=False
    )
    return buffer.getvalue()


def lying_bomb(size: int, compression: str) -> bytes:
    """A `part` that unpacks to `size` bytes, in a file whose footer says it has 1 KiB."""
    buffer = io.BytesIO()
    table = pa.table({"seed": [0], "part": ["x" * size], "item": [0], "score": [0.0]})
    pq.write_table(
        table, buffer, compression=compression, use_dictionary=False, write_statistics=False
    )
    content = bytearray(buffer.getvalue())
    metadata = pq.read_metadata(io.BytesIO(bytes(content)))
    stated = metadata.row_group(0).column(1).total_uncompressed_size
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for value in (stated, metadata.row_group(0).total_byte_size):
        assert _number(value) in content[start:]
        lie = _padded(1024, len(_number(value)))
        content[start:] = content[start:].replace(_number(value), lie)
    return bytes(content)


def _number(value: int) -> bytes:
    """A whole number as Thrift's compact protocol writes it."""
    value, out = value << 1, bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _padded(value: int, length: int) -> bytes:
    """The same number in more bytes than it needs."""
    short = bytearray(_number(value))
    while len(short) < length:
        short[-1] |= 128
        short.append(0)
    return bytes(short)


def column_bomb() -> bytes:
    """Five thousand columns."""
    return parquet(pa.table({f"c{i}": [0] for i in range(5_000)}))


def nested_bomb() -> bytes:
    """A column in ninety lists."""
    kind: pa.DataType = pa.int8()
    for _ in range(90):
        kind = pa.list_(kind)
    columns = {"seed": [0], "part": ["valid"], "item": [0], "score": pa.array([None], kind)}
    return parquet(pa.table(columns))


BOMBS = {
    "rows": (row_bomb, "50000000 rows, at most"),
    "values": (lambda: value_bomb(200), "bytes when unpacked"),
    "a lie": (lambda: lying_bomb(GIB // 2, "zstd"), "more memory or time"),
    "a lie in gzip": (lambda: lying_bomb(GIB // 2, "gzip"), "more memory or time"),
    "columns": (column_bomb, "5000 columns, expected"),
    "nesting": (nested_bomb, "predictions"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_and_costs_the_server_nothing(
    kind: str, board: Local, versions: dict[str, Version]
) -> None:
    make, words = BOMBS[kind]
    content = make()
    assert len(content) < COMPRESSED
    before, start = peak(), time.monotonic()
    answer = submit(board.client, board.tokens["uma"], meta_of(versions["link"], "link"), content)
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert time.monotonic() - start < 20
    assert peak() - before < 100 << 20


def check(version: Version, path: Path, memory: int = GIB) -> tuple[int, ...]:
    checked = jail.check_predictions(path, version.root, "link", False, memory)
    return asyncio.run(checked).seeds


def test_an_honest_file_gives_its_seeds(versions: dict[str, Version], tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    path.write_bytes(parquet(predictions(versions["link"], "link", seeds=3)))
    assert check(versions["link"], path) == (0, 1, 2)


def test_many_are_checked_at_once_and_each_has_its_own_answer(
    versions: dict[str, Version], tmp_path: Path
) -> None:
    version = versions["link"]
    whole = predictions(version, "link", seeds=2)
    paths = [tmp_path / f"{number}.parquet" for number in range(12)]
    for number, path in enumerate(paths):
        path.write_bytes(parquet(whole.slice(number % 2)))

    async def ask() -> list[object]:
        asked = (jail.check_predictions(path, version.root, "link", False, GIB) for path in paths)
        return await asyncio.gather(*asked, return_exceptions=True)

    for number, answer in enumerate(asyncio.run(ask())):
        if number % 2:
            assert isinstance(answer, InputError)
            assert "item 0 is missing" in str(answer)
        else:
            assert isinstance(answer, Checked)
            assert answer.seeds == (0, 1)


def test_a_killed_jailer_is_started_again(versions: dict[str, Version], tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    path.write_bytes(parquet(predictions(versions["link"], "link", seeds=2)))
    own = Jail()

    def ask(own: Jail) -> tuple[int, ...]:
        asked = own.check_predictions(path, versions["link"].root, "link", False, GIB)
        return asyncio.run(asked).seeds

    assert ask(own) == (0, 1)
    first = own._process
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert ask(own) == (0, 1)
    second = own._process
    assert second is not None
    assert second.pid != first.pid
    del own
    assert second.returncode == 0, "it ends with its owner"
