"""Encode texts by a spec: `tfidf-svd-D`, `hashing-D`, `st:NAME_OR_PATH[@REVISION]`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from retia.datasets.text.encoders.encoded import Encoded, FittedOn, Vectors, text_column
from retia.datasets.text.encoders.hashing import hashing
from retia.datasets.text.encoders.sentence import sentence
from retia.datasets.text.encoders.tfidf import tfidf_svd
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.manifest import Encoding
from retia.shards.texts import texts_sha256

KNOWN = ("tfidf-svd-D", "hashing-D", "st:NAME_OR_PATH[@REVISION]")
MAX_DIMENSIONS = 4096

Dtype = Literal["float16", "float32"]


def encode(
    texts: Sequence[str],
    spec: str,
    *,
    what: str,
    fit_on: FittedOn | None = None,
    randomness: Randomness,
    workers: int = 1,
    dtype: Dtype = "float32",
    allow_download: bool = False,
    cache: Path | None = None,
) -> Encoded:
    """The vectors of texts (n,), "" where there is none, and the card that says what they are.

    `what` names the texts on the card. An encoder that has to be fitted is fitted on these texts,
    or on those of `fit_on` alone, whose encoding of the same spec is then reproduced; `hashing` and
    `st` fit nothing, whatever `fit_on`. `allow_download` and `cache` concern `st`. The result does
    not depend on `workers`.

    Raises `InputError` for an unknown spec and for texts that the encoder can make nothing of,
    `MissingExtraError` where its library is not installed, `NotFoundError` for a model that is not
    there, and `IntegrityError` where `fit_on` does not give the encoding that its card describes.
    """
    check_spec(spec)
    column = text_column(texts)
    if not len(column):
        raise InputError(f"{spec}: there are no texts to encode")
    listed = column.to_pylist()
    family, dimensions = _split(spec)
    if family == "tfidf-svd":
        vectors = tfidf_svd(listed, dimensions, fit_on, randomness, workers)
    elif family == "hashing":
        vectors = hashing(listed, dimensions, workers)
    else:
        vectors = sentence(listed, spec, allow_download=allow_download, cache=cache)
    card = _card(vectors, what, texts_sha256(column), dtype)
    return Encoded(card, np.ascontiguousarray(vectors.values, np.dtype(dtype)))


def check_spec(spec: str) -> None:
    """Raise `InputError` for a spec that names no encoder."""
    family, dimensions = _split(spec)
    if family == "st":
        return
    if not family:
        raise InputError(f"no encoder '{spec}'; there are: {', '.join(KNOWN)}")
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise InputError(f"{spec}: D is 1 to {MAX_DIMENSIONS:,}")


def _split(spec: str) -> tuple[str, int]:
    """The family of a spec and its number of dimensions; an empty family where it is unknown."""
    if re.fullmatch(r"st:.+", spec):
        return "st", 0
    match = re.fullmatch(r"(tfidf-svd|hashing)-(\d{1,6})", spec, re.ASCII)
    return (match[1], int(match[2])) if match else ("", 0)


def _card(vectors: Vectors, what: str, texts_sum: str, dtype: Dtype) -> Encoding:
    return Encoding(
        name=vectors.name,
        encoder=vectors.encoder,
        revision=vectors.revision,
        parameters=dict(vectors.parameters),
        texts=what,
        texts_sha256=texts_sum,
        fitted_on=vectors.fitted_on,
        pooling=vectors.pooling,
        max_length=vectors.max_length,
        normalised=vectors.normalised,
        dtype=dtype,
        dimensions=vectors.values.shape[1],
    )
