"""The motif query language against brute force, networkx and published counts."""

import itertools
import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networkx.algorithms.isomorphism import DiGraphMatcher
from scipy.io import loadmat
from scipy.sparse import csr_array

from retia.datasets.connectome.query import (
    Attribute,
    Graph,
    Layer,
    Matches,
    graph_of,
    parse,
    search,
)
from retia.shards.errors import InputError
from retia.shards.version import Version
from tests.toys import toy_node

FEED_FORWARD = "A -> B; B -> C; A -> C"
COMPARE: dict[str, Callable[..., bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def directed(size: int, pairs: list[tuple[int, int]]) -> Graph:
    edge_index = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Graph(size, (Layer.of("chemical", True, size, edge_index),))


def count(text: str, graph: Graph) -> int:
    found = search(parse(text), graph, table=False)
    assert found.complete
    return found.count


RELATIONS = {
    "= gap": {"gap"},
    "= chemical": {"chemical"},
    "!= gap": {"chemical"},
    "in {chemical, gap}": {"chemical", "gap"},
}


def relations_of(arrow: str, relation: str) -> frozenset[str]:
    return frozenset(RELATIONS.get(relation, {"gap"} if arrow == "--" else {"chemical"}))


@dataclass
class Case:
    """A small graph, and a query as clauses: what the text says and what brute force reads."""

    size: int
    chemical: dict[tuple[int, int], float]
    gap: dict[tuple[int, int], float]
    kind: list[str | None]
    mass: list[float]
    variables: int
    edges: list[tuple[int, str, int, str, float]]
    node_tests: list[tuple[int, str, str, str]] = field(default_factory=list)
    pair_tests: list[tuple[int, str, str, int]] = field(default_factory=list)
    floor: float = 0
    induced: bool = False

    def graph(self) -> Graph:
        layers = tuple(
            Layer.of(
                name,
                name == "chemical",
                self.size,
                np.array(list(edges), dtype=np.int64).reshape(-1, 2).T,
                {"weight": Attribute(np.array(list(edges.values()), dtype=float))},
            )
            for name, edges in (("chemical", self.chemical), ("gap", self.gap))
        )
        kind = Attribute(
            np.array([np.nan if k is None else "ab".index(k) for k in self.kind]), ("a", "b")
        )
        return Graph(self.size, layers, {"kind": kind, "mass": Attribute(np.array(self.mass))})

    def text(self) -> str:
        clauses = ["match induced"] if self.induced else []
        clauses += [f"weight > {self.floor:g}"] if self.floor else []
        for a, arrow, b, relation, weight in self.edges:
            tests = [f"relation {relation}"] if relation else []
            tests += [f"weight > {weight:g}"] if weight else []
            inside = f" [{', '.join(tests)}]" if tests else ""
            clauses.append(f"V{a} {arrow} V{b}{inside}")
        clauses += [f"V{a}.{name} {sign} {value}" for a, name, sign, value in self.node_tests]
        clauses += [f"V{a}.{name} {sign} V{b}.{name}" for a, name, sign, b in self.pair_tests]
        return "; ".join(clauses)

    def mappings(self) -> list[tuple[int, ...]]:
        choices = itertools.permutations(range(self.size), self.variables)
        return [nodes for nodes in choices if self._holds(nodes)]

    def symmetries(self) -> list[tuple[int, ...]]:
        said = self._said(tuple(range(self.variables)))
        return [p for p in itertools.permutations(range(self.variables)) if self._said(p) == said]

    def _holds(self, nodes: tuple[int, ...]) -> bool:
        return (
            all(self._edge(nodes[edge[0]], nodes[edge[2]], edge) for edge in self.edges)
            and all(self._node(nodes[test[0]], test) for test in self.node_tests)
            and all(self._pair(nodes, test) for test in self.pair_tests)
            and (not self.induced or self._is_induced(nodes))
        )

    def _joined(self, a: int, b: int, relations: frozenset[str], weight: float) -> bool:
        found = {
            "chemical": self.chemical.get((a, b), 0),
            "gap": self.gap.get((min(a, b), max(a, b)), 0),
        }
        return any(found[relation] > max(weight, self.floor) for relation in relations)

    def _edge(self, a: int, b: int, edge: tuple[int, str, int, str, float]) -> bool:
        _, arrow, _, relation, weight = edge
        relations = relations_of(arrow, relation)
        there = self._joined(a, b, relations, weight)
        if arrow == "<->":
            return there and self._joined(b, a, relations, weight)
        return there != (arrow == "!>")

    def _node(self, node: int, test: tuple[int, str, str, str]) -> bool:
        _, name, sign, value = test
        mine = getattr(self, name)[node]
        wanted = value if name == "kind" else float(value)
        return mine is not None and mine == mine and COMPARE[sign](mine, wanted)

    def _pair(self, nodes: tuple[int, ...], test: tuple[int, str, str, int]) -> bool:
        a, name, sign, b = test
        left, right = (getattr(self, name)[nodes[v]] for v in (a, b))
        known = left is not None and right is not None and left == left and right == right
        return known and COMPARE[sign](left, right)

    def _is_induced(self, nodes: tuple[int, ...]) -> bool:
        used: dict[str, set[tuple[int, int]]] = {}
        for a, arrow, b, relation, _ in self.edges:
            for layer in relations_of(arrow, relation) if arrow != "!>" else ():
                both = layer == "gap" or arrow == "<->"
                used.setdefault(layer, set()).update({(a, b), (b, a)} if both else {(a, b)})
        pairs = list(itertools.permutations(range(self.variables), 2))
        return not any(
            pair not in joined
            and self._joined(nodes[pair[0]], nodes[pair[1]], frozenset({layer}), 0)
            for layer, joined in used.items()
            for pair in pairs
        )

    def _said(self, p: tuple[int, ...]) -> set[object]:
        said: set[object] = {(p[a], *rest) for a, *rest in self.node_tests}
        mirror = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
        for a, name, sign, b in self.pair_tests:
            said |= {(p[a], name, sign, p[b]), (p[b], name, mirror.get(sign, sign), p[a])}
        for a, arrow, b, relation, weight in self.edges:
            relations = relations_of(arrow, relation)
            both = relations == {"gap"} or arrow == "<->"
            for ends in [(a, b), (b, a)] if both else [(a, b)]:
                said.add(
                    (p[ends[0]], p[ends[1]], arrow == "!>", relations, max(weight, self.floor))
                )
        return said


@st.composite
def cases(draw: st.DrawFn) -> Case:
    size = draw(st.integers(3, 6))
    variables = draw(st.integers(2, min(size, 4)))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    density = draw(st.sampled_from([0.4, 0.8]))
    pairs = list(itertools.permutations(range(size), 2))
    chemical, gap = (
        {pair: float(rng.integers(1, 4)) for pair in pairs if rng.random() < density}
        for _ in range(2)
    )
    ends = [(draw(st.integers(0, b - 1)), b) for b in range(1, variables)]
    ends = [pair if draw(st.booleans()) else pair[::-1] for pair in ends]
    choices = list(itertools.permutations(range(variables), 2))
    extra = draw(st.lists(st.sampled_from(choices), max_size=3))
    present = st.sampled_from(["->", "->", "<->", "--"])
    arrows = [draw(present) for _ in ends]
    arrows += [draw(st.sampled_from(["->", "<->", "--", "!>"])) for _ in extra]
    edges = []
    for (a, b), arrow in zip(ends + extra, arrows, strict=True):
        relation = "" if arrow == "--" else draw(st.sampled_from(["", "", *RELATIONS]))
        edges.append((a, arrow, b, relation, draw(st.sampled_from([0, 0, 0, 1]))))
    place = st.integers(0, variables - 1)
    number = st.tuples(place, st.just("mass"), st.sampled_from(list(COMPARE)), st.just("1"))
    word = st.tuples(place, st.just("kind"), st.sampled_from(["=", "!="]), st.sampled_from("ab"))
    compared = st.sampled_from(
        [("mass", sign) for sign in COMPARE] + [("kind", "="), ("kind", "!=")]
    )
    tests = draw(st.lists(st.tuples(st.sampled_from(choices), compared), max_size=1))
    return Case(
        size=size,
        chemical=chemical,
        gap={pair: weight for pair, weight in gap.items() if pair[0] < pair[1]},
        kind=[("a", "a", "b", "b", None)[k] for k in rng.integers(5, size=size)],
        mass=[(0.0, 1.0, 2.0, np.nan)[k] for k in rng.integers(4, size=size)],
        variables=variables,
        edges=edges,
        node_tests=draw(st.lists(number | word, max_size=1)),
        pair_tests=[(a, name, sign, b) for (a, b), (name, sign) in tests],
        floor=draw(st.sampled_from([0, 0, 0, 1])),
        induced=draw(st.booleans()),
    )


def rows(found: Matches, variables: int) -> list[tuple[int, ...]]:
    assert found.table is not None
    columns = [found.table[f"V{v}"].to_pylist() for v in range(variables)]
    return list(zip(*columns, strict=True))


@given(cases())
@settings(max_examples=150, deadline=None)
def test_mappings_equal_brute_force(case: Case) -> None:
    query = replace(parse(case.text()), mappings=True)
    found = search(query, case.graph())
    assert sorted(rows(found, case.variables)) == sorted(case.mappings())
    assert found.count == search(query, case.graph(), table=False).count == len(case.mappings())


@given(cases())
@settings(max_examples=150, deadline=None)
def test_an_occurrence_counts_once_whatever_its_symmetries(case: Case) -> None:
    found = search(parse(case.text()), case.graph(), participation=True)
    mappings, symmetries = case.mappings(), case.symmetries()
    assert found.count * len(symmetries) == len(mappings)
    turned = [
        tuple(nodes[v] for v in p) for nodes in rows(found, case.variables) for p in symmetries
    ]
    assert sorted(turned) == sorted(mappings)

    assert found.participation is not None
    for role, counts in zip(found.roles, found.participation.T, strict=True):
        played = np.zeros(case.size)
        for name in role.split(", "):
            np.add.at(played, [nodes[int(name[1:])] for nodes in mappings], 1 / len(symmetries))
        np.testing.assert_allclose(counts, played, atol=1e-9)
    orbits = {frozenset(p[v] for p in symmetries) for v in range(case.variables)}
    assert {frozenset(int(name[1:]) for name in role.split(", ")) for role in found.roles} == orbits


@st.composite
def motifs(draw: st.DrawFn) -> nx.DiGraph:
    """A directed graph of two to five nodes that hangs together."""
    size = draw(st.integers(2, 5))
    ends = [(draw(st.integers(0, b - 1)), b) for b in range(1, size)]
    ends = [pair if draw(st.booleans()) else pair[::-1] for pair in ends]
    choices = list(itertools.permutations(range(size), 2))
    return nx.DiGraph(ends + draw(st.lists(st.sampled_from(choices), max_size=6)))


@given(motifs(), st.integers(0, 1 << 30), st.sampled_from([0.2, 0.4, 0.7]))
@settings(max_examples=100, deadline=None)
def test_counts_equal_networkx(motif: nx.DiGraph, seed: int, density: float) -> None:
    graph = nx.gnp_random_graph(9, density, seed=seed, directed=True)
    text = "; ".join(f"V{a} -> V{b}" for a, b in motif.edges)
    ours, matcher = directed(9, list(graph.edges)), DiGraphMatcher(graph, motif)
    loose = sum(1 for _ in matcher.subgraph_monomorphisms_iter())
    induced = sum(1 for _ in matcher.subgraph_isomorphisms_iter())
    symmetries = sum(1 for _ in DiGraphMatcher(motif, motif).isomorphisms_iter())
    assert count(f"{text}; count mappings", ours) == loose
    assert count(f"{text}; count mappings; match induced", ours) == induced
    assert count(text, ours) == loose / symmetries
    assert count(f"{text}; match induced", ours) == induced / symmetries


@given(st.integers(0, 1 << 30), st.permutations(range(8)))
@settings(max_examples=20, deadline=None)
def test_counts_do_not_depend_on_the_order_of_nodes(seed: int, order: list[int]) -> None:
    pairs = list(nx.gnp_random_graph(8, 0.5, seed=seed, directed=True).edges)
    moved = [(order[a], order[b]) for a, b in pairs]
    for text in (FEED_FORWARD, "A -> B -> C -> A", "A <-> B; B -> C; D -> C; A !> D"):
        assert count(text, directed(8, pairs)) == count(text, directed(8, moved))


def test_published_feed_forward_loops(data: Path) -> None:
    path = data / "connectome" / "varshney" / "ConnOrdered_040903.mat"
    chemical = loadmat(path)["A_init_t_ordered"].toarray() > 0
    worm = directed(279, np.argwhere(chemical).tolist())
    assert count(FEED_FORWARD, worm) == 4320
    assert count(f"{FEED_FORWARD}; match induced", worm) == 1453
    assert count("A -> B", worm) == 2194
    assert count("A <-> B", worm) == 233
    assert count("A <-> B; count mappings", worm) == 466


@pytest.fixture(scope="module")
def larva(data: Path) -> Graph:
    edges = np.loadtxt(data / "connectome" / "drosophila_larva" / "G_edgelist.txt")
    names, ends = np.unique(edges[:, :2].astype(np.int64), return_inverse=True)
    weight = Attribute(edges[:, 2])
    chemical = Layer.of("chemical", True, len(names), ends.reshape(-1, 2).T, {"weight": weight})
    return Graph(len(names), (chemical,), {"name": Attribute.of(names.astype(np.str_))})


def test_feed_forward_loops_of_the_larva_equal_the_sparse_product(larva: Graph) -> None:
    layer = larva.layers[0]
    ones = np.ones(len(layer.indices), dtype=np.int64)
    matrix = csr_array((ones, layer.indices, layer.indptr), shape=(larva.num_nodes,) * 2)
    assert count(FEED_FORWARD, larva) == ((matrix @ matrix) * matrix).sum()
    assert count("A -> B -> C", larva) == (matrix @ matrix).sum() - (matrix @ matrix).trace()


EXPLODING = "A -> B -> C -> D -> E -> F -> G -> H"


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("participation", [True, False])
def test_exploding_query_stops_in_time(larva: Graph, table: bool, participation: bool) -> None:
    query = parse(EXPLODING)
    found = search(
        query, larva, seconds=0.3, limit=1 << 40, table=table, participation=participation
    )
    assert not found.complete
    assert found.count > 0
    assert found.seconds < 1
    assert "0.3 seconds" in found.message
    assert f"{found.count:,} is a part of the matches" in found.message
    assert found.table is None or found.table.num_rows == found.count
    if found.participation is not None:
        assert found.participation.sum(axis=0).tolist() == [found.count] * 8


def test_exploding_query_stops_at_its_limit_of_matches(larva: Graph) -> None:
    found = search(parse(EXPLODING), larva, limit=100_000)
    assert (found.count, found.complete, found.searched < 1) == (100_000, False, True)
    assert "limit of 100,000 matches" in found.message
    assert found.table is not None
    columns = np.stack([found.table[name].to_numpy() for name in "ABCDEFGH"])
    assert len(np.unique(columns, axis=1).T) == 100_000
    layer = larva.layers[0]
    matrix = csr_array((np.ones(len(layer.indices)), layer.indices, layer.indptr))
    assert (matrix[columns[:-1].ravel(), columns[1:].ravel()] == 1).all()


def test_limit_that_is_just_met_is_complete() -> None:
    triangle = directed(3, [(0, 1), (1, 2), (0, 2)])
    for table in (True, False):
        assert search(parse("A -> B"), triangle, limit=3, table=table).complete
        found = search(parse("A -> B"), triangle, limit=2, table=table)
        assert (found.count, found.complete) == (2, False)


@pytest.mark.parametrize("size", [0, 1, 3])
def test_graph_without_edges_has_no_match(size: int) -> None:
    found = search(parse(FEED_FORWARD), directed(size, []), participation=True)
    assert (found.count, found.complete) == (0, True)
    assert found.participation is not None
    assert found.participation.shape == (size, 3)


def test_a_value_that_is_not_there_passes_no_test() -> None:
    pairs = [(0, 1), (1, 2), (2, 0)]
    chemical = Layer.of("chemical", True, 3, np.array(pairs).T)
    columns = {
        "mass": Attribute(np.array([1.0, 2.0, np.nan])),
        "kind": Attribute.of(pa.array(["a", "b", None])),
    }
    graph = Graph(3, (chemical,), columns)
    for test, passed in (
        ("mass != 1", 1),
        ("kind != a", 1),
        ("kind in {a, b}", 2),
        ("mass < 9", 2),
    ):
        assert count(f"A -> B; A.{test}", graph) == passed
    for test in ("mass != B.mass", "kind != B.kind"):
        assert count(f"A -> B; A.{test}", graph) == 1


def test_self_loops_join_nothing() -> None:
    assert count("A -> B", directed(2, [(0, 0), (0, 1)])) == 1


def test_clauses_read_as_documented() -> None:
    text = """
    # a feed-forward loop from a sensory neuron
    A -> B; B -> C [weight > 5, relation = gap]
    A -> C
    A.class = sensory; B.name in {"AVA L", 'RIA', AVB-2}; weight > 5
    A !> D; A <-> D; A.class != D.class
    match induced; count mappings
    """
    query = parse(text)
    assert query.variables == ("A", "B", "C", "D")
    edges = [(edge.source, edge.target, edge.absent) for edge in query.edges]
    assert edges[3:] == [("A", "D", True), ("A", "D", False), ("D", "A", False)]
    assert {test.attribute for test in query.edges[1].tests} == {"weight", "relation"}
    words = [value.text for value in query.node_tests[1].test.values]
    assert words == ["AVA L", "AVB-2", "RIA"]
    assert (query.induced, query.mappings) == (True, True)
    assert parse("A->B;A.x=-1.5e3").node_tests[0].test.values[0].number == -1500


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", None, "needs an edge"),
        ("A !> B", None, "needs an edge"),
        ("A ->", (1, 5), "expected a variable after '->', found the end"),
        ("A -> B\nB -> ; C", (2, 6), "expected a variable after '->', found ';'"),
        ("A -> B C", (1, 8), "expected ';' or a new line, found 'C'"),
        ("A", (1, 2), "expected an edge"),
        ("A <- B", (1, 4), "an edge from B to A is B -> A"),
        ("A -> A", (1, 3), "found 'A' twice"),
        ("A -> B; C -> D", None, "no edges of the query lead from A to C"),
        ("A -> B; D.class = x", None, "no edges of the query lead from A to D"),
        ("A -> B [weight > 5", (1, 19), "expected ',' or ']'"),
        ("A -> B; A.x in {a, b", (1, 21), "expected ',' or '}'"),
        ("A -> B; A.x = 'a", (1, 15), "expected a closing '"),
        ("A -> B; A.x = 1e999", (1, 15), "expected a finite number"),
        ("A -> B; A.x in B.x", (1, 16), "expected '{', found 'B'"),
        ("A -> B; A.x = A.y", (1, 9), "found 'A' twice"),
        ("match all; A -> B", (1, 7), "'monomorphism' or 'induced'"),
        ("match induced; match monomorphism", (1, 22), "expected 'induced' as before"),
        ("__import__('os').system('true')", (1, 11), "cannot read the character '('"),
        ("/etc/passwd", (1, 1), "cannot read the character '/'"),
        ("C:\\motif.txt", (1, 2), "cannot read the character ':'"),
        ("A -> B\0", (1, 7), "cannot read the character '\\x00'"),
        ("A → B", (1, 3), "cannot read the character '\\u2192'"),
        ("\u202eA -> B", (1, 1), "cannot read the character '\\u202e'"),
        ("A -> B; A.x = ²", (1, 15), "cannot read the character '\\xb2'"),
        ("[" * 9_000, (1, 1), "begin a clause, found '['"),
        ("A -> B; A.x in " + "{" * 9_000, (1, 17), "expected a value"),
        ("A -> " * 3_000 + "A", None, "15,001 characters; at most 10,000"),
        ("A -> B\n" * 201, (201, 1), "more than 200 clauses"),
        (" -> ".join(f"V{i}" for i in range(11)), (1, 61), "at most 10 variables"),
        ("A" * 64 + " -> B", (1, 1), "at most 63"),
        ("A" * 9_000 + " -> B", (1, 1), "at most 63"),
        ("A -> B; A.x = " + "9" * 9_000, (1, 55), "expected ';' or a new line"),
    ],
)
def test_bad_text_is_one_line_that_says_where(
    text: str, where: tuple[int, int] | None, what: str
) -> None:
    with pytest.raises(InputError) as error:
        parse(text)
    message = str(error.value)
    assert what in message
    assert where is None or f"line {where[0]}, column {where[1]}:" in message
    assert message.isprintable()
    assert message.isascii()
    assert len(message) < 250


