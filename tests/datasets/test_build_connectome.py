import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from retia.datasets.connectome.build import build_connectome
from retia.datasets.connectome.catalogue import find_entry
from retia.datasets.connectome.graph import Connectome, Layer, make_connectome
from retia.datasets.connectome.inputs import Raw, common_neurons, known_source, merge
from retia.datasets.connectome.options import ConnectomeOptions
from retia.protocol.audit import audit
from retia.protocol.triad_classes import ORBITS
from retia.protocol.triads import TRIADS
from retia.shards.errors import InputError
from retia.shards.manifest import Source
from retia.shards.version import Version
from tests.worm_files import WormFiles

Command = Callable[..., int]
Pair = tuple[int, int]


def build(source: object, out: Path, **changes: object) -> list[Version]:
    options = ConnectomeOptions(**({"name": "net"} | changes))
    return [built.version for built in build_connectome(source, options, out)]


def failed(version: Version) -> list[object]:
    return [finding for finding in audit(version) if finding.status != "passed"]


def pairs_of(table: object) -> list[Pair]:
    return list(zip(table["src"].to_pylist(), table["dst"].to_pylist(), strict=True))


def positives(version: Version, task: str, split: int, part: str) -> set[Pair]:
    """The edges that are scored; those of the other part are listed, too."""
    labels = version.answers(task, split, part)["label"].to_pylist()
    listed = pairs_of(version.task_table(task, split, part))
    scored = version.answers(task, split, part, "candidates")["item"].to_pylist()
    return {listed[item] for item in scored if labels[item]}


@pytest.fixture(scope="module")
def worm(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Version]:
    """The worm's datasets, hidden with homologs and reverses."""
    source = WormFiles(data / "connectome" / "celegans")
    built = build(source, tmp_path_factory.mktemp("worm"), name="worm", split="homolog")
    return {version.manifest.name: version for version in built}


def test_homologous_connections_and_reverses_are_in_one_part(worm: dict[str, Version]) -> None:
    version = worm["worm-link"]
    partner = version.table("ids")["homolog"].to_pylist()
    mirror = {node: node if other < 0 else other for node, other in enumerate(partner)}
    visible = set(pairs_of(version.edges("chemical")))
    assert sum(node != other for node, other in mirror.items()) == 198
    for split in (0, 7):
        parts = {part: positives(version, "chemical", split, part) for part in ("valid", "test")}
        for part, other in (("valid", "test"), ("test", "valid")):
            assert len(parts[part]) > 300
            for i, j in parts[part]:
                images = {(j, i), (mirror[i], mirror[j]), (mirror[j], mirror[i])}
                assert not images & (visible | parts[other])


def test_a_gap_junction_is_hidden_in_both_directions(worm: dict[str, Version]) -> None:
    version = worm["worm-link"]
    seen = {frozenset(pair) for pair in pairs_of(version.edges("gap"))}
    for part in ("valid", "test"):
        listed = [frozenset(pair) for pair in pairs_of(version.task_table("gap", 0, part))]
        assert len(set(listed)) == len(listed)
        assert not set(listed) & seen
        assert len(positives(version, "gap", 0, part)) > 80


def test_features_know_the_visible_edges_alone(worm: dict[str, Version]) -> None:
    version = worm["worm-link"]
    graph = nx.DiGraph()
    graph.add_nodes_from(range(302))
    edges = version.edges("chemical")
    for (src, dst), weight in zip(pairs_of(edges), edges["weight"].to_pylist(), strict=True):
        graph.add_edge(src, dst, weight=weight)
    nodes = version.nodes()
    for column, degrees in (
        ("chemical_out_degree", graph.out_degree()),
        ("chemical_in_degree", graph.in_degree()),
        ("chemical_out_strength", graph.out_degree(weight="weight")),
        ("chemical_in_strength", graph.in_degree(weight="weight")),
    ):
        expected = np.log1p([count for _, count in degrees])
        np.testing.assert_allclose(nodes[column].to_numpy(), expected, rtol=1e-6)
    counts = np.expm1(np.array(nodes["orbits"].to_pylist()))
    census = nx.triadic_census(graph)
    for triad in TRIADS[3:]:
        of_triad = [i for i, orbit in enumerate(ORBITS) if orbit.startswith(f"{triad}:")]
        assert counts[:, of_triad].sum() == pytest.approx(3 * census[triad], rel=1e-5)


