"""What a dataset is handed over as equals what its tables say."""

import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch

import retia
from retia.protocol.evaluation import load_truth
from retia.shards.errors import InputError, IntegrityError, NotFoundError
from retia.shards.version import Version
from tests.toys import toy_link

ROOT = Path(__file__).resolve().parents[2]


def load(store, name):
    return retia.load(name, store=store)


def columns(table, *names):
    return np.stack([table[name].to_numpy() for name in names])


def test_load_takes_a_name_a_version_or_a_folder(store):
    assert load(store, "toy-link").manifest.version == "1.0.1"
    assert load(store, "toy-link@1.0.0").manifest.version == "1.0.0"
    assert retia.load(str(store / "toy-link/1.0.0")).manifest.version == "1.0.0"


def test_what_is_nowhere_is_not_found(store, cache):
    with pytest.raises(NotFoundError, match="nothing"):
        retia.load("nothing", store=store, cache=cache)


def test_a_file_altered_in_the_store_is_refused_by_name(tmp_path):
    version = toy_link(tmp_path)
    shard = version.manifest.files("nodes")[0].path
    content = bytearray((version.root / shard).read_bytes())
    content[len(content) // 2] ^= 1
    (version.root / shard).write_bytes(content)
    with pytest.raises(IntegrityError, match=shard):
        load(tmp_path, "toy-link")


def test_a_dataset_shows_itself(store):
    assert repr(load(store, "toy-node")) == "Dataset(toy-node@1.0.0: 80 nodes; colour)"


def test_pyg_of_a_directed_relation(store):
    dataset = load(store, "toy-link")
    data, edges = dataset.data, dataset.version.edges("edge")
    assert data.num_nodes == 80 and data.validate()
    assert np.array_equal(data.edge_index, columns(edges, "src", "dst"))
    assert np.array_equal(data.edge_attr, columns(edges, "weight").T)
    nodes = dataset.version.nodes()
    assert np.array_equal(data.x, columns(nodes, "degree_in", "degree_out").T)
    assert (data.edge_index.dtype, data.x.dtype) == (torch.int64, torch.float32)
    assert "pos" not in data and "y" not in data
    assert dataset.data is data


def test_pyg_of_an_undirected_relation_has_both_directions(store):
    dataset = load(store, "toy-spatial")
    data, edges = dataset.pyg(), dataset.version.edges("edge")
    once = columns(edges, "src", "dst")
    assert data.is_undirected() and data.num_edges == 2 * edges.num_rows
    assert np.array_equal(data.edge_index, np.concatenate([once, once[::-1]], axis=1))
    assert np.array_equal(data.edge_attr[: edges.num_rows], data.edge_attr[edges.num_rows :])
    assert np.array_equal(data.pos, dataset.version.nodes()["pos"].to_pylist())


def test_pyg_labels_are_the_public_ones(store):
    for name in ("toy-node", "toy-node-sealed"):
        dataset = load(store, name)
        split, y = dataset.split(), dataset.data.y
        assert torch.equal(y[split.train_node], split.train_label)
        assert torch.equal(y[split.valid_node], split.valid_label)
        assert (y[:3] == -1).all(), "the toy's first nodes have no label"
        if name == "toy-node":
            assert (y[3:] >= 0).all()
        else:
            assert (y[split.test_node] == -1).all()


@pytest.mark.parametrize("name", ["toy-link", "toy-sealed", "toy-spatial"])
@pytest.mark.parametrize("index", [0, 9])
def test_a_link_split_equals_the_tables(store, name, index):
    dataset = load(store, name)
    split, version = dataset.split(index=index), dataset.version
    for part in ("train", "valid", "test"):
        table = version.task_table("link", index, part)
        pairs = split.train_edge if part == "train" else getattr(split, f"{part}_pairs")
        assert np.array_equal(pairs, columns(table, "src", "dst"))
    truth = load_truth(version, "link", index, "valid")
    assert np.array_equal(split.valid_labels, truth.labels)
    assert np.array_equal(split.valid_item, truth.items)
    assert set(split.valid_candidates) == set(truth.candidates)
    for candidates, members in truth.candidates.items():
        assert np.array_equal(split.valid_candidates[candidates].item, members.item)
        assert np.array_equal(split.valid_candidates[candidates].group, members.group)


def test_an_open_split_has_test_labels_and_a_sealed_one_has_not(store):
    truth = load_truth(Version.open(store / "toy-link/1.0.1"), "link", 2, "test")
    assert np.array_equal(load(store, "toy-link").split(index=2).test_labels, truth.labels)
    assert (store / "toy-sealed/1.0.0/sealed").is_dir(), "the answers lie at hand"
    sealed = load(store, "toy-sealed").split()
    assert sealed.test_labels is None and sealed.test_candidates is None
    assert load(store, "toy-node").split().test_label is not None
    assert load(store, "toy-node-sealed").split().test_label is None


def test_a_split_or_task_that_is_not_there_is_named(store):
    dataset = load(store, "toy-link")
    with pytest.raises(NotFoundError, match="no split 10"):
        dataset.split(index=10)
    with pytest.raises(NotFoundError, match="no task 'nodes'"):
        dataset.split("nodes")
    with pytest.raises(NotFoundError, match="no relation 'gap'"):
        dataset.pyg("gap")


def test_pandas_nodes_carry_ids_where_these_are_public(store):
    nodes, edges = load(store, "toy-link").as_pandas()
    assert list(nodes["name"][:2]) == ["n0", "n1"] and nodes.index.name == "node"
    assert list(edges["edge"]) == ["src", "dst", "weight"]
    sealed, _ = load(store, "toy-sealed").as_pandas()
    assert "name" not in sealed


def test_pandas_spreads_vectors(store):
    dataset = load(store, "toy-spatial")
    nodes, _ = dataset.as_pandas()
    found = nodes[["pos_0", "pos_1", "pos_2"]].to_numpy()
    assert np.array_equal(found, dataset.data.pos.numpy())


@pytest.mark.parametrize("name", ["toy-link", "toy-spatial"])
def test_networkx_has_the_same_adjacency_as_pyg(store, name):
    dataset = load(store, name)
    graph, data = dataset.as_networkx(), dataset.data
    assert type(graph) is (nx.DiGraph if name == "toy-link" else nx.Graph)
    assert list(graph) == list(range(data.num_nodes))
    index, weight = data.edge_index.numpy(), data.edge_attr[:, 0].numpy()
    dense = np.zeros((data.num_nodes, data.num_nodes))
    dense[index[0], index[1]] = weight
    assert np.array_equal(nx.to_numpy_array(graph, weight="weight"), dense)


def test_pyg_of_two_relations_names_the_further_one(two_relations):
    data = retia.load(str(two_relations.root)).data
    assert data.edge_index_gap_junction.tolist() == [[0, 1, 1, 2], [1, 2, 0, 1]]
    other = retia.load(str(two_relations.root)).pyg("gap-junction")
    assert torch.equal(other.edge_index, data.edge_index_gap_junction)
    assert torch.equal(other.edge_index_edge, data.edge_index)
    assert torch.equal(other.edge_attr_edge, data.edge_attr)


def test_networkx_of_two_relations_is_a_multigraph(two_relations):
    dataset = retia.load(str(two_relations.root))
    graph = dataset.as_networkx()
    assert type(graph) is nx.MultiDiGraph
    gaps = {(u, v) for u, v, key in graph.edges(keys=True) if key == "gap-junction"}
    assert gaps == {(0, 1), (1, 2), (1, 0), (2, 1)}
    directed = {(u, v) for u, v, key in graph.edges(keys=True) if key == "edge"}
    assert directed == set(dataset.as_networkx("edge").edges)
    assert type(dataset.as_networkx("gap-junction")) is nx.Graph


def test_import_is_cheap():
    code = "import sys, retia; print({'torch', 'pandas', 'httpx', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_load_needs_no_torch(store):
    code = (
        "import sys; sys.modules['torch'] = sys.modules['pandas'] = None\n"
        f"import retia\nd = retia.load('toy-link', store={str(store)!r})\n"
        "for use in (lambda: d.split(), lambda: d.as_pandas()):\n"
        "    try: use()\n"
        "    except retia.shards.MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines() == [
        "torch is not installed; run: pip install 'retia[bench]'",
        "pandas is not installed; run: pip install 'retia[build]'",
    ], done.stderr


def test_several_tasks_have_to_be_named(tmp_path):
    dataset = retia.load(str(toy_link(tmp_path).root))
    task = dataset.manifest.tasks[0]
    two = dataset.manifest.model_copy(
        update={"tasks": (task, task.model_copy(update={"name": "again"}))}
    )
    with pytest.raises(InputError, match="link, again"):
        type(dataset)(Version(dataset.version.root, two)).split()
