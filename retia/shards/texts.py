"""The sum of a column of texts, which says what an encoding was made of."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BLOCK_ROWS = 1 << 16
NO_SEPARATOR = pa.scalar(b"", pa.large_binary())


def texts_sha256(texts: pa.Array | pa.ChunkedArray) -> str:
    """The sha256 over texts in their order, as 64 hexadecimal digits.

    Of each text first the number of its UTF-8 bytes is summed, as 8 bytes, the least significant
    first, and then these bytes, so that no two lists of texts run together to the same. A missing
    text counts as an empty one.
    """
    digest = hashlib.sha256()
    for first in range(0, len(texts), BLOCK_ROWS):
        rows = texts.slice(first, BLOCK_ROWS)
        block = rows.combine_chunks() if isinstance(rows, pa.ChunkedArray) else rows
        content = pc.fill_null(block, "").cast(pa.large_binary())
        size = pc.binary_length(content).to_numpy().astype("<i8")
        prefix = pa.Array.from_buffers(pa.binary(8), len(block), [None, pa.py_buffer(size)])
        joined = pc.binary_join_element_wise(prefix.cast(pa.large_binary()), content, NO_SEPARATOR)
        _, offsets, summed = joined.buffers()
        end = np.frombuffer(offsets, "<i8", len(block) + 1)[-1]
        digest.update(memoryview(summed)[:end])
    return digest.hexdigest()