def test_every_sibling_passes_the_audit(worm: dict[str, Version]) -> None:
    assert sorted(worm) == ["worm-link", "worm-node", "worm-weight"]
    for version in worm.values():
        assert failed(version) == []


def test_hidden_weights_are_null_and_asked_for(worm: dict[str, Version]) -> None:
    version = worm["worm-weight"]
    edges = version.edges("chemical")
    weight = dict(zip(pairs_of(edges), edges["weight"].to_pylist(), strict=True))
    unknown = {pair for pair, value in weight.items() if value is None}
    assert len(weight) == 3671
    asked: set[Pair] = set()
    for part in ("valid", "test"):
        asked |= set(pairs_of(version.task_table("weight", 3, part)))
    assert asked == unknown
    train = version.task_table("weight", 3, "train")
    for pair, label in zip(pairs_of(train), train["label"].to_pylist(), strict=True):
        assert label == pytest.approx(np.log1p(weight[pair]), rel=1e-6)


def test_what_is_a_label_is_no_feature(worm: dict[str, Version]) -> None:
    for version in worm.values():
        names = {column.name for column in version.manifest.columns}
        assert not names & {"class", "transmitter", "name", "homolog"}
    node = {column.name for column in worm["worm-node"].manifest.columns}
    assert "orbits" not in node
    assert "spectral" in node


def test_neurons_without_a_class_stay_unlabelled(worm: dict[str, Version]) -> None:
    version = worm["worm-node"]
    labelled = [version.task_table("class", 0, "train")["node"]]
    labelled += [version.answers("class", 0, part)["item"] for part in ("valid", "test")]
    nodes = np.concatenate([column.to_numpy() for column in labelled])
    names = np.array(version.table("ids")["name"].to_pylist())
    without = np.setdiff1d(np.arange(302), nodes)
    assert set(names[without]) == {"MCL", "MCR", "MI", "NSML", "NSMR", "CANL", "CANR"}


def test_mushroom_body_is_learned_on_the_left_and_told_on_the_right(
    data: Path, tmp_path: Path
) -> None:
    source = known_source("mushroom-body", data / "connectome" / "mushroom_body")
    link, weight, node = build(source, tmp_path, name="mb", split="hemisphere")
    side = link.table("ids")["side"].to_pylist()
    for pair in pairs_of(link.task_table("chemical", 0, "train")):
        assert {side[end] for end in pair} == {"left"}
    for part in ("valid", "test"):
        assert {side[end] for pair in positives(link, "chemical", 0, part) for end in pair} == {
            "right"
        }
    assert set(node.manifest.task("class").classes) == {"KC", "PN", "MBON", "MBIN"}
    for version in (link, weight, node):
        assert failed(version) == []


@pytest.mark.slow
def test_larva_lists_two_million_items_at_most(data: Path, tmp_path: Path) -> None:
    source = known_source("larva", data / "connectome" / "drosophila_larva")
    (link,) = build(source, tmp_path, name="larva", only="link", workers=2)
    task = link.manifest.task("chemical")
    assert link.manifest.num_nodes == 3591
    assert 1_500_000 < sum(counts.valid + counts.test for counts in task.counts) <= 2_000_000
    assert min(counts.test_positives or 0 for counts in task.counts) > 50
    assert failed(link) == []


def test_homologs_are_needed_for_their_split(data: Path, tmp_path: Path) -> None:
    source = known_source("mushroom-body", data / "connectome" / "mushroom_body")
    with pytest.raises(InputError, match="no homologs"):
        build(source, tmp_path, split="homolog")
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True)
class Animals:
    """Animals that grow: the first ones are young."""

    animals: list[Connectome]
    known_to_all: str | None = None

    def read(self, license_: str | None = None) -> Raw:
        animals = common_neurons(self.animals)
        return Raw(
            connectome=merge(animals[2:]),
            sources=(Source(uri="file:x", sha256="0" * 64, bytes=1, license="MIT"),),
            builder="animals",
            title="Animals",
            description="Drawn.",
            license="MIT",
            citation="None.",
            earlier=tuple(animals[:2]),
        )


