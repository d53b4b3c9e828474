"""The measures of similarity, each a matrix over all embeddings, and what each can tell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from retia.benchmarks.analysis.cka import cka_matrix
from retia.benchmarks.analysis.embeddings import Embedding, Floats
from retia.benchmarks.analysis.relative import ANCHORS, cosine_matrix, jaccard_matrix, relative
from retia.benchmarks.analysis.rsa import correlation_rdm, euclidean_rdm, spearman_matrix
from retia.benchmarks.analysis.stitching import stitching_matrices
from retia.benchmarks.analysis.topology import geo_topological, geodesic
from retia.protocol.randomness import Randomness

GEODESIC_NODES = 500


@dataclass(frozen=True)
class Measure:
    """A measure: its name, a title, a word for the head of a column, what it says."""

    name: str
    title: str
    word: str
    about: str


MEASURES = {
    measure.name: measure
    for measure in (
        Measure(
            "cka",
            "CKA",
            "cka",
            "Debiased linear CKA: the same directions of variance, up to rotation and scale. "
            "Independent embeddings give 0.",
        ),
        Measure(
            "rsa-euclidean",
            "RSA, Euclidean",
            "rsa",
            "Spearman's correlation of the Euclidean distances between nodes: near pairs stay "
            "near, far ones far.",
        ),
        Measure(
            "rsa-correlation",
            "RSA, correlation",
            "rsa-r",
            "The same of 1 - Pearson's r between the vectors of two nodes: their lengths do not "
            "count.",
        ),
        Measure(
            "trsa",
            "Topological RSA",
            "trsa",
            "RSA of distances that are told apart from the 5 % to the 25 % quantile alone: who is "
            "near whom, not how far the rest is.",
        ),
        Measure(
            "trsa-geodesic",
            "Topological RSA, geodesic",
            "geodesic",
            f"The same of shortest paths over near pairs, of {GEODESIC_NODES} nodes at most.",
        ),
        Measure(
            "relative-cosine",
            "Relative cosine",
            "cosine",
            f"Mean cosine of a node's relative representations, by {ANCHORS} anchors at most. "
            "Where all vectors point one way it is high for any two models.",
        ),
        Measure(
            "relative-jaccard",
            "Relative neighbours",
            "jaccard",
            "The share of a node's ten nearest that two models agree on, by relative "
            "representations.",
        ),
        Measure(
            "stitching-r2",
            "Stitching R²",
            "r2",
            "How much of the column's embeddings an affine map of the row's explains, on nodes "
            "that it was not fitted on. Not symmetric; it may be negative.",
        ),
        Measure(
            "stitching-agreement",
            "Stitching agreement",
            "answers",
            "How often the column's head gives the same answer from the row's stitched embeddings. "
            "Hold it against the share of the commonest answer.",
        ),
    )
}


def measure_all(
    embeddings: Sequence[Embedding], randomness: Randomness
) -> Iterator[tuple[str, Floats]]:
    """The matrix (N, N) of each measure; `stitching-agreement` only where all have heads.

    Anchors, halves and the nodes of the geodesics are drawn from `randomness`, the same for all.
    """
    z = [embedding.z for embedding in embeddings]
    n = len(z[0])
    yield "cka", cka_matrix(z)
    yield "rsa-euclidean", spearman_matrix(euclidean_rdm(one) for one in z)
    yield "rsa-correlation", spearman_matrix(correlation_rdm(one) for one in z)
    yield "trsa", spearman_matrix(geo_topological(euclidean_rdm(one)) for one in z)
    few = _some(n, GEODESIC_NODES, randomness, "geodesic")
    yield "trsa-geodesic", spearman_matrix(geodesic(euclidean_rdm(one[few])) for one in z)
    anchors = _some(n, ANCHORS, randomness, "anchors")
    relatives = [relative(one, anchors) for one in z]
    yield "relative-cosine", cosine_matrix(relatives)
    yield "relative-jaccard", jaccard_matrix(relatives)
    explained, agreeing = stitching_matrices(embeddings, randomness.stream("halves"))
    yield "stitching-r2", explained
    if all(embedding.head is not None for embedding in embeddings):
        yield "stitching-agreement", agreeing


def _some(n: int, number: int, randomness: Randomness, name: str) -> np.ndarray:
    return np.sort(randomness.stream(name).choice(n, min(number, n), replace=False))
