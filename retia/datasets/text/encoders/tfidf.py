"""TF-IDF, reduced by a singular value decomposition: latent semantic analysis.

Fitted on the texts themselves, or, to put one graph's texts into the space of another, on the
other's texts alone. The randomised decomposition is that of Halko, N., Martinsson, P.-G. & Tropp,
J. A. (2011). Finding structure with randomness. SIAM Rev. 53, 217-288.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from retia.datasets.text.encoders.encoded import (
    THESE_TEXTS,
    FittedOn,
    Floats,
    Vectors,
    text_column,
    unit_rows,
)
from retia.protocol.randomness import Randomness
from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.errors import InputError, IntegrityError, MissingExtraError
from retia.shards.manifest import Encoding
from retia.shards.texts import texts_sha256

MIN_TEXTS = 2
ITERATIONS = 2
FLAT = 1e-7
BLOCK_ROWS = 8192


@dataclass(frozen=True)
class TfidfSvd:
    """A fitted encoder: the vectorizer with its K words, and `components` (D, K)."""

    vectorizer: Any
    components: Floats
    kept: int

    def vocabulary_sha256(self) -> str:
        """The sum of the words, in the order of their columns."""
        return sha256_bytes(canonical_json(self.vectorizer.get_feature_names_out().tolist()))

    def project(self, weights: csr_matrix, workers: int = 1) -> Floats:
        """The vectors (n, D) float32 of weights (n, K): rows of length 1 or of zeros."""
        matrix = np.ascontiguousarray(self.components.T)

        def block(first: int) -> Floats:
            return unit_rows(weights[first : first + BLOCK_ROWS] @ matrix).astype(np.float32)

        with ThreadPoolExecutor(workers) as pool:
            return np.concatenate(list(pool.map(block, range(0, weights.shape[0], BLOCK_ROWS))))


def tfidf_svd(
    texts: Sequence[str],
    dimensions: int,
    fit_on: FittedOn | None,
    randomness: Randomness,
    workers: int = 1,
) -> Vectors:
    """The vectors (n, D) of texts, fitted on these or on those of `fit_on`.

    Raises `InputError` where no word stands in two of the texts that are fitted on, and for a
    source that has no such encoding fitted on its own texts; `IntegrityError` where the source's
    texts do not give the encoding that its card describes.
    """
    name = f"tfidf-svd-{dimensions}"
    if fit_on is None:
        seed = int(randomness.stream("encode", name).integers(1 << 31))
        sum_, fitted_on = texts_sha256(text_column(texts)), THESE_TEXTS
        fitted, weights = fit(texts, dimensions, seed)
    else:
        seed = _source_seed(name, fit_on)
        sum_, fitted_on = fit_on.card.texts_sha256, f"{fit_on.reference} {fit_on.digest}"
        fitted, _ = fit(fit_on.texts, dimensions, seed)
        _check_vocabulary(fitted, fit_on)
        weights = fitted.vectorizer.transform(texts)
    return Vectors(
        values=fitted.project(weights, workers),
        name=name,
        encoder="tfidf-svd",
        parameters={
            "sublinear_tf": True,
            "min_df": MIN_TEXTS,
            "iterations": ITERATIONS,
            "seed": seed,
            "components": fitted.kept,
            "words": fitted.components.shape[1],
            "vocabulary_sha256": fitted.vocabulary_sha256(),
            "fitted_texts_sha256": sum_,
        },
        fitted_on=fitted_on,
    )


def fit(texts: Sequence[str], dimensions: int, seed: int) -> tuple[TfidfSvd, csr_matrix]:
    """The words of at least two texts and the D leading directions of their weights (n, K).

    The largest weight of each direction is positive, and the directions are in the order of their
    singular values. Where there are fewer than D, the rest are zeros. Sums are those of one BLAS
    thread, so that the result does not depend on the machine's number of cores.
    """
    try:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtraError("build", "scikit-learn") from error
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=MIN_TEXTS)
    try:
        weights = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise InputError(
            f"tfidf-svd-{dimensions}: no word stands in two of the {len(texts):,} texts; "
            f"use hashing-{dimensions}, or give more texts"
        ) from error
    rank = min(dimensions, *weights.shape)
    svd = TruncatedSVD(rank, n_iter=ITERATIONS, random_state=seed)
    with threadpool_limits(limits=1, user_api="blas"):
        svd.fit(weights)
    values = svd.singular_values_
    kept = int((values > FLAT * values[0]).sum())
    components = np.zeros((dimensions, weights.shape[1]))
    components[:kept] = turn(svd.components_[:kept])
    return TfidfSvd(vectorizer, components, kept), weights


def turn(components: Floats) -> Floats:
    """The rows with signs such that the entry of the largest size is positive."""
    largest = np.abs(components).argmax(axis=1)
    return components * np.sign(components[np.arange(len(components)), largest])[:, None]


def _source_seed(name: str, fit_on: FittedOn) -> int:
    """The seed of the source's own encoding."""
    card: Encoding = fit_on.card
    seed = card.parameters.get("seed")
    if card.name != name or card.fitted_on != THESE_TEXTS or not isinstance(seed, int):
        raise InputError(
            f"{name}: {fit_on.reference} has no encoding of that name fitted on its own texts; "
            "build it with one"
        )
    if texts_sha256(text_column(fit_on.texts)) != card.texts_sha256:
        raise IntegrityError(
            f"{name}: the texts of {fit_on.reference} are not those that its card names"
        )
    return seed


def _check_vocabulary(fitted: TfidfSvd, fit_on: FittedOn) -> None:
    if fitted.vocabulary_sha256() != fit_on.card.parameters.get("vocabulary_sha256"):
        raise IntegrityError(
            f"{fit_on.card.name}: fitting on the texts of {fit_on.reference} gives other words "
            "than its card says; use the version of scikit-learn that it was built with"
        )
