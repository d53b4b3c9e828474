"""Non-negative CP factorisation of a tensor whose pairs are not all seen in every animal.

    minimise  || M * (X - sum_r lambda_r  t_r o a_r o p_r) ||^2,   all factors >= 0

by hierarchical alternating least squares (HALS): Cichocki, A. & Phan, A.-H. (2009). Fast local
algorithms for large scale nonnegative matrix and tensor factorizations. IEICE Trans. Fundamentals
E92-A, 708-721. The mask M depends on animal and pair alone, so that the normal equations of the
seen entries are exact and small: no missing value is imputed. A pair that is seen only in animals
without a component says nothing of it, so the pair factors carry a weak ridge: `RIDGE` times the
mean of what the pairs see of a component weighs their squares.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retia.protocol.randomness import Randomness
from retia.shards.errors import MissingExtraError

Floats = NDArray[np.float64]
Seen = NDArray[np.bool_]

RESTARTS = 10
SWEEPS = 500
INNER = 2
TOLERANCE = 1e-7
FLOOR = 1e-12
RIDGE = 1e-3


@dataclass(frozen=True)
class Factors:
    """A sum of R rank-one tensors, the heaviest first.

    `time` (T, R), `animal` (A, R) and `pair` (P, R) are non-negative with columns of norm 1, and
    `scale` (R,) holds lambda; a pair that no animal shows has 0. `loss` is the share of the seen
    sum of squares that is left.
    """

    scale: Floats
    time: Floats
    animal: Floats
    pair: Floats
    loss: float
    sweeps: int

    @property
    def rank(self) -> int:
        """The number of components."""
        return len(self.scale)


def factorise(
    values: NDArray[np.floating],
    seen: Seen,
    rank: int,
    randomness: Randomness,
    *,
    restarts: int = RESTARTS,
    sweeps: int = SWEEPS,
    tolerance: float = TOLERANCE,
    workers: int = 1,
) -> list[Factors]:
    """The factors of all restarts, the best first.

    `values` (T, A, P), of which those of pairs that are not `seen` (A, P) do not matter. Restart i
    is drawn from the stream `factors/rank/i`; sums are those of one BLAS thread, so that the result
    depends neither on `workers` nor on the machine's number of cores.
    """
    data = masked(values, seen)

    def run(restart: int) -> Factors:
        rng = randomness.stream("factors", rank, restart)
        return descend(data, seen, draw(data.shape, rank, rng), sweeps, tolerance)

    with one_thread(), ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(run, range(restarts)))
    return sorted(found, key=lambda factors: factors.loss)


def one_thread() -> AbstractContextManager[object]:
    """A context in which BLAS sums in one thread, so that sums do not depend on the machine."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtraError("build", "threadpoolctl") from error
    return threadpool_limits(limits=1, user_api="blas")


def masked(values: NDArray[np.floating], seen: Seen) -> NDArray[np.floating]:
    """The values, 0 where they are not seen."""
    return np.where(seen, values, values.dtype.type(0))


def draw(shape: tuple[int, ...], rank: int, rng: np.random.Generator) -> list[Floats]:
    """Uniform factors to start from, one matrix a mode."""
    return [rng.random((size, rank)) for size in shape]


def descend(
    data: NDArray[np.floating],
    seen: Seen,
    start: list[Floats],
    sweeps: int = SWEEPS,
    tolerance: float = TOLERANCE,
) -> Factors:
    """Sweeps over time, animals and pairs, until the loss falls by less than `tolerance` a sweep.

    `data` (T, A, P) is 0 where it is not seen.
    """
    time, animal, pair = start
    total = float(np.vdot(data, data)) or 1.0
    left = np.inf
    done = 0
    for done in range(1, sweeps + 1):  # noqa: B007
        shared = over_pairs(data, pair)
        joint = seen_gram(seen, pair)
        gram = np.einsum("ar,as,ars->rs", animal, animal, joint)
        time = update(time, np.einsum("tar,ar->tr", shared, animal), gram)
        gram = joint * (time.T @ time)
        animal = update(animal, np.einsum("tar,tr->ar", shared, time), gram)
        time, animal = _unit(time), _unit(animal)
        gram = pair_gram(seen, animal) * (time.T @ time)
        target = over_times(data, time, animal)
        pair = update(pair, target, gram + ridge(gram))
        fit = float(np.vdot(target, pair))
        size = float(np.einsum("pr,ps,prs->", pair, pair, gram, optimize=True))
        before, left = left, (total - 2 * fit + size) / total
        if before - left < tolerance:
            break
    return _normalised(time, animal, pair, left, done)


