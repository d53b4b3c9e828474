"""Each leak is planted, and seen to be caught."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest

from retia.protocol import audit as audits
from retia.protocol.audit import audit
from retia.protocol.evaluation import load_truth
from retia.protocol.findings import Finding
from retia.protocol.predictions import PARTS
from retia.shards.manifest import Part, Split
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


def ends(table: pa.Table) -> list[tuple[int, int]]:
    return list(zip(table["src"].to_pylist(), table["dst"].to_pylist(), strict=True))


def positives(version: Version, split: int, part: Part) -> pa.Table:
    """The items of a part that are scored as edges."""
    return version.task_table("link", split, part).take(
        load_truth(version, "link", split, part).scored
    )


def with_edges(version: Version, src: pa.Array, dst: pa.Array) -> pa.Table:
    weight = pa.array(np.ones(len(src)), pa.float32())
    more = pa.table({"src": src, "dst": dst, "weight": weight})
    together = pa.concat_tables([version.edges("edge"), more])
    return together.sort_by([("src", "ascending"), ("dst", "ascending")])


def change_pair(version: Version, split: int, part: Part, item: int, src: int, dst: int) -> None:
    table = version.task_table("link", split, part)
    for name, node in (("src", src), ("dst", dst)):
        values = table[name].to_numpy().copy()
        values[item] = node
        table = with_column(table, name, values)
    plant(version, f"tasks/link/{split}/{part}.parquet", table)


def claim_blocks(version: Version, **parameters: Any) -> Version:
    """The version, whose split says that it is by blocks."""
    split = Split(scheme="block", parameters=parameters)
    tasks = (version.manifest.tasks[0].model_copy(update={"split": split}),)
    return Version(version.root, version.manifest.model_copy(update={"tasks": tasks}))


def renumber(version: Version, order: np.ndarray) -> Version:
    """The version with its nodes in that order."""
    new = np.argsort(order)
    plant(version, "nodes/part-00000.parquet", version.nodes().take(order))
    edges = map_nodes(version.edges("edge"), new)
    edges = edges.sort_by([("src", "ascending"), ("dst", "ascending")])
    plant(version, "edges/edge/part-00000.parquet", edges)
    for split in range(10):
        for name in ("train", *PARTS):
            table = version.task_table("link", split, name)
            plant(version, f"tasks/link/{split}/{name}.parquet", map_nodes(table, new))
    return version


def map_nodes(table: pa.Table, new: np.ndarray) -> pa.Table:
    for name in ("src", "dst"):
        table = with_column(table, name, new[table[name].to_numpy()])
    return table


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


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_hidden_edge_among_the_visible_ones_fails(link: Version, part: Part) -> None:
    hidden = positives(link, 0, part).slice(0, 1)
    plant(link, "edges/edge/part-00000.parquet", with_edges(link, hidden["src"], hidden["dst"]))
    assert "items" in failed(link)


def test_the_reverse_of_a_hidden_edge_among_undirected_edges_fails(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, num_nodes=600)
    hidden = positives(version, 0, "test").slice(0, 1)
    edges = with_edges(version, hidden["dst"], hidden["src"])
    plant(version, "edges/edge/part-00000.parquet", edges)
    assert {"edges", "items"} <= set(failed(version))


def test_a_reversed_hidden_edge_of_an_undirected_relation_fails(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, num_nodes=600)
    hidden = positives(version, 0, "test").slice(0, 1)
    train = version.task_table("link", 0, "train")
    row = pa.table({"src": hidden["dst"], "dst": hidden["src"]})
    plant(version, "tasks/link/0/train.parquet", pa.concat_tables([train, row]))
    assert failed(version) == ["training edges"]


def test_a_training_edge_that_stands_twice_fails(link: Version) -> None:
    train = link.task_table("link", 3, "train")
    plant(link, "tasks/link/3/train.parquet", pa.concat_tables([train, train.slice(5, 1)]))
    assert failed(link) == ["training edges"]


def test_an_edge_that_is_scored_in_both_parts_fails(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, num_nodes=600)
    edge, place = positives(version, 4, "valid"), positives(version, 4, "test")["item"][0].as_py()
    change_pair(version, 4, "test", place, edge["src"][0].as_py(), edge["dst"][0].as_py())
    assert "parts" in failed(version)


def test_a_listed_self_loop_fails(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, num_nodes=600)
    change_pair(version, 1, "valid", 7, 3, 3)
    assert failed(version) == ["items"]


def test_a_negative_that_is_an_edge_of_another_split_fails(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, num_nodes=600)
    listed = {pair for part in PARTS for pair in ends(version.task_table("link", 2, part))}
    edge = next(pair for pair in ends(positives(version, 0, "valid")) if pair not in listed)
    labels = version.answers("link", 2, "test")["label"].to_numpy()
    change_pair(version, 2, "test", int(np.flatnonzero(labels == 0)[0]), *edge)
    assert failed(version) == ["negatives"]


def test_a_sealed_answer_in_the_public_part_of_another_split_fails(tmp_path: Path) -> None:
    version = toy_link(tmp_path, sealed=True, spatial=True, num_nodes=600, secret=bytes(32))
    assert failed(version) == []
    listed = set(ends(version.task_table("link", 1, "test")))
    edge = next(pair for pair in ends(positives(version, 0, "test")) if pair not in listed)
    place = positives(version, 1, "valid")["item"][0].as_py()
    change_pair(version, 1, "valid", place, *edge)
    assert "secrecy" in failed(version)


def test_a_sealed_label_in_the_public_part_of_another_split_fails(tmp_path: Path) -> None:
    version = toy_node(tmp_path, sealed=True)
    assert failed(version) == []
    train = version.task_table("colour", 1, "train")
    nodes = train["node"].to_numpy().copy()
    own = set(version.task_table("colour", 1, "test")["item"].to_pylist())
    asked = version.task_table("colour", 0, "test")["item"].to_pylist()
    nodes[0] = next(node for node in asked if node not in own)
    plant(version, "tasks/colour/1/train.parquet", with_column(train, "node", nodes))
    assert failed(version) == ["secrecy"]


def test_a_random_split_that_claims_blocks_fails(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, num_nodes=9000)
    assert failed(version) == []
    train = version.manifest.relations[0].num_edges
    counts = {"context_edges": 0, "train_edges": [train], "buffer_edges": [0]}
    claimed = claim_blocks(version, block_side=25.0, buffer=0.0, **counts)
    assert "blocks" in failed(claimed)
    assert "blocks" in failed(claim_blocks(version))  # it does not say what they are
    bare = version.manifest.columns[:-1]
    unseen = Version(claimed.root, claimed.manifest.model_copy(update={"columns": bare}))
    assert {f.status for f in audit(unseen) if f.check == "blocks"} == {"not checked"}


def test_edges_of_a_block_split_that_do_not_add_up_fail(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, blocks=True, num_nodes=9000)
    true = version.manifest.tasks[0].split.parameters
    context = int(str(true["context_edges"]))
    assert failed(claim_blocks(version, **true)) == []
    assert failed(claim_blocks(version, **true | {"context_edges": context + 1})) == ["blocks"]
    assert failed(claim_blocks(version, **true | {"train_edges": [context]})) == ["blocks"]


def test_ids_in_the_order_of_communities_fail(link: Version) -> None:
    edges = nx.Graph(ends(link.edges("edge")))
    communities = nx.community.louvain_communities(edges, seed=0)
    order = np.array([node for members in communities for node in sorted(members)])
    assert "list: |i - j|" in failed(renumber(link, order))


def test_ids_in_the_order_of_what_is_hidden_fail(tmp_path: Path) -> None:
    version = toy_link(tmp_path, num_nodes=300)
    hidden = [positives(version, s, part)["dst"].to_numpy() for s in range(10) for part in PARTS]
    order = np.argsort(-np.bincount(np.concatenate(hidden), minlength=300), kind="stable")
    assert "list: i + j" in failed(renumber(version, order))


def test_negatives_of_higher_degree_fail(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, num_nodes=1200)
    degree = np.bincount(np.array(ends(version.edges("edge"))).ravel(), minlength=1200)
    for split in range(10):
        table = version.answers("link", split, "test", "candidates")
        pairs = np.array(ends(version.task_table("link", split, "test")))
        labels = version.answers("link", split, "test")["label"].to_numpy()
        negative = np.flatnonzero(labels == 0)
        best = negative[np.argsort(-degree[pairs[negative]].prod(axis=1), kind="stable")]
        names = np.array(table["candidates"].to_pylist())
        items = table["item"].to_numpy().copy()
        matched = (names == "matched") & (labels[items] == 0)
        items[matched] = best[: matched.sum()]
        path = f"tasks/link/{split}/test-candidates.parquet"
        plant(version, path, with_column(table, "item", items))
    assert "degree alone" in failed(version)


def test_a_block_split_without_its_buffer_fails(tmp_path: Path) -> None:
    version = toy_link(tmp_path, spatial=True, blocks=True, num_nodes=9000)
    assert failed(version) == []
    visible = version.edges("edge", ["src", "dst"])
    plant(version, "tasks/link/0/train.parquet", visible)
    assert failed(version) == ["blocks", "buffer"]


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
