import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retia.datasets.text.build import build_text
from retia.datasets.text.debian import lists
from retia.datasets.text.debian.source import DebianLists
from retia.datasets.text.options import TextOptions
from retia.protocol.audit import audit
from retia.shards.version import Version
from tests.debian_lists import COMPRESS, PACKAGES, many_packages, write_list, write_suite

Command = Callable[..., int]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of 600 packages."""
    return write_list(tmp_path_factory.mktemp("debian"), many_packages(), ".lz4")


def build(retia: Command, out: Path, *words: object) -> dict[str, Version]:
    """The datasets that the command builds, by name."""
    assert retia("build", "debian", "--out", out, *words) == 0
    built = (Version.open(path.parent) for path in out.glob("*/*/manifest.json"))
    return {version.manifest.name: version for version in built}


def keys(table: object) -> set[frozenset[int]]:
    """The pairs of a table without direction."""
    pairs = zip(table["src"].to_pylist(), table["dst"].to_pylist(), strict=True)
    return {frozenset(pair) for pair in pairs}


@pytest.fixture(scope="module")
def built(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Version]:
    """Both datasets of the list, by name."""
    options = TextOptions("debian", split="grouped", group="source", encodings=("hashing-16",))
    made = build_text(DebianLists((packages,)), options, tmp_path_factory.mktemp("built"))
    return {one.version.manifest.name: one.version for one in made}


def test_both_siblings_pass_the_audit(built: dict[str, Version]) -> None:
    assert sorted(built) == ["debian-link", "debian-node"]
    for version in built.values():
        assert version.manifest.encodings is not None
        assert [one.name for one in version.manifest.encodings] == ["hashing-16"]
        assert not [finding for finding in audit(version) if finding.status == "failed"]
    node = built["debian-node"].manifest
    assert [(task.name, task.type) for task in node.tasks] == [
        ("section", "node"),
        ("debtags", "node-multilabel"),
    ]
    assert node.task("section").classes == ("s0", "s1", "s2")
    assert node.provenance.sources[0].uri == "file:Packages"


def test_no_relation_shows_a_hidden_dependency(built: dict[str, Version]) -> None:
    """In this list every dependency also breaks its target."""
    version = built["debian-link"]
    asked = set()
    for part in ("valid", "test"):
        items = version.task_table("depends", 0, part)
        positive = np.array(version.answers("depends", 0, part)["label"].to_pylist()) == 1
        asked |= keys(items.filter(positive))
    assert len(asked) > 100
    for relation in version.manifest.relations:
        assert not asked & keys(version.edges(relation.name)), relation.name


@pytest.mark.parametrize("split", ["source", "maintainer"])
def test_what_belongs_together_is_in_one_part(
    retia: Command, packages: Path, tmp_path: Path, split: str
) -> None:
    words = ("--packages", packages, "--only", "node", "--split", split, "--encoding", "hashing-16")
    version = build(retia, tmp_path, *words)["debian-node"]
    group = np.array(version.table("ids")[split].to_pylist())
    parts = [
        set(group[version.task_table("section", 0, "train")["node"].to_pylist()]),
        set(group[version.task_table("section", 0, "valid")["item"].to_pylist()]),
        set(group[version.task_table("section", 0, "test")["item"].to_pylist()]),
    ]
    assert all(parts)
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert version.manifest.task("section").split.scheme == "grouped"


def test_the_same_list_gives_the_same_digest_however_it_is_compressed(
    retia: Command, packages: Path, tmp_path: Path
) -> None:
    digests = set()
    for suffix in COMPRESS:
        given = write_list(tmp_path / f"list{suffix}", many_packages(), suffix)
        words = ("--packages", given, "--only", "node", "--encoding", "hashing-16")
        built = build(retia, tmp_path / f"out{suffix}", *words)
        digests.add(built["debian-node"].manifest.digest)
    assert len(digests) == 1


def test_apts_own_list_is_found_and_its_release_recorded(
    retia: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_suite(tmp_path / "lists", "bookworm", text=many_packages())
    monkeypatch.setattr(lists, "APT_LISTS", tmp_path / "lists")
    words = ("--only", "node", "--split", "random", "--names")
    manifest = build(retia, tmp_path / "out", *words)["debian-node"].manifest
    assert manifest.title == "Debian packages (bookworm 12.15, 2026-07-11), labels of nodes"
    assert manifest.provenance.parameters["releases"] == [
        {"codename": "bookworm", "version": "12.15", "date": "2026-07-11T10:16:37+00:00"}
    ]
    assert manifest.encodings is not None
    assert [one.name for one in manifest.encodings] == ["tfidf-svd-128"]
    assert [column.name for column in manifest.columns][:2] == ["description", "name"]


def test_people_are_in_no_file(retia: Command, packages: Path, tmp_path: Path) -> None:
    version = build(retia, tmp_path, "--packages", packages, "--only", "node")["debian-node"]
    tables = [version.nodes(), version.table("ids")]
    told = json.dumps([table.to_pylist() for table in tables]) + version.manifest.model_dump_json()
    assert "m@example.org" not in told
    assert version.table("ids")["maintainer"].to_pylist().count("0") == 30


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--packages", "LIST", "--arch", "amd64"], "leave it out with --packages"),
        (["--packages", "nowhere"], "nowhere: no such file"),
        (["--packages", "CUT"], "line 69: the last stanza does not end with an empty line"),
        (["--packages", "LIST", "--encoding", "bert"], "no encoder 'bert'"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(
    retia: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    why: str,
) -> None:
    paths = {
        "LIST": str(write_list(tmp_path)),
        "CUT": str(write_list(tmp_path, PACKAGES[:-1] + "Package: next\n", name="cut")),
    }
    given = [paths.get(word, word) for word in words]
    assert retia("build", "debian", "--out", tmp_path / "out", *given) == 2
    assert why in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
