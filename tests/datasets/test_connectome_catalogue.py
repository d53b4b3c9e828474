"""What the catalogue's sources hold, counted, and held against the sources themselves."""

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.io

from retia.datasets.connectome.catalogue import (
    CATALOGUE,
    WITVLIET_STAGES,
    fetch_entry,
    find_entry,
    witvliet,
)
from retia.datasets.connectome.graph import Connectome
from retia.datasets.connectome.readers.cect import read_cect
from retia.datasets.connectome.worm import CELL_TYPES, describe_cells, read_transmitters
from retia.datasets.pinned import SOURCES
from retia.shards.canonical import sha256_file
from retia.shards.errors import InputError, NotFoundError

WORMS = {
    "celegans": "Cook2019HermReader.json",
    "celegans-varshney": "VarshneyDataReader.json",
    "celegans-witvliet-adult": "WitvlietDataReader8.json",
}
FOLDERS = {"larva": "drosophila_larva", "mushroom-body": "mushroom_body"}


@pytest.fixture(scope="module")
def known(data: Path) -> dict[str, Connectome]:
    """All connectomes of the catalogue; the worms without transmitters."""
    folder = data / "connectome"
    cells = folder / "celegans" / "all_cell_info.csv"
    worms = {
        name: find_entry(name).read([folder / "celegans" / file, cells])
        for name, file in WORMS.items()
    }
    flies = {
        name: find_entry(name).read(
            [file.path for file in fetch_entry(find_entry(name), folder / place)]
        )
        for name, place in FOLDERS.items()
    }
    return worms | flies


@pytest.mark.parametrize(
    ("name", "nodes", "layers"),
    [
        ("celegans", 302, {"chemical": (3671, 20848), "gap": (1091, 5744)}),
        ("celegans-varshney", 280, {"chemical": (2194, 6394), "gap": (514, 887)}),
        ("celegans-witvliet-adult", 180, {"chemical": (1933, 7099), "gap": (296, 415)}),
        ("larva", 3591, {"chemical": (118433, 375253)}),
        ("mushroom-body", 422, {"chemical": (14961, 51693)}),
    ],
)
def test_neurons_connections_and_weight_are_counted(
    known: dict[str, Connectome], name: str, nodes: int, layers: dict[str, tuple[int, int]]
) -> None:
    made = known[name]
    assert made.num_nodes == nodes
    assert {x.name: (len(x.pairs), x.weight.sum()) for x in made.layers} == layers
    assert {x.unit for x in made.layers} == {find_entry(name).unit}
    assert set(made.cell_class) - {""} <= set(find_entry(name).classes)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("celegans", {"sensory": 83, "inter": 89, "motor": 123, "": 7}),
        ("celegans-varshney", {"sensory": 83, "inter": 81, "motor": 116}),
        ("celegans-witvliet-adult", {"sensory": 69, "inter": 75, "motor": 36}),
        ("mushroom-body", {"KC": 201, "PN": 121, "MBON": 58, "MBIN": 42}),
    ],
)
def test_classes_are_counted(
    known: dict[str, Connectome], name: str, counts: dict[str, int]
) -> None:
    found, number = np.unique(known[name].cell_class, return_counts=True)
    assert dict(zip(found.tolist(), number.tolist(), strict=True)) == counts


def test_cache_files_hold_all_cells(data: Path) -> None:
    counts = {}
    for name, file in WORMS.items():
        cells = read_cect(data / "connectome" / "celegans" / file)
        chemical, gap = cells.layers
        loops = cells.report["chemical_self_loops_dropped"], cells.report["gap_self_loops_dropped"]
        counts[name] = (cells.num_nodes, len(chemical.pairs), len(gap.pairs), loops)
    assert counts == {
        "celegans": (473, 4841, 1433, (38, 17)),
        "celegans-varshney": (281, 2309, 514, (0, 3)),
        "celegans-witvliet-adult": (219, 2186, 302, (0, 8)),
    }


