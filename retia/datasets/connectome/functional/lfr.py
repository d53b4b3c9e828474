"""Weighted benchmark graphs with planted communities, in the manner of LFR.

After Lancichinetti, A. & Fortunato, S. (2009). Benchmarks for testing community detection
algorithms on directed and weighted graphs with overlapping communities. Phys. Rev. E 80, 016118:
degrees and community sizes follow power laws, a share `mut` of a node's edges and a share `muw` of
its strength leave its community, and strength is degree ** beta. Ours differs in the drawing: each
pair is joined on its own, with a probability that gives every node its degree in the mean, within
and outside its community, so degrees and `mut` hold in expectation; weights are then scaled until
the strengths hold on the graph drawn.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from retia.datasets.connectome.functional.affinity import Pairs, all_pairs
from retia.datasets.connectome.functional.communities import find_communities
from retia.datasets.connectome.functional.factorise import Floats
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

ROUNDS = 400
DRAWS = 300
LOWER = 0.9
CLOSE = 1e-9
SLACK = 0.95


@dataclass(frozen=True)
class Setting:
    """What a graph shall be like.

    `degree` is the mean and `max_degree` the highest of a power law with exponent `t1`; sizes of
    communities follow one with exponent `t2`, between the lowest and the highest degree.
    """

    nodes: int = 125
    degree: float = 25
    max_degree: int = 100
    t1: float = 2
    t2: float = 1
    mut: float = 0.5
    muw: float = 0.5
    beta: float = 2


BASE = Setting()
SETTINGS: tuple[Setting, ...] = (
    *(replace(BASE, beta=beta) for beta in (0.5, 1, 2)),
    *(replace(BASE, mut=mut) for mut in (0.25, 0.5, 0.75)),
    replace(BASE, degree=10),
    *(replace(BASE, muw=muw) for muw in (0.25, 0.75)),
)
"""The nine settings on which the weighted block models of dynamic connectomes were tried."""


@dataclass(frozen=True)
class PlantedGraph:
    """Edges `pairs` (E, 2) i < j with `weights` (E,), and the planted `membership` (n,)."""

    pairs: Pairs
    weights: Floats
    membership: NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """Agreement with the planted communities, and how many there are and were found."""

    nmi: float
    ari: float
    planted: int
    found: int


def lfr_graph(setting: Setting, randomness: Randomness) -> PlantedGraph:
    """A graph of the setting; raises `InputError` where no communities can hold its degrees."""
    rng = randomness.stream("lfr")
    degree, membership = plan(setting, rng)
    pairs = all_pairs(setting.nodes)
    same = membership[pairs[:, 0]] == membership[pairs[:, 1]]
    strength = degree**setting.beta
    parts = []
    for side, share, weighted in (
        (same, 1 - setting.mut, 1 - setting.muw),
        (~same, setting.mut, setting.muw),
    ):
        joined = join(pairs[side], share * degree, rng)
        parts.append((joined, weigh(joined, weighted * strength)))
    joined = np.concatenate([part[0] for part in parts])
    weights = np.concatenate([part[1] for part in parts])
    order = np.lexsort((joined[:, 1], joined[:, 0]))
    return PlantedGraph(joined[order], weights[order], membership)


def score(graph: PlantedGraph, randomness: Randomness) -> Score:
    """NMI and ARI of the communities found, at a resolution chosen without the planted ones."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    number = len(graph.membership)
    weights = np.zeros((number, number))
    weights[tuple(graph.pairs.T)] = graph.weights
    labels = find_communities(weights[np.triu_indices(number, k=1)], number, randomness).labels
    return Score(
        nmi=float(normalized_mutual_info_score(graph.membership, labels)),
        ari=float(adjusted_rand_score(graph.membership, labels)),
        planted=int(graph.membership.max()) + 1,
        found=int(labels.max()) + 1,
    )