def over_pairs(data: NDArray[np.floating], pair: Floats) -> Floats:
    """(T, A, R) the tensor summed over pairs with the pair factors."""
    times, animals, pairs = data.shape
    product = data.reshape(times * animals, pairs) @ pair.astype(data.dtype)
    return product.reshape(times, animals, -1).astype(np.float64)


def over_times(data: NDArray[np.floating], time: Floats, animal: Floats) -> Floats:
    """(P, R) the tensor summed over times and animals with their factors."""
    outer = (time[:, None] * animal[None]).reshape(-1, time.shape[1])
    product = data.reshape(len(outer), -1).T @ outer.astype(data.dtype)
    return product.astype(np.float64)


def seen_gram(seen: Seen, pair: Floats) -> Floats:
    """(A, R, R) products of pair factors, summed over the pairs that an animal shows."""
    rank = pair.shape[1]
    products = (pair[:, :, None] * pair[:, None]).reshape(len(pair), -1)
    return (seen.astype(np.float64) @ products).reshape(len(seen), rank, rank)


def pair_gram(seen: Seen, animal: Floats) -> Floats:
    """(P, R, R) products of animal factors, summed over the animals that show a pair."""
    rank = animal.shape[1]
    products = (animal[:, :, None] * animal[:, None]).reshape(len(animal), -1)
    return (seen.T.astype(np.float64) @ products).reshape(-1, rank, rank)


def ridge(gram: Floats) -> Floats:
    """(R, R) diagonal: `RIDGE` times the mean diagonal of the (P, R, R) products."""
    return RIDGE * np.diag(np.einsum("prr->r", gram) / len(gram))


def update(factor: Floats, target: Floats, gram: Floats) -> Floats:
    """The factor after `INNER` rounds of HALS over its R columns.

    `target` (n, R) is the tensor summed with the other factors, `gram` (R, R), or (n, R, R) where
    rows see different entries. A row that sees nothing falls to the floor.
    """
    factor = factor.copy()
    gram = np.broadcast_to(gram, (len(factor), *gram.shape[-2:]))
    for _ in range(INNER):
        for r in range(factor.shape[1]):
            own = gram[:, r, r]
            residual = target[:, r] - np.einsum("ns,ns->n", gram[:, r], factor)
            step = np.divide(residual, own, out=-factor[:, r].copy(), where=own > 0)
            factor[:, r] = np.maximum(factor[:, r] + step, FLOOR)
    return factor


def _unit(factor: Floats) -> Floats:
    return factor / np.linalg.norm(factor, axis=0)


def _normalised(time: Floats, animal: Floats, pair: Floats, loss: float, sweeps: int) -> Factors:
    """Unit columns without the floor, the scale apart, the heaviest component first."""
    scale = np.linalg.norm(pair, axis=0)
    order = np.argsort(-scale, kind="stable")
    parts = [np.where(part > 10 * FLOOR, part, 0)[:, order] for part in (time, animal, pair)]
    norms = [np.linalg.norm(part, axis=0) for part in parts]
    time, animal, pair = (
        part / np.where(norm > 0, norm, 1) for part, norm in zip(parts, norms, strict=True)
    )
    return Factors(np.prod(norms, axis=0), time, animal, pair, loss, sweeps)