def test_varshney_without_muscle_is_the_published_matrix(
    known: dict[str, Connectome], data: Path
) -> None:
    """cect has one neuron more, VC6, which has no connection to another neuron."""
    published = scipy.io.loadmat(
        data / "connectome" / "varshney" / "ConnOrdered_040903.mat", squeeze_me=True
    )
    names = pd.Series(published["Neuron_ordered"]).str.replace(
        r"^(VA|VB|VC|VD|DA|DB|DD|AS)0", r"\1", regex=True
    )
    worm = known["celegans-varshney"]
    rows = pd.Index(worm.names).get_indexer(names)
    assert (rows >= 0).all()
    assert set(worm.names) - set(names) == {"VC6"}
    chemical = worm.layer("chemical").matrix(280).toarray()[np.ix_(rows, rows)]
    np.testing.assert_array_equal(chemical, published["A_init_t_ordered"].toarray())
    gap = worm.layer("gap").matrix(280).toarray()[np.ix_(rows, rows)]
    wanted = published["Ag_t_ordered"].toarray()
    np.fill_diagonal(wanted, 0)
    np.testing.assert_array_equal(gap, wanted)


def test_worms_neurons_are_paired_by_name(known: dict[str, Connectome]) -> None:
    worm = known["celegans"]
    names = worm.names.tolist()
    partner = {n: names[row] for n, row in zip(names, worm.homolog, strict=True) if row >= 0}
    assert len(partner) == 198
    assert partner["AVAL"] == "AVAR"
    assert not {"AVL", "RIR", "PVR", "AQR", "PQR"} & set(partner)
    side = dict(zip(names, worm.side.tolist(), strict=True))
    assert (side["AVAL"], side["AVAR"], side["AVL"]) == ("left", "right", "")


def test_larva_equals_its_table_and_its_list(known: dict[str, Connectome], data: Path) -> None:
    folder = data / "connectome" / "drosophila_larva"
    larva = known["larva"]
    meta = pd.read_csv(folder / "meta_data.csv", index_col=0, low_memory=False)
    assert larva.names.tolist() == meta.index.astype(str).tolist()
    assert larva.cell_class.tolist() == meta["simple_group"].replace("unk", "Other").tolist()
    spelled = meta["hemisphere"].map({"L": "left", "R": "right", "C": "center"})
    assert larva.side.tolist() == spelled.tolist()
    paired = larva.homolog >= 0
    assert paired.sum() == 3278
    assert larva.names[larva.homolog[paired]].tolist() == meta["pair"][paired].astype(str).tolist()
    edges = pd.read_csv(folder / "G_edgelist.txt", sep=" ", names=["src", "dst", "weight"])
    edges = edges[edges.src != edges.dst]
    graph = nx.from_pandas_edgelist(
        edges, "src", "dst", edge_attr="weight", create_using=nx.DiGraph
    )
    chemical = larva.layer("chemical")
    ends = larva.names[chemical.pairs].astype(np.int64).tolist()
    assert len(ends) == graph.number_of_edges()
    assert all(
        graph[src][dst]["weight"] == weight
        for (src, dst), weight in zip(ends, chemical.weight, strict=True)
    )
    assert larva.report["chemical_self_loops_dropped"] == 577
    degree = chemical.matrix(larva.num_nodes).astype(bool)
    assert (degree.sum(axis=0) + degree.sum(axis=1) == 0).sum() == 37


def test_sides_of_the_mushroom_body_stand_side_by_side(
    known: dict[str, Connectome], data: Path
) -> None:
    body = known["mushroom-body"]
    chemical = body.layer("chemical").matrix(422).toarray()
    left = np.flatnonzero(body.side == "left")
    for side, rows in (("left", left), ("right", np.setdiff1d(np.arange(422), left))):
        wanted = np.loadtxt(data / "connectome" / "mushroom_body" / f"{side}_adjacency.csv")
        np.testing.assert_array_equal(chemical[np.ix_(rows, rows)], wanted)
    pn, kc = body.cell_class == "PN", body.cell_class == "KC"
    assert chemical[np.ix_(pn, kc)].sum() == 4839
    assert chemical[np.ix_(kc, pn)].sum() == 0
    assert (body.names[0], body.names[209]) == ("left-0", "right-0")


