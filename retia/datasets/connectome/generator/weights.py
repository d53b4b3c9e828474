"""How strong connections and gap junctions are: discretised log-normal numbers."""

import numpy as np

from retia.datasets.connectome.generator.neurons import Ids, Neurons
from retia.datasets.connectome.generator.rule import distance
from retia.datasets.connectome.generator.wiring import Counts, Floats, Wiring

MEDIAN = 8.0
GAP_MEDIAN = 3.0
FALL = 0.2
TRANSMITTER = 0.5
RECEIVING = 0.3
NOISE = 0.8


def expected_log_weight(neurons: Neurons, pairs: Ids, wiring: Wiring) -> Floats:
    """(E,) the mean of the logarithm of a chemical weight.

    It falls with distance, differs by the sender's transmitter (the first of the list strongest)
    and grows with the receiver's propensity.
    """
    number = len(wiring.transmitters)
    effect = TRANSMITTER * np.linspace(1, -1, number)[neurons.transmitter[pairs[:, 0]]]
    near = -FALL * distance(neurons.position, pairs) / wiring.length_um
    popular = RECEIVING * np.log(neurons.receiving[pairs[:, 1]])
    return np.asarray(np.log(MEDIAN) + effect + near + popular)


def chemical_weights(
    neurons: Neurons, pairs: Ids, wiring: Wiring, rng: np.random.Generator
) -> Counts:
    """(E,) numbers of synapses, 1 or more: log-normal about `expected_log_weight`, rounded up."""
    return _round_up(expected_log_weight(neurons, pairs, wiring), rng)


def gap_weights(neurons: Neurons, pairs: Ids, wiring: Wiring, rng: np.random.Generator) -> Counts:
    """(E,) sizes of gap junctions, 1 or more; the nearer, the larger."""
    near = FALL * distance(neurons.position, pairs) / wiring.gap_length_um
    return _round_up(np.log(GAP_MEDIAN) - near, rng)


def _round_up(mean: Floats, rng: np.random.Generator) -> Counts:
    return np.ceil(np.exp(mean + rng.normal(0, NOISE, len(mean)))).astype(np.int64)
