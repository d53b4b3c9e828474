import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retia.datasets.text import inputs
from retia.datasets.text.build import build_text
from retia.datasets.text.graph import TextGraph
from retia.datasets.text.inputs import Given, Raw, UserFiles
from retia.datasets.text.options import TextOptions
from retia.datasets.text.readers.tables import EdgeMapping, NodeMapping
from retia.datasets.text.tans.record import RECORD
from retia.protocol.audit import audit
from retia.shards.arrays import encoding_matrix
from retia.shards.errors import InputError, NotFoundError
from retia.shards.version import Version

Command = Callable[..., int]
Pair = tuple[int, int]

WORDS = np.array(
    [
        "graph",
        "node",
        "edge",
        "walk",
        "tree",
        "path",
        "cycle",
        "text",
        "word",
        "page",
        "link",
        "list",
    ]
)


def build(source: object, out: Path, **changes: object) -> dict[str, Version]:
    options = TextOptions(**({"name": "net"} | changes))
    built = [one.version for one in build_text(source, options, out)]
    return {version.manifest.name.rpartition("-")[2]: version for version in built}


def failed(version: Version) -> list[object]:
    return [finding for finding in audit(version) if finding.status == "failed"]


def pairs_of(table: object) -> list[Pair]:
    return list(zip(table["src"].to_pylist(), table["dst"].to_pylist(), strict=True))


def answers_of(version: Version, task: str, part: str) -> list[tuple[int, Any]]:
    table = version.answers(task, 0, part)
    return list(zip(table["item"].to_pylist(), table["label"].to_pylist(), strict=True))


