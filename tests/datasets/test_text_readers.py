import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retia.datasets.text.graph import TextGraph
from retia.datasets.text.readers.airports import read_airports
from retia.datasets.text.readers.cane import read_cane
from retia.datasets.text.readers.cstag import read_cstag
from retia.datasets.text.readers.tables import EdgeMapping, NodeMapping, read_tables
from retia.datasets.text.readers.tegdb import read_tegdb
from retia.datasets.text.readers.wn18rr import read_wn18rr
from retia.shards.errors import InputError

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=40)


def write(folder: Path, **files: str | bytes) -> list[Path]:
    """Files by name; `nodes_csv` is nodes.csv."""
    paths = []
    for name, content in files.items():
        path = folder / ".".join(name.rsplit("_", 1))
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths.append(path)
    return paths


def networkx_of(graph: TextGraph, relation: str) -> nx.Graph:
    found = graph.relation(relation)
    made = nx.DiGraph() if found.directed else nx.Graph()
    made.add_nodes_from(graph.ids.tolist())
    made.add_edges_from(graph.ids[found.pairs].tolist())
    return made


@pytest.fixture(scope="module")
def texts(data: Path) -> Path:
    return data / "text"


def test_cora_of_cane_has_the_counts_of_its_files(texts: Path) -> None:
    graph = read_cane(texts / "cane_cora")
    oracle = nx.Graph()
    oracle.add_nodes_from(map(str, range(2277)))
    edges = pd.read_csv(texts / "cane_cora/graph.txt", sep="\t", header=None, dtype=str)
    oracle.add_edges_from(edges.to_numpy().tolist())
    oracle.remove_edges_from(list(nx.selfloop_edges(oracle)))
    assert nx.utils.graphs_equal(networkx_of(graph, "cites"), oracle)
    assert graph.num_nodes == 2277
    assert len(graph.relation("cites").pairs) == 4771
    assert sum(degree == 0 for _, degree in oracle.degree()) == 72
    topic = graph.labels["topic"]
    assert (~topic.known).sum() == 66
    lines = (texts / "cane_cora/group.txt").read_text().split("\n")
    assert [("", *topic.classes)[value + 1] for value in topic.values] == lines[:2277]
    abstracts = (texts / "cane_cora/data.txt").read_text().split("\n")
    assert graph.texts["abstract"].tolist() == abstracts[:2277]


@pytest.mark.parametrize(
    ("country", "nodes", "edges", "loops"), [("usa", 1190, 13599, 0), ("brazil", 131, 1003, 71)]
)
def test_airports_have_the_counts_of_their_files(
    texts: Path, country: str, nodes: int, edges: int, loops: int
) -> None:
    folder = texts / "airports"
    graph = read_airports(folder, country)
    oracle = nx.read_edgelist(folder / f"{country}-airports.edgelist")
    assert nx.number_of_selfloops(oracle) == loops
    oracle.remove_edges_from(list(nx.selfloop_edges(oracle)))
    assert nx.utils.graphs_equal(networkx_of(graph, "flights"), oracle)
    assert (graph.num_nodes, oracle.number_of_edges()) == (nodes, edges)
    assert graph.report.get("flights_self_loops_dropped", 0) == loops
    assert graph.texts == {}
    assert graph.missing_text.all()
    labels = pd.read_csv(folder / f"labels-{country}-airports.txt", sep=" ", dtype=str)
    activity = graph.labels["activity"]
    found = dict(zip(graph.ids, np.array(activity.classes)[activity.values], strict=True))
    assert found == dict(zip(labels["node"], labels["label"], strict=True))


def test_wn18rr_is_one_graph_with_undirected_symmetric_relations(texts: Path) -> None:
    graph = read_wn18rr(texts / "wn18rr")
    assert graph.num_nodes == 40_943
    counts = [graph.report[f"triples_in_{part}"] for part in ("train", "valid", "test")]
    assert counts == [86_835, 3_034, 3_134]
    parts = [
        pd.read_csv(texts / f"wn18rr/{part}.txt", sep="\t", header=None, dtype=str)
        for part in ("train", "valid", "test")
    ]
    triples = pd.concat(parts)
    assert len(graph.relations) == triples[1].nunique() == 11
    for name, rows in triples.groupby(1):
        relation = graph.relation(name.strip("_").replace("_", "-"))
        ends = rows[rows[0] != rows[2]][[0, 2]].to_numpy().tolist()
        expected = {tuple(pair) if relation.directed else tuple(sorted(pair)) for pair in ends}
        found = graph.ids[relation.pairs].tolist()
        assert {tuple(p) if relation.directed else tuple(sorted(p)) for p in found} == expected
        backwards = sum((dst, src) in expected for src, dst in expected)
        assert not relation.directed or backwards < 0.7 * len(expected)
    glosses = dict(zip(graph.ids, graph.texts["gloss"], strict=True))
    assert glosses["00590383"] == "chieftainship, the position of chieftain"


