"""Neurons: places in two mirrored hemispheres, classes, transmitters, propensities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retia.datasets.connectome.generator.wiring import Counts, Floats, Wiring

SPACING_UM = 10.0
SHAPE = (3.0, 1.4, 1.0)
UNPAIRED = 0.05
JITTER_UM = 2.0
DECIMALS = 3
INOUT_CORRELATION = 0.5
HOMOLOG_CORRELATION = 0.9
COUPLING_SPREAD = 0.5
SIDES = ("left", "right", "centre")
LEFT, RIGHT, CENTRE = range(3)
NONE = -1

Ids = NDArray[np.int64]
Codes = NDArray[np.int8]


@dataclass(frozen=True)
class Neurons:
    """n neurons in random order.

    `position` (n, 3) in micrometres, the midplane at x = 0, left below it; `cell_class`,
    `transmitter` and `side` (n,) places in the wiring's and this module's lists; `homolog` (n,)
    the partner on the other side, -1 for none. `sending`, `receiving` and `coupling` (n,) are the
    propensities, of mean about 1, to have connections out, in, and gap junctions.
    """

    position: Floats
    cell_class: Codes
    transmitter: Codes
    side: Codes
    homolog: Ids
    sending: Floats
    receiving: Floats
    coupling: Floats


def draw_neurons(num_neurons: int, wiring: Wiring, rng: np.random.Generator) -> Neurons:
    """Homologs share class and transmitter, nearly the place, and most of the propensities."""
    pairs = int(num_neurons * (1 - UNPAIRED)) // 2
    kinds = num_neurons - pairs
    kind = np.concatenate([np.arange(pairs), np.arange(kinds)])
    side = np.repeat([LEFT, RIGHT, CENTRE], [pairs, pairs, kinds - pairs]).astype(np.int8)
    partner = np.full(num_neurons, NONE)
    partner[: 2 * pairs] = np.roll(np.arange(2 * pairs), pairs)
    cell_class = _classes(kinds, wiring, rng)
    transmitter = _transmitters(cell_class, wiring, rng)
    sending, receiving, coupling = _propensities(kind, wiring.spread, rng)
    order = rng.permutation(num_neurons)
    row = np.argsort(order)
    return Neurons(
        position=_positions(kind, side, rng)[order],
        cell_class=cell_class[kind][order],
        transmitter=transmitter[kind][order],
        side=side[order],
        homolog=np.where(partner < 0, NONE, row[partner])[order],
        sending=sending[order],
        receiving=receiving[order],
        coupling=coupling[order],
    )


def class_sizes(neurons: Neurons, wiring: Wiring) -> Counts:
    """(k,) how many neurons each class has."""
    return np.bincount(neurons.cell_class, minlength=len(wiring.classes))


def _classes(kinds: int, wiring: Wiring, rng: np.random.Generator) -> Codes:
    ends = np.round(np.cumsum(wiring.share) * kinds).astype(np.int64)
    code = np.searchsorted(ends, np.arange(kinds), side="right")
    return rng.permutation(code.astype(np.int8))


def _transmitters(cell_class: Codes, wiring: Wiring, rng: np.random.Generator) -> Codes:
    upto = np.cumsum([one.transmitters for one in wiring.classes], axis=1)[:, :-1]
    return (rng.random(len(cell_class))[:, None] >= upto[cell_class]).sum(axis=1).astype(np.int8)


def _positions(kind: Ids, side: Codes, rng: np.random.Generator) -> Floats:
    """Places that fill an ellipsoid at one neuron to a cube of `SPACING_UM` a side.

    Those of a pair mirror each other within a jitter; those of the centre lie at the midplane.
    """
    volume = len(side) * SPACING_UM**3
    axes = np.array(SHAPE) * np.cbrt(volume / (4 / 3 * np.pi * np.prod(SHAPE)))
    place = rng.standard_normal((kind.max() + 1, 3))
    place *= np.cbrt(rng.random(len(place)))[:, None] / np.linalg.norm(place, axis=1)[:, None]
    position = (place * axes)[kind]
    position[:, 0] = np.abs(position[:, 0]) * np.where(side == LEFT, -1, 1)
    centre = side == CENTRE
    position[centre, 0] = 0
    position += rng.normal(0, JITTER_UM, position.shape)
    return np.round(position, DECIMALS)


def _propensities(kind: Ids, spread: float, rng: np.random.Generator) -> Floats:
    """(3, n) log-normal numbers: sending, receiving (correlated with it) and coupling."""
    own = rng.standard_normal((3, len(kind)))
    shared = rng.standard_normal((3, kind.max() + 1))[:, kind]
    mixed = np.sqrt(HOMOLOG_CORRELATION) * shared + np.sqrt(1 - HOMOLOG_CORRELATION) * own
    mixed[1] = INOUT_CORRELATION * mixed[0] + np.sqrt(1 - INOUT_CORRELATION**2) * mixed[1]
    deviation = np.array([[spread], [spread], [COUPLING_SPREAD]])
    return np.asarray(np.exp(deviation * mixed - deviation**2 / 2))
