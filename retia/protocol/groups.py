"""The `grouped` splits: edges, or nodes, that tell of each other stay in one part.

`pair`: both directions of a mutual pair. `homolog`: an edge, its mirror between the homologs of its
ends, and the reverses of both. `hemisphere`: one side of the body to learn from, the other to be
told. `animal`, `stage`: groups that the builder numbers. As homologs are mutual, the groups do not
chain: the group of a pair is a function of the pair, and holds four pairs at most. Nodes may be
grouped by any name.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from retia.shards.errors import InputError

By = Literal["pair", "homolog", "hemisphere", "animal", "stage"]
Pairs = NDArray[np.int64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

NONE = -1


@dataclass(frozen=True)
class Homologs:
    """The homolog of each node, (n,) int64, -1 where there is none; always mutual.

    `column` names the column of `ids`, or of the nodes, that holds the same for the audit. Raises
    `InputError` where a homolog is not mutual.
    """

    partner: Ints
    column: str = "homolog"

    def __post_init__(self) -> None:
        if len(self.partner) and not -1 <= self.partner.min() <= self.partner.max() < len(
            self.partner
        ):
            raise InputError(f"a homolog is no node; the nodes are 0 to {len(self.partner) - 1}")
        wrong = self.mirror[self.mirror] != np.arange(len(self.partner))
        if wrong.any():
            first = int(np.argmax(wrong))
            raise InputError(
                f"the homolog of node {first} is {self.partner[first]}, whose own is "
                f"{self.partner[self.partner[first]]}; a grouped split needs mutual homologs"
            )

    @property
    def parameters(self) -> dict[str, str]:
        """What a task says of its homologs."""
        return {"by": "homolog", "column": self.column}

    @property
    def mirror(self) -> Ints:
        """(n,) the homolog, or the node itself where it has none."""
        return np.where(self.partner == NONE, np.arange(len(self.partner)), self.partner)

    def of_nodes(self) -> Ints:
        """(n,) the group of each node: itself and its homolog."""
        return np.minimum(self.mirror, np.arange(len(self.partner)))

    def of_pairs(self, pairs: Pairs) -> Ints:
        """(E,) the group of each pair, a number that depends on the pair alone."""
        keys = np.stack([_key(image, len(self.partner)) for image in (pairs, *self.images(pairs))])
        return np.asarray(keys.min(axis=0))

    def images(self, pairs: Pairs) -> tuple[Pairs, ...]:
        """The other pairs of each pair's group: reverse, mirror, and reversed mirror, (E, 2)."""
        mirrored = self.mirror[pairs]
        return pairs[:, ::-1], mirrored, mirrored[:, ::-1]


@dataclass(frozen=True)
class Hemispheres:
    """The side of each node, (n,) texts: what to learn on, and what is asked for.

    `column` names the column of `ids`, or of the nodes, that holds the same for the audit.
    """

    side: NDArray[np.str_]
    column: str = "side"
    train: str = "left"
    held_out: str = "right"

    @property
    def parameters(self) -> dict[str, str]:
        """What a task says of its sides."""
        sides = {"train_side": self.train, "test_side": self.held_out}
        return {"by": "hemisphere", "column": self.column} | sides

    def inside(self, pairs: Pairs, side: str) -> Mask:
        """(E,) whether both ends are on that side."""
        return np.asarray((self.side[pairs] == side).all(axis=1))


@dataclass(frozen=True)
class NodeGroups:
    """Any grouping of nodes: the name of each one's group, (n,) texts; "" is a group of its own.

    `by` says what the groups are, such as `source`. `column` names the column of `ids`, or of the
    nodes, that holds the same names for the audit.
    """

    names: NDArray[Any]
    by: str
    column: str

    def __post_init__(self) -> None:
        if self.by in ("homolog", "hemisphere"):
            raise ValueError(f"groups by {self.by} are Homologs or Hemispheres")

    @property
    def parameters(self) -> dict[str, str]:
        """What a task says of its groups."""
        return {"by": self.by, "column": self.column}

    def of_nodes(self) -> Ints:
        """(n,) the group of each node, named by its first node."""
        _, first, group = np.unique(self.names, return_index=True, return_inverse=True)
        return np.where(self.names == "", np.arange(len(self.names)), first[group])


