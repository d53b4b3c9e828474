"""Readers of connectomes: round trips against pandas, networkx and scipy, and bad input."""

import gzip
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from retia.datasets.connectome.graph import Connectome
from retia.datasets.connectome.readers.flywire import read_flywire
from retia.datasets.connectome.readers.graphml import read_graphml
from retia.datasets.connectome.readers.matrices import read_matrices
from retia.datasets.connectome.readers.neuprint import read_neuprint
from retia.datasets.connectome.readers.tables import EdgeMapping, NodeMapping, read_tables
from retia.shards.errors import InputError

EDGES = """pre,post,weight
A,B,2
B,C,3
A,B,1.5
C,C,4
C,A,0
"""
NODES = """name,class,side,transmitter,x,y,z,homolog
C,sensory,L,nan,1,2,3,B
A,,right,ACh,4,5,6,
D,inter,center,,7,8,9,X
B,motor,R,GABA,0,0,0,C
"""
ROOTS = ("720575940623636701", "720575940623636702", "720575940600000000")


def edges_of(made: Connectome, layer: str = "chemical") -> dict[tuple[str, str], float]:
    found = made.layer(layer)
    ends = made.names[found.pairs].tolist()
    return {(src, dst): w for (src, dst), w in zip(ends, found.weight.tolist(), strict=True)}


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def edges(tmp_path: Path) -> Path:
    return write(tmp_path / "edges.csv", EDGES)


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    return write(tmp_path / "nodes.csv", NODES)


def test_connections_alone_name_the_neurons(edges: Path) -> None:
    made = read_tables(edges, unit="synapses")
    assert made.names.tolist() == ["A", "B", "C"]
    assert edges_of(made) == {("A", "B"): 3.5, ("B", "C"): 3.0}
    assert made.layer("chemical").unit == "synapses"
    assert made.report["chemical_self_loops_dropped"] == 1
    assert made.report["chemical_zero_weights_dropped"] == 1
    assert made.report["chemical_parallel_merged"] == 1


def test_table_of_neurons_gives_order_and_columns(edges: Path, nodes: Path) -> None:
    made = read_tables(edges, nodes)
    assert made.names.tolist() == ["C", "A", "D", "B"]
    assert made.cell_class.tolist() == ["sensory", "", "inter", "motor"]
    assert made.side.tolist() == ["left", "right", "center", "right"]
    assert made.transmitter.tolist() == ["", "ACh", "", "GABA"]
    assert made.homolog.tolist() == [3, -1, -1, 0]
    assert made.position[1].tolist() == [4, 5, 6]
    assert edges_of(made) == {("A", "B"): 3.5, ("B", "C"): 3.0}


def test_homologs_that_are_not_mutual_are_counted(edges: Path, tmp_path: Path) -> None:
    nodes = write(tmp_path / "n.csv", "name,homolog\nA,B\nB,C\nC,B\n")
    made = read_tables(edges, nodes)
    assert made.homolog.tolist() == [-1, 2, 1]
    assert made.report["homologs_not_mutual"] == 1


def test_layers_are_told_by_a_column(tmp_path: Path) -> None:
    path = write(
        tmp_path / "e.tsv", "s\tt\tn\tkind\nA\tB\t2\tChemical\nB\tA\t1\tElectrical\nA\tB\t4\tGAP\n"
    )
    made = read_tables(path, edge_mapping=EdgeMapping("s", "t", "n", "kind"))
    assert {layer.name: layer.directed for layer in made.layers} == {"chemical": True, "gap": False}
    assert edges_of(made, "gap") == {("A", "B"): 4.0}


def test_row_counts_one_where_there_is_no_weight(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", "pre,post\nA,B\nA,B\n")
    assert edges_of(read_tables(path, edge_mapping=EdgeMapping(weight=None))) == {("A", "B"): 2.0}


def test_list_without_header_is_read_by_place(tmp_path: Path) -> None:
    path = write(tmp_path / "e.txt", "7 30  2.0\n30 4 1\n")
    assert edges_of(read_tables(path, header=False)) == {("7", "30"): 2.0, ("30", "4"): 1.0}


TEXT = st.text("abcXYZ 0189-_.é", min_size=1, max_size=4).map(str.strip).filter(bool)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(TEXT, TEXT, st.integers(0, 9)), min_size=1, max_size=20),
    st.sampled_from(["csv", "tsv", "csv.gz", "parquet"]),
)
def test_any_table_is_what_pandas_sums(tmp_path_factory, rows, ending: str) -> None:
    frame = pd.DataFrame(rows, columns=["pre", "post", "weight"])
    path = tmp_path_factory.mktemp("table") / f"edges.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    real = frame[(frame.pre != frame.post) & (frame.weight > 0)]
    wanted = real.groupby(["pre", "post"])["weight"].sum()
    made = read_tables(path)
    assert edges_of(made) == {pair: float(w) for pair, w in wanted.items()}
    assert set(made.names) == set(frame.pre) | set(frame.post)


