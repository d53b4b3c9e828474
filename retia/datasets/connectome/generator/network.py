"""Join neurons: chemical connections, and gap junctions."""

from dataclasses import dataclass

import numpy as np

from retia.datasets.connectome.generator.copies import Closing, Mirroring
from retia.datasets.connectome.generator.dyads import Dyads, Flags
from retia.datasets.connectome.generator.neurons import Ids, Neurons, class_sizes
from retia.datasets.connectome.generator.rule import DistanceRule
from retia.datasets.connectome.generator.wiring import Budget, Wiring, apportion
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError

ROUNDS = 200
COPY_ROUNDS = 10


@dataclass(frozen=True)
class Joined:
    """(E, 2) connections in order of sender and receiver, and how many pairs came about how."""

    connections: Ids
    pairs: dict[str, int]


def connect(neurons: Neurons, budget: Budget, wiring: Wiring, randomness: Randomness) -> Joined:
    """Chemical connections, exactly as many in each block as the budget says.

    Pairs are drawn by propensity and distance, some are made mutual; two-paths of the others are
    closed; pairs are mirrored; where too few could be closed or mirrored, more are drawn.
    """
    dyads = Dyads(neurons.cell_class, len(wiring.classes))
    rule = DistanceRule(
        neurons.position,
        neurons.cell_class,
        (neurons.sending, neurons.receiving),
        wiring.length_um,
        randomness.stream("drawn"),
    )
    drawn = dyads.fill(rule.propose, budget.drawn, ROUNDS)
    mutual = _choose(dyads, drawn, budget, randomness.stream("mutual"))
    closing = Closing(
        neurons.position, drawn[~mutual], wiring.length_um, randomness.stream("closed")
    )
    closed = dyads.fill(closing.propose, budget.closed, COPY_ROUNDS)
    mirroring = Mirroring(
        neurons.homolog, np.concatenate([drawn, closed]), randomness.stream("mirrored")
    )
    mirrored = dyads.fill(mirroring.propose, budget.mirrored, COPY_ROUNDS)
    asked = budget.drawn + budget.closed + budget.mirrored
    missing = asked - dyads.count(np.concatenate([drawn, closed, mirrored]))
    more = dyads.fill(rule.propose, missing, ROUNDS)
    pairs = [drawn, closed, mirrored, more]
    _check_full(sum(map(len, pairs)), int(asked.sum()))
    names = ("drawn", "closed", "mirrored", "drawn_instead")
    counts = {name: len(some) for name, some in zip(names, pairs, strict=True)}
    connections = np.concatenate([*pairs, drawn[mutual][:, ::-1]])
    return Joined(_sorted(connections), {**counts, "mutual": int(mutual.sum())})


def couple(neurons: Neurons, count: int, wiring: Wiring, randomness: Randomness) -> Ids:
    """(count, 2) gap junctions, each once, the lower neuron first, between near ones of a class."""
    dyads = Dyads(neurons.cell_class, len(wiring.classes))
    rule = DistanceRule(
        neurons.position,
        neurons.cell_class,
        (neurons.coupling, neurons.coupling),
        wiring.gap_length_um,
        randomness.stream("gap"),
    )
    others = np.maximum(class_sizes(neurons, wiring) - 1, 0)
    pairs = dyads.fill(rule.propose, apportion(count, np.diag(others)), ROUNDS)
    _check_full(len(pairs), count)
    return _sorted(np.sort(pairs, axis=1))


def _choose(dyads: Dyads, drawn: Ids, budget: Budget, rng: np.random.Generator) -> Flags:
    """Which of the drawn pairs are mutual, as many in each block as the budget says."""
    order = rng.permutation(len(drawn))
    mutual = np.empty(len(drawn), dtype=bool)
    mutual[order] = dyads.first(drawn[order], budget.mutual)
    return mutual


def _check_full(there: int, wanted: int) -> None:
    if there < wanted:
        raise InputError(
            f"only {there:,} of {wanted:,} pairs could be joined: near neurons are all joined "
            "already; ask for fewer connections"
        )


def _sorted(pairs: Ids) -> Ids:
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