@dataclass(frozen=True)
class Grouping:
    """What a grouped split of edges keeps together.

    `hidden` (H,) int64 is the group of each hidden edge; the halves for validation and test take
    whole groups. Where only some visible edges may be learned from, `supervised` (E,) is their
    mask; where items join some nodes only, `among` (n,) is theirs. `parameters` go into the task.
    """

    by: By
    hidden: Ints
    homologs: Homologs | None = None
    supervised: Mask | None = None
    among: Mask | None = None
    parameters: dict[str, str] = field(default_factory=dict)

    def images(self, pairs: Pairs) -> tuple[Pairs, ...]:
        """The pairs that share the group of each pair, (E, 2) each."""
        if self.homologs is not None:
            return self.homologs.images(pairs)
        return (pairs[:, ::-1],) if self.by == "pair" else ()


def hide_by_pair(pairs: Pairs, fraction: float, rng: np.random.Generator) -> tuple[Mask, Grouping]:
    """The (E,) mask of the edges to hide, both directions of a mutual pair together."""
    groups = _key(np.sort(pairs, axis=1), int(pairs.max(initial=0)) + 1)
    hidden = hide_groups(groups, fraction, rng)
    return hidden, Grouping("pair", groups[hidden])


def hide_by_homolog(
    pairs: Pairs, homologs: Homologs, fraction: float, rng: np.random.Generator
) -> tuple[Mask, Grouping]:
    """The (E,) mask of the edges to hide, an edge with its mirror and the reverses of both."""
    groups = homologs.of_pairs(pairs)
    hidden = hide_groups(groups, fraction, rng)
    return hidden, Grouping("homolog", groups[hidden], homologs, parameters=homologs.parameters)


def hide_in_hemisphere(
    pairs: Pairs, sides: Hemispheres, fraction: float, rng: np.random.Generator
) -> tuple[Mask, Grouping]:
    """The (E,) mask of the edges to hide: a share of those inside the side that is held out.

    Edges inside the other side are learned from; all further ones are visible context.
    """
    inside = np.flatnonzero(sides.inside(pairs, sides.held_out))
    hidden = np.zeros(len(pairs), dtype=bool)
    hidden[rng.permutation(inside)[: int(fraction * len(inside))]] = True
    return hidden, Grouping(
        "hemisphere",
        np.arange(hidden.sum()),
        supervised=sides.inside(pairs[~hidden], sides.train),
        among=sides.side == sides.held_out,
        parameters=sides.parameters,
    )


def hide_groups(groups: Ints, fraction: float, rng: np.random.Generator) -> Mask:
    """The (E,) mask of whole groups, drawn until they hold that fraction of the edges."""
    _, group = np.unique(groups, return_inverse=True)
    return _take(group, int(fraction * len(group)), rng)


def halve_groups(groups: Ints, rng: np.random.Generator) -> list[Ints]:
    """The places of two halves of the (H,) edges, whole groups in each.

    Raises `InputError` where all edges are of one group.
    """
    found, group = np.unique(groups, return_inverse=True)
    if len(found) < 2:
        raise InputError("all hidden edges are of one group; validation and test need one each")
    first = _take(group, len(group) // 2, rng)
    if first.all():
        first = group == group[0]
    return [np.flatnonzero(first), np.flatnonzero(~first)]


def _take(group: Ints, count: int, rng: np.random.Generator) -> Mask:
    """Groups in random order until `count` members are reached; groups are 0, 1, 2, ..."""
    size = np.bincount(group)
    order = rng.permutation(len(size))
    before = np.cumsum(size[order]) - size[order]
    taken = np.zeros(len(size), dtype=bool)
    taken[order[before < count]] = True
    return np.asarray(taken[group])


def _key(pairs: Pairs, num_nodes: int) -> Ints:
    return np.asarray(pairs[:, 0] * num_nodes + pairs[:, 1])