def test_long_ids_stay_exact(tmp_path: Path) -> None:
    frame = pd.DataFrame({"pre": [int(ROOTS[0])], "post": [int(ROOTS[1])], "weight": [1]})
    frame.to_parquet(tmp_path / "e.parquet")
    assert edges_of(read_tables(tmp_path / "e.parquet")) == {ROOTS[:2]: 1.0}
    frame.astype(float).to_parquet(tmp_path / "f.parquet")
    with pytest.raises(InputError, match=r"column pre holds floats of 2\^53"):
        read_tables(tmp_path / "f.parquet")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", r"edges\.csv: row 1 is empty"),
        ("pre,post,weight\n", r"edges\.csv: the table has no rows"),
        ("from,to,n\nA,B,1\n", "no column pre, post, weight; there are: from, to, n"),
        (
            "pre,post,weight\nA,B,1\nA,Z,1\n",
            r"row 3, column post: 'Z' is not in .*nodes\.csv",
        ),
        ("pre,post,weight\nA,B,-1\n", "'A' to 'B' has the weight -1"),
        ("pre,post,weight\nA,B,nan\n", "'A' to 'B' has the weight nan"),
        ("pre,post,weight\nA,B,inf\n", "'A' to 'B' has the weight inf"),
        ("pre,post,weight\nA,B,1\nA,B,two\n", "row 3, column weight: 'two' is not a number"),
        ("pre,post,weight\nA,B,\n", "row 2, column weight: '' is not a number"),
        ("pre,post,weight\nA,,1\n", "row 2, column post: is empty"),
        ("pre,post,weight\nA,B,1,9\n", r"edges\.csv: .*Expected 3 columns, got 4"),
    ],
)
def test_bad_table_of_connections_is_named(
    tmp_path: Path, nodes: Path, table: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_tables(write(tmp_path / "edges.csv", table), nodes)


@pytest.mark.parametrize(
    ("table", "mapping", "message"),
    [
        ("name\nA\nB\nC\nA\n", NodeMapping(), "two of the neurons are named 'A', number 1 and 4"),
        ("id\nA\n", NodeMapping(), "no column name; there are: id"),
        ("name,type\nA,x\n", NodeMapping(cell_class="kind"), "no column kind; there are: name"),
        ("name,x,y\nA,1,2\nB,1,2\nC,1,2\n", NodeMapping(), "no column z"),
        ("name,side\nA,L\nB,up\nC,R\n", NodeMapping(), "row 3, column side: 'up' is no side"),
        ("name,x,y,z\nA,1,2,\nB,1,1,1\nC,0,0,0\n", NodeMapping(), "row 2, column z: '' is not a"),
    ],
)
def test_bad_table_of_neurons_is_named(
    tmp_path: Path, edges: Path, table: str, mapping: NodeMapping, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_tables(edges, write(tmp_path / "nodes.csv", table), node_mapping=mapping)


def test_file_that_is_not_there_or_damaged_is_named(tmp_path: Path, edges: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv"):
        read_tables(tmp_path / "none.csv")
    packed = tmp_path / "e.csv.gz"
    packed.write_bytes(gzip.compress(EDGES.encode() * 1000)[:200])
    with pytest.raises(InputError, match=r"e\.csv\.gz"):
        read_tables(packed)
    with pytest.raises(InputError, match=r"e\.parquet"):
        read_tables(write(tmp_path / "e.parquet", EDGES))


NAMES = ["AVAL", "AVAR", "DB1"]
DENSE = np.array([[0, 1, 2.5], [0, 0, 0], [3, 0, 0]])
WANTED = {("AVAL", "AVAR"): 1.0, ("AVAL", "DB1"): 2.5, ("DB1", "AVAL"): 3.0}


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "xlsx"])
@pytest.mark.parametrize("corner", ["", "neuron"])
def test_matrix_with_names_is_read(tmp_path: Path, ending: str, corner: str) -> None:
    frame = pd.DataFrame(DENSE, index=NAMES, columns=NAMES)
    path = tmp_path / f"m.{ending}"
    if ending == "xlsx":
        frame.to_excel(path, index_label=corner)
    else:
        frame.to_csv(path, index_label=corner, sep="\t" if ending == "tsv" else ",")
    made = read_matrices(path)
    assert made.names.tolist() == NAMES
    assert edges_of(made) == WANTED


@pytest.mark.parametrize(("header", "index"), [(True, False), (False, True), (False, False)])
def test_names_may_lack_in_a_matrix(tmp_path: Path, header: bool, index: bool) -> None:
    path = tmp_path / "m.csv"
    pd.DataFrame(DENSE, index=NAMES, columns=NAMES).to_csv(path, header=header, index=index)
    made = read_matrices(path)
    assert made.names.tolist() == (NAMES if header or index else ["0", "1", "2"])
    np.testing.assert_array_equal(made.layer("chemical").matrix(3).toarray(), DENSE)


@pytest.mark.parametrize("corner", ["", "id"])
def test_numbers_may_be_names(tmp_path: Path, corner: str) -> None:
    ids = ["101", "102", "720575940623636701"]
    path = tmp_path / "m.csv"
    pd.DataFrame(DENSE, index=ids, columns=ids).to_csv(path, index_label=corner)
    assert read_matrices(path).names.tolist() == ids


def test_blank_cells_are_no_connection(tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", ",A,B\nA,,2\nB,,\n")
    assert edges_of(read_matrices(path)) == {("A", "B"): 2.0}


def test_sheets_are_layers(tmp_path: Path) -> None:
    path = tmp_path / "m.xlsx"
    frame = pd.DataFrame(DENSE, index=NAMES, columns=NAMES)
    with pd.ExcelWriter(path) as book:
        frame.to_excel(book, sheet_name="herm chemical")
        (frame + frame.T).to_excel(book, sheet_name="herm gap")
    made = read_matrices(path, layers={"chemical": "herm chemical", "gap": "herm gap"})
    assert edges_of(made) == WANTED
    assert edges_of(made, "gap") == {("AVAL", "AVAR"): 1.0, ("AVAL", "DB1"): 5.5}
    with pytest.raises(InputError, match=r"herm chemical \(3 x 3\), herm gap \(3 x 3\)"):
        read_matrices(path)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(0, 99), st.sampled_from(["npz", "sparse", "mat", "csv"]))
def test_any_matrix_comes_back(tmp_path_factory, size: int, seed: int, form: str) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, 4, (size, size)) * rng.integers(0, 2, (size, size))
    path = tmp_path_factory.mktemp("matrix") / f"m.{'npz' if form == 'sparse' else form}"
    if form == "npz":
        np.savez(path, adjacency=dense)
    elif form == "sparse":
        sparse.save_npz(path, sparse.csr_array(dense))
    elif form == "mat":
        scipy.io.savemat(path, {"A": sparse.csc_array(dense.astype(float))})
    else:
        np.savetxt(path, dense, delimiter=" ")
    np.fill_diagonal(dense, 0)
    made = read_matrices(path)
    np.testing.assert_array_equal(made.layer("chemical").matrix(size).toarray(), dense)
    turned = read_matrices(path, transposed=True)
    np.testing.assert_array_equal(turned.layer("chemical").matrix(size).toarray(), dense.T)