def grown(seed: int, share: float, names: list[str]) -> Connectome:
    """A part of one wiring, which grows with the share; names stand in any order."""
    wiring = np.random.default_rng(0).random((60, 60)) < 0.3
    np.fill_diagonal(wiring, False)
    rng = np.random.default_rng(100 + seed)
    kept = wiring & (rng.random((60, 60)) < share)
    pairs = np.argwhere(kept)
    layer = Layer("chemical", True, pairs, rng.integers(1, 9, len(pairs)).astype(float), "synapses")
    animal = make_connectome("x", np.array([f"n{i}" for i in range(60)]), [layer])
    return animal.subset(rng.permutation(np.flatnonzero(np.isin(animal.names, names))))


@pytest.fixture
def animals() -> list[Connectome]:
    everyone = [f"n{i}" for i in range(60)]
    shares = (0.5, 0.5, 0.9, 0.9)
    return [grown(seed, share, everyone[seed:]) for seed, share in enumerate(shares)]


def named(animal: Connectome, pairs: np.ndarray) -> set[tuple[str, str]]:
    return {tuple(names) for names in animal.names[pairs].tolist()}


def test_the_next_stage_is_what_only_older_animals_have(
    animals: list[Connectome], tmp_path: Path
) -> None:
    (version,) = build(Animals(animals), tmp_path)
    assert version.manifest.name == "net-stage"
    names = np.array(version.table("ids")["name"].to_pylist())
    assert set(names) == {f"n{i}" for i in range(3, 60)}
    young, old = (
        set().union(*(named(a, a.layer("chemical").pairs) for a in part))
        for part in (animals[:2], animals[2:])
    )
    among = {(a, b) for a in names for b in names}
    edges = version.edges("chemical")
    shown = {(str(names[i]), str(names[j])) for i, j in pairs_of(edges)}
    assert shown == young & among
    found: set[tuple[str, str]] = set()
    for part in ("valid", "test"):
        pairs = positives(version, "chemical", 0, part)
        found |= {(str(names[i]), str(names[j])) for i, j in pairs}
    assert found == (old - young) & among
    for (i, j), count in zip(pairs_of(edges), edges["animals"].to_pylist(), strict=True):
        pair = (str(names[i]), str(names[j]))
        assert count == sum(pair in named(a, a.layer("chemical").pairs) for a in animals[:2])
    assert failed(version) == []


def test_merged_weights_are_means_over_all_animals(animals: list[Connectome]) -> None:
    common = common_neurons(animals)
    dense = [animal.layer("chemical").matrix(57).toarray() for animal in common]
    merged = merge(common)
    assert [animal.names.tolist() for animal in common] == [merged.names.tolist()] * 4
    np.testing.assert_allclose(
        merged.layer("chemical").matrix(57).toarray(), np.mean(dense, axis=0)
    )


def test_a_rare_class_is_left_unlabelled(tmp_path: Path) -> None:
    labels = np.array(["rare"] * 4 + ["a"] * 26 + ["b"] * 25 + [""] * 5)
    young = replace(grown(1, 0.9, [f"n{i}" for i in range(60)]), cell_class=labels)

    @dataclass(frozen=True)
    class One(Animals):
        def read(self, license_: str | None = None) -> Raw:
            return replace(super().read(), connectome=young, earlier=())

    (node,) = build(One([young] * 4), tmp_path, only="node")
    task = node.manifest.task("class")
    assert task.classes == ("a", "b")
    assert sum(task.counts[0].model_dump(include={"train", "valid", "test"}).values()) == 51


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Connections and neurons of a user's own; two neurons have no class."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, 80)
    likely = np.where(group[:, None] == (group[None, :] + 1) % 3, 0.3, 0.06)
    wiring = rng.random((80, 80)) < likely
    np.fill_diagonal(wiring, False)
    rows = [[f"c{i}", f"c{j}", rng.integers(1, 30), "chemical"] for i, j in np.argwhere(wiring)]
    electric = np.argwhere(np.triu(rng.random((80, 80)) < 0.05, 1))
    rows += [[f"c{i}", f"c{j}", 1 + i % 3, "electrical"] for i, j in electric]
    names = [[f"c{i}", "" if i < 2 else "xyz"[g], "left"] for i, g in enumerate(group)]
    files = folder / "connections.csv", folder / "neurons.csv"
    heads = ["from", "to", "size", "kind"], ["id", "class", "side"]
    for path, head, content in zip(files, heads, (rows, names), strict=True):
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([head, *content])
    return files