def plan(setting: Setting, rng: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """(n,) degrees and (n,) communities that can be wired.

    Each node has room within and outside its community, and no community needs more edges, or more
    strength, to the others than they have. Where `DRAWS` draws give none, the highest degree is
    lowered by a tenth and the draws begin again.
    """
    if not 1 <= setting.degree < setting.max_degree < setting.nodes:
        raise InputError("degrees need 1 <= mean < maximum < number of nodes")
    highest = float(setting.max_degree)
    while highest > setting.degree:
        lowest = lowest_degree(setting, highest)
        for _ in range(DRAWS):
            if (found := draw_plan(setting, lowest, highest, rng)) is not None:
                return found
        highest *= LOWER
    raise InputError(f"no communities were found that hold the degrees of {setting}")


def draw_plan(
    setting: Setting, lowest: float, highest: float, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.int64]] | None:
    """A draw of degrees and communities, or none where it cannot be wired."""
    degree = power_law(rng.random(setting.nodes), lowest, highest, setting.t1)
    sizes = draw_sizes(setting, np.ceil(lowest), highest, rng)
    limit = capacity(sizes, setting)
    room = np.sort(np.repeat(limit, sizes))
    if len(sizes) < 2 or sizes.min() < lowest or (np.sort(degree) > room).any():
        return None
    membership = assign(degree, sizes, limit, rng)
    shares = [np.bincount(membership, weights=w) for w in (degree, degree**setting.beta)]
    if max(share.max() / share.sum() for share in shares) > SLACK / 2:
        return None
    return degree, membership


def lowest_degree(setting: Setting, highest: float) -> float:
    """Where the power law begins for its mean to be the one asked for."""
    return float(
        brentq(
            lambda low: _mean_power(low, highest, setting.t1) - setting.degree,
            CLOSE,
            setting.degree,
        )
    )


def draw_sizes(
    setting: Setting, low: float, high: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Sizes of communities from the power law, the last one what is left of the nodes."""
    drawn = power_law(rng.random(setting.nodes), low, high + 1, setting.t2)
    sizes = np.floor(drawn).astype(np.int64)
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), setting.nodes)) + 1]
    sizes[-1] -= sizes.sum() - setting.nodes
    return sizes


def capacity(sizes: NDArray[np.int64], setting: Setting) -> Floats:
    """The degree that has room in communities of these sizes, within and outside."""
    within = (sizes - 1) / max(1 - setting.mut, CLOSE)
    outside = (setting.nodes - sizes) / max(setting.mut, CLOSE)
    return np.asarray(SLACK * np.minimum(within, outside))


def assign(
    degree: Floats, sizes: NDArray[np.int64], limit: Floats, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(n,) communities; those of the lowest limit take first, at random among nodes that fit in."""
    membership = np.full(len(degree), -1)
    for community in np.argsort(limit, kind="stable"):
        fits = np.flatnonzero((membership < 0) & (degree <= limit[community]))
        membership[rng.choice(fits, sizes[community], replace=False)] = community
    return membership


def join(pairs: Pairs, degree: Floats, rng: np.random.Generator) -> Pairs:
    """The pairs that are drawn, so that node i has `degree[i]` edges in expectation.

    P(i - j) = x_i x_j / (1 + x_i x_j), the graph of maximal entropy; x by fixed-point rounds.
    """
    allowed = _matrix(pairs, np.ones(len(pairs)), len(degree))
    x = degree / np.sqrt(max(degree.sum(), 1))
    for _ in range(ROUNDS):
        before = x
        x = degree / np.maximum((allowed * x / (1 + np.outer(x, x))).sum(axis=1), CLOSE)
        if np.abs(x - before).max() <= CLOSE * x.max():
            break
    odds = x[pairs[:, 0]] * x[pairs[:, 1]]
    return pairs[rng.random(len(pairs)) < odds / (1 + odds)]


def weigh(pairs: Pairs, strength: Floats) -> Floats:
    """(E,) weights y_i y_j whose sums at the nodes are the strengths, where edges allow it."""
    y = np.sqrt(strength)
    number = len(strength)
    ends = pairs.ravel()
    for _ in range(ROUNDS):
        weights = y[pairs[:, 0]] * y[pairs[:, 1]]
        have = np.bincount(ends, weights=np.repeat(weights, 2), minlength=number)
        change = np.sqrt(np.divide(strength, have, out=np.ones(number), where=have > 0))
        y = y * change
        if np.abs(change - 1).max() < CLOSE:
            break
    return np.asarray(y[pairs[:, 0]] * y[pairs[:, 1]])


def power_law(uniform: Floats, low: float, high: float, exponent: float) -> Floats:
    """Draws between `low` and `high` with density x ** -exponent, from uniform ones."""
    if exponent == 1:
        return np.asarray(low * (high / low) ** uniform)
    power = 1 - exponent
    return np.asarray((low**power + uniform * (high**power - low**power)) ** (1 / power))


def _mean_power(low: float, high: float, exponent: float) -> float:
    """The mean of the power law, by its quantiles."""
    return float(power_law((np.arange(2000) + 0.5) / 2000, low, high, exponent).mean())


def _matrix(pairs: Pairs, values: Floats, number: int) -> Floats:
    matrix = np.zeros((number, number))
    matrix[pairs[:, 0], pairs[:, 1]] = values
    return matrix + matrix.T