def test_variables_are_layers_and_names(data: Path) -> None:
    path = data / "connectome" / "varshney" / "ConnOrdered_040903.mat"
    layers = {"chemical": "A_init_t_ordered", "gap": "Ag_t_ordered"}
    made = read_matrices(path, layers=layers, names="Neuron_ordered", unit="synapses")
    assert made.num_nodes == 279
    assert made.names[:3].tolist() == ["IL2DL", "IL2VL", "IL2L"]
    assert len(made.layer("chemical").pairs) == 2194
    assert made.layer("chemical").weight.sum() == 6394
    assert len(made.layer("gap").pairs) == 514
    assert made.report["gap_self_loops_dropped"] == 3
    with pytest.raises(InputError, match=r"which of its matrices.*A_init_t_ordered \(279 x 279\)"):
        read_matrices(path)
    with pytest.raises(InputError, match="no variable 'cells'"):
        read_matrices(path, layers=layers, names="cells")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", r"m\.csv: row 1 is empty"),
        (",A,B\nA,0,1\n", "1 rows and 2 columns"),
        ("0,1,2\n1,0,2\n", "2 rows and 3 columns"),
        (",A,B\nA,0,1\nC,1,0\n", "'C' in the first column and 'B' in the first row"),
        (",A,A\nA,0,1\nA,1,0\n", "two of the neurons are named 'A'"),
        (",A,B\nA,0,-1\nB,1,0\n", "'A' to 'B' has the weight -1"),
        (",A,B\nA,0,inf\nB,1,0\n", "'A' to 'B' has the weight inf"),
        (",A,B\nA,0,1\nB,nan,0\n", "'nan' is not a number"),
        (",A,B\nA,0,1\nB,x,0\n", "row 3, column 2: 'x' is not a number"),
    ],
)
def test_bad_matrix_is_named(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_matrices(write(tmp_path / "m.csv", table))


def test_bad_arrays_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, a=np.ones((2, 3)))
    with pytest.raises(InputError, match="2 rows and 3 columns"):
        read_matrices(path)
    np.savez(path, a=np.zeros((2, 2)), names=np.array(["x"]))
    with pytest.raises(InputError, match="1 names for 2 neurons"):
        read_matrices(path)
    np.savez(path, a=np.array([[0, np.nan], [1, 0]]))
    with pytest.raises(InputError, match="'0' to '1' has the weight nan"):
        read_matrices(path)
    np.savez(path, a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"m\.npz: .*allow_pickle"):
        read_matrices(path)
    with pytest.raises(InputError, match=r"a\.doc: a matrix ends in"):
        read_matrices(tmp_path / "a.doc")
    for ending in ("mat", "xlsx", "npz"):
        with pytest.raises(InputError, match=rf"b\.{ending}"):
            read_matrices(write(tmp_path / f"b.{ending}", "no such thing"))