@given(
    st.lists(st.tuples(ANY_TEXT, st.sampled_from(["red", "blue", ""])), min_size=1, max_size=12),
    st.sampled_from(["nodes.csv", "nodes.tsv", "nodes.csv.gz", "nodes.parquet"]),
    st.data(),
)
def test_any_texts_come_back_from_tables(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    name: str,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    frame = pd.DataFrame({"id": range(len(rows)), "text": [t for t, _ in rows]})
    frame["colour"] = [colour for _, colour in rows]
    frame["extra"] = "kept out"
    ends = st.lists(st.tuples(*[st.integers(0, len(rows) - 1)] * 2), min_size=1, max_size=20)
    edges = pd.DataFrame(data.draw(ends), columns=["src", "dst"])
    save(frame, folder / name)
    save(edges, folder / "edges.csv")
    graph = read_tables(folder / name, folder / "edges.csv", NodeMapping(labels=("colour",)))
    assert graph.ids.tolist() == [str(i) for i in range(len(rows))]
    assert graph.texts["text"].tolist() == [text if text.strip() else "" for text, _ in rows]
    classes = graph.labels["colour"].classes
    found = ["" if value < 0 else classes[value] for value in graph.labels["colour"].values]
    assert found == [colour for _, colour in rows]
    oracle = nx.from_pandas_edgelist(edges.astype(str), "src", "dst", create_using=nx.DiGraph)
    oracle.remove_edges_from(list(nx.selfloop_edges(oracle)))
    assert set(networkx_of(graph, "edge").edges) == set(oracle.edges)


def save(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
        return
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerow(frame.columns)
        writer.writerows(frame.itertuples(index=False))


def test_kinds_of_edges_and_texts_of_edges_are_read(tmp_path: Path) -> None:
    nodes, edges = write(
        tmp_path,
        nodes_csv="key,title,abstract,tags\na,A,about a,x;y\nb,B,,y\nc,C,about c,\n",
        edges_csv="from,to,kind,why\na,b,Cites it,because\nb,a,cites it,\nb,c,Same_Author,two\n",
    )
    graph = read_tables(
        nodes,
        edges,
        NodeMapping(id="key", texts=("title", "abstract"), multilabels=("tags",)),
        EdgeMapping(src="from", dst="to", relation="kind", text="why"),
    )
    assert [relation.name for relation in graph.relations] == ["cites-it", "same-author"]
    cites = graph.relation("cites-it")
    assert cites.pairs.tolist() == [[0, 1], [1, 0]]
    assert cites.text is not None
    assert cites.text.tolist() == ["because", ""]
    tags = graph.labels["tags"]
    assert tags.classes == ("x", "y")
    assert tags.values.tolist() == [[True, True], [False, True], [False, False]]
    assert tags.known.tolist() == [True, True, False]
    assert list(graph.texts) == ["title", "abstract"]


def test_lists_of_parquet_are_multilabels_and_whole_floats_are_ids(tmp_path: Path) -> None:
    table = pa.table({"id": [1.0, 2.0], "text": ["p", None], "tags": [["x", "y"], []]})
    pq.write_table(table, tmp_path / "nodes.parquet")
    (edges,) = write(tmp_path, edges_csv="src,dst\n1,2\n")
    graph = read_tables(tmp_path / "nodes.parquet", edges, NodeMapping(multilabels=("tags",)))
    assert graph.ids.tolist() == ["1", "2"]
    assert graph.texts["text"].tolist() == ["p", ""]
    assert graph.labels["tags"].values.tolist() == [[True, True], [False, False]]


def test_numbers_that_are_missing_in_parquet_are_no_labels(tmp_path: Path) -> None:
    year = np.array([2001.0, np.nan, 1999.0])
    pq.write_table(pa.table({"id": ["a", "b", "c"], "year": year}), tmp_path / "nodes.parquet")
    (edges,) = write(tmp_path, edges_csv="src,dst\na,b\n")
    columns = NodeMapping(texts=(), labels=("year",))
    year_label = read_tables(tmp_path / "nodes.parquet", edges, columns).labels["year"]
    assert year_label.classes == ("1999", "2001")
    assert year_label.values.tolist() == [1, -1, 0]


def test_cstag_gives_texts_categories_and_neighbours(tmp_path: Path) -> None:
    (path,) = write(
        tmp_path,
        web_csv="url,raw_text,category,node_id,label,len,neighbor_ids\n"
        'http://a,"one,\ntwo",student,0,1,2,"[1, 2]"\n'
        "http://b,three,faculty,1,0,1,[]\n"
        "http://c,,student,2,1,0,\"['0']\"\n",
    )
    graph = read_cstag(path)
    assert graph.texts["text"].tolist() == ["one,\ntwo", "three", ""]
    assert graph.labels["category"].classes == ("faculty", "student")
    assert graph.labels["category"].values.tolist() == [1, 0, 1]
    assert graph.relation("linked").pairs.tolist() == [[0, 1], [0, 2]]
    assert list(graph.texts) == ["text"]


def test_fields_of_tegdb_are_read_from_arrays_and_tables(tmp_path: Path) -> None:
    np.save(tmp_path / "edge_index.npy", np.array([[0, 1, 2], [1, 2, 2]]))
    np.save(tmp_path / "text_nodes.npy", np.array(["book", "reader", ""]))
    np.save(tmp_path / "node_labels.npy", np.array([1, -1, 0]))
    write(tmp_path, text_edges_csv='text\nliked it\n"so, so"\nself\n')
    graph = read_tegdb(tmp_path)
    relation = graph.relation("linked")
    assert relation.directed
    assert relation.pairs.tolist() == [[0, 1], [1, 2]]
    assert relation.text is not None
    assert relation.text.tolist() == ["liked it", "so, so"]
    assert graph.labels["label"].values.tolist() == [1, -1, 0]


def test_two_edges_of_tegdb_are_rows_of_a_table_and_columns_of_an_array(tmp_path: Path) -> None:
    write(tmp_path, text_nodes_csv="text\na\n\nc\n", edge_index_csv="src,dst\n0,1\n0,2\n")
    assert read_tegdb(tmp_path).relation("linked").pairs.tolist() == [[0, 1], [0, 2]]
    assert read_tegdb(tmp_path).texts["text"].tolist() == ["a", "", "c"]
    np.save(tmp_path / "edge_index.npy", np.array([[0, 0], [1, 2]]))
    assert read_tegdb(tmp_path).relation("linked").pairs.tolist() == [[0, 1], [0, 2]]


def test_neighbours_of_cstag_may_be_lists_of_parquet(tmp_path: Path) -> None:
    table = {"node_id": [0, 1, 2], "text": ["a", "b", "c"], "label": [1, 0, 1]}
    neighbours = pa.array([[1, 2], [], [0]])
    pq.write_table(pa.table(table | {"neighbour": neighbours}), tmp_path / "web.parquet")
    graph = read_cstag(tmp_path / "web.parquet")
    assert graph.relation("linked").pairs.tolist() == [[0, 1], [0, 2]]


def _pickled(folder: Path) -> Path:
    np.save(folder / "edge_index.npy", np.array([[0], [1]]))
    np.save(folder / "text_nodes.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    return folder


Case = Callable[[Path], object]
BAD: dict[str, tuple[Case, str]] = {
    "a pickle beside": (
        lambda folder: read_tegdb(write(folder, children_pkl=b"\x80\x04")[0].parent),
        "children.pkl: a pickle can run code, so it is never opened",
    ),
    "a pickled array": (lambda folder: read_tegdb(_pickled(folder)), "no pickle is read"),
    "a pickle as a table": (
        lambda folder: read_cstag(write(folder, web_pt=b"PK")[0]),
        "a pickle can run code",
    ),
    "no node of TEG-DB": (
        lambda folder: read_tegdb(
            write(folder, text_nodes_csv="t\na\nb\n", edge_index_csv="s,d\n0,2\n")[0].parent
        ),
        "edge_index.csv: row 2, column d: '2' is not in the numbers of the nodes, 0 to 1",
    ),
    "one column of edges": (
        lambda folder: read_tegdb(
            write(folder, text_nodes_csv="t\na\nb\n", edge_index_csv="s\n0\n1\n")[0].parent
        ),
        "edge_index.csv: two columns of node numbers belong there, not s",
    ),
    "more classes than there can be": (
        lambda folder: read_tables(
            *write(
                folder,
                nodes_csv="id,tags\n" + "".join(f"{i},c{i};d{i}\n" for i in range(5001)),
                edges_csv="src,dst\n1,2\n",
            ),
            NodeMapping(texts=(), multilabels=("tags",)),
        ),
        "nodes.csv, column tags: 10,002 classes, 'c0' among them, more than 10,000",
    ),
    "a class of five thousand digits": (
        lambda folder: read_tables(
            *write(folder, nodes_csv=f"id,c\n1,{'1' * 5000}\n", edges_csv="src,dst\n1,1\n"),
            NodeMapping(texts=(), labels=("c",)),
        ),
        "a name is one line of at most 300 characters",
    ),
    "bytes": (
        lambda folder: read_tables(
            *write(folder, nodes_csv=b"id,text\n1,fine\n2,caf\xe9\n", edges_csv="src,dst\n1,2\n")
        ),
        "row 3, column text: holds bytes that are not UTF-8; save the file as UTF-8",
    ),
    "an absent id": (
        lambda folder: read_tables(
            *write(folder, nodes_csv="id,text\n1,a\n2,b\n", edges_csv="src,dst\n1,2\n1,9\n2,8\n")
        ),
        "edges.csv: row 3, column dst: '9' is not in ",
    ),
    "two texts": (
        lambda folder: read_tables(
            *write(folder, nodes_csv="id,text\n1,a\n1,b\n", edges_csv="src,dst\n1,1\n")
        ),
        "'1' is the id of two nodes, number 1 and 2, whose text differs",
    ),
    "a large text": (
        lambda folder: read_tables(
            *write(folder, nodes_csv=f"id,text\n1,{'x' * 10_000_000}\n", edges_csv="src,dst\n1,1\n")
        ),
        "the text of node '1' has 10,000,000 bytes",
    ),
    "no column": (
        lambda folder: read_tables(
            *write(folder, nodes_csv="id,title\n1,a\n", edges_csv="src,dst\n1,1\n")
        ),
        "nodes.csv: there is no column text; there are: id, title",
    ),
    "an empty id": (
        lambda folder: read_tables(
            *write(folder, nodes_csv="id,text\n1,a\n ,b\n", edges_csv="src,dst\n1,1\n")
        ),
        "nodes.csv: row 3, column id: is empty",
    ),
    "two columns of a name": (
        lambda folder: read_tables(
            *write(folder, nodes_csv="id,text,text\n1,a,b\n", edges_csv="src,dst\n1,1\n")
        ),
        "nodes.csv: two columns are called 'text'; rename one",
    ),
    "an id with a NUL": (
        lambda folder: read_tables(
            *write(folder, nodes_csv="id,text\n1,a\n2\0,b\n", edges_csv="src,dst\n1,1\n")
        ),
        "the id of node 2 has a NUL; give another",
    ),
    "a row of three": (
        lambda folder: read_tables(
            *write(folder, nodes_csv="id,text\n1,a,b\n", edges_csv="src,dst\n1,1\n")
        ),
        "nodes.csv: CSV parse error: Row #2: Expected 2 columns, got 3: 1,a,b",
    ),
    "no rows": (
        lambda folder: read_tables(
            *write(folder, nodes_csv="id,text\n", edges_csv="src,dst\n1,2\n")
        ),
        "nodes.csv: the table has no rows",
    ),
    "no file": (lambda folder: read_cstag(folder / "no.csv"), "no.csv: no such file"),
    "nothing in data.txt": (
        lambda folder: read_cane(write(folder, data_txt="", graph_txt="0 1\n")[0].parent),
        "data.txt: there is nothing in it; a line a node belongs there",
    ),
    "a relation of a hundred letters": (
        lambda folder: read_tables(
            *write(folder, nodes_csv="id,text\n1,a\n", edges_csv=f"src,dst,k\n1,1,{'k' * 100}\n"),
            edge_mapping=EdgeMapping(relation="k"),
        ),
        "column k: edge 1 is of the relation 'kkk",
    ),
    "no folder": (lambda folder: read_cane(folder), "there is no data.txt in it"),
    "short labels": (
        lambda folder: read_cane(
            write(folder, data_txt="a\nb\n", graph_txt="0 1\n", group_txt="1\n")[0].parent
        ),
        "group.txt: 1 lines for 2 nodes of data.txt",
    ),
    "no number": (
        lambda folder: read_cane(write(folder, data_txt="a\nb\n", graph_txt="0 7\n")[0].parent),
        "graph.txt: edge 1 names the node '7'",
    ),
    "three words": (
        lambda folder: read_cane(write(folder, data_txt="a\nb\n", graph_txt="0 1 1\n")[0].parent),
        "graph.txt: line 1 is '0 1 1'; a pair of ids belongs there",
    ),
    "bytes in lines": (
        lambda folder: read_cane(write(folder, data_txt=b"a\nb\xff\n", graph_txt="")[0].parent),
        "data.txt: line 2 is not UTF-8",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(tmp_path: Path, case: str) -> None:
    read, problem = BAD[case]
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
