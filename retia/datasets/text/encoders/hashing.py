"""Hash words into buckets, and project these by a matrix that no text has a say in.

The projection is sparse: each bucket goes to `ENTRIES` of the D dimensions, one in each of as many
blocks of them, with random signs. It keeps lengths and angles up to about 1/sqrt(D): Kane, D. M. &
Nelson, J. (2014). Sparser Johnson-Lindenstrauss transforms. J. ACM 61, 4. Its seed is a constant,
so equal texts have equal vectors in all graphs.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
from scipy.sparse import csr_array

from retia.datasets.text.encoders.encoded import Floats, Vectors, unit_rows
from retia.protocol.randomness import Randomness
from retia.shards.errors import MissingExtraError

SEED = 0
BUCKETS = 1 << 18
ENTRIES = 16
BLOCK_ROWS = 8192


def hashing(texts: Sequence[str], dimensions: int, workers: int = 1) -> Vectors:
    """The vectors (n, D), rows of length 1, or of zeros where a text has no word.

    Words are runs of two or more letters, digits and underscores, in lower case; a word that
    stands c times weighs 1 + log c.
    """
    matrix = projection(dimensions)

    def project(first: int) -> Floats:
        product = count_buckets(texts[first : first + BLOCK_ROWS]) @ matrix
        return unit_rows(product.toarray()).astype(np.float32)

    with ThreadPoolExecutor(workers) as pool:
        blocks = list(pool.map(project, range(0, len(texts), BLOCK_ROWS)))
    return Vectors(
        values=np.concatenate(blocks),
        name=f"hashing-{dimensions}",
        encoder="hashing",
        parameters={
            "buckets": BUCKETS,
            "sublinear_tf": True,
            "seed": SEED,
            "entries": len(matrix.data) // BUCKETS,
            "projection_sha256": projection_sha256(matrix),
        },
    )


def count_buckets(texts: Sequence[str]) -> csr_array:
    """(n, `BUCKETS`) 1 + log of how often words of a bucket stand in a text."""
    try:
        from sklearn.feature_extraction.text import HashingVectorizer
    except ImportError as error:
        raise MissingExtraError("build", "scikit-learn") from error
    vectorizer = HashingVectorizer(n_features=BUCKETS, norm=None, alternate_sign=False)
    counts = csr_array(vectorizer.transform(texts))
    counts.data = 1 + np.log(counts.data)
    return counts


def projection(dimensions: int) -> csr_array:
    """(`BUCKETS`, D) with rows of length 1."""
    rng = Randomness.from_seed(SEED).stream("hashing", dimensions)
    entries = min(ENTRIES, dimensions)
    edges = np.arange(entries + 1) * dimensions // entries
    columns = rng.integers(edges[:-1], edges[1:], size=(BUCKETS, entries))
    signs = rng.choice([-1.0, 1.0], size=columns.shape) / np.sqrt(entries)
    rows = np.arange(BUCKETS + 1) * entries
    return csr_array((signs.ravel(), columns.ravel(), rows), shape=(BUCKETS, dimensions))


def projection_sha256(matrix: csr_array) -> str:
    """The sum of where the entries are and what sign they have: the space's fingerprint."""
    places = matrix.indices.astype("<i4").tobytes()
    return sha256(places + np.signbit(matrix.data).tobytes()).hexdigest()
