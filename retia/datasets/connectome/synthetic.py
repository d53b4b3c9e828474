"""Generate a connectome by a stated rule: for tests, for scale, for tasks whose rule is known.

Every stage is a file of `retia.datasets.connectome.generator`; the rule is in
docs/connectome-generator.md.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retia.datasets.connectome.generator import network, neurons, statistics, tables, weights
from retia.datasets.connectome.generator.neurons import Ids, Neurons
from retia.datasets.connectome.generator.wiring import (
    MIN_NEURONS,
    Counts,
    Wiring,
    check_size,
    plan,
)
from retia.datasets.generated import GENERATOR_FILE, write_note
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

NEURONS_FILE, CONNECTIONS_FILE, GAP_FILE = "neurons.csv", "connections.csv", "gap.csv"
DEFAULT_WIRING = Wiring()

CONNECTIONS_PER_NEURON = 2_701_601 / 139_255
"""Of FlyWire's connectome (version 783, connections of five synapses or more)."""
MOST_CONNECTED = 2194 / (279 * 278)
"""The share of the ordered pairs that is connected in the worm (Varshney et al. 2011)."""
GAPS_PER_NEURON = 517 / 279
MOST_COUPLED = 517 / (279 * 278 / 2)
"""Gap junctions of the worm, by neuron and by pair."""


@dataclass(frozen=True)
class GeneratedConnectome:
    """`connections` (E, 2) from sender to receiver, `gaps` (g, 2) each once; their weights.

    `achieved` says what the connectome turned out to be.
    """

    neurons: Neurons
    connections: Ids
    weight: Counts
    gaps: Ids
    gap_weight: Counts
    achieved: dict[str, Any]


def usual_connections(num_neurons: int) -> int:
    """FlyWire's number of connections a neuron, or the worm's share of the pairs if that is less.

    The two meet at some 700 neurons.
    """
    pairs = num_neurons * (num_neurons - 1)
    return round(min(CONNECTIONS_PER_NEURON * num_neurons, MOST_CONNECTED * pairs))


def generate_connectome(
    num_neurons: int,
    num_connections: int,
    randomness: Randomness,
    wiring: Wiring = DEFAULT_WIRING,
) -> GeneratedConnectome:
    """A connectome of exactly so many neurons and chemical connections.

    Raises `InputError` for fewer than 50 neurons, no connection, or more than fit.
    """
    if num_neurons < MIN_NEURONS:
        raise InputError(f"{num_neurons} neurons make no connectome; ask for {MIN_NEURONS} or more")
    if num_connections < 1:
        raise InputError(f"{num_connections} connections: ask for one or more")
    budget = plan(num_connections, wiring)
    cells = neurons.draw_neurons(num_neurons, wiring, randomness.stream("neurons"))
    check_size(num_neurons, neurons.class_sizes(cells, wiring), budget)
    joined = network.connect(cells, budget, wiring, randomness)
    gaps = network.couple(cells, _usual_gaps(num_neurons), wiring, randomness)
    pairs = joined.connections
    expected = weights.expected_log_weight(cells, pairs, wiring)
    weight = weights.chemical_weights(cells, pairs, wiring, randomness.stream("weights"))
    return GeneratedConnectome(
        neurons=cells,
        connections=pairs,
        weight=weight,
        gaps=gaps,
        gap_weight=weights.gap_weights(cells, gaps, wiring, randomness.stream("gap weights")),
        achieved={
            **statistics.describe(cells, pairs, wiring),
            "pairs": joined.pairs,
            "gap_junctions": len(gaps),
            "log_weight_explained": round(statistics.explained(np.log(weight), expected), 3),
        },
    )


def write_synthetic(
    num_neurons: int, num_connections: int | None, seed: int, out: Path
) -> list[Path]:
    """Write `neurons.csv`, `connections.csv` and `gap.csv`, and `generator.json` beside them.

    The last holds the seed, the parameters and what came of them; a sealed build refuses tables
    beside it. Without a number of connections there are `usual_connections`.
    """
    asked = usual_connections(num_neurons) if num_connections is None else num_connections
    wiring = DEFAULT_WIRING
    made = generate_connectome(num_neurons, asked, Randomness.from_seed(seed), wiring)
    note = {
        "generator": "retia synth connectome",
        "nodes": num_neurons,
        "edges": asked,
        "seed": seed,
        "unit": "um",
        "parameters": _parameters(wiring),
        "achieved": made.achieved,
        "note": "A generated connectome, not one of an animal. Anyone can make it again.",
    }
    write_note(out, note)
    contents = {
        NEURONS_FILE: tables.neuron_table(made.neurons, wiring),
        CONNECTIONS_FILE: tables.connection_table(made.connections, made.weight),
        GAP_FILE: tables.connection_table(made.gaps, made.gap_weight),
    }
    for name, table in contents.items():
        part = out / f".{name}.part"
        tables.write_csv(table, part)
        part.replace(out / name)
    return [out / name for name in (*contents, GENERATOR_FILE)]


def _usual_gaps(num_neurons: int) -> int:
    pairs = num_neurons * (num_neurons - 1) / 2
    return round(min(GAPS_PER_NEURON * num_neurons, MOST_COUPLED * pairs))


def _parameters(wiring: Wiring) -> dict[str, Any]:
    return {
        **asdict(wiring),
        "spacing_um": neurons.SPACING_UM,
        "shape": neurons.SHAPE,
        "unpaired": neurons.UNPAIRED,
        "homolog_jitter_um": neurons.JITTER_UM,
        "inout_correlation": neurons.INOUT_CORRELATION,
        "homolog_correlation": neurons.HOMOLOG_CORRELATION,
        "coupling_spread": neurons.COUPLING_SPREAD,
        "weight_median": weights.MEDIAN,
        "weight_fall": weights.FALL,
        "weight_transmitter": weights.TRANSMITTER,
        "weight_receiving": weights.RECEIVING,
        "weight_noise": weights.NOISE,
    }
