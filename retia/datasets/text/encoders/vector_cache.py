"""Vectors kept on disk by the sum of their text: a stop loses little, none is made twice.

A shard is a Parquet file named for the sha256 of its bytes; one that has another sum, or is cut, is
removed and its texts are encoded again.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from retia.shards.canonical import sha256_bytes, sha256_file
from retia.shards.writer import write_atomically

Vectors32 = NDArray[np.float32]

KEY = pa.binary(32)


def text_keys(texts: Sequence[str]) -> pa.Array:
    """The sha256 of each text, 32 bytes."""
    return pa.array([sha256(text.encode()).digest() for text in texts], KEY)


def keep(folder: Path, keys: pa.Array, vectors: Vectors32) -> None:
    """Write the vectors (n, D) of n texts as one shard."""
    values = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    column = pa.FixedSizeListArray.from_arrays(values, vectors.shape[1])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text_sha256": keys, "vector": column}), sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    write_atomically(folder / f"{sha256_bytes(content)}.parquet", content)


def look_up(folder: Path, keys: pa.Array) -> tuple[NDArray[np.bool_], Vectors32]:
    """Which of n texts are kept, (n,), and the vectors of those that are, in their order."""
    shards = [path for path in sorted(folder.glob("*.parquet")) if _is_whole(path)]
    if not shards:
        return np.zeros(len(keys), bool), np.empty((0, 0), np.float32)
    table = pa.concat_tables(pq.read_table(path, memory_map=False) for path in shards)
    place = pc.index_in(keys, value_set=table["text_sha256"].combine_chunks())
    column = table["vector"].combine_chunks().take(place.drop_null())
    width = column.type.list_size
    return place.is_valid().to_numpy(zero_copy_only=False), column.flatten().to_numpy().reshape(
        -1, width
    )


def _is_whole(path: Path) -> bool:
    if sha256_file(path) == path.stem:
        return True
    path.unlink()
    return False
