import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.errors import IntegrityError, NotFoundError
from retia.shards.manifest import FilePath, Manifest, dump
from retia.shards.version import Version, parse_manifest
from tests.toys import toy_link, toy_node


@pytest.fixture
def version(tmp_path: Path) -> Version:
    return toy_link(tmp_path, sealed=True)


def test_a_whole_version_verifies(version: Version) -> None:
    assert version.verify() == []


def test_an_altered_byte_is_named(version: Version) -> None:
    path = version.root / "nodes" / "part-00000.parquet"
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    assert version.verify() == [
        "nodes/part-00000.parquet: the sha256 is not the one in the manifest"
    ]


def test_a_file_that_is_no_table_is_named_though_its_sum_is_right(version: Version) -> None:
    shard = version.manifest.files("nodes")[0]
    content = b"no Parquet"
    (version.root / shard.path).write_bytes(content)
    update = {"bytes": len(content), "sha256": sha256_bytes(content)}
    shards = tuple(
        each.model_copy(update=update) if each == shard else each
        for each in version.manifest.shards
    )
    manifest = version.manifest.model_copy(update={"shards": shards})
    problems = Version(version.root, manifest).verify()
    assert f"{shard.path}: not a readable Parquet file" in problems


def test_missing_short_and_stray_files_are_named(version: Version) -> None:
    (version.root / "ids-copy.txt").write_text("stray")
    (version.root / "edges" / "edge" / "part-00000.parquet").unlink()
    train = version.root / "tasks" / "link" / "3" / "train.parquet"
    train.write_bytes(train.read_bytes()[:-1])
    problems = "\n".join(version.verify())
    assert "edges/edge/part-00000.parquet: missing" in problems
    assert "tasks/link/3/train.parquet: " in problems
    assert "ids-copy.txt: not in the manifest" in problems


def test_an_altered_sealed_part_breaks_the_commitment(version: Version) -> None:
    path = version.root / "sealed" / "secret.json"
    path.write_text(json.dumps({"secret": "00" * 32}))
    assert version.verify() == ["sealed: the sealed part does not fit the commitment"]


def test_an_altered_manifest_has_another_digest(version: Version) -> None:
    content = json.loads((version.root / "manifest.json").read_text())
    content["title"] = "Another"
    (version.root / "manifest.json").write_text(json.dumps(content))
    assert "digest" in Version.open(version.root).verify()[0]


def test_times_do_not_enter_the_digest(version: Version) -> None:
    content = dump(version.manifest)
    content["created"] = "2001-01-01T00:00:00Z"
    content["provenance"]["sources"][0]["retrieved"] = "2001-01-01T00:00:00Z"
    assert Manifest.model_validate(content).content_digest() == version.manifest.digest


def test_unknown_keys_are_refused(version: Version) -> None:
    content = dump(version.manifest)
    content["surprise"] = 1
    with pytest.raises(IntegrityError, match=r"here: surprise"):
        parse_manifest(canonical_json(content), "here")


def test_sealed_answers_are_not_among_the_public_files(version: Version, tmp_path: Path) -> None:
    paths = [shard.path for shard in version.manifest.shards]
    assert not any("test-answers" in path or "test-candidates" in path for path in paths)
    assert any("valid-answers" in path for path in paths)
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "manifest.json").write_bytes((version.root / "manifest.json").read_bytes())
    with pytest.raises(NotFoundError, match="sealed"):
        Version.open(bare).answers("link", 0, "test")


def test_no_hidden_edge_is_visible(tmp_path: Path) -> None:
    version = toy_link(tmp_path)
    visible = set(
        zip(*(version.edges("edge")[end].to_pylist() for end in ("src", "dst")), strict=True)
    )
    for split in range(10):
        for part in ("valid", "test"):
            items = version.task_table("link", split, part).to_pylist()
            labels = version.answers("link", split, part)["label"].to_pylist()
            hidden = {
                (row["src"], row["dst"]) for row, label in zip(items, labels, strict=True) if label
            }
            assert hidden
            assert not hidden & visible


def test_unknown_tables_and_tasks_name_what_there_is(tmp_path: Path) -> None:
    version = toy_node(tmp_path)
    with pytest.raises(NotFoundError, match="no task 'link'; it has: colour"):
        version.task_table("link", 0, "train")
    with pytest.raises(NotFoundError, match="no table 'edges/gap'"):
        version.edges("gap")


@given(st.text(max_size=40))
def test_a_file_path_never_leaves_its_folder(text: str) -> None:
    for path in (text, f"../{text}.parquet", f"/{text}.parquet", f"a/../{text}.parquet"):
        try:
            accepted = TypeAdapter(FilePath).validate_python(path)
        except ValidationError:
            continue
        assert Path("/root/folder", accepted).resolve().is_relative_to("/root/folder")
        assert ".." not in accepted.split("/")
