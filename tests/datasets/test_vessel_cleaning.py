"""Merging and cleaning by both sets of rules, crops, columns and atlas lookups."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retia.datasets.assemble import NodeColumn
from retia.datasets.vessel.atlas import locate, read_atlas, read_ontology
from retia.datasets.vessel.build import build_vessel
from retia.datasets.vessel.cleaning import clean, merge_parallel
from retia.datasets.vessel.columns import bloch_columns, zscores
from retia.datasets.vessel.graph import MEASURES, VesselGraph, crop
from retia.datasets.vessel.inputs import CsvFiles, Generator
from retia.datasets.vessel.labels import read_labels
from retia.datasets.vessel.options import VesselOptions
from retia.protocol.audit import audit
from retia.protocol.recipes import Visible, compute
from retia.shards.errors import InputError

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=25)


def graph(pairs: list[tuple[int, int]], seed: int = 0, **measures: list[float]) -> VesselGraph:
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    rng = np.random.default_rng(seed)
    values = {name: rng.uniform(1, 9, len(ends)) for name in MEASURES}
    values |= {name: np.array(value, dtype=float) for name, value in measures.items()}
    return VesselGraph(np.arange(6), rng.random((6, 3)), np.arange(len(ends)), ends, values)


def published(vessels: VesselGraph) -> pd.DataFrame:
    """VesselGraph's documented rules with pandas, and the medians of the whole table once."""
    low, high = np.sort(vessels.ends, axis=1).T
    table = pd.DataFrame({"a": low, "b": high, **vessels.measures})
    slope, offset = np.polyfit(table["avgRadiusAvg"].abs(), table["roundnessAvg"], 1)
    ratio = (table["avgRadiusStd"] / table["avgRadiusAvg"]).median()
    uneven = (table["roundnessStd"] / table["roundnessAvg"]).median()
    groups = table.groupby(["a", "b"])
    merged, many = groups.first(), groups.size() > 1
    for name in ("length", "curveness"):
        merged[name] = groups[name].mean()
    for name in ("volume", "num_voxels", "avgCrossSection", "avgRadiusAvg"):
        merged[name] = groups[name].sum()
    radius = merged["avgRadiusAvg"]
    for which in ("min", "avg", "max"):
        merged.loc[many, f"{which}RadiusAvg"] = radius
        merged.loc[many, f"{which}RadiusStd"] = radius * ratio
    merged.loc[many, "roundnessAvg"] = slope * radius + offset
    merged.loc[many, "roundnessStd"] = (slope * radius + offset) * uneven
    merged = merged.reset_index()
    return merged[merged["a"] != merged["b"]].abs()


@settings(max_examples=50)
@given(PAIRS, st.integers(0, 99))
def test_published_rules_are_reproduced(pairs: list[tuple[int, int]], seed: int) -> None:
    vessels = graph(pairs, seed)
    found, report = clean(vessels, rules="vesselgraph")
    wanted = published(vessels)
    assert found.ends.tolist() == wanted[["a", "b"]].to_numpy().tolist()
    for name in MEASURES:
        np.testing.assert_allclose(found.measures[name], wanted[name], rtol=1e-9)
    assert any("medians" in line for line in report["ill_defined_in_the_original"])


def test_published_rules_make_minus_one_a_radius_and_ours_do_not() -> None:
    vessels = graph([(0, 1), (1, 2), (2, 3)], minRadiusAvg=[-1, 2, 3])
    theirs, report = clean(vessels, rules="vesselgraph")
    ours, _ = clean(vessels)
    assert theirs.measures["minRadiusAvg"].tolist() == [1, 2, 3]
    assert report["negative_values_made_positive"] == 1
    np.testing.assert_array_equal(ours.measures["minRadiusAvg"], [np.nan, 2, 3])


def test_deviations_of_parallel_vessels_follow_from_their_parts() -> None:
    merged = merge_parallel(
        graph(
            [(0, 1), (1, 0)],
            avgRadiusAvg=[3, 4],
            avgRadiusStd=[0.5, 1],
            roundnessAvg=[0.2, 0.6],
            roundnessStd=[0.1, 0.3],
        )
    ).measures
    assert merged["avgRadiusAvg"][0] == 5
    assert merged["avgRadiusStd"][0] == pytest.approx(np.hypot(3 * 0.5, 4 * 1) / 5)
    pooled = np.sqrt((0.1**2 + 0.3**2) / 2 + 0.2**2)
    assert merged["roundnessStd"][0] == pytest.approx(pooled)


