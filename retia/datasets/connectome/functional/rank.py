"""How many components: the largest rank that restarts agree on and that a trilinear model fits.

The rule: among the ranks asked for, the largest whose stability is at least 0.9 and whose core
consistency is at least 50. Where none is, the one with the highest product of both.

The stability compares the best restart with those whose loss is within 1 % of its own, since the
others are local minima that nobody would report: the median over them of the match of the component
that is repeated worst. (A mean over components would pass a rank with one arbitrary component among
many sure ones.) It is 0 where fewer than two other restarts come that near.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from retia.datasets.connectome.functional.factorise import (
    Factors,
    Floats,
    Seen,
    masked,
    one_thread,
    over_pairs,
    seen_gram,
)

STABLE = 0.9
CONSISTENT = 50.0
NEAR = 1.01
REPEATS = 2
ROUNDING = 1e-10


@dataclass(frozen=True)
class RankReport:
    """What the restarts of one rank say: the best loss, stability in 0..1, core consistency."""

    rank: int
    loss: float
    stability: float
    consistency: float

    @property
    def accepted(self) -> bool:
        """Whether the rank passes both limits."""
        return self.stability >= STABLE and self.consistency >= CONSISTENT


def assess(values: NDArray[np.floating], seen: Seen, restarts: list[Factors]) -> RankReport:
    """The report of a rank, from its restarts, the best first."""
    best, *others = restarts
    near = [other for other in others if other.loss <= NEAR * best.loss]
    with one_thread():
        scores = [match_scores(best, other).min() for other in near]
        consistency = core_consistency(values, seen, best)
    stability = float(np.median(scores)) if len(near) >= REPEATS else 0.0
    return RankReport(best.rank, best.loss, stability, consistency)


def choose_rank(reports: list[RankReport]) -> int:
    """The rank of the rule above."""
    accepted = [report.rank for report in reports if report.accepted]
    if accepted:
        return max(accepted)
    return max(reports, key=lambda r: (r.stability * max(r.consistency, 0.0), -r.rank)).rank


def match_scores(one: Factors, other: Factors) -> Floats:
    """(R,) for each component of one, the product of its cosines with its match in the three modes.

    Components are matched so that the sum, the factor match score, is the highest.
    """
    cosine = one.time.T @ other.time
    cosine = cosine * (one.animal.T @ other.animal) * (one.pair.T @ other.pair)
    return np.asarray(cosine[linear_sum_assignment(-cosine)])


def core_consistency(values: NDArray[np.floating], seen: Seen, factors: Factors) -> float:
    """CORCONDIA in per cent: 100 where the least-squares core of the factors is the unit core.

    Bro, R. & Kiers, H. A. L. (2003). A new efficient method for determining the number of
    components in PARAFAC models. J. Chemometrics 17, 274-286. The core G (R, R, R) is fitted to the
    seen entries alone: with gram matrices of time (t) and of animal and pair together (j),

        (time' time) G (J) = H,   J = sum_a a_q a_s sum_{p seen} p_r p_u.

    It is 0 where there are fewer animals, or times, than components: many cores then fit alike, and
    none says that the rank is right.
    """
    rank = factors.rank
    if rank > min(len(factors.time), len(factors.animal)):
        return 0.0
    pair = factors.pair * factors.scale
    time, animal = factors.time, factors.animal
    summed = over_pairs(masked(values, seen), pair)
    target = np.einsum("tau,tr,aq->rqu", summed, time, animal, optimize=True).reshape(rank, -1)
    joint = np.einsum("aq,as,aru->qrsu", animal, animal, seen_gram(seen, pair), optimize=True)
    joint = joint.reshape(rank**2, rank**2)
    gram = time.T @ time
    unit = np.zeros((rank, rank, rank))
    unit[np.arange(rank), np.arange(rank), np.arange(rank)] = 1
    left = target - gram @ unit.reshape(rank, -1) @ joint
    apart = _inverse(gram) @ left @ _inverse(joint)
    return float(100 * (1 - (apart**2).sum() / rank))


def _inverse(gram: Floats) -> Floats:
    """The pseudoinverse of a gram matrix, without directions that rounding alone fills."""
    return np.asarray(np.linalg.pinv(gram, rcond=ROUNDING, hermitian=True), dtype=np.float64)


def cosines(one: Floats, other: Floats) -> Floats:
    """(R, S) cosines of the columns of two matrices."""
    norms = np.linalg.norm(one, axis=0)[:, None] * np.linalg.norm(other, axis=0)
    return np.asarray(one.T @ other / np.where(norms > 0, norms, 1))
