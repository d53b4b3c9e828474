import csv
import json
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from retia.datasets.connectome.motifs import draws
from retia.datasets.connectome.motifs.families import TRIAD_FAMILY
from retia.datasets.connectome.motifs.report import make_report
from retia.datasets.connectome.motifs.wiring import Wiring
from retia.protocol.triads import TRIADS
from retia.shards.version import Version
from tests.digraphs import varshney
from tests.toys import toy_link, toy_node

Retia = Callable[..., int]
Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """Directed, with weights and a link task."""
    return toy_link(tmp_path_factory.mktemp("link"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """Undirected, with a label."""
    return toy_node(tmp_path_factory.mktemp("node"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, in which nothing is yet."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def read_json(output: Output) -> dict:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(output.readouterr().out, parse_constant=refuse)


def test_census_is_a_row_a_triad(retia: Retia, link: Version, here: Path, capsys: Output) -> None:
    assert retia("motifs", link.root) == 0
    shown = capsys.readouterr().out
    rows = {words[0]: words[1:] for words in map(str.split, shown.splitlines()) if words}
    edges = link.edges("edge")
    graph = nx.DiGraph(zip(edges["src"].to_pylist(), edges["dst"].to_pylist(), strict=True))
    graph.add_nodes_from(range(link.manifest.num_nodes))
    census = nx.triadic_census(graph)
    assert {name: int(rows[name][0].replace(",", "")) for name in TRIADS} == census
    loops = (
        sum(
            graph.has_edge(a, b) and graph.has_edge(b, c) and graph.has_edge(c, a)
            for a in graph
            for b in graph[a]
            for c in graph[b]
            if c != a
        )
        // 3
    )
    assert int(rows["030C"][1].replace(",", "")) == loops
    assert "'link' asks for are hidden" in shown
    assert list(here.iterdir()) == []


def test_nulls_are_written_as_tables_and_a_figure(
    retia: Retia, link: Version, here: Path, capsys: Output
) -> None:
    assert retia("motifs", link.root, "--null", "both", "--draws", 40, "--json") == 0
    told = read_json(capsys)
    folder = here / "toy-link-motifs"
    assert told.pop("files") == [
        f"{folder.name}/motifs.{end}" for end in ("json", "csv", "svg", "png")
    ]
    assert json.loads((folder / "motifs.json").read_text()) == told
    assert [(held["null"], held["seed"], held["draws"]) for held in told["nulls"]] == [
        ("degree", 0, 40),
        ("mutual", 0, 40),
    ]
    with (folder / "motifs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["motif"], row["null"]) for row in rows] == [
        (triad, null) for triad in TRIADS for null in ("degree", "mutual")
    ]
    drawing = (folder / "motifs.svg").read_text()
    assert all(name in drawing for name in TRIADS[3:])


def test_the_seed_and_nothing_else_makes_the_draws(
    retia: Retia, link: Version, capsys: Output
) -> None:
    def table(*words: object) -> str:
        assert retia("motifs", link.root, "--null", "mutual", "--draws", 30, "--json", *words) == 0
        told = read_json(capsys)
        del told["files"]
        return json.dumps(told)

    one = table("--workers", 1, "--out", "one")
    assert table("--workers", 2, "--out", "two") == one
    assert table("--seed", 1, "--out", "three") != one


def test_an_interrupted_run_goes_on_to_the_same_table(
    retia: Retia, link: Version, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("motifs", link.root, "--null", "degree", "--draws", 60, "--json")
    made = []
    row = draws._row

    def stop_after_45(*given: object) -> dict:
        made.append(given)
        if len(made) == 45:
            raise KeyboardInterrupt
        return row(*given)

    with monkeypatch.context() as patch:
        patch.setattr(draws, "_row", stop_after_45)
        assert retia(*words, "--out", "cut") == 130
    assert "goes on from cut/draws" in capsys.readouterr().err
    made.clear()
    monkeypatch.setattr(draws, "_row", lambda *given: made.append(given) or row(*given))
    assert retia(*words, "--out", "cut") == 0
    assert 0 < len(made) <= 40
    resumed = read_json(capsys)
    assert retia(*words, "--out", "whole") == 0
    whole = read_json(capsys)
    assert resumed["families"] == whole["families"]


def test_undirected_edges_count_as_mutual_pairs(
    retia: Retia, node: Version, capsys: Output
) -> None:
    assert retia("motifs", node.root, "--null", "mutual", "--draws", 20, "--json") == 0
    told = read_json(capsys)
    assert told["edges"] == 2 * node.manifest.relations[0].num_edges
    assert told["reciprocity"] == 1
    counts = {row["motif"]: row["count"] for row in told["families"]["triads"]["motifs"]}
    assert {name for name, count in counts.items() if count} == {"003", "102", "201", "300"}
    assert retia("motifs", node.root) == 0
    assert "every edge counts as a mutual pair" in capsys.readouterr().out


def test_colours_split_the_triads(retia: Retia, node: Version, capsys: Output) -> None:
    assert retia("motifs", node.root, "--colour", "colour", "--json") == 0
    families = read_json(capsys)["families"]
    total = dict.fromkeys(TRIADS[3:], 0)
    for row in families["coloured"]["motifs"]:
        total[row["motif"].split("(")[0]] += row["count"]
    assert total == {row["motif"]: row["count"] for row in families["triads"]["motifs"][3:]}
    assert any("(red, red, red)" in row["motif"] for row in families["coloured"]["motifs"])
    assert any("-" in row["motif"] for row in families["coloured"]["motifs"])


def test_more_families_join_the_same_draws(
    retia: Retia, link: Version, here: Path, capsys: Output
) -> None:
    words = ("--four", "--rich-club", "--null", "degree", "--draws", 20, "--out", "all")
    assert retia("motifs", link.root, *words) == 0
    assert "the 20 most frequent of 199" in capsys.readouterr().out
    told = json.loads((here / "all" / "motifs.json").read_text())
    four, club = (told["families"][name]["motifs"] for name in ("four", "rich-club"))
    assert len(four) == 199
    assert club[0]["count"] == told["edges"]
    assert club[0]["degree"]["ratio"] == 1
    assert (here / "all" / "rich-club.svg").exists()


def test_a_least_weight_leaves_the_stronger_edges(
    retia: Retia, link: Version, capsys: Output
) -> None:
    words = ("--min-weight", 3, "--null", "weights", "--draws", 20, "--json")
    assert retia("motifs", link.root, *words) == 0
    told = read_json(capsys)
    assert told["edges"] == (link.edges("edge")["weight"].to_numpy() >= 3).sum()
    assert told["nulls"][0]["mixing"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--relation", "gap"), "has no relation 'gap'; it has: edge"),
        (("--null", "spatial"), "needs positions of the nodes"),
        (("--null", "weights"), "give one (--min-weight)"),
        (("--null", "degree", "--draws", "0"), "0 draws: give 2 to"),
        (("--null", "degree", "--min-weight", "1e9"), "lower the least weight"),
        (("--min-weight", "nan"), "has to be a number"),
        (("--colour", "size"), "nothing to colour by is called 'size'"),
        (("--colour", "degree_in"), "colours are text or whole numbers"),
        (("--rich-club", "--null", "spatial"), "graphs of the same degrees"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    retia: Retia, link: Version, here: Path, capsys: Output, words: tuple[str, ...], says: str
) -> None:
    assert retia("motifs", link.root, *words) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not list(here.rglob("*.csv"))


def test_an_undirected_graph_has_one_chain(retia: Retia, node: Version, capsys: Output) -> None:
    assert retia("motifs", node.root, "--null", "both") == 2
    assert "only --null mutual" in capsys.readouterr().err


def test_the_null_decides_the_sign_on_the_worm(data: Path, tmp_path: Path) -> None:
    """Varshney et al. 2011, chemical synapses: the signs, and about the z, of a published table."""
    pairs = np.stack(varshney(data).nonzero(), axis=1)
    wiring = Wiring.of(279, pairs)
    report = make_report(
        wiring, [TRIAD_FAMILY], ["degree", "mutual"], draws=200, workers=2, folder=tmp_path
    )
    assert (report.edges, round(report.reciprocity, 3)) == (2194, 0.212)
    assert report.noninduced["030T"] == 4320
    degree, mutual = report.nulls
    z = {
        name: (degree.significance["triads"].z[i], mutual.significance["triads"].z[i])
        for i, name in enumerate(TRIADS)
    }
    assert z["111U"][0] > 5 and z["111U"][1] < -15
    published = {
        "030T": (2.2, 17.7),
        "030C": (-9.6, -5.6),
        "111U": (10.2, -30.3),
        "201": (8.3, -26.8),
        "120U": (39.2, 35.7),
        "300": (38.1, 28.9),
    }
    for name, expected in published.items():
        assert z[name] == pytest.approx(expected, rel=0.35, abs=1.5), name
    assert degree.mixing is not None and mutual.mixing is not None
    assert degree.mixing.mixed and mutual.mixing.mixed