@given(st.text(max_size=60) | st.text("ABx.->!<=[]{},;# \n'\"5e", max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_query_or_an_input_error(text: str) -> None:
    try:
        parse(text)
    except InputError as error:
        assert str(error).isprintable()


def test_a_path_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "motif").write_text("A -> B")
    for text in (str(tmp_path / "motif"), "motif", "motif.txt"):
        with pytest.raises(InputError):
            parse(text)


@pytest.mark.parametrize(
    ("clause", "what"),
    [
        ("A.clas = b", "nodes have no attribute 'clas'; they have kind, mass"),
        ("A.kind = c", "nothing has the kind 'c'; there is 'a', 'b'"),
        ("A.kind < a", "'kind' holds text; compare it with =, != or in"),
        ("A.mass = heavy", "'mass' holds numbers; compare it with a number"),
        ("A.kind = B.mass", "'kind' and 'mass': one holds text, one numbers"),
        ("A.kind > B.kind", "'kind' holds text"),
        ("wieght > 1", "edges have no attribute 'wieght'; these have relation, weight"),
        ("weight > much", "'weight' holds numbers"),
        ("relation = gab", "no relation 'gab'; the graph has chemical, gap"),
        ("relation > gap", "compare 'relation' with =, != or in"),
        ("A -- B [relation = chemical]", "relation 'chemical' is directed; write -> for --"),
        ("A -- B [relation != gap]", "no such relation"),
    ],
)
def test_name_that_the_graph_lacks_is_met_with_those_it_has(clause: str, what: str) -> None:
    case = Case(2, {(0, 1): 1.0}, {(0, 1): 1.0}, ["a", "b"], [1.0, 2.0], 2, [])
    with pytest.raises(InputError, match=re.escape(what)) as error:
        search(parse(f"A -> B\n{clause}"), case.graph())
    assert "line 2, column" in str(error.value)
    assert str(error.value).isprintable()


def test_arrow_of_a_relation_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no undirected relation; try ->"):
        search(parse("A -- B"), directed(2, [(0, 1)]))


def test_misspelt_name_is_met_with_near_ones(larva: Graph) -> None:
    name = larva.columns["name"].words[7]  # type: ignore[index]
    with pytest.raises(InputError, match=f"nothing has the name '{name}0'; there is .*'{name}'"):
        search(parse(f"A -> B; A.name = {name}0"), larva)


def test_great_whole_numbers_are_names() -> None:
    roots = pa.array([720575940000000001, 720575940000000002, None])
    column = Attribute.of(roots)
    assert column.words == ("720575940000000001", "720575940000000002")
    graph = replace(directed(3, [(0, 2), (1, 2)]), columns={"root": column})
    assert count("A -> B; A.root = 720575940000000002", graph) == 1


def test_graph_of_a_version_has_its_columns_names_and_labels(tmp_path: Path) -> None:
    version = toy_node(tmp_path)
    graph = graph_of(version)
    assert list(graph.columns) == ["colour", "name", "degree_both"]
    assert graph.columns["colour"].words == ("blue", "green", "red")
    assert np.isnan(graph.columns["colour"].values[:3]).all()
    (edge,) = graph.layers
    assert (edge.directed, list(edge.columns)) == (False, ["weight"])
    assert len(edge.indices) == 2 * version.manifest.relations[0].num_edges

    found = search(parse("A -- B; A.colour = red; B.name = n7"), graph)
    assert found.table is not None
    assert found.table.column_names == ["A", "B", "A.name", "B.name"]
    assert set(found.table["B.name"].to_pylist()) == {"n7"}
    edges = version.edges("edge")
    ends = {*zip(edges["src"].to_pylist(), edges["dst"].to_pylist(), strict=True)}
    near = {a + b - 7 for a, b in ends if 7 in (a, b)}
    red = graph.columns["colour"].values == 2
    assert {*found.table["A"].to_pylist()} == {node for node in near if red[node]}


def test_labels_of_a_sealed_task_are_not_shown(tmp_path: Path) -> None:
    assert "colour" not in graph_of(toy_node(tmp_path, sealed=True)).columns


@pytest.fixture
def version(tmp_path: Path) -> Path:
    return toy_node(tmp_path).root


def test_command_prints_matches_with_names(
    retia: Callable[..., int], version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retia("query", version, "A -- B; A.colour = red; B.name = n7", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["count"] == len(printed["rows"]) > 0
    assert printed["complete"] is True
    assert {row["B.name"] for row in printed["rows"]} == {"n7"}
    assert retia("query", version, "A -- B; A.colour = red; B.name = n7") == 0
    assert f"{printed['count']} matches" in capsys.readouterr().out


def test_command_counts_and_says_when_it_was_stopped(
    retia: Callable[..., int], version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retia("query", version, "A -- B", "--count") == 0
    edges = Version.open(version).manifest.relations[0].num_edges
    assert capsys.readouterr().out == f"{edges} matches\n"
    assert retia("query", version, "A -- B", "--limit", "5") == 0
    streams = capsys.readouterr()
    assert "at least 5 matches" in streams.out
    assert "stopped at the limit of 5 matches" in streams.err
    path = "A -- B -- C -- D -- E -- F -- G -- H -- I -- J"
    assert retia("query", version, path, "--count", "--seconds", "0.2", "--json") == 0
    assert json.loads(capsys.readouterr().out)["complete"] is False


def test_command_writes_tables(retia: Callable[..., int], version: Path, tmp_path: Path) -> None:
    csv, parquet = tmp_path / "found.csv", tmp_path / "found.parquet"
    assert retia("query", version, "A -- B; B -- C; A -- C", "--out", csv) == 0
    assert csv.read_text().startswith('"A","B","C","A.name","B.name","C.name"\n')
    assert retia("query", version, "A -- B; C -- A", "--participation", "--out", parquet) == 0
    table = pq.read_table(parquet)
    assert table.column_names == ["node", "name", "A", "B, C"]
    assert 2 * sum(table["A"].to_pylist()) == sum(table["B, C"].to_pylist())
    degree = np.diff(graph_of(Version.open(version)).layers[0].indptr)
    expected = degree[table["node"].to_numpy()]
    np.testing.assert_array_equal(table["A"].to_numpy(), expected * (expected - 1) // 2)


def test_command_reads_a_file_when_it_is_told_to(
    retia: Callable[..., int],
    version: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("motif").write_text("A -- B\nB -- C\nA -- C\n")
    assert retia("query", version, "--file", "motif", "--count") == 0
    from_file = capsys.readouterr().out
    assert retia("query", version, "A -- B -- C -- A", "--count") == 0
    assert capsys.readouterr().out == from_file
    assert retia("query", version, "motif", "--count") == 2
    assert "expected an edge" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ([], "give a motif"),
        (["A -- B", "--file", "motif"], "give a motif"),
        (["--file", "nowhere"], "nowhere"),
        (["--file", "binary"], "not a text in UTF-8"),
        (["--file", "long"], "at most 10,000"),
        (["A -- B", "--out", "found.xlsx"], "ends in .csv or .parquet"),
        (["A -- B", "--out", "found.csv", "--count"], "leave --out out"),
        (["A -- B", "--seconds", "0"], "0 seconds"),
        (["A -- B", "--seconds", "nan"], "nan seconds"),
        (["A -> B"], "no directed relation; try --"),
    ],
)
def test_command_says_in_a_line_what_is_wrong(
    retia: Callable[..., int],
    version: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    what: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("binary").write_bytes(b"A -- \xff")
    Path("long").write_text("A -- B;" * 100_000)
    assert retia("query", version, *words) == 2
    error = capsys.readouterr().err
    assert what in error
    assert error.count("\n") == 1
