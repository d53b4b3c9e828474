"""What can be counted in a graph: families of motifs, each a vector with a name to every entry."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retia.datasets.connectome.motifs import four_nodes
from retia.datasets.connectome.motifs.coloured import coloured_triads
from retia.datasets.connectome.motifs.rich_club import rich_club
from retia.datasets.connectome.motifs.wiring import Ints, Wiring
from retia.protocol.triads import TRIADS, triad_census
from retia.shards.errors import InputError


@dataclass(frozen=True)
class Family:
    """A family: `count` maps a graph to (K,) int64, in the order of the K `motifs`.

    `about` says in a line what the names mean; `in_order` that neighbours in the list are alike.
    """

    name: str
    motifs: tuple[str, ...]
    count: Callable[[csr_array], Ints]
    about: str
    in_order: bool = False


TRIAD_FAMILY = Family("triads", TRIADS, triad_census, "induced triads")


def four_node_family() -> Family:
    """The 199 connected graphs of four nodes, named by their arcs."""
    return Family(
        "four",
        four_nodes.SHAPES,
        four_nodes.four_node_counts,
        "induced motifs of four nodes a, b, c, d, by their arcs",
    )


def coloured_family(wiring: Wiring) -> Family:
    """The coloured triads that the strong edges of a wiring have, such as `030T(a, b, c)`.

    Those that a draw alone has are not counted.
    """
    if wiring.colour is None:
        raise InputError("coloured motifs need colours of the nodes, and there are none")
    colour = wiring.colour
    known = _names(coloured_triads(wiring.graph(), colour))

    def count(graph: csr_array) -> NDArray[np.int64]:
        table = coloured_triads(graph, colour)
        place = pc.index_in(_names(table), known).fill_null(-1).to_numpy()
        counts = np.zeros(len(known), dtype=np.int64)
        counts[place[place >= 0]] = table["count"].to_numpy()[place >= 0]
        return counts

    return Family(
        "coloured",
        tuple(known.to_pylist()),
        count,
        "induced triads with the colours of their nodes a, b, c",
    )


def rich_club_family(wiring: Wiring) -> Family:
    """The edges among nodes of more than k neighbours, in and out: 'k > 0', 'k > 1' and so on.

    Only among graphs of the same degrees are these numbers to be compared.
    """
    rows = len(rich_club(wiring.graph()).edges)

    def count(graph: csr_array) -> NDArray[np.int64]:
        return rich_club(graph).edges.astype(np.int64)

    return Family(
        "rich-club",
        tuple(f"k > {k}" for k in range(rows)),
        count,
        "edges among the nodes of degree above k, in and out",
        in_order=True,
    )


def _names(table: pa.Table) -> pa.Array:
    """`030T(sensory, inter, motor)`; a node without a colour is `-`."""
    columns = [pc.if_else(pc.equal(table[end], ""), "-", table[end]) for end in "abc"]
    inside = pc.binary_join_element_wise(*columns, ", ")
    names = pc.binary_join_element_wise(table["triad"], "(", inside, ")", "")
    return names.combine_chunks()