def positives(version: Version, task: str, split: int, part: str) -> set[Pair]:
    labels = version.answers(task, split, part)["label"].to_pylist()
    listed = pairs_of(version.task_table(task, split, part))
    scored = version.answers(task, split, part, "candidates")["item"].to_pylist()
    return {listed[item] for item in scored if labels[item]}


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """300 papers of 60 projects and three topics, their citations, and who shares an author."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("papers")
    project = rng.integers(60, size=300)
    topic = project % 3
    chosen = WORDS[(topic[:, None] * 4 + rng.integers(5, size=(300, 8))) % len(WORDS)]
    nodes = pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(300)],
            "title": [" ".join(words[:3]) for words in chosen],
            "abstract": [" ".join(words) for words in chosen],
            "topic": np.array(["red", "green", "blue"])[topic],
            "tags": [";".join(sorted({*words[:2]})) for words in chosen],
            "project": [f"project {i}" for i in project],
        }
    )
    nodes.loc[:9, ["title", "abstract"]] = ""
    nodes.loc[290:, "topic"] = ""
    pairs = rng.integers(300, size=(1500, 2))
    edges = pd.DataFrame({"src": [f"p{i}" for i, _ in pairs], "dst": [f"p{j}" for _, j in pairs]})
    edges["kind"] = "cites"
    author = edges[:300].assign(kind="same author", src=edges.dst[:300], dst=edges.src[:300])
    nodes.to_csv(folder / "nodes.csv", index=False)
    pd.concat([edges, author]).to_csv(folder / "edges.csv", index=False)
    return folder / "nodes.csv", folder / "edges.csv"


@pytest.fixture(scope="session")
def source(papers: tuple[Path, Path]) -> UserFiles:
    columns = NodeMapping(
        texts=("title", "abstract"), labels=("topic",), multilabels=("tags",), groups=("project",)
    )
    return inputs.choose(
        Given(*papers, node_mapping=columns, edge_mapping=EdgeMapping(relation="kind"))
    )


@pytest.fixture(scope="module")
def built(source: UserFiles, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Version]:
    return build(
        source,
        tmp_path_factory.mktemp("built"),
        split="grouped",
        group="project",
        encodings=("tfidf-svd-8", "hashing-16"),
    )


def test_both_siblings_are_built_and_pass_the_audit(built: dict[str, Version]) -> None:
    assert sorted(built) == ["link", "node"]
    for version in built.values():
        assert failed(version) == []


def test_texts_stay_beside_the_features_and_ids_in_their_own_table(
    built: dict[str, Version], papers: tuple[Path, Path]
) -> None:
    given = pd.read_csv(papers[0], keep_default_na=False).set_index("id")
    for version in built.values():
        nodes = version.nodes().to_pandas()
        ids = version.table("ids").to_pandas()
        assert nodes["title"].tolist() == given.loc[ids["name"], "title"].tolist()
        assert nodes["abstract"].tolist() == given.loc[ids["name"], "abstract"].tolist()
        assert nodes["missing_text"].sum() == 10
        assert (nodes["missing_text"] == (nodes["title"] == "")).all()
        roles = {column.name: column.role for column in version.manifest.columns}
        assert roles == {
            "title": "text",
            "abstract": "text",
            "missing_text": "feature",
            "cites_in_degree": "feature",
            "cites_out_degree": "feature",
            "same_author_in_degree": "feature",
            "same_author_out_degree": "feature",
        }


def test_labels_are_those_of_the_table(
    built: dict[str, Version], papers: tuple[Path, Path]
) -> None:
    version = built["node"]
    given = pd.read_csv(papers[0], keep_default_na=False).set_index("id")
    names = version.table("ids")["name"].to_pylist()
    topic, tags = version.manifest.task("topic"), version.manifest.task("tags")
    assert (topic.type, tags.type) == ("node", "node-multilabel")
    for part in ("valid", "test"):
        for item, label in answers_of(version, "topic", part):
            assert given.loc[names[item], "topic"] == topic.classes[label]
        for item, labels in answers_of(version, "tags", part):
            found = {tags.classes[label] for label in labels}
            assert found == set(given.loc[names[item], "tags"].split(";")) & set(tags.classes)
    asked = [version.task_table("topic", 0, part) for part in ("train", "valid", "test")]
    assert sum(table.num_rows for table in asked) == 290


def test_a_project_is_in_one_part(built: dict[str, Version]) -> None:
    version = built["node"]
    project = np.array(version.table("ids")["project"].to_pylist())
    for task in ("topic", "tags"):
        for split in range(10):
            train = version.task_table(task, split, "train")["node"].to_numpy()
            items = [version.task_table(task, split, part)["item"] for part in ("valid", "test")]
            parts = [set(project[nodes]) for nodes in (train, *map(np.asarray, items))]
            assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]


def test_no_visible_edge_of_any_kind_joins_a_hidden_pair(
    built: dict[str, Version], source: UserFiles
) -> None:
    version = built["link"]
    seen = {
        frozenset(pair)
        for relation in version.manifest.relations
        for pair in pairs_of(version.edges(relation.name))
    }
    hidden: set[Pair] = set()
    for split in range(10):
        for part in ("valid", "test"):
            hidden |= positives(version, "cites", split, part)
    assert len(hidden) > 200
    assert not {frozenset(pair) for pair in hidden} & seen
    whole = source.reader()
    removed = version.manifest.provenance.parameters["removed_with_hidden"]
    left = version.manifest.relation("same-author").num_edges
    assert removed > 20
    assert left + removed == len(whole.relation("same-author").pairs)


def test_encodings_have_cards_and_siblings_share_them(built: dict[str, Version]) -> None:
    cards = built["node"].manifest.encodings
    assert cards is not None
    assert [(card.name, card.texts) for card in cards] == [
        ("tfidf-svd-8", "title and abstract"),
        ("hashing-16", "title and abstract"),
    ]
    assert cards == built["link"].manifest.encodings
    for card in cards:
        vectors = encoding_matrix(built["node"], card.name)
        assert vectors.shape == (300, card.dimensions)
        empty = built["node"].nodes(["missing_text"])["missing_text"].to_numpy()
        assert (vectors[empty] == 0).all()
        assert (np.linalg.norm(vectors[~empty], axis=1) > 0.99).all()
        assert (vectors == encoding_matrix(built["link"], card.name)).all()


def test_workers_do_not_change_the_digest_and_a_seed_does(
    source: UserFiles, built: dict[str, Version], tmp_path: Path
) -> None:
    changes = {"split": "grouped", "group": "project", "encodings": ("tfidf-svd-8", "hashing-16")}
    again = build(source, tmp_path / "two", workers=2, **changes)
    other = build(source, tmp_path / "seed", seed=1, **changes)
    for sibling, version in built.items():
        assert again[sibling].manifest.digest == version.manifest.digest
        assert other[sibling].manifest.digest != version.manifest.digest


def test_a_sealed_sibling_keeps_its_answers_and_its_own_order(
    source: UserFiles, tmp_path: Path
) -> None:
    made = build(source, tmp_path, sealed="node", encodings=("hashing-16",))
    task = made["node"].manifest.task("topic")
    assert task.secrecy == "sealed"
    assert not made["node"].has("ids")
    assert not made["node"].has("tasks/topic/0/test-answers")
    assert made["link"].manifest.task("cites").secrecy == "open"
    texts = [version.nodes(["title"])["title"].to_pylist() for version in made.values()]
    assert texts[0] != texts[1]
    assert sorted(texts[0]) == sorted(texts[1])


def test_the_relation_that_is_asked_for_can_be_named(source: UserFiles, tmp_path: Path) -> None:
    version = build(source, tmp_path, only="link", ask="same-author")["link"]
    assert version.manifest.task().name == "same-author"
    with pytest.raises(NotFoundError, match="no relation 'likes'"):
        build(source, tmp_path, ask="likes")


def test_few_shots_are_as_many_of_each_class(source: UserFiles, tmp_path: Path) -> None:
    version = build(source, tmp_path, only="node", shots=7)["node"]
    task = version.manifest.task("topic-7-shot")
    assert task.num_splits == 10
    for split in range(10):
        train = version.task_table(task.name, split, "train")["label"].to_numpy()
        assert np.bincount(train).tolist() == [7, 7, 7]
    assert failed(version) == []
    with pytest.raises(InputError, match="200 shots need at least 401"):
        build(source, tmp_path, only="node", shots=200)


def test_rare_classes_are_left_out(source: UserFiles, tmp_path: Path) -> None:
    class Rare(UserFiles):
        def read(self, license_: str | None = None) -> Raw:
            raw = super().read(license_)
            topic = raw.graph.labels["topic"]
            values = topic.values.copy()
            values[:4] = 3
            rare = replace(topic, classes=(*topic.classes, "rare"), values=values)
            return replace(raw, graph=replace(raw.graph, labels={"topic": rare}))

    rare = Rare(source.files, source.reader, source.parameters)
    version = build(rare, tmp_path, only="node")["node"]
    assert version.manifest.task().classes == ("blue", "green", "red")
    asked = [version.task_table("topic", 0, part) for part in ("train", "valid", "test")]
    assert sum(table.num_rows for table in asked) == 286


def test_published_graphs_are_built_and_pass_the_audit(
    data: Path, retia: Command, tmp_path: Path
) -> None:
    folder = data / "text"
    assert (
        retia("build", "airports", "brazil", "--dir", folder / "airports", "--out", tmp_path) == 0
    )
    words = ("--dir", folder / "cane_cora", "--encoding", "hashing-32", "--out", tmp_path)
    assert retia("build", "cane-cora", *words) == 0
    expected = {
        "brazil-airports-link": (131, 1003 - 200),
        "brazil-airports-node": (131, 1003),
        "cane-cora-link": (2277, 4771 - 954),
        "cane-cora-node": (2277, 4771),
    }
    for name, counts in expected.items():
        version = Version.open(tmp_path / name / "1.0.0")
        manifest = version.manifest
        assert (manifest.num_nodes, manifest.relations[0].num_edges) == counts
        assert failed(version) == []


def test_hypernyms_of_wordnet_are_hidden_and_pass_the_audit(data: Path, tmp_path: Path) -> None:
    version = build(inputs.wn18rr(data / "text/wn18rr"), tmp_path)["link"]
    assert len(version.manifest.relations) == 11
    assert version.manifest.task().relation == "hypernym"
    assert failed(version) == []
    with pytest.raises(InputError, match="wn18rr-node cannot be built: its nodes have no label"):
        build(inputs.wn18rr(data / "text/wn18rr"), tmp_path, name="wn18rr", only="node")


BAD = {
    "no source": ((), "give one source: --nodes, --cstag, --tegdb, --cane"),
    "no edges": (("--nodes", "NODES"), "--nodes and --edges go together"),
    "two sources": (("--nodes", "NODES", "--edges", "EDGES", "--cane", "."), "give one source"),
    "fixed columns": (("--cane", ".", "--text", "title"), "names of columns go with --nodes"),
    "no text": (("TABLES",), "there is no column text; there are: id, title"),
    "no label": (
        ("TABLES", "--text", "", "--only", "node"),
        "net-node cannot be built: its nodes have no label",
    ),
    "no encoder": (("TABLES", "--encoding", "bert"), "no encoder 'bert'"),
    "nothing to encode": (
        ("TABLES", "--text", "", "--encoding", "hashing-8"),
        "net has no text to encode; leave --encoding out",
    ),
    "no group": (
        ("TABLES", "--text", "title", "--split", "grouped"),
        "--split grouped and --group COLUMN go together",
    ),
    "a seed": (("TABLES", "--sealed", "node", "--seed", "1"), "do not go together"),
    "shots of sealed nodes": (
        ("TABLES", "--sealed", "node", "--shots", "5"),
        "--shots and --sealed node do not go together",
    ),
    "few shots of groups": (
        (
            "TABLES",
            *[
                "--text",
                "title",
                "--label",
                "topic",
                "--shots",
                "5",
                "--split",
                "grouped",
                "--group",
                "project",
            ],
        ),
        "--shots and --split grouped do not go together",
    ),
    "few shots of lists": (
        ("TABLES", "--text", "title", "--multilabel", "tags", "--shots", "5"),
        "--shots draws nodes of one class each, and net has no such label",
    ),
    "few shots of edges": (
        ("TABLES", "--text", "title", "--label", "topic", "--shots", "5", "--only", "link"),
        "--shots concerns net-node; leave it or --only link out",
    ),
    "hidden edges of nodes": (
        ("TABLES", "--text", "title", "--label", "topic", "--ask", "edge", "--only", "node"),
        "--ask concerns net-link; leave it or --only node out",
    ),
    "hidden edges of generated texts": (
        ("TABLES", "--text", "title", "--label", "topic", "--ask", "edge", "--texts", "t.csv"),
        "--ask concerns net-link, but texts of --texts may tell",
    ),
    "a label among the texts": (
        ("TABLES", "--text", "title,topic", "--label", "topic"),
        "column topic is a label, and --text would show it to everyone",
    ),
    "a label among the ids": (
        (
            "TABLES",
            *["--text", "title", "--multilabel", "tags", "--split", "grouped", "--group", "tags"],
        ),
        "column tags is a label, and --group would show it to everyone",
    ),
    "a label of both kinds": (
        ("TABLES", "--text", "title", "--label", "topic", "--multilabel", "topic"),
        "column topic is named with --label and --multilabel; choose one",
    ),
    "an unknown column": (
        ("TABLES", "--text", "titel"),
        "nodes.csv: there is no column titel; there are: id, title, abstract, topic, tags, project",
    ),
    "an unknown end": (
        ("TABLES", "--text", "title", "--src", "from"),
        "edges.csv: there is no column from; there are: src, dst, kind",
    ),
    "an empty name": (
        ("TABLES", "--text", "title,,topic"),
        "--text 'title,,topic': give names of columns joined by commas, each once",
    ),
    "a table that is not there": (
        ("--nodes", "usa.parquet", "--edges", "EDGES"),
        "retia: usa.parquet: no such file",
    ),
    "texts that are not there": (
        ("TABLES", "--text", "title", "--label", "topic", "--texts", "usa.parquet"),
        "retia: usa.parquet: no such file",
    ),
    "a folder that is not there": (
        ("--cane", "nowhere"),
        "nowhere: no such folder; name the one that holds data.txt",
    ),
    "a pickle": (("--cstag", "graph.pt"), "a pickle can run code"),
    "one encoder twice": (
        ("TABLES", "--encoding", "hashing-8", "--encoding", "hashing-8"),
        "an encoder is named twice",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_command_is_one_line_and_exit_2(
    case: str,
    papers: tuple[Path, Path],
    retia: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words, problem = BAD[case]
    places = {"NODES": (papers[0],), "EDGES": (papers[1],)}
    places["TABLES"] = ("--nodes", papers[0], "--edges", papers[1])
    given = [word for words_ in (places.get(word, (word,)) for word in words) for word in words_]
    assert retia("build", "text", "--name", "net", "--out", tmp_path, *given) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert problem in lines[-1]
    assert not list(tmp_path.glob("*/*/manifest.json"))


def test_the_command_prints_what_it_built(
    papers: tuple[Path, Path],
    retia: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nodes, edges = papers
    columns = ("--text", "title,abstract", "--label", "topic", "--undirected", "--group", "project")
    options = ("--split", "grouped", "--license", "CC0-1.0", "--json", "--out", tmp_path)
    files = ("--nodes", nodes, "--edges", edges)
    assert retia("build", "text", "--name", "papers", *files, *columns, *options) == 0
    made = json.loads(capsys.readouterr().out)
    assert [one["reference"] for one in made] == ["papers-link@1.0.0", "papers-node@1.0.0"]
    manifest = Version.open(Path(made[0]["path"])).manifest
    assert manifest.license == "CC0-1.0"
    assert not manifest.relations[0].directed
    assert manifest.kind == "text"


def test_two_labels_that_would_be_one_task_are_refused(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i % 2},{i % 3}\n" for i in range(30))
    (tmp_path / "nodes.csv").write_text(f"id,a b,a_b\n{rows}")
    (tmp_path / "edges.csv").write_text("src,dst\n1,2\n")
    columns = NodeMapping(texts=(), labels=("a b", "a_b"))
    given = Given(tmp_path / "nodes.csv", tmp_path / "edges.csv", node_mapping=columns)
    with pytest.raises(InputError, match="two tasks would be called 'a-b'; rename a label"):
        build(inputs.choose(given), tmp_path)


@pytest.mark.parametrize(
    ("verb", "problem"),
    [
        (("airports", "europe"), "there is no europe-airports.edgelist in it; name the folder"),
        (("cane-cora",), "there is no data.txt in it; name the folder that holds it"),
        (("wn18rr",), "there is no entity2text.txt in it; name the folder that holds it"),
    ],
)
def test_a_folder_without_the_files_of_a_published_graph_is_one_line(
    verb: tuple[str, ...],
    problem: str,
    retia: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert retia("build", *verb, "--dir", tmp_path) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"retia: {tmp_path}: {problem}")


@pytest.mark.parametrize(("only", "lines"), [((), 1), (("--only", "node"), 0)])
def test_a_sealed_build_tells_which_dataset_shows_its_answers(
    papers: tuple[Path, Path],
    retia: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    only: tuple[str, ...],
    lines: int,
) -> None:
    files = ("--nodes", papers[0], "--edges", papers[1], "--text", "title", "--label", "topic")
    words = ("--sealed", "node", *only, "--out", tmp_path)
    assert retia("build", "text", "--name", "net", *files, *words) == 0
    told = capsys.readouterr().err.splitlines()
    assert (
        told
        == [
            "net-link shows the answers of net-node: a server that holds one will refuse the other."
        ][:lines]
    )


def test_published_answers_cannot_be_sealed(data: Path, tmp_path: Path) -> None:
    cora = inputs.cane_cora(data / "text/cane_cora")
    with pytest.raises(InputError, match="is public: anyone can look the answers up"):
        build(cora, tmp_path, sealed="node")


def test_a_graph_without_text_has_no_columns_of_it(data: Path, tmp_path: Path) -> None:
    airports = inputs.airports(data / "text/airports", "brazil")
    version = build(airports, tmp_path, only="node")["node"]
    assert [column.name for column in version.manifest.columns] == ["flights_degree"]
    whole: TextGraph = airports.reader()
    assert whole.report["nodes_without_text"] == 131


@pytest.fixture(scope="session")
def described(papers: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated texts of all papers but one."""
    ids = pd.read_csv(papers[0])["id"]
    texts = [f"A paper with number {i % 7} of seven." for i in range(len(ids))]
    path = tmp_path_factory.mktemp("described") / "described.csv"
    pd.DataFrame({"id": ids, "description": texts})[:-1].sample(frac=1).to_csv(path, index=False)
    return path


