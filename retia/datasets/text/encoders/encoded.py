"""What goes into an encoder and comes out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import JsonValue

from retia.shards.errors import InputError
from retia.shards.manifest import Encoding

NOTHING = "nothing"
THESE_TEXTS = "these texts"
FAINT = 1e-6

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class FittedOn:
    """The graph whose encoding another graph's texts are put into.

    `texts` are those that the source encoded, in the order of its nodes; `reference` and `digest`
    name its version, and `card` is that of the encoding in its manifest.
    """

    texts: Sequence[str]
    reference: str
    digest: str
    card: Encoding


@dataclass(frozen=True)
class Encoded:
    """The card of an encoding and its vectors: `values` (n, D) of the card's dtype."""

    card: Encoding
    values: NDArray[np.float16] | NDArray[np.float32]


@dataclass(frozen=True)
class Vectors:
    """What an encoder gives: `values` (n, D), and its part of the card."""

    values: Floats
    name: str
    encoder: str
    parameters: Mapping[str, JsonValue]
    fitted_on: str = NOTHING
    revision: str | None = None
    pooling: str | None = None
    max_length: int | None = None
    normalised: bool = field(default=True)


def text_column(texts: Sequence[str]) -> pa.LargeStringArray:
    """The texts as an Arrow column.

    Raises `InputError` for a text that is missing, is not text or is not valid Unicode.
    """
    try:
        column = pa.array(texts, pa.large_string())
    except (pa.ArrowException, UnicodeError, TypeError) as error:
        row = next(row for row, text in enumerate(texts) if not _is_text(text))
        raise InputError(f"text {row} is not valid Unicode text; mend it when reading") from error
    if column.null_count:
        row = column.is_null().to_numpy(zero_copy_only=False).argmax()
        raise InputError(f"text {row} is missing; give '' for a node without text")
    return column


def _is_text(text: object) -> bool:
    if not isinstance(text, str):
        return text is None
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unit_rows(values: Floats) -> Floats:
    """The rows at length 1; one shorter than `FAINT`, which is rounding alone, becomes zeros."""
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.where(norms > FAINT, values / np.maximum(norms, FAINT), 0)