def words(tables: tuple[Path, Path], out: Path, *more: object) -> tuple[object, ...]:
    edges, nodes = tables
    given = ("build", "connectome", "--name", "own", "--edges", edges, "--nodes", nodes)
    mapped = ("--pre", "from", "--post", "to", "--weight", "size", "--node-name", "id")
    return (*given, *mapped, "--layer", "kind", "--unit", "synapses", "--out", out, *more)


def test_a_user_builds_from_tables_of_their_own(
    retia: Command, tables: tuple[Path, Path], tmp_path: Path
) -> None:
    assert retia(*words(tables, tmp_path)) == 0
    versions = [Version.open(tmp_path / f"own-{x}" / "1.0.0") for x in ("link", "weight", "node")]
    for version in versions:
        assert failed(version) == []
        assert version.verify() == []
    link, _, node = versions
    assert [task.name for task in link.manifest.tasks] == ["chemical", "gap"]
    assert link.manifest.relation("chemical").columns[0].unit == "synapses"
    counts = node.manifest.task("class").counts[0]
    assert counts.train + counts.valid + counts.test == 78
    again = words(tables, tmp_path, "--workers", 3)
    assert retia(*again) == 0
    assert Version.open(link.root).manifest.digest == link.manifest.digest


def test_weak_connections_and_other_layers_are_left_out(
    retia: Command, tables: tuple[Path, Path], tmp_path: Path
) -> None:
    choice = ("--min-weight", 10, "--kind-filter", "chemical", "--only", "weight")
    assert retia(*words(tables, tmp_path, *choice)) == 0
    version = Version.open(tmp_path / "own-weight" / "1.0.0")
    with tables[0].open() as file:
        rows = list(csv.DictReader(file))
    strong = [r for r in rows if r["kind"] == "chemical" and int(r["size"]) >= 10]
    assert [(r.name, r.num_edges) for r in version.manifest.relations] == [
        ("chemical", len(strong))
    ]
    report = version.manifest.provenance.parameters["report"]
    assert report["chemical_under_min_weight"] > 0


def test_a_sealed_link_build_shows_no_answer(
    retia: Command, tables: tuple[Path, Path], tmp_path: Path
) -> None:
    assert retia(*words(tables, tmp_path, "--sealed", "link", "--only", "link")) == 0
    version = Version.open(tmp_path / "own-link" / "1.0.0")
    assert {task.secrecy for task in version.manifest.tasks} == {"sealed"}
    public = {shard.table for shard in version.manifest.shards}
    assert "ids" not in public
    assert not {table for table in public if table.endswith(("test-answers", "test-candidates"))}
    assert {finding.status for finding in audit(version)} <= {"passed", "not checked"}