def test_generated_texts_are_a_column_of_their_own(
    source: UserFiles, described: Path, tmp_path: Path
) -> None:
    made = build(source, tmp_path, texts=described, encodings=("hashing-16",))
    assert list(made) == ["node"]
    version = made["node"]
    nodes, names = version.nodes(), version.table("ids")["name"].to_pylist()
    found = dict(zip(names, nodes["generated_text"].to_pylist(), strict=True))
    expected = pd.read_csv(described).set_index("id")["description"].to_dict()
    assert found == expected | {"p299": ""}
    assert nodes["missing_text"].to_pylist().count(True) == 0
    assert version.manifest.encoding("hashing-16").texts == "title and abstract and generated_text"
    assert len(version.manifest.provenance.sources) == 3
    assert "how is not recorded" in version.manifest.description


def test_a_prediction_in_generated_texts_is_told(
    source: UserFiles, described: Path, tmp_path: Path
) -> None:
    table = pa.Table.from_pandas(pd.read_csv(described), preserve_index=False)
    record = {"llm_prediction": True, "with": "endpoint", "dataset": "net-node@1.0.0"}
    path = tmp_path / "described.parquet"
    pq.write_table(table.replace_schema_metadata({RECORD: json.dumps(record)}), path)
    manifest = build(source, tmp_path, texts=path)["node"].manifest
    assert "holds the model's prediction of the class" in manifest.description
    assert manifest.provenance.parameters["generated_text"] == record


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("id,description\np1,a\npX,b\n", "row 3, column id: 'pX' is not in the graph"),
        ("id,description\np1,a\np1,b\n", "node 'p1' has two rows"),
        ("id,text\np1,a\n", "there is no column description; there are: id, text"),
    ],
)
def test_generated_texts_of_other_nodes_are_refused(
    source: UserFiles, tmp_path: Path, rows: str, problem: str
) -> None:
    (tmp_path / "bad.csv").write_text(rows)
    with pytest.raises(InputError, match=problem):
        build(source, tmp_path, texts=tmp_path / "bad.csv")


