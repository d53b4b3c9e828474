"""Connectomes handed over: several tasks over one visible graph, and weights to be predicted."""

from pathlib import Path

import numpy as np
import pytest
import torch

import retia
from retia.protocol.evaluation import load_truth
from retia.shards.errors import InputError
from retia.shards.ogb import export_ogb
from tests.toy_connectome import BLOCK, HOMOLOGS, toy_classes, toy_links, toy_weights


def test_each_link_task_has_the_edges_of_its_relation(tmp_path: Path) -> None:
    dataset = retia.load(str(toy_links(tmp_path).root))
    with pytest.raises(InputError, match="chemical, gap"):
        dataset.split()
    for name in ("chemical", "gap"):
        split, edges = dataset.split(name, 2), dataset.version.edges(name)
        train = np.stack([edges[end].to_numpy() for end in ("src", "dst")])
        assert np.array_equal(split.train_edge, train)
        assert np.array_equal(
            split.test_labels, load_truth(dataset.version, name, 2, "test").labels
        )
    data = dataset.pyg("gap")
    assert data.edge_index.shape[1] == 2 * dataset.version.edges("gap").num_rows
    assert np.array_equal(data.edge_index_chemical, dataset.split("chemical").train_edge)


def test_each_task_is_exported_beside_the_other(tmp_path: Path) -> None:
    version = toy_links(tmp_path / "store")
    paths = [export_ogb(version, task, tmp_path) for task in ("chemical", "gap")]
    assert [path.name for path in paths] == ["toy_links_chemical.zip", "toy_links_gap.zip"]
    assert all(path.exists() for path in paths)


def test_labels_of_several_node_tasks_are_told_apart(tmp_path: Path) -> None:
    data = retia.load(str(toy_classes(tmp_path, HOMOLOGS).root)).data
    assert data.y.tolist() == BLOCK.tolist()
    assert data.y_odd.tolist() == (BLOCK % 2).tolist()


def test_a_split_of_weights_has_edges_and_labels(tmp_path: Path) -> None:
    dataset = retia.load(str(toy_weights(tmp_path).root))
    split = dataset.split(index=3)
    assert split.train_edge.shape == (2, len(split.train_label))
    assert split.train_label.dtype == split.test_label.dtype == torch.float32
    truth = load_truth(dataset.version, "weight", 3, "test")
    assert np.array_equal(split.test_label, truth.labels.astype(np.float32))
    assert np.array_equal(split.test_item, truth.items)
    data = dataset.data
    hidden = data.edge_attr[:, 0].isnan()
    asked = torch.cat([split.valid_edge, split.test_edge], dim=1).T.tolist()
    assert sorted(asked) == sorted(data.edge_index[:, hidden].T.tolist())


def test_a_sealed_split_of_weights_has_no_test_labels(tmp_path: Path) -> None:
    assert retia.load(str(toy_weights(tmp_path, sealed=True).root)).split().test_label is None
