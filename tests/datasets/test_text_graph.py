import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retia.datasets.text.graph import (
    MAX_TEXT_BYTES,
    Labels,
    TextGraph,
    TextRelation,
    as_texts,
    find_rows,
    make_text_graph,
)
from retia.shards.errors import InputError, NotFoundError

Pairs = list[tuple[int, int]]


def graph_of(texts: list[str], pairs: Pairs = [], *, directed: bool = False) -> TextGraph:  # noqa: B006
    ids = np.array([f"n{i}" for i in range(len(texts))])
    relation = TextRelation("edge", directed, np.array(pairs, dtype=np.int64).reshape(-1, 2))
    return make_text_graph("here", ids, {"text": as_texts(texts)}, [relation])


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40),
    st.booleans(),
)
def test_edges_are_those_of_networkx_and_what_went_is_counted(pairs: Pairs, directed: bool) -> None:
    oracle = nx.DiGraph() if directed else nx.Graph()
    oracle.add_edges_from(pairs)
    loops = sum(src == dst for src, dst in pairs)
    oracle.remove_edges_from(list(nx.selfloop_edges(oracle)))
    graph = graph_of(["t"] * 7, pairs, directed=directed)
    found = [tuple(pair) for pair in graph.relation("edge").pairs.tolist()]
    expected = oracle.edges if directed else [tuple(sorted(edge)) for edge in oracle.edges]
    assert found == sorted(expected)
    assert graph.report.get("edge_self_loops_dropped", 0) == loops
    merged = graph.report.get("edge_duplicates_merged", 0)
    assert merged == len(pairs) - loops - oracle.number_of_edges()


@given(st.permutations(range(5)))
def test_an_order_moves_texts_labels_and_edges_together(order: list[int]) -> None:
    pairs = [(0, 1), (1, 2), (3, 2), (4, 0)]
    graph = make_text_graph(
        "here",
        np.array(list("abcde")),
        {"text": np.array(list("ABCDE"))},
        [TextRelation("edge", True, np.array(pairs), as_texts([f"{i}>{j}" for i, j in pairs]))],
        labels={"odd": Labels(("no", "yes"), np.array([0, 1, 0, 1, -1]))},
        groups={"part": np.array(["x", "y", "", "x", "y"])},
    )
    moved = graph.reorder(np.array(order))
    assert moved.texts["text"].tolist() == [name.upper() for name in moved.ids]
    edges = moved.relation("edge")
    assert edges.text is not None
    ends = moved.ids[edges.pairs].tolist()
    named = {tuple(pair): text for pair, text in zip(ends, edges.text, strict=True)}
    assert named == {("abcde"[i], "abcde"[j]): f"{i}>{j}" for i, j in pairs}
    back = moved.reorder(np.argsort(order))
    assert back.labels["odd"].values.tolist() == [0, 1, 0, 1, -1]
    assert back.groups["part"].tolist() == ["x", "y", "", "x", "y"]
    assert (back.relation("edge").pairs == graph.relation("edge").pairs).all()


def test_equal_rows_of_one_id_are_one_node() -> None:
    graph = make_text_graph(
        "here",
        np.array(["a", "b", "a"]),
        {"text": np.array(["x", "y", "x"])},
        [TextRelation("edge", False, np.array([[0, 1], [2, 1]]))],
    )
    assert graph.ids.tolist() == ["a", "b"]
    assert graph.relation("edge").pairs.tolist() == [[0, 1]]
    assert graph.report["duplicate_nodes_merged"] == 1


def test_one_id_with_two_texts_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'a' is the id of two nodes, number 1 and 3, whose text"):
        make_text_graph("here", np.array(list("aba")), {"text": np.array(list("xyz"))}, [])


def test_one_id_with_two_labels_is_refused_by_name() -> None:
    labels = {"kind": Labels(("p", "q"), np.array([0, 1]))}
    with pytest.raises(InputError, match=r"'a' is the id of two nodes.*whose kind differs"):
        make_text_graph("here", np.array(["a", "a"]), {}, [], labels=labels)


def test_nul_is_taken_out_blanks_are_no_text_and_html_stays() -> None:
    graph = graph_of(["a\0b\0", " \n\t", "<b>bold</b> &amp;", ""])
    assert graph.texts["text"].tolist() == ["ab", "", "<b>bold</b> &amp;", ""]
    assert graph.missing_text.tolist() == [False, True, False, True]
    assert graph.report["text_nul_characters_removed"] == 2
    assert graph.report["nodes_without_text"] == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "x" * 10_000_000,
            f"node 'n1' has 10,000,000 bytes, more than {MAX_TEXT_BYTES:,}; shorten",
        ),
        ("bad \ud800", "node 'n1' is not valid Unicode"),
    ],
)
def test_a_text_that_cannot_be_kept_names_its_node(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        graph_of(["fine", text])


def test_an_absent_id_is_refused_with_the_first_offender() -> None:
    with pytest.raises(InputError, match=r"edge 2 names the node 'zz'.*first of 2 such edges"):
        find_rows("edges.csv", as_texts(["a", "b"]), as_texts(["a", "zz", "b", "yy"]))


def test_texts_of_merged_edges_are_counted_where_they_differ() -> None:
    pairs = np.array([[0, 1], [1, 0], [0, 1]])
    relation = TextRelation("edge", False, pairs, as_texts(["", "first", "second"]))
    graph = make_text_graph("here", np.array(["a", "b"]), {}, [relation])
    assert graph.relation("edge").text == ["first"]
    assert graph.report["edge_texts_of_duplicates_left_out"] == 1


def test_columns_are_joined_where_they_have_a_text() -> None:
    texts = {"title": np.array(["T", "", "U"]), "abstract": np.array(["a", "b", ""])}
    graph = make_text_graph("here", np.array(list("xyz")), texts, [])
    assert graph.joined_text().tolist() == ["T a", "b", "U"]
    assert graph.joined_text(["abstract"]).tolist() == ["a", "b", ""]


def test_no_node_an_empty_id_and_a_huge_one_are_refused() -> None:
    for ids, problem in (([], "no node"), (["a", ""], "node 2 has no id"), (["a" * 501], "501")):
        with pytest.raises(InputError, match=problem):
            make_text_graph("here", np.array(ids, dtype=object), {}, [])


def test_what_is_not_there_is_told_with_what_is() -> None:
    graph = graph_of(["t"])
    with pytest.raises(NotFoundError, match=r"no relation 'cites'.*there are: edge"):
        graph.relation("cites")
    with pytest.raises(NotFoundError, match=r"no column of groups 'source'.*there are: none"):
        graph.group_names("source")