def test_generated_texts_and_hidden_edges_do_not_go_together(
    source: UserFiles, described: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="net-link cannot be built: texts of --texts may tell"):
        build(source, tmp_path, texts=described, only="link")


def test_a_graph_is_put_into_the_space_of_another(
    source: UserFiles, built: dict[str, Version], tmp_path: Path
) -> None:
    made = build(
        source,
        tmp_path,
        name="other",
        seed=3,
        only="node",
        encodings=("tfidf-svd-8", "hashing-16"),
        fit_on=str(built["node"].root),
    )["node"]
    card = made.manifest.encoding("tfidf-svd-8")
    assert card.fitted_on == f"net-node@1.0.0 {built['node'].manifest.digest}"
    assert made.manifest.encoding("hashing-16").fitted_on == "nothing"
    names = [version.table("ids")["name"].to_numpy() for version in (made, built["node"])]
    for encoding in ("tfidf-svd-8", "hashing-16"):
        here, there = (encoding_matrix(v, encoding) for v in (made, built["node"]))
        np.testing.assert_allclose(
            here[np.argsort(names[0])], there[np.argsort(names[1])], atol=1e-5
        )


def test_a_source_without_the_encoding_cannot_be_fitted_on(
    source: UserFiles, built: dict[str, Version], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="has no encoding 'tfidf-svd-9'; build it with one"):
        build(source, tmp_path, encodings=("tfidf-svd-9",), fit_on=str(built["node"].root))
    with pytest.raises(NotFoundError, match="no dataset 'no-node'"):
        build(source, tmp_path, encodings=("tfidf-svd-9",), fit_on="no-node")
    with pytest.raises(InputError, match="--fit-on goes with --encoding"):
        build(source, tmp_path, fit_on="net-node")
