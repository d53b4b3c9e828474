"""Score pairs by the rule that generated connectomes follow, from the visible connections alone.

It shows that a generated connectome has something to learn beyond degrees. It is no row of a
leaderboard: it knows how the connectome was made.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from retia.datasets.connectome.generator.copies import closing_odds
from retia.datasets.connectome.generator.dyads import Flags
from retia.datasets.connectome.generator.neurons import NONE, Ids, Neurons
from retia.datasets.connectome.generator.rule import distance
from retia.datasets.connectome.generator.wiring import Floats, Wiring
from retia.protocol.pairs import contains

USUAL_ODDS = 0.4
MIRRORED_EITHER_WAY = 2


@dataclass(frozen=True)
class WiringScores:
    """What speaks for each of p pairs; all are (p,).

    `near` is exp(-distance / length), `block` how many connections the classes have beyond what
    their degrees explain, `degree` the product of the visible out- and in-degree. `closing` sums
    1 / out-degree of j over the visible two-paths i -> j -> k, times the odds of closing it;
    `mirror` and `reverse` tell whether the mirror image and the reverse are visible.
    """

    near: Floats
    block: Floats
    degree: Floats
    closing: Floats
    mirror: Flags
    reverse: Flags
    whole: Floats


def wiring_scores(neurons: Neurons, visible: Ids, pairs: Ids, wiring: Wiring) -> WiringScores:
    """`whole` is about the odds that the rule connects each of (p, 2) pairs.

    Drawing, closing and mirroring add up; a pair whose reverse is visible is connected only where
    it is mutual. `visible` are (E, 2) connections; propensities are not used, as nobody sees them.
    """
    sender, receiver = pairs.T
    out, into = (np.bincount(end, minlength=len(neurons.homolog)) for end in visible.T)
    length = distance(neurons.position, pairs) / wiring.length_um
    near, usual = np.exp(-length), _usual_kernel(neurons, visible, wiring)
    block = _excess(neurons, (out, into), wiring)[tuple(neurons.cell_class[pairs].T)]
    degree = (out[sender] * into[receiver]).astype(np.float64)
    closing = _resources(visible, pairs, out) * closing_odds(length)
    image = neurons.homolog[pairs]
    mirror = (image != NONE).all(axis=1) & _among(visible, image, len(out))
    reverse = _among(visible, pairs[:, ::-1], len(out))
    one_way = (
        (1 - wiring.closed - wiring.mirrored) * block * degree * near / usual
        + wiring.closed / USUAL_ODDS * closing
        + MIRRORED_EITHER_WAY * wiring.mirrored * mirror
    )
    whole = np.where(reverse, wiring.reciprocity, one_way)
    return WiringScores(near, block, degree, closing, mirror, reverse, whole)


def _usual_kernel(neurons: Neurons, visible: Ids, wiring: Wiring) -> float:
    """The mean of exp(-distance / length) between senders and receivers that are not connected.

    Those are the senders of the visible connections and the receivers half the list away.
    """
    source, target = visible.T
    apart = np.column_stack([source, np.roll(target, len(target) // 2)])
    return float(np.exp(-distance(neurons.position, apart) / wiring.length_um).mean())


def _excess(neurons: Neurons, degrees: tuple[Ids, Ids], wiring: Wiring) -> Floats:
    """(k, k) connections of each block, over the product of its classes' degrees."""
    sends, receives = (
        np.bincount(neurons.cell_class, weights=degree, minlength=len(wiring.classes))
        for degree in degrees
    )
    return np.asarray(wiring.blocks) * sends.sum() / np.maximum(np.outer(sends, receives), 1)


def _among(visible: Ids, pairs: Ids, num_neurons: int) -> Flags:
    """(p,) whether each pair is a visible connection."""
    keys = np.sort(visible[:, 0] * num_neurons + visible[:, 1])
    return contains(keys, pairs[:, 0] * num_neurons + pairs[:, 1])


def _resources(visible: Ids, pairs: Ids, out: Ids) -> Floats:
    """(p,) the sum of 1 / out-degree over the middles of the two-paths from end to end."""
    source, target = visible.T
    shape = (len(out), len(out))
    to = sparse.csr_array((np.ones(len(visible)), (source, target)), shape=shape)
    back = sparse.csr_array((1 / out[source], (target, source)), shape=shape)
    return np.asarray(to[pairs[:, 0]].multiply(back[pairs[:, 1]]).sum(axis=1))
