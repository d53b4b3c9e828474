"""Leaks of connectomes, planted and caught: across groups, in columns, in weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retia.datasets.assemble import NodeColumn, column_values, derived_column, edge_table
from retia.protocol.audit import audit
from retia.protocol.findings import Finding
from retia.protocol.groups import NodeGroups
from retia.protocol.recipes import Visible, compute
from retia.shards.manifest import Acceptance, Column, Recipe
from retia.shards.version import Version
from retia.shards.writer import write_parquet
from tests.toy_connectome import (
    BLOCK,
    HOMOLOGS,
    SIDES,
    EdgeColumns,
    N,
    chemical,
    gap,
    toy_classes,
    toy_links,
    toy_weights,
    weights,
)

LAPLACIAN = Recipe(function="spectral", parameters={"relation": "chemical", "dimensions": 4})
SVD = [
    Recipe(function="svd", parameters={"relation": "chemical", "direction": d, "dimensions": 8})
    for d in ("out", "in")
]
WALKS = Recipe(
    function="walks", parameters={"relation": "chemical", "direction": "out", "length": 3}
)
FULL = {name: edge_table(EdgeColumns(name, d, p)) for name, d, p in (
    ("chemical", True, chemical()), ("gap", False, gap()))}  # fmt: skip


def by_status(version: Version, status: str) -> dict[tuple[str, str], Finding]:
    return {(f.check, f.subject): f for f in audit(version) if f.status == status}


def claim(version: Version, **parameters: Any) -> Version:
    """The version, with a split by groups claimed for all of its tasks."""
    tasks = tuple(
        t.model_copy(
            update={"split": t.split.model_copy(
                update={"scheme": "grouped", "parameters": t.split.parameters | parameters})}
        )
        for t in version.manifest.tasks
    )  # fmt: skip
    return Version(version.root, version.manifest.model_copy(update={"tasks": tasks}))


@pytest.mark.parametrize("by", [None, "pair", "homolog", "hemisphere"])
def test_clean_datasets_pass(tmp_path: Path, by: str | None) -> None:
    for version in (toy_links(tmp_path, by), toy_weights(tmp_path, by)):
        findings = audit(version)
        assert [f for f in findings if f.status == "failed"] == []
        grouped = [f.status for f in findings if f.check == "groups"]
        assert grouped == ["passed"] * (len(version.manifest.tasks) if by else 0)


def test_the_reverse_of_a_hidden_edge_fails_in_a_split_by_pairs_alone(tmp_path: Path) -> None:
    for version, task in ((toy_links(tmp_path), "chemical"), (toy_weights(tmp_path), "weight")):
        assert by_status(version, "failed") == {}
        found = by_status(claim(version, by="pair"), "failed")
        assert set(found) == {("groups", task)}
        assert "share a group with a visible edge" in found["groups", task].detail


def test_a_mirrored_edge_fails_in_a_split_by_homologs(tmp_path: Path) -> None:
    version = claim(toy_links(tmp_path, "pair"), by="homolog", column="homolog")
    assert set(by_status(version, "failed")) == {("groups", "chemical"), ("groups", "gap")}


def test_a_group_in_validation_and_test_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def halves(groups: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        return np.array_split(rng.permutation(len(groups)), 2)

    monkeypatch.setattr("retia.protocol.link_task.halve_groups", halves)
    for version, task in (
        (toy_links(tmp_path, "pair"), "chemical"),
        (toy_weights(tmp_path, "pair"), "weight"),
    ):
        found = by_status(version, "failed")["groups", task]
        assert "groups are in both validation and test" in found.detail
        assert "visible" not in found.detail


def test_items_of_the_other_side_fail_in_a_split_by_hemispheres(tmp_path: Path) -> None:
    sides = {"by": "hemisphere", "column": "side", "train_side": "left", "test_side": "right"}
    found = by_status(claim(toy_weights(tmp_path), **sides), "failed")
    assert "nodes of train are not on the side 'left'" in found["groups", "weight"].detail


def test_groups_that_nothing_public_tells_are_not_checked(tmp_path: Path) -> None:
    version = toy_links(tmp_path, "homolog")
    for changed in ({"column": "nowhere"}, {"by": "animal"}):
        found = by_status(claim(version, **changed), "not checked")
        assert ("groups", "chemical") in found


def test_homologs_in_two_parts_of_a_node_task_fail(tmp_path: Path) -> None:
    apart = replace(HOMOLOGS, partner=np.full(N, -1))
    assert by_status(toy_classes(tmp_path / "fine", HOMOLOGS), "failed") == {}
    assert by_status(toy_classes(tmp_path / "sides", SIDES), "failed") == {}
    found = by_status(toy_classes(tmp_path, apart), "failed")
    assert set(found) == {("groups", "block"), ("groups", "odd")}


def plain(name: str, values: np.ndarray) -> NodeColumn:
    column = Column(
        name=name,
        dtype="float32",
        shape=values.shape[1:],
        description="of the full graph",
        role="feature",
    )
    return NodeColumn(column, values)


def overwrite(version: Version, name: str, values: np.ndarray) -> Version:
    """The version whose column of that name holds other values."""
    nodes = version.nodes()
    place = nodes.column_names.index(name)
    other = plain(name, values)
    table = nodes.set_column(place, name, column_values(other.column, values))
    write_parquet(table, version.root / "nodes/part-00000.parquet")
    return version


def test_l3_and_svd_of_the_full_graph_fail_and_of_the_visible_graph_pass(tmp_path: Path) -> None:
    full = Visible(N, FULL, {})
    svd = [compute(recipe, full) for recipe in SVD]
    adjacency = np.zeros((N, N))
    adjacency[*chemical().T] = 1
    l3 = adjacency @ adjacency.T @ adjacency
    left, values, right = np.linalg.svd(l3)
    scale = np.sqrt(values[:8])
    columns = {
        "svd_out": svd[0],
        "svd_in": svd[1],
        "l3": l3,
        "l3_out": left[:, :8] * scale,
        "l3_in": right[:8].T * scale,
    }
    for names, check in (
        (["svd_out", "svd_in"], "columns svd_out, svd_in: inner product"),
        (["l3"], "column l3: entry"),
        (["l3_out", "l3_in"], "columns l3_out, l3_in: inner product"),
    ):
        planted = tuple(plain(name, columns[name]) for name in names)
        version = toy_links(tmp_path / check.replace(" ", ""), columns=planted)
        found = by_status(version, "failed")
        assert {(check, "chemical/valid"), (check, "chemical/test")} <= set(found)

    recipes = {"svd_out": SVD[0], "svd_in": SVD[1], "walks": WALKS, "laplacian": LAPLACIAN}
    shapes = {"svd_out": (8,), "svd_in": (8,), "walks": (), "laplacian": (4,)}
    derived = tuple(
        derived_column(name, "d", r.function, dict(r.parameters), shape=shapes[name])
        for name, r in recipes.items()
    )
    honest = toy_links(tmp_path, columns=derived)
    assert by_status(honest, "failed") == {}
    for name, recipe in recipes.items():
        overwrite(honest, name, compute(recipe, full))
    assert set(by_status(honest, "failed")) == {("recipe", name) for name in recipes}


def walk_vectors(pairs: np.ndarray) -> dict[str, np.ndarray]:
    """Columns that need a graph, of these edges without directions.

    PageRank, and what Node2Vec tends to: factors of the logarithm of how often walks of five steps
    or fewer meet (Qiu et al. 2018, arXiv:1710.02971, equation 5).
    """
    adjacency = np.zeros((N, N))
    adjacency[*pairs.T] = adjacency[*pairs[:, ::-1].T] = 1
    degree = adjacency.sum(axis=0)
    step = adjacency / degree[:, None]
    powers = sum(np.linalg.matrix_power(step, k) for k in range(1, 6)) / 5
    left, values, _ = np.linalg.svd(np.log(np.maximum(degree.sum() * powers / degree, 1)))
    return {
        "pagerank": 0.15 * np.linalg.inv(np.eye(N) - 0.85 * step),
        "node2vec": left[:, :32] * np.sqrt(values[:32]),
    }


def test_pagerank_and_node2vec_of_the_full_graph_fail(tmp_path: Path) -> None:
    checks = {"pagerank": "column pagerank: entry", "node2vec": "column node2vec: inner product"}
    for name, check in checks.items():
        full = plain(name, walk_vectors(chemical())[name])
        found = by_status(toy_links(tmp_path / name, columns=(full,)), "failed")
        assert {(check, "chemical/valid"), (check, "chemical/test")} <= set(found)


def test_a_normaliser_of_other_nodes_fails(tmp_path: Path) -> None:
    size = np.random.default_rng(3).random(N)  # the toy's column
    fit = {"mean": [float(size[:90].mean())], "std": [float(size[:90].std())]}
    column = derived_column("scaled", "d", "zscore", {"column": "size"} | fit, shape=())
    version = toy_links(tmp_path, columns=(column,))
    assert by_status(version, "failed") == {}
    overwrite(version, "scaled", (size - size.mean()) / size.std())
    assert set(by_status(version, "failed")) == {("recipe", "scaled")}


def test_a_radius_among_the_features_of_its_classes_fails(tmp_path: Path) -> None:
    """As in a line graph, whose nodes are vessels and whose classes are ranges of their radius."""
    rng = np.random.default_rng(0)
    radius = np.array([2.0, 4.0, 8.0, 16.0])[BLOCK] + rng.random(N)
    code = Column(name="kind", dtype="int8", description="d", role="feature")
    leaks = (plain("radius", radius), NodeColumn(code, (BLOCK + 2) % 4))
    found = by_status(toy_classes(tmp_path / "leak", HOMOLOGS, leaks), "failed")
    assert set(found) == {
        (f"node column {name}", task) for name in ("radius", "kind") for task in ("block", "odd")
    }
    helpful = plain("length", radius + 8 * rng.normal(size=N))
    assert by_status(toy_classes(tmp_path / "fine", HOMOLOGS, (helpful,)), "failed") == {}


@pytest.mark.parametrize("in_space", [True, False])
def test_ids_may_follow_space_and_may_not_tell_more(tmp_path: Path, in_space: bool) -> None:
    """Classes follow the ids; that is fine only where both follow space."""
    position = Column(
        name="pos", dtype="float32", shape=(3,), unit="um", description="d", role="position"
    )
    rng = np.random.default_rng(0)
    places = np.column_stack([np.arange(N) if in_space else rng.random(N) * N, *rng.random((2, N))])
    groups = NodeGroups(np.full(N, ""), "source", "side")
    version = toy_classes(
        tmp_path, groups, (NodeColumn(position, places),), labels=np.arange(N) // (N // 4)
    )
    found = {f.status for f in audit(version) if f.check == "order of ids" and f.subject == "block"}
    assert found == {"passed" if in_space else "failed"}


def test_numbers_codes_and_vectors_are_probed_each_in_its_way(tmp_path: Path) -> None:
    code = Column(name="group", dtype="int8", description="d", role="feature")
    target = np.argmax(np.eye(N)[chemical()[:, 1]].sum(axis=0))
    values = np.full(N, target % 4)
    columns = (NodeColumn(code, values), plain("vector", np.ones((N, 3))))
    checks = {check for check, _ in by_status(toy_links(tmp_path, columns=columns), "passed")}
    assert {
        "column group: equality",
        "column size: product",
        "column size: nearness",
        "column vector: inner product",
        "column vector: nearness",
    } <= checks


def test_a_failed_probe_may_be_accepted_and_an_exact_check_may_not(tmp_path: Path) -> None:
    full = Visible(N, FULL, {})
    planted = tuple(
        plain(f"svd_{d}", compute(r, full)) for d, r in zip(("out", "in"), SVD, strict=True)
    )
    failed = by_status(toy_links(tmp_path / "bare", columns=planted), "failed")
    probes = [key for key in failed if key[0].startswith("column")]
    assert probes and len(probes) == len(failed)
    reasons = tuple(
        Acceptance(check=check, subject=subject, reason="It is known to.")
        for check, subject in [*probes, ("groups", "chemical")]
    )
    version = toy_links(tmp_path, columns=planted, accepted=reasons)
    assert by_status(version, "failed") == {}
    found = by_status(version, "accepted")
    assert set(found) == set(probes)
    assert all(f.detail.endswith("accepted: It is known to.") for f in found.values())
    assert version.verify() == []
    assert set(by_status(claim(version, by="pair"), "failed")) == {("groups", "chemical")}


def test_accepted_findings_are_part_of_the_digest(tmp_path: Path) -> None:
    reason = Acceptance(check="order of ids", subject="x", reason="why")
    one, two = toy_links(tmp_path / "1"), toy_links(tmp_path / "2", accepted=(reason,))
    assert one.manifest.digest != two.manifest.digest


def test_a_hidden_weight_in_the_edges_fails(tmp_path: Path) -> None:
    version = toy_weights(tmp_path)
    edges = version.edges("chemical")
    place = edges.column_names.index("weight")
    shown = edges.set_column(place, "weight", edges["weight"].fill_null(1.0))
    write_parquet(shown, version.root / "edges/chemical/part-00000.parquet")
    assert set(by_status(version, "failed")) == {
        ("items", "weight/valid"),
        ("items", "weight/test"),
    }


def test_a_column_of_the_edges_that_gives_the_weight_away_fails(tmp_path: Path) -> None:
    area = Column(name="area", dtype="float32", description="of all contacts", role="feature")
    noisy = weights(chemical()) ** 2 + np.random.default_rng(0).random(len(chemical()))
    found = by_status(toy_weights(tmp_path / "area", further=((area, noisy),)), "failed")
    assert set(found) == {("edge column area", f"weight/{part}") for part in ("valid", "test")}
    other = np.random.default_rng(1).random(len(noisy))
    fine = toy_weights(tmp_path, further=((area, other),))
    assert by_status(fine, "failed") == {}


def test_strengths_with_hidden_weights_fail_and_without_them_pass(tmp_path: Path) -> None:
    along = {"relation": "chemical", "column": "weight", "direction": "out"}
    column = derived_column("strength", "d", "strength", along)
    version = toy_weights(tmp_path, columns=(column,))
    assert by_status(version, "failed") == {}
    full = np.bincount(chemical()[:, 0], weights(chemical()), N)
    assert (version.nodes()["strength"].to_numpy() < full).any()
    assert np.isfinite(version.nodes()["strength"].to_numpy()).all()
    overwrite(version, "strength", full)
    assert set(by_status(version, "failed")) == {("recipe", "strength")}
