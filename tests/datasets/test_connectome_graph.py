"""The form of a connectome: held against networkx, and what it refuses."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retia.datasets.connectome.graph import (
    Connectome,
    Layer,
    find_rows,
    homologs_by_name,
    make_connectome,
)
from retia.shards.errors import InputError, NotFoundError

NAMES = np.array(["AVAL", "AVAR", "AVL", "RIR", "DB1"])
CONNECTIONS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), max_size=30
)


def layer(rows: list[tuple[int, int, float]], directed: bool = True, name: str = "x") -> Layer:
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return Layer(name, directed, table[:, :2].astype(np.int64), table[:, 2])


def edges_of(connectome: Connectome, name: str = "x") -> dict[tuple[str, str], float]:
    found = connectome.layer(name)
    ends = connectome.names[found.pairs].tolist()
    return {(src, dst): w for (src, dst), w in zip(ends, found.weight.tolist(), strict=True)}


@given(CONNECTIONS)
def test_parallel_connections_are_summed_and_self_loops_dropped(rows) -> None:
    wanted = nx.DiGraph()
    for src, dst, weight in rows:
        if src != dst and weight:
            old = wanted.get_edge_data(src, dst, {"weight": 0})["weight"]
            wanted.add_edge(src, dst, weight=old + weight)
    made = make_connectome("test", NAMES, [layer(rows)])
    assert made.layer("x").pairs.tolist() == sorted(map(list, wanted.edges))
    assert [wanted[s][d]["weight"] for s, d in made.layer("x").pairs] == list(
        made.layer("x").weight
    )
    report = made.report
    loops = sum(src == dst and weight > 0 for src, dst, weight in rows)
    zeros = sum(weight == 0 for *_, weight in rows)
    assert (report["x_self_loops_dropped"], report["x_zero_weights_dropped"]) == (loops, zeros)
    assert report["x_parallel_merged"] == len(rows) - loops - zeros - len(wanted.edges)


@given(CONNECTIONS)
def test_undirected_pair_stands_once_with_the_greater_weight(rows) -> None:
    dense = np.zeros((5, 5))
    np.add.at(
        dense, tuple(np.array(rows, dtype=int).reshape(-1, 3)[:, :2].T), [w for *_, w in rows]
    )
    np.fill_diagonal(dense, 0)
    made = make_connectome("test", NAMES, [layer(rows, directed=False)])
    assert (made.layer("x").pairs[:, 0] < made.layer("x").pairs[:, 1]).all()
    np.testing.assert_array_equal(made.layer("x").matrix(5).toarray(), np.maximum(dense, dense.T))
    upper = np.triu(dense), np.triu(dense.T)
    both = (upper[0] > 0) & (upper[1] > 0)
    assert made.report["x_pairs_of_unequal_weight"] == (both & (upper[0] != upper[1])).sum()
    assert made.report["x_pairs_in_one_direction"] == ((upper[0] > 0) ^ (upper[1] > 0)).sum()


@given(CONNECTIONS, st.permutations(range(5)), st.integers(0, 5), st.booleans())
def test_subset_is_that_of_networkx(rows, order, size, directed) -> None:
    whole = make_connectome(
        "test", NAMES, [layer(rows, directed)], cell_class=NAMES, homolog=homologs_by_name(NAMES)
    )
    chosen = np.array(order[:size], dtype=np.int64)
    part = whole.subset(chosen)
    graph = (nx.DiGraph if directed else nx.Graph)()
    graph.add_nodes_from(NAMES.tolist())
    graph.add_weighted_edges_from((s, d, w) for (s, d), w in edges_of(whole).items())
    wanted = graph.subgraph(NAMES[chosen].tolist())
    assert set(part.names) == set(wanted) == set(part.cell_class)
    assert len(edges_of(part)) == wanted.number_of_edges()
    assert all(wanted.edges[pair]["weight"] == w for pair, w in edges_of(part).items())
    pairs = part.layer("x").pairs.tolist()
    assert pairs == sorted(pairs)
    assert directed or all(src < dst for src, dst in pairs)
    partner = {"AVAL": "AVAR", "AVAR": "AVAL"}
    names = part.names.tolist()
    for name, row in zip(names, part.homolog.tolist(), strict=True):
        assert (names[row] if row >= 0 else None) == (
            partner.get(name) if partner.get(name) in names else None
        )


def test_reordering_twice_gives_the_same_connectome() -> None:
    whole = make_connectome("test", NAMES, [layer([(0, 1, 2), (3, 0, 1)])])
    order = np.array([3, 0, 4, 2, 1])
    back = whole.reorder(order).reorder(np.argsort(order))
    assert back.names.tolist() == NAMES.tolist()
    assert edges_of(back) == edges_of(whole)
    with pytest.raises(InputError, match="3 rows for 5"):
        whole.reorder(order[:3])
    with pytest.raises(InputError, match="twice"):
        whole.reorder(np.array([0, 0, 1, 2, 3]))


def test_other_cells_go_and_are_counted() -> None:
    whole = make_connectome(
        "test", NAMES, [layer([(0, 1, 2), (3, 0, 1)])], is_neuron=np.array([1, 1, 1, 0, 1], bool)
    )
    neurons = whole.neurons()
    assert "RIR" not in neurons.names
    assert edges_of(neurons) == {("AVAL", "AVAR"): 2.0}
    assert neurons.report["cells_not_neurons"] == 1
    assert neurons.neurons() is neurons


def test_homologs_need_both_partners() -> None:
    assert homologs_by_name(NAMES).tolist() == [1, 0, -1, -1, -1]


def test_unknown_names_have_no_row() -> None:
    assert find_rows(NAMES, np.array(["DB1", "x", "AVAL"])).tolist() == [4, -1, 0]
    assert find_rows(NAMES[:0], np.array(["x"])).tolist() == [-1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"names": np.array(["a", "b", "a", "c", "d"])}, "named 'a', number 1 and 3"),
        ({"names": np.array(["a", "b", "", "c", "d"])}, "neuron 3 has no name"),
        ({"names": np.array([], dtype=str), "layers": []}, "no neuron"),
        ({"layers": [layer([(0, 1, -2)])]}, "x: .*'AVAL' to 'AVAR' has the weight -2"),
        ({"layers": [layer([(0, 1, np.nan)])]}, "weight nan"),
        ({"layers": [layer([(0, 1, np.inf)])]}, "weight inf"),
        ({"side": np.array(["left", "", "up", "", ""])}, "'AVL' has the side 'up'"),
        ({"position": np.full((5, 3), np.nan)}, "'AVAL' has no finite position"),
        ({"cell_class": np.array(["a"])}, "1 values of cell_class for 5 neurons"),
        ({"homolog": np.array([1, 2, 0, -1, -1])}, "not mutual"),
    ],
)
def test_what_is_no_connectome_is_refused(fields: dict[str, object], message: str) -> None:
    given = {"names": NAMES, "layers": [layer([(0, 1, 2)])]} | fields
    with pytest.raises(InputError, match=message):
        make_connectome("test", given.pop("names"), given.pop("layers"), **given)


def test_layer_that_is_not_there_is_named() -> None:
    with pytest.raises(NotFoundError, match=r"'gap'.*there are: x"):
        make_connectome("test", NAMES, [layer([])]).layer("gap")