def test_pinned_worms_are_the_test_files(data: Path) -> None:
    for name, file in WORMS.items():
        source = find_entry(name).source
        assert source is not None
        (path, digest), (_, cells), _ = SOURCES[source].members
        assert path.endswith(file)
        folder = data / "connectome" / "celegans"
        assert digest == sha256_file(folder / file)
        assert cells == sha256_file(folder / "all_cell_info.csv")


def test_eight_animals_have_a_stage() -> None:
    entries = [witvliet(animal) for animal in range(1, 9)]
    assert [entry.source in SOURCES for entry in entries] == [True] * 8
    assert len({entry.name for entry in entries}) == 8
    assert entries[7].name in CATALOGUE
    assert WITVLIET_STAGES[4:] == ("L2", "L3", "adult", "adult")


def test_transmitters_are_read_from_the_published_sheet(tmp_path: Path) -> None:
    sheet = pd.DataFrame(
        [
            ["", "A title over the table", "", ""],
            ["", "Class", "Neuron", "Neurotransmitter(s)"],
            ["", "AVA", "AVAL", "ACh"],
            ["", "", "DB1/3", "*ACh - NEW"],
            ["", "", "AVL", "GABA (uptake)"],
            ["", "", "I1L", "unknown (orphan)"],
            ["", "", "ASEL", "Glu "],
            ["", "ACh = acetylcholine", "", ""],
        ]
    )
    path = tmp_path / "wang.xlsx"
    sheet.to_excel(path, header=False, index=False)
    assert read_transmitters(path) == {
        "AVAL": "acetylcholine",
        "DB1": "acetylcholine",
        "AVL": "",
        "I1L": "",
        "ASEL": "glutamate",
    }
    sheet.iloc[2:].to_excel(path, header=False, index=False)
    with pytest.raises(InputError, match=r"wang\.xlsx: there is no one column"):
        read_transmitters(path)


def test_cells_without_a_class_stay_and_others_go(tmp_path: Path) -> None:
    types = {"A": "Amphid", "B": "Layer 1 interneuron", "C": "Canal neuron", "m": "Head muscle"}
    matrix = [[5, 1, 0, 9], [0, 0, 2, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
    gap = [[7, 3, 0, 0], [4, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    path = tmp_path / "worm.json"
    connections = {"Generic_CS": matrix, "Generic_GJ": gap}
    path.write_text(json.dumps({"nodes": list(types), "connections": connections}))
    worm = describe_cells(read_cect(path), types, {"A": "glutamate"})
    assert worm.names.tolist() == ["A", "B", "C"]
    assert worm.cell_class.tolist() == ["sensory", "inter", ""]
    assert worm.transmitter.tolist() == ["glutamate", "", ""]
    assert worm.layer("chemical").pairs.tolist() == [[0, 1], [1, 2]]
    assert worm.layer("gap").weight.tolist() == [4.0]
    assert worm.report["gap_pairs_of_unequal_weight"] == 1
    assert set(CELL_TYPES.values()) == {"sensory", "inter", "motor", ""}


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        '{"nodes": ["a"]}',
        '{"nodes": ["a"], "connections": {"Generic_CS": [[-1]], "Generic_GJ": [[0]]}}',
        '{"nodes": ["a"], "connections": {"Generic_CS": [[NaN]], "Generic_GJ": [[0]]}}',
        '{"nodes": ["a"], "connections": {"Generic_CS": [[1, 2]], "Generic_GJ": [[0]]}}',
        '{"nodes": ["a", "a"], "connections": {"Generic_CS": [[0, 0], [0, 0]], '
        '"Generic_GJ": [[0, 0], [0, 0]]}}',
    ],
)
def test_cache_file_of_another_form_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "worm.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"worm\.json"):
        read_cect(path)


def test_files_of_the_users_own_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"G_edgelist\.txt and meta_data\.csv.*folder"):
        fetch_entry(find_entry("larva"))
    with pytest.raises(InputError, match="no such file"):
        fetch_entry(find_entry("larva"), tmp_path)
    with pytest.raises(NotFoundError, match="no connectome 'mouse'; there are: celegans,"):
        find_entry("mouse")