@pytest.mark.parametrize("directed", [True, False])
def test_graphml_is_what_networkx_wrote(tmp_path: Path, directed: bool) -> None:
    graph = (nx.DiGraph if directed else nx.Graph)()
    for name, kind in zip(NAMES, ("sensory", "", "motor"), strict=True):
        graph.add_node(name, **({"class": kind} if kind else {}))
    graph.add_weighted_edges_from([("AVAL", "DB1", 2.0), ("DB1", "AVAR", 1.0)])
    nx.write_graphml(graph, tmp_path / "g.graphml")
    made = read_graphml(tmp_path / "g.graphml", unit="synapses")
    assert made.names.tolist() == NAMES
    assert made.cell_class.tolist() == ["sensory", "", "motor"]
    assert made.layer("chemical").directed == directed
    np.testing.assert_array_equal(
        made.layer("chemical").matrix(3).toarray(), nx.to_numpy_array(graph, nodelist=NAMES)
    )


def test_graphml_names_and_layers_are_attributes(tmp_path: Path) -> None:
    graph = nx.MultiDiGraph()
    graph.add_nodes_from([("n0", {"label": "A"}), ("n1", {"label": "B"})])
    graph.add_edge("n0", "n1", layer="chemical")
    graph.add_edge("n1", "n0", layer="electrical")
    nx.write_graphml(graph, tmp_path / "g.graphml")
    made = read_graphml(tmp_path / "g.graphml", node_mapping=NodeMapping(name="label"))
    assert edges_of(made) == {("A", "B"): 1.0}
    assert edges_of(made, "gap") == {("A", "B"): 1.0}


def test_bad_graphml_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"g\.graphml: this is no GraphML"):
        read_graphml(write(tmp_path / "g.graphml", "<a>"))
    nx.write_graphml(nx.DiGraph([(0, 1)]), tmp_path / "g.graphml")
    with pytest.raises(InputError, match=r"nodes: there is no column name"):
        read_graphml(tmp_path / "g.graphml", node_mapping=NodeMapping(name="name"))
    nx.write_graphml(nx.empty_graph(2), tmp_path / "g.graphml")
    with pytest.raises(InputError, match="the graph has no edges"):
        read_graphml(tmp_path / "g.graphml")