def test_the_role_in_motifs_stays_open_in_a_sealed_build(
    retia: Command, tables: tuple[Path, Path], tmp_path: Path
) -> None:
    assert retia(*words(tables, tmp_path, "--sealed", "node", "--only", "node")) == 0
    tasks = Version.open(tmp_path / "own-node" / "1.0.0").manifest.tasks
    secrecy = {task.name: task.secrecy for task in tasks}
    assert secrecy["class"] == "sealed"
    assert secrecy.get("motif-role", "open") == "open"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_matrix_and_exports_are_read_by_the_verb(retia: Command, tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).integers(0, 3, (40, 40))
    np.savetxt(tmp_path / "m.csv", matrix, fmt="%d", delimiter=",")
    rows = [(i, j, matrix[i, j]) for i, j in np.argwhere(matrix > 0)]
    lines = "\n".join(f"{i},{j},{weight}" for i, j, weight in rows)
    write(tmp_path / "np/traced-total-connections.csv", f"bodyId_pre,bodyId_post,weight\n{lines}\n")
    cells = "\n".join(f"{i},t{i % 2},n_{'LR'[i % 2]}" for i in range(40))
    write(tmp_path / "np/traced-neurons.csv", f"bodyId,type,instance\n{cells}\n")
    write(tmp_path / "fw/connections.csv", f"pre_root_id,post_root_id,syn_count\n{lines}\n")
    graph = nx.DiGraph()
    graph.add_weighted_edges_from((str(i), str(j), int(weight)) for i, j, weight in rows)
    nx.write_graphml(graph, tmp_path / "g.graphml")
    expected = int((matrix > 0).sum() - (matrix.diagonal() > 0).sum())
    for option, path in (
        ("--matrix", tmp_path / "m.csv"),
        ("--graphml", tmp_path / "g.graphml"),
        ("--neuprint", tmp_path / "np"),
        ("--flywire", tmp_path / "fw"),
    ):
        name = option.removeprefix("--")
        out = ("--name", name, "--only", "weight", "--out", tmp_path / "out")
        assert retia("build", "connectome", option, path, *out) == 0
        version = Version.open(tmp_path / "out" / f"{name}-weight" / "1.0.0")
        assert version.manifest.relation("chemical").num_edges == expected


@pytest.mark.parametrize(
    ("edges", "options", "message"),
    [
        ("pre,post,weight\na,zz,1\n", ("--nodes", "nodes.csv"), "zz"),
        ("pre,post,weight\na,b,-1\n", (), "-1"),
        ("pre,post,weight\na,b,many\n", (), "many"),
        ("pre,post\na,b\n", (), "weight"),
        ("pre,post,weight\na,b,1\n", ("--pre", "sender"), "sender"),
        ("pre,post,weight\na,b,1\n", ("--kind-filter", "gap"), "gap"),
        ("pre,post,weight\na,b,1\n", ("--min-weight", "nan"), "min-weight"),
        ("pre,post,weight\na,b,1\n", ("--min-weight", "2"), "no connection"),
        ("pre,post,weight\na,b,1\n", (), "nothing can be built"),
        ("pre,post,weight\na,b,1\n", ("--only", "node"), "label"),
        ("pre,post,weight\na,b,1\n", ("--matrix", "m.csv"), "one source"),
        ("pre,post,weight\na,b,1\n", ("--sealed", "link", "--seed", "1"), "seed"),
        ("pre,post,weight\na,b,1\n", ("--name", "Bad Name"), "Bad Name"),
    ],
)
def test_bad_tables_are_answered_by_one_line(
    retia: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    edges: str,
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "e.csv", edges)
    write(tmp_path / "nodes.csv", "name\na\nb\n")
    given = ("build", "connectome", "--edges", "e.csv", "--name", "own", "--out", "out")
    assert retia(*given, *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0,1,0\n1,0,1\n", "2 rows and 3 columns"),
        (",a,b\na,0,1\nc,1,0\n", "'b' in the first row"),
        (",a,a\na,0,1\na,1,0\n", "named 'a'"),
        ("0,1\n-2,0\n", "-2"),
    ],
)
def test_bad_matrices_are_answered_by_one_line(
    retia: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    path = write(tmp_path / "m.csv", content)
    given = ("build", "connectome", "--matrix", path, "--name", "own", "--out", tmp_path / "out")
    assert retia(*given) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_generated_tables_cannot_be_sealed(
    retia: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retia("synth", "connectome", "--nodes", 60, "--out", tmp_path) == 0
    given = ("build", "connectome", "--edges", tmp_path / "connections.csv", "--name", "own")
    assert retia(*given, "--sealed", "link", "--out", tmp_path / "out") == 2
    assert "generator.json" in capsys.readouterr().err


def test_fly_connectomes_are_public(
    retia: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert find_entry("larva").source is None
    assert retia("build", "larva", "--dir", tmp_path, "--sealed", "link") == 2
    assert "public" in capsys.readouterr().err
    assert retia("build", "larva", "--dir", tmp_path) == 2
    assert "G_edgelist.txt: no such file" in capsys.readouterr().err
