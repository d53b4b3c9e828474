"""The symmetries of a query: how to find an occurrence once, and which variables play one role."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from retia.datasets.connectome.query.filters import Link
from retia.datasets.connectome.query.syntax import Operator, Query

MIRROR: Final[Mapping[Operator, Operator]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}

Says = list[list[frozenset[object]]]


@dataclass(frozen=True)
class Symmetry:
    """What exchanging variables leaves as it is.

    before: pairs of variables whose nodes are to stand in that order: of the assignments that
    symmetries turn into one another, one is left.
    roles: for each variable the first one that a symmetry turns into it.
    """

    before: tuple[tuple[int, int], ...]
    roles: tuple[int, ...]


def symmetry_of(query: Query, links: frozenset[Link]) -> Symmetry:
    """The symmetries of a query's links and tests as they are written.

    Grochow, J. A., Kellis, M. (2007). Network motif discovery using subgraph enumeration and
    symmetry-breaking. RECOMB: variable after variable is fixed, and its node comes before those of
    the variables that it could still be exchanged with.
    """
    says = _said(query, links)
    places = range(len(says))
    before = tuple(
        (place, other)
        for place in places
        for other in places[place + 1 :]
        if _is_symmetric(says, (*places[:place], place), (*places[:place], other))
    )
    roles = tuple(
        next(first for first in places if _is_symmetric(says, (first,), (place,)))
        for place in places
    )
    return Symmetry(before, roles)


def _said(query: Query, links: frozenset[Link]) -> Says:
    """What the query says of each ordered pair of variables; on the diagonal, of each variable."""
    found: dict[tuple[int, int], set[object]] = defaultdict(set)
    for link in links:
        kind = (link.absent, link.symmetric, link.layers, link.tests)
        found[link.source, link.target].add(kind)
        if link.symmetric:
            found[link.target, link.source].add(kind)
    place = {name: index for index, name in enumerate(query.variables)}
    for test in query.pair_tests:
        left, right = place[test.left], place[test.right]
        mirrored = MIRROR.get(test.operator, test.operator)
        found[left, right].add((test.left_attribute, test.operator, test.right_attribute))
        found[right, left].add((test.right_attribute, mirrored, test.left_attribute))
    for node_test in query.node_tests:
        here = place[node_test.variable]
        found[here, here].add(node_test.test)
    size = range(len(query.variables))
    return [[frozenset(found[a, b]) for b in size] for a in size]


def _is_symmetric(says: Says, places: tuple[int, ...], images: tuple[int, ...]) -> bool:
    """Whether a symmetry takes these variables to those."""
    order = [*places, *(place for place in range(len(says)) if place not in places)]
    fits = all(_fits(says, order, images[: end + 1]) for end in range(len(images)))
    todo = [images] if fits else []
    while todo:
        found = todo.pop()
        if len(found) == len(order):
            return True
        longer = [(*found, image) for image in range(len(says)) if image not in found]
        todo.extend(choice for choice in longer if _fits(says, order, choice))
    return False


def _fits(says: Says, order: list[int], images: tuple[int, ...]) -> bool:
    """Whether the query says of the last image what it says of the variable sent there."""
    last, place = images[-1], order[len(images) - 1]
    return all(
        says[a][place] == says[b][last] and says[place][a] == says[last][b]
        for a, b in zip(order, images, strict=False)
    )