def test_isolated_nodes_stay_or_go() -> None:
    vessels = graph([(0, 2), (2, 5), (3, 3)])
    kept, _ = clean(vessels)
    dropped, report = clean(vessels, isolated="drop")
    assert len(kept.node_id) == 6
    assert dropped.node_id.tolist() == [0, 2, 5]
    assert dropped.ends.tolist() == [[0, 1], [1, 2]]
    assert report["isolated_nodes_dropped"] == 3


@given(PAIRS, st.integers(0, 99))
def test_crop_is_inclusive_and_renumbers(pairs: list[tuple[int, int]], seed: int) -> None:
    vessels = graph(pairs, seed)
    low, high = vessels.position.min(axis=0), vessels.position.max(axis=0)
    assert crop(vessels, tuple(low), tuple(high)).ends.tolist() == vessels.ends.tolist()
    high[0] = np.sort(vessels.position[:, 0])[3]
    inside = set(np.flatnonzero(vessels.position[:, 0] <= high[0]).tolist())
    wanted = [pair for pair in pairs if set(pair) <= inside]
    if not wanted:
        with pytest.raises(InputError, match="no vessel"):
            crop(vessels, tuple(low), tuple(high))
        return
    small = crop(vessels, tuple(low), tuple(high))
    assert small.node_id.tolist() == sorted(inside)
    assert small.node_id[small.ends].tolist() == [list(pair) for pair in wanted]


def values_of(columns: list[NodeColumn], position: np.ndarray) -> list[np.ndarray]:
    visible = Visible(len(position), {}, {"pos": position.astype(np.float32)})
    return [compute(column.column.recipe, visible) for column in columns if column.column.recipe]


