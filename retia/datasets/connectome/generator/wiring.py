"""The parameters of a generated connectome, and what follows from them for its size."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retia.shards.errors import InputError

MIN_NEURONS = 50
MAX_FILLED = 0.5
SUM_TOLERANCE = 1e-6

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class CellClass:
    """A class of neurons: its share, and how often its neurons have each transmitter."""

    name: str
    share: float
    transmitters: tuple[float, ...]


@dataclass(frozen=True)
class Wiring:
    """The rule, but for constants of its stages.

    `blocks[a][b]` is the share of the connections that run from class a to class b. `reciprocity`
    is the share of the connections whose reverse is one too. Of the joined pairs, `closed` close a
    two-path and `mirrored` are the mirror image of another pair. `length_um` and `gap_length_um`
    are the distances over which connections and gap junctions become e times rarer; `spread` is
    the standard deviation of the logarithm of a neuron's propensity to send and to receive.
    """

    classes: tuple[CellClass, ...] = (
        CellClass("sensory", 0.25, (0.80, 0.05, 0.15)),
        CellClass("inter", 0.60, (0.50, 0.25, 0.25)),
        CellClass("motor", 0.15, (0.30, 0.10, 0.60)),
    )
    transmitters: tuple[str, ...] = ("acetylcholine", "gaba", "glutamate")
    blocks: tuple[tuple[float, ...], ...] = (
        (0.05, 0.25, 0.05),
        (0.06, 0.35, 0.14),
        (0.01, 0.05, 0.04),
    )
    reciprocity: float = 0.2
    closed: float = 0.15
    mirrored: float = 0.15
    length_um: float = 40.0
    gap_length_um: float = 12.0
    spread: float = 1.0

    def __post_init__(self) -> None:
        number, kinds = len(self.classes), len(self.transmitters)
        if [len(row) for row in self.blocks] != [number] * number:
            raise InputError(f"blocks: give {number} rows of {number}, a class each")
        mixes = [one.transmitters for one in self.classes]
        if any(len(mix) != kinds for mix in mixes):
            raise InputError(f"each class needs {kinds} shares, a transmitter each")
        shares = [np.array(part) for part in (self.share, np.ravel(self.blocks), *mixes)]
        if any(part.min() < 0 or abs(part.sum() - 1) > SUM_TOLERANCE for part in shares):
            raise InputError(
                "shares of classes, of blocks and of each class's transmitters must be 0 or more "
                "and add up to 1"
            )
        if min(self.length_um, self.gap_length_um) <= 0 or self.spread < 0:
            raise InputError("length_um and gap_length_um must be above 0, spread 0 or more")
        if min(self.closed, self.mirrored) < 0 or self.closed + self.mirrored >= 1:
            raise InputError("closed and mirrored must be 0 or more, and together below 1")

    @property
    def share(self) -> Floats:
        """(k,) the share of each class of the neurons."""
        return np.array([one.share for one in self.classes])


@dataclass(frozen=True)
class Budget:
    """How many pairs of each block, (k, k), sender's class first, come about in which way.

    `drawn` by propensity and distance, of which `mutual` are connected both ways; `closed` and
    `mirrored` one way only. A connection of a mutual pair counts in the block of its own direction.
    """

    drawn: Counts
    mutual: Counts
    closed: Counts
    mirrored: Counts


def plan(num_connections: int, wiring: Wiring) -> Budget:
    """The budget that gives exactly so many connections, the blocks and the reciprocity.

    Raises `InputError` where the blocks allow no such reciprocity.
    """
    connections = apportion(num_connections, np.asarray(wiring.blocks))
    mutual = _mutual(connections, wiring.reciprocity)
    pairs = connections - mutual.T
    closed, mirrored = (
        np.floor(share * pairs).astype(np.int64) for share in (wiring.closed, wiring.mirrored)
    )
    drawn = pairs - closed - mirrored
    if (drawn < mutual).any():
        raise InputError(
            f"a reciprocity of {wiring.reciprocity} leaves too few one-way pairs for closed "
            f"{wiring.closed} and mirrored {wiring.mirrored}; lower one of them"
        )
    return Budget(drawn, mutual, closed, mirrored)


def check_size(num_neurons: int, class_size: Counts, budget: Budget) -> None:
    """Raises `InputError` where more than half of the pairs of some two classes would be joined."""
    directed = budget.drawn + budget.closed + budget.mirrored
    joined = directed + directed.T - np.diag(directed.diagonal())
    there = np.outer(class_size, class_size)
    np.fill_diagonal(there, class_size * (class_size - 1) // 2)
    if (joined > MAX_FILLED * there).any():
        raise InputError(
            f"{(directed + budget.mutual).sum():,} connections are too many for {num_neurons:,} "
            f"neurons: some two classes would have more than {MAX_FILLED:.0%} of their pairs "
            "joined; ask for fewer"
        )


def apportion(total: int, share: Floats | Counts) -> Counts:
    """Whole numbers in proportion to `share`, of its shape, that add up to `total`.

    The largest remainders are rounded up.
    """
    exact = total * share.ravel() / max(share.sum(), np.finfo(float).tiny)
    whole = np.floor(exact).astype(np.int64)
    missing = total - whole.sum()
    whole[np.argsort(whole - exact, kind="stable")[:missing]] += 1
    return whole.reshape(share.shape)


def _mutual(connections: Counts, reciprocity: float) -> Counts:
    """(k, k) mutual pairs; those of two classes are shared out between both directions."""
    room = np.triu(np.minimum(connections, connections.T))
    np.fill_diagonal(room, connections.diagonal() // 2)
    wanted = round(reciprocity * connections.sum() / 2)
    if not 0 <= wanted <= room.sum():
        most = 2 * room.sum() / max(connections.sum(), 1)
        raise InputError(
            f"a reciprocity of {reciprocity} cannot be had; these blocks allow 0 to {most:.2f}"
        )
    mutual = apportion(wanted, room)
    upper = np.triu(mutual, 1)
    return np.asarray(np.diag(mutual.diagonal()) + (upper + 1) // 2 + (upper // 2).T)
