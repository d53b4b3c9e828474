import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from retia.datasets.assemble import Built
from retia.datasets.vessel.build import build_vessel
from retia.datasets.vessel.cleaning import clean
from retia.datasets.vessel.inputs import CsvFiles, Generator
from retia.datasets.vessel.options import VesselOptions, parse_boundaries
from retia.datasets.vessel.readers.voreen import read_voreen
from retia.datasets.vessel.siblings import (
    HIDDEN,
    radius_classes,
)
from retia.protocol.audit import audit
from retia.protocol.link_task import hide_edges
from retia.protocol.morton import morton_order
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError
from retia.shards.version import Version

Tables = tuple[Path, Path]
Command = Callable[..., int]


def options(**changes: object) -> VesselOptions:
    return VesselOptions(**({"name": "net", "boundaries": "quantiles"} | changes))


def build(tables: Tables, out: Path, **changes: object) -> list[Version]:
    return [b.version for b in build_vessel(CsvFiles(*tables), options(**changes), out)]


def digests(built: list[Built]) -> list[str | None]:
    return [one.version.manifest.digest for one in built]


def all_pairs(tables: Tables) -> np.ndarray:
    """All vessels as pairs of node numbers, visible and hidden, sorted."""
    graph, _ = clean(read_voreen(*tables))
    order = morton_order(graph.position, graph.node_id)
    pairs = np.sort(np.argsort(order)[graph.ends], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def visible(version: Version) -> np.ndarray:
    edges = version.edges("vessel")
    return np.column_stack([edges["src"].to_numpy(), edges["dst"].to_numpy()])


def test_siblings_hold_the_graph_and_its_line_graph(tables: Tables, tmp_path: Path) -> None:
    link, node = build(tables, tmp_path)
    assert link.manifest.reference == "net-link@1.0.0"
    total = len(all_pairs(tables))
    assert (link.manifest.num_nodes, node.manifest.num_nodes) == (400, total)
    assert link.manifest.relation("vessel").num_edges == total - int(HIDDEN * total)
    assert link.manifest.provenance.lineage == node.manifest.provenance.lineage
    assert [version.manifest.tasks[0].num_splits for version in (link, node)] == [10, 10]
    for version in (link, node):
        assert version.verify() == []
        assert [f for f in audit(version) if f.status != "passed"] == []


def test_visible_and_hidden_edges_are_all_vessels(tables: Tables, tmp_path: Path) -> None:
    (link,) = build(tables, tmp_path, only="link")
    vessels = {tuple(pair) for pair in all_pairs(tables).tolist()}
    seen = {tuple(pair) for pair in visible(link).tolist()}
    asked = set()
    for part in ("valid", "test"):
        items = link.task_table("link", 0, part)
        labels = link.answers("link", 0, part)["label"].to_numpy() == 1
        pairs = np.column_stack([items["src"].to_numpy(), items["dst"].to_numpy()])[labels]
        asked |= {tuple(sorted(pair)) for pair in pairs.tolist()}
    assert asked
    assert seen < vessels
    assert asked <= vessels - seen


def test_edge_columns_are_the_source_rows(tables: Tables, tmp_path: Path) -> None:
    (link,) = build(tables, tmp_path, only="link", voxel_size_um=2.0)
    graph, _ = clean(read_voreen(*tables))
    rows = {tuple(sorted(graph.node_id[pair].tolist())): row for row, pair in enumerate(graph.ends)}
    ids = link.table("ids")["id"].to_numpy()
    edges = link.edges("vessel")
    row = [rows[tuple(sorted(ids[pair].tolist()))] for pair in visible(link)]
    for column, name, factor in (("length", "length", 2), ("radius", "avgRadiusAvg", 2)):
        wanted = graph.measures[name][row] * factor
        np.testing.assert_allclose(edges[column].to_numpy(), wanted, rtol=1e-6)
    wanted = graph.position[np.argsort(graph.node_id)[ids]] * 2
    found = np.stack(link.nodes()["pos"].to_numpy())
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_missing_values_are_nulls_and_unlabelled(tables: Tables, tmp_path: Path) -> None:
    lines = tables[1].read_text().splitlines()
    header = lines[0].split(";")
    row = lines[10].split(";")
    for name in ("minRadiusAvg", "curveness"):
        row[header.index(name)] = "-1"
    lines[10] = ";".join(row)
    tables[1].write_text("\n".join(lines) + "\n")
    (node,) = build(tables, tmp_path, only="node")
    assert node.nodes()["curveness"].null_count == 1
    counts = node.manifest.tasks[0].counts[0]
    assert counts.train + counts.valid + counts.test == len(all_pairs(tables)) - 1
    assert node.manifest.provenance.parameters["cleaning"]["invalid_values_removed"] == 2


def test_workers_do_not_change_the_digest(tables: Tables, tmp_path: Path) -> None:
    one = build(tables, tmp_path / "one", workers=1)
    two = build(tables, tmp_path / "two", workers=2)
    assert [v.manifest.digest for v in one] == [v.manifest.digest for v in two]


def test_second_build_is_recognised(
    tables: Tables, retia: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--nodes", tables[0], "--edges", tables[1], "--name", "net", "--out", tmp_path)
    states = []
    for _ in range(2):
        assert retia("build", "vessel", *words, "--boundaries", "4,8", "--json") == 0
        states.append([one["state"] for one in json.loads(capsys.readouterr().out)])
    assert states == [["built", "built"], ["already there", "already there"]]
    assert retia("build", "vessel", *words, "--boundaries", "4,9", "--only", "node") == 2
    assert "choose another --version" in capsys.readouterr().err


def test_sealed_sibling_keeps_answers_and_ids(tables: Tables, tmp_path: Path) -> None:
    link, node = build(tables, tmp_path, sealed="link")
    assert not link.has("ids")
    assert not link.has("tasks/link/0/test-answers")
    assert link.has("tasks/link/0/valid-answers")
    assert link.verify() == []
    assert link.manifest.task("link").secrecy == "sealed"
    assert node.manifest.tasks[0].secrecy == "open"
    assert node.manifest.sealed_commitment is None
    assert link.secret().hex() not in (link.root / "manifest.json").read_text()


def test_two_sealed_builds_differ(tables: Tables, tmp_path: Path) -> None:
    one, two = (
        build(tables, tmp_path / name, sealed="link", only="link")[0] for name in ("one", "two")
    )
    assert one.manifest.digest != two.manifest.digest
    assert visible(one).tolist() != visible(two).tolist()


def test_no_small_seed_gives_a_sealed_builds_hidden_edges(tables: Tables, tmp_path: Path) -> None:
    vessels = all_pairs(tables)

    def seeds_that_give(version: Version) -> list[int]:
        seen = visible(version).tolist()
        masks = (
            hide_edges(len(vessels), HIDDEN, Randomness.from_seed(seed).stream("hide"))
            for seed in range(1000)
        )
        return [seed for seed, mask in enumerate(masks) if vessels[~mask].tolist() == seen]

    (open_,) = build(tables, tmp_path / "open", seed=7, only="link")
    (sealed,) = build(tables, tmp_path / "sealed", sealed="link", only="link")
    assert seeds_that_give(open_) == [7]
    assert seeds_that_give(sealed) == []


def test_sealed_network_is_grown_from_the_secret(tmp_path: Path) -> None:
    def grow(out: str, **changes: object) -> Version:
        return build_vessel(Generator(400), options(only="link", **changes), tmp_path / out)[
            0
        ].version

    first, second = grow("first", sealed="link"), grow("second", sealed="link")
    sums = [version.manifest.provenance.lineage for version in (first, second, grow("open"))]
    assert len(set(sums)) == 3
    assert "seed" not in first.manifest.provenance.parameters
    assert first.manifest.provenance.synthetic
    assert "Synthetic" in first.manifest.title
    assert "Synthetic" in first.manifest.description


def test_generated_build_equals_the_build_of_the_synthetic_tables(
    retia: Command, tmp_path: Path
) -> None:
    tables = tmp_path / "tables"
    assert retia("synth", "vessel", "--nodes", 400, "--seed", 5, "--out", tables) == 0
    assert json.loads((tables / "generator.json").read_text())["seed"] == 5
    (from_csv,) = build(
        (tables / "nodes.csv", tables / "edges.csv"), tmp_path / "csv", seed=5, only="link"
    )
    (made,) = build_vessel(Generator(400), options(seed=5, only="link"), tmp_path / "made")
    assert from_csv.manifest.provenance.synthetic
    assert from_csv.manifest.provenance.lineage == made.version.manifest.provenance.lineage
    assert visible(from_csv).tolist() == visible(made.version).tolist()


def test_tables_made_from_a_seed_are_not_sealed(
    retia: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    retia("synth", "vessel", "--nodes", 400, "--seed", 5, "--out", tmp_path)
    words = ("--nodes", tmp_path / "nodes.csv", "--edges", tmp_path / "edges.csv", "--name", "n")
    assert retia("build", "vessel", *words, "--sealed", "link", "--out", tmp_path / "out") == 2
    assert "--generate" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--sealed", "link", "--seed", "1"], "secret"),
        (["--sealed", "link", "--only", "node"], "seals nothing"),
        (["--boundaries", "40,15"], "ascending"),
        (["--boundaries", "x"], "ascending"),
        (["--boundaries", "500,900"], "quantiles"),
        (["--voxel-size", "0"], "positive"),
        (["--voxel-size", "nan"], "positive"),
        (["--version", "1"], "three numbers"),
        (["--name", "../../x"], "lower-case"),
        (["--nodes", "n.csv"], "--generate N"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    words: list[str],
    told: str,
    retia: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    name = ["--name", "net"]
    assert retia("build", "vessel", "--generate", 400, *name, "--out", out, *words) == 2
    assert told in capsys.readouterr().err
    assert not out.exists()


def test_radius_classes_are_those_of_the_boundaries() -> None:
    labels, names, _ = radius_classes(np.array([1.0, 15.0, 39.9, 40.0, np.nan]), (15.0, 40.0))
    assert labels.tolist() == [0, 1, 1, 2, -1]
    assert names == ("under 15 um", "15 to 40 um", "40 um and over")
    with pytest.raises(InputError, match="one radius class"):
        radius_classes(np.array([1.0, 2.0]), (15.0, 40.0))


def test_quantiles_make_three_like_classes() -> None:
    labels, _, _ = radius_classes(np.arange(300.0), parse_boundaries("quantiles"))
    assert np.bincount(labels).tolist() == [100, 100, 100]


def test_real_tables_build_and_pass_the_audit(data: Path, tmp_path: Path) -> None:
    folder = data / "vessel" / "voreen_demo"
    tables = (folder / "vertices.csv", folder / "edges.csv")
    link, node = build(tables, tmp_path, boundaries=(15.0, 40.0), voxel_size_um=3.0)
    assert (link.manifest.num_nodes, node.manifest.num_nodes) == (3197, 3249)
    for version in (link, node):
        assert [f for f in audit(version) if f.status != "passed"] == []


def test_killed_build_leaves_no_version(tmp_path: Path) -> None:
    words = ["build", "vessel", "--generate", "12000", "--name", "net", "--only", "link"]
    command = [sys.executable, "-m", "retia", *words, "--out", str(tmp_path)]
    home = tmp_path / "net-link"
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while process.poll() is None and not list(home.glob(".*.tmp")):
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if list(home.glob(".*.tmp")):
            break
    assert list(home.glob(".*.tmp")), "the build was never caught in the middle"
    assert not (home / "1.0.0").exists()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert [path.name for path in home.iterdir()] == ["1.0.0"]
    assert Version.open(home / "1.0.0").verify() == []


def test_interrupted_build_goes_on_from_the_grown_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = digests(build_vessel(Generator(600), options(seed=3), tmp_path / "whole"))
    assert [path.name for path in (tmp_path / "whole").iterdir() if path.name[0] == "."] == []
    interrupt = Mock(side_effect=KeyboardInterrupt)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("retia.datasets.vessel.build.write_dataset", interrupt)
        build_vessel(Generator(600), options(seed=3), tmp_path / "cut")
    with monkeypatch.context() as patch:
        patch.setattr("retia.datasets.vessel.raw.generate_vessels", interrupt)
        assert digests(build_vessel(Generator(600), options(seed=3), tmp_path / "cut")) == wanted
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == ["net-link", "net-node"]


def test_damaged_leftovers_of_a_build_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(
            "retia.datasets.vessel.build.write_dataset", Mock(side_effect=KeyboardInterrupt)
        )
        build_vessel(Generator(600), options(seed=3), tmp_path / "cut")
    (kept,) = (tmp_path / "cut" / ".unfinished").glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:1000])
    wanted = digests(build_vessel(Generator(600), options(seed=3), tmp_path / "whole"))
    assert digests(build_vessel(Generator(600), options(seed=3), tmp_path / "cut")) == wanted


def test_what_a_secret_grows_is_kept_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "retia.datasets.vessel.build.write_dataset", Mock(side_effect=KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        build_vessel(Generator(600), options(sealed="link"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_block_split_holds_out_space_and_passes_the_audit(tmp_path: Path) -> None:
    built = build_vessel(Generator(9000), options(seed=3, split="block", only="link"), tmp_path)
    version = built[0].version
    task = version.manifest.task("link")
    assert task.split.scheme == "block"
    assert task.counts[0].train < version.manifest.relation("vessel").num_edges
    findings = audit(version)
    assert "buffer" in {finding.check for finding in findings}
    assert [f for f in findings if f.status != "passed"] == []
