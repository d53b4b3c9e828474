"""Communities in the pair pattern of a component, at a resolution that no label has chosen."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from retia.datasets.connectome.functional.affinity import all_pairs
from retia.datasets.connectome.functional.factorise import Floats
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError, MissingExtraError

Labels = NDArray[np.int64]
Method = Literal["leiden", "sbm"]

RESOLUTIONS = np.geomspace(0.4, 2.5, 11)
SEEDS = 4
FINE = np.geomspace(0.4, 2.5, 400)
NONE = -1


@dataclass(frozen=True)
class Communities:
    """`labels` (N,) from 0 for the largest, -1 for a neuron without a pair; how they were found.

    `resolution` is the middle of those at which the partition is the best known, `stability` the
    mean adjusted Rand index with the runs there; none for a block model.
    """

    labels: Labels
    method: Method
    resolution: float | None = None
    stability: float | None = None


def find_communities(
    weights: Floats, number: int, randomness: Randomness, method: Method = "leiden"
) -> Communities:
    """The communities of `number` neurons from the (P,) weights of all their pairs i < j."""
    linked, pairs, kept = _linked(weights, number)
    if len(linked) < 2:
        return Communities(np.full(number, NONE), method)
    found = METHODS[method](pairs, kept, len(linked), randomness)
    labels = np.full(number, NONE)
    labels[linked] = by_size(found.labels)
    return Communities(labels, method, found.resolution, found.stability)


def leiden(pairs: Labels, weights: Floats, number: int, randomness: Randomness) -> Communities:
    """The partition that is the best over the widest range of resolutions.

    Leiden (Traag, V. A. et al. (2019). Sci. Rep. 9, 5233) runs with `SEEDS` seeds at each of
    `RESOLUTIONS`. Modularity at resolution g is a line, w - g e, with w the share of weight within
    communities and e that expected from the strengths. Each partition found is the best of all on
    an interval of log g, and that with the longest is taken: Weir, W. H. et al. (2017).
    Post-processing partitions to identify domains of modularity optimization. Algorithms 10, 93.
    One community, or more than half as many as neurons, count only where nothing else is found.
    """
    graph = _symmetric(pairs, weights, number)
    seeds = randomness.stream("leiden").integers(1 << 31, size=(len(RESOLUTIONS), SEEDS))
    runs = np.concatenate(
        [
            [_leiden_run(graph, gamma, int(seed)) for seed in row]
            for gamma, row in zip(RESOLUTIONS, seeds, strict=True)
        ]
    )
    lines = np.array([_line(pairs, weights, labels) for labels in runs])
    best = (lines[:, 0] - FINE[:, None] * lines[:, 1]).argmax(axis=1)
    domain = np.bincount(best, minlength=len(runs))
    sizes = runs.max(axis=1) + 1
    proper = (sizes > 1) & (sizes <= number / 2)
    chosen = int(np.lexsort((-domain, ~proper | (domain == 0)))[0])
    resolution = FINE[best == chosen]
    middle = float(np.sqrt(resolution[0] * resolution[-1])) if len(resolution) else 1.0
    near = int(np.abs(np.log(RESOLUTIONS / middle)).argmin())
    beside = runs[near * SEEDS : (near + 1) * SEEDS]
    return Communities(runs[chosen], "leiden", middle, _agreement(runs[chosen], beside))


def nested_blocks(
    pairs: Labels, weights: Floats, number: int, randomness: Randomness
) -> Communities:
    """The lowest level of a nested weighted stochastic block model, by graph-tool.

    Weights are exponential; of the fits with and without degree correction, that of the shorter
    description stands. graph-tool (LGPL-3) comes from conda-forge or its own packages, not by pip.
    """
    gt = graph_tool()
    gt.seed_rng(int(randomness.stream("sbm").integers(1 << 31)))
    graph = gt.Graph(directed=False)
    graph.add_vertex(number)
    graph.add_edge_list(pairs)
    record = graph.new_edge_property("double", vals=weights)
    fits = [
        gt.minimize_nested_blockmodel_dl(
            graph,
            state_args={"deg_corr": corrected, "recs": [record], "rec_types": ["real-exponential"]},
        )
        for corrected in (False, True)
    ]
    best = min(fits, key=lambda fit: fit.entropy())
    return Communities(np.asarray(best.get_bs()[0])[:number].astype(np.int64), "sbm")


def graph_tool() -> Any:
    """The library of block models; raises `InputError` where it is not installed."""
    try:
        import graph_tool.all as library
    except ImportError as error:
        raise InputError(
            "graph-tool is not installed; take it from conda-forge, or choose --communities leiden"
        ) from error
    return library


METHODS = {"leiden": leiden, "sbm": nested_blocks}


def by_size(labels: Labels) -> Labels:
    """The same partition, numbered from the largest community; of equals the first comes first."""
    _, first, place, size = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(size), dtype=np.int64)
    rank[np.lexsort((first, -size))] = np.arange(len(size))
    return rank[place]


def _leiden_run(graph: csr_matrix, resolution: float, seed: int) -> Labels:
    try:
        from sknetwork.clustering import Leiden
    except ImportError as error:
        raise MissingExtraError("build", "scikit-network") from error
    run = Leiden(resolution, "newman", shuffle_nodes=True, random_state=seed, return_probs=False)
    return np.asarray(run.fit_predict(graph), dtype=np.int64)


def _line(pairs: Labels, weights: Floats, labels: Labels) -> tuple[float, float]:
    """The share of weight within communities, and that expected from their strengths."""
    within = weights[labels[pairs[:, 0]] == labels[pairs[:, 1]]].sum() / weights.sum()
    strength = np.bincount(labels[pairs.ravel()], weights=np.repeat(weights, 2))
    return float(within), float(((strength / strength.sum()) ** 2).sum())


def _agreement(labels: Labels, others: NDArray[np.int64]) -> float:
    """The mean adjusted Rand index with other partitions."""
    try:
        from sklearn.metrics import adjusted_rand_score
    except ImportError as error:
        raise MissingExtraError("build", "scikit-learn") from error
    return float(np.mean([adjusted_rand_score(labels, other) for other in others]))


def _linked(weights: Floats, number: int) -> tuple[Labels, Labels, Floats]:
    """Neurons with a pair of weight, those pairs in terms of them, and their weights."""
    heavy = weights > 0
    pairs = all_pairs(number)[heavy]
    linked = np.unique(pairs)
    return linked, np.searchsorted(linked, pairs), weights[heavy]


def _symmetric(pairs: Labels, weights: Floats, number: int) -> csr_matrix:
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    double = np.concatenate([weights, weights])
    return csr_matrix((double, tuple(ends.T)), shape=(number, number))
