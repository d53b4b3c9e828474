"""Each leak is planted, and seen to be caught."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from retia.protocol import audit as audits
from retia.protocol.audit import audit
from retia.protocol.findings import Finding
from retia.shards.version import Version
from retia.shards.writer import write_parquet
from tests.toys import toy_link, toy_node


def failed(version: Version) -> list[str]:
    return [finding.check for finding in audit(version) if finding.status == "failed"]


def plant(version: Version, path: str, table: pa.Table) -> Version:
    write_parquet(table, version.root / path)
    return version


def with_column(table: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    index = table.column_names.index(name)
    return table.set_column(index, name, pa.array(values, table.schema.field(name).type))


@pytest.fixture
def link(tmp_path: Path) -> Version:
    return toy_link(tmp_path)


@pytest.mark.parametrize("spatial", [False, True])
def test_a_clean_link_dataset_passes(tmp_path: Path, spatial: bool) -> None:
    version = toy_link(tmp_path, spatial=spatial, num_nodes=600 if spatial else 80)
    findings = audit(version)
    assert [finding for finding in findings if finding.status != "passed"] == []
    assert any(finding.check == "degree alone" for finding in findings)


def test_a_clean_node_dataset_passes(tmp_path: Path) -> None:
    assert failed(toy_node(tmp_path)) == []


def test_a_hidden_edge_among_the_visible_ones_fails(link: Version) -> None:
    items = link.task_table("link", 0, "test")
    answers = link.answers("link", 0, "test")["label"].to_numpy()
    hidden = items.filter(pa.array(answers > 0)).slice(0, 1)
    edges = link.edges("edge")
    row = pa.table(
        {"src": hidden["src"], "dst": hidden["dst"], "weight": pa.array([1.0], pa.float32())}
    )
    together = pa.concat_tables([edges, row]).sort_by([("src", "ascending"), ("dst", "ascending")])
    plant(link, "edges/edge/part-00000.parquet", together)
    assert "items" in failed(link)


def test_a_reversed_hidden_edge_of_an_undirected_relation_fails(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, num_nodes=600)
    items = version.task_table("link", 0, "test")
    train = version.task_table("link", 0, "train")
    row = pa.table({"src": items["dst"].slice(0, 1), "dst": items["src"].slice(0, 1)})
    plant(version, "tasks/link/0/train.parquet", pa.concat_tables([train, row]))
    assert failed(version) == ["training edges"]


def test_a_block_split_without_its_buffer_fails(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, blocks=True, num_nodes=9000)
    assert failed(version) == []
    visible = version.edges("edge", ["src", "dst"])
    plant(version, "tasks/link/0/train.parquet", visible)
    assert failed(version) == ["buffer"]


def test_a_column_from_the_full_graph_fails(link: Version) -> None:
    nodes = link.nodes()
    full = nodes["degree_in"].to_numpy().copy()
    full[:5] += 0.1
    plant(link, "nodes/part-00000.parquet", with_column(nodes, "degree_in", full))
    assert failed(link) == ["recipe"]


def test_a_negative_that_is_a_hidden_edge_fails(link: Version) -> None:
    answers = link.answers("link", 2, "valid")
    labels = answers["label"].to_numpy().copy()
    labels[np.flatnonzero(labels > 0)[:1]] = 0
    plant(link, "tasks/link/2/valid-answers.parquet", with_column(answers, "label", labels))
    assert "negatives" in failed(link)


def test_a_doubled_pair_and_a_self_loop_fail(link: Version) -> None:
    items = link.task_table("link", 1, "test")
    src, dst = (items[end].to_numpy().copy() for end in ("src", "dst"))
    src[1], dst[1] = src[0], dst[0]
    plant(
        link,
        "tasks/link/1/test.parquet",
        with_column(with_column(items, "src", src), "dst", dst),
    )
    edges = link.edges("edge")
    ends = edges["dst"].to_numpy().copy()
    ends[0] = edges["src"][0].as_py()
    plant(link, "edges/edge/part-00000.parquet", with_column(edges, "dst", ends))
    assert {"items", "edges"} <= set(failed(link))


def test_a_list_in_the_order_of_its_answers_fails(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, num_nodes=1200)
    for split in range(10):
        items = version.task_table("link", split, "valid")
        answers = version.answers("link", split, "valid")
        order = np.argsort(-answers["label"].to_numpy(), kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        ordered = items.take(order).set_column(0, "item", items["item"])
        labels = with_column(answers, "label", answers["label"].to_numpy()[order])
        members = version.answers("link", split, "valid", "candidates")
        moved = with_column(members, "item", place[members["item"].to_numpy()])
        folder = f"tasks/link/{split}"
        plant(version, f"{folder}/valid.parquet", ordered)
        plant(version, f"{folder}/valid-answers.parquet", labels)
        plant(version, f"{folder}/valid-candidates.parquet", moved)
    assert failed(version) == ["list: place in the list", "hard list: place in the list"]


def test_uniform_negatives_called_matched_fail_by_distance(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, num_nodes=1200)
    for split in range(10):
        path = f"tasks/link/{split}/valid-candidates.parquet"
        table = version.answers("link", split, "valid", "candidates")
        names = np.array(table["candidates"].to_pylist())
        swapped = names.copy()
        swapped[names == "matched"], swapped[names == "uniform"] = "box", "matched"
        plant(version, path, with_column(table, "candidates", swapped))
    assert "distance alone" in failed(version)


def test_nodes_in_two_parts_and_ids_in_the_order_of_classes_fail(tmp_path: Path) -> None:
    version = toy_node(tmp_path, num_nodes=600)
    valid = version.task_table("colour", 4, "valid")
    train = version.task_table("colour", 4, "train")
    nodes = train["node"].to_numpy().copy()
    nodes[0] = valid["item"][0].as_py()
    plant(version, "tasks/colour/4/train.parquet", with_column(train, "node", nodes))
    first = version.task_table("colour", 0, "train")
    labels = np.sort(first["label"].to_numpy())
    plant(version, "tasks/colour/0/train.parquet", with_column(first, "label", labels))
    assert failed(version) == ["parts", "order of ids"]


def test_sealed_answers_that_are_not_here_are_not_checked(tmp_path: Path) -> None:
    version = toy_link(tmp_path, sealed=True)
    assert failed(version) == []
    import shutil

    shutil.rmtree(version.root / "sealed")
    findings = [finding for finding in audit(version) if finding.subject == "link/test"]
    by_check = {finding.check: finding.status for finding in findings}
    assert by_check == {"items": "passed", "negatives": "not checked", "probes": "not checked"}


def test_the_worst_split_speaks_for_a_check() -> None:
    fine = Finding("items", "link/test", "passed", "fine")
    merged = audits._merge((fine, replace(fine, status="failed", detail="bad"), fine))
    assert merged == Finding("items", "link/test", "failed", "split 1: bad")