def test_zscores_and_angles_undo() -> None:
    position = np.random.default_rng(1).normal(3, 5, (50, 3))
    column = zscores(position)
    (values,) = values_of([column], position)
    assert column.column.recipe is not None
    constants = column.column.recipe.parameters
    np.testing.assert_allclose(values * constants["std"] + constants["mean"], position, atol=1e-5)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-6)
    columns = list(bloch_columns(3, (1.0, 2.0, 3.0)))
    theta, phi = values_of(columns, position)
    offset = position - [1, 2, 3]
    r = np.linalg.norm(offset, axis=1)
    spun = np.column_stack(
        [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
    )
    np.testing.assert_allclose(spun * r[:, None], offset, atol=1e-5)
    assert np.isnan(values_of(columns, np.array([[1.0, 2, 3]]))).all()
    with pytest.raises(InputError, match="three dimensions"):
        bloch_columns(2, (0.0, 0.0, 0.0))


@pytest.fixture
def atlas(tmp_path: Path) -> tuple[Path, Path]:
    """4 x 3 x 2 voxels of 0.01 mm from -5 um on; 9e8 is a large id, 77 is in no ontology."""
    regions = np.zeros((4, 3, 2), dtype=np.int32)
    regions[0], regions[1], regions[2] = 900_000_000, 5, 77
    affine = np.diag([0.01, 0.01, 0.01, 1.0])
    affine[0, 3] = -0.005
    image = nibabel.Nifti1Image(regions, affine)
    image.header.set_xyzt_units("mm")
    paths = (tmp_path / "atlas.nii.gz", tmp_path / "ontology.json")
    nibabel.save(image, paths[0])
    leaves = [{"id": 900_000_000, "acronym": "A b"}, {"id": 12, "acronym": "C"}]
    root = {"id": 5, "acronym": "root", "children": leaves}
    paths[1].write_text(json.dumps({"msg": [root]}))
    return paths


def test_points_lie_in_the_region_of_the_nearest_voxel(atlas: tuple[Path, Path]) -> None:
    ontology = read_ontology(atlas[1])
    places = [[-5, 0, 0], [-1, 20, 10], [1, 0, 0], [15, 0, 0], [25, 0, 0], [99, 0, 0]]
    found = locate(read_atlas(atlas[0]), ontology, np.array(places, dtype=float))
    assert ontology.names == ("root", "A b", "C")
    assert found.group.tolist() == [1, 1, 0, -1, -1, -1]
    assert (found.outside, found.unknown) == (1, 1)


def test_atlas_of_another_space_is_refused(atlas: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="4 x 3 x 2 voxels"):
        locate(read_atlas(atlas[0]), read_ontology(atlas[1]), np.full((3, 3), 1e4))
    with pytest.raises(InputError, match="no NIfTI"):
        read_atlas(atlas[1])


def test_labels_are_found_by_id(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("id;label\n7;vein\n3;artery\n")
    assert read_labels(path, np.array([3, 4, 7])).tolist() == ["artery", "", "vein"]
    path.write_text("element,id,kind\nnode,4,vein\nedge,4,artery\n")
    assert read_labels(path, np.array([3, 4])).tolist() == ["", "vein"]
    with pytest.raises(InputError, match="no id in it"):
        read_labels(path, np.array([1]))


def test_features_stand_in_the_manifest_and_pass_the_audit(
    atlas: tuple[Path, Path], tables: tuple[Path, Path], tmp_path: Path
) -> None:
    whole = nibabel.Nifti1Image(np.arange(8, dtype=np.int32).reshape(2, 2, 2), np.diag([1e5] * 4))
    nibabel.save(whole, atlas[0])
    atlas[1].write_text(json.dumps([{"id": i, "acronym": f"R{i}"} for i in range(8)]))
    options = VesselOptions(
        "net",
        only="link",
        bloch=(0.0, 0.0, 0.0),
        atlas=atlas[0],
        ontology=atlas[1],
        roi=(-1e4, -1e4, -1e4, 1e4, 1e4, 1e4),
    )
    ((built),) = build_vessel(CsvFiles(*tables), options, tmp_path / "out")
    manifest = built.version.manifest
    names = [column.name for column in manifest.columns]
    wanted = ["pos", "pos_zscore", "bloch_theta", "bloch_phi", "region", "degree", "border"]
    assert names == wanted
    position = np.stack(built.version.nodes()["pos"].to_numpy())
    recipe = manifest.columns[1].recipe
    assert recipe is not None
    np.testing.assert_allclose(recipe.parameters["mean"], position.mean(axis=0), rtol=1e-6)
    assert manifest.provenance.parameters["atlas"]["regions"] == [f"R{i}" for i in range(8)]
    findings = audit(built.version)
    assert [f for f in findings if f.status != "passed"] == []
    checked = {f.subject for f in findings if f.check == "recipe"}
    assert checked == {"pos_zscore", "bloch_theta", "bloch_phi", "degree"}


def test_junctions_of_a_generated_network_know_artery_from_vein(tmp_path: Path) -> None:
    options = VesselOptions("net", only="junction", junction="source")
    ((built),) = build_vessel(Generator(1000), options, tmp_path)
    (task,) = built.version.manifest.tasks
    assert set(task.classes) == {"artery", "capillary", "vein"}
    assert [f for f in audit(built.version) if f.status != "passed"] == []


def test_regions_to_tell_withhold_positions(
    atlas: tuple[Path, Path], tables: tuple[Path, Path], tmp_path: Path
) -> None:
    halves = np.zeros((2, 1, 1), dtype=np.int32) + np.array([1, 2], dtype=np.int32)[:, None, None]
    nibabel.save(nibabel.Nifti1Image(halves, np.diag([250.0, 1e5, 1e5, 1.0])), atlas[0])
    atlas[1].write_text(json.dumps([{"id": i, "acronym": f"R{i}"} for i in (1, 2)]))
    options = VesselOptions(
        "net", only="junction", junction="atlas", atlas=atlas[0], ontology=atlas[1]
    )
    ((built),) = build_vessel(CsvFiles(*tables), options, tmp_path / "out")
    assert [c.name for c in built.version.manifest.columns] == ["degree", "border"]
    assert [f for f in audit(built.version) if f.status != "passed"] == []