def test_neuprint_sums_regions_and_reads_sides(tmp_path: Path) -> None:
    neurons = write(
        tmp_path / "traced-neurons.csv",
        "bodyId,type,instance\n200326126,CL141,CL141_R\n202916528,FB4G,FB4G_L\n203253253,,\n",
    )
    connections = write(
        tmp_path / "traced-connections.csv",
        "bodyId_pre,bodyId_post,roi,weight\n200326126,202916528,EB,2\n"
        "200326126,202916528,FB,3\n202916528,203253253,FB,1\n",
    )
    made = read_neuprint(connections, neurons)
    assert edges_of(made) == {("200326126", "202916528"): 5.0, ("202916528", "203253253"): 1.0}
    assert made.cell_class.tolist() == ["CL141", "FB4G", ""]
    assert made.side.tolist() == ["right", "left", ""]
    with pytest.raises(InputError, match="no column bodyId_pre, bodyId_post, weight; there are"):
        read_neuprint(neurons, neurons)


FLYWIRE = f"""pre_root_id,post_root_id,neuropil,syn_count,nt_type
{ROOTS[0]},{ROOTS[1]},AL_R,7,ACH
{ROOTS[0]},{ROOTS[1]},LH_R,5,ACH
{ROOTS[1]},{ROOTS[0]},LH_R,6,GABA
"""


def test_flywire_ids_differ_in_their_last_digit(tmp_path: Path) -> None:
    connections = write(tmp_path / "connections.csv", FLYWIRE)
    neurons = write(
        tmp_path / "neurons.csv",
        f"root_id,group,nt_type\n{ROOTS[1]},LO.LOP,GABA\n{ROOTS[0]},AL.LH,ACH\n{ROOTS[2]},X,\n",
    )
    classes = write(
        tmp_path / "classification.csv",
        "root_id,flow,super_class,class,side\n"
        f"{ROOTS[0]},intrinsic,central,ALPN,right\n{ROOTS[1]},afferent,sensory,,left\n",
    )
    made = read_flywire(connections, neurons, classes)
    assert made.names.tolist() == [ROOTS[1], ROOTS[0], ROOTS[2]]
    assert edges_of(made) == {(ROOTS[0], ROOTS[1]): 12.0, (ROOTS[1], ROOTS[0]): 6.0}
    assert made.transmitter.tolist() == ["GABA", "acetylcholine", ""]
    assert made.cell_class.tolist() == ["sensory", "central", ""]
    assert made.side.tolist() == ["left", "right", ""]
    by_flow = read_flywire(connections, neurons, classes, class_column="flow")
    assert by_flow.cell_class.tolist() == ["afferent", "intrinsic", ""]
    assert read_flywire(connections).names.tolist() == sorted(ROOTS[:2])


def test_table_of_cave_has_a_row_a_synapse(tmp_path: Path) -> None:
    path = tmp_path / "synapses.parquet"
    ids = np.array([int(root) for root in ROOTS])
    pd.DataFrame({"pre_pt_root_id": ids[[0, 0, 1]], "post_pt_root_id": ids[[1, 1, 2]]}).to_parquet(
        path
    )
    assert edges_of(read_flywire(path)) == {ROOTS[:2]: 2.0, ROOTS[1:]: 1.0}


@pytest.mark.parametrize(
    ("connections", "neurons", "message"),
    [
        (
            FLYWIRE.replace(ROOTS[1], "7.20576e+17"),
            None,
            r"row 4, column pre_root_id: '7\.2.*text",
        ),
        ("pre,post\n1,2\n", None, "no column pre_root_id, post_root_id, syn_count"),
        (FLYWIRE, f"root_id\n{ROOTS[0]}\n", f"'{ROOTS[1]}' is not in"),
        (FLYWIRE, f"root_id\n{ROOTS[0]}\n{ROOTS[0]}\n", "two of the neurons are named"),
        (FLYWIRE, f"root_id,side\n{ROOTS[0]},up\n{ROOTS[1]},\n", "column side: .*not , up"),
    ],
)
def test_bad_flywire_tables_are_named(
    tmp_path: Path, connections: str, neurons: str | None, message: str
) -> None:
    tables = [write(tmp_path / "neurons.csv", neurons)] if neurons else []
    with pytest.raises(InputError, match=message):
        read_flywire(write(tmp_path / "connections.csv", connections), *tables)
