"""Encodings in a version: a card and a table each, which must agree."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from retia.api.checking import check_version
from retia.shards.arrays import encoding_matrix, feature_matrix, node_matrix
from retia.shards.errors import CheckError, InputError, NotFoundError
from retia.shards.manifest import Manifest, dump, encoding_table
from retia.shards.version import Version
from tests.toy_text import card, toy_text, toy_texts


@pytest.fixture
def version(tmp_path: Path) -> Version:
    return toy_text(tmp_path)


def remove(version: Version, name: str) -> None:
    for shard in version.manifest.files(encoding_table(name)):
        (version.root / shard.path).unlink()


def test_vectors_are_read_back_as_they_were_given(version: Version) -> None:
    for about, given in toy_texts().encodings:
        read = encoding_matrix(version, about.name)
        assert read.dtype == np.float32
        assert np.array_equal(read, given.astype(about.dtype).astype(np.float32))
    assert [c.name for c in version.manifest.encodings or ()] == ["good", "noise"]
    assert version.verify() == []
    assert {finding.status for finding in check_version(version)} == {"passed"}


def test_features_are_the_numeric_columns_then_the_encoding(version: Version) -> None:
    features, both = node_matrix(version, "feature"), feature_matrix(version, "good")
    assert features is not None and both is not None
    missing = np.arange(90) % 5 == 0
    assert np.array_equal(features[:, 0] > 0, missing), "missing_text alone, no text"
    assert np.array_equal(both, np.concatenate([features, encoding_matrix(version, "good")], 1))


def test_an_unknown_encoding_is_answered_with_those_there_are(version: Version) -> None:
    with pytest.raises(NotFoundError, match="no encoding 'bert'; it has: good, noise"):
        version.encoding("bert")


def test_an_encoding_that_is_not_here_is_told_how_to_get(version: Version) -> None:
    remove(version, "noise")
    assert version.absent_encodings() == ("noise",)
    with pytest.raises(NotFoundError, match=r"retia download .* --encoding noise"):
        version.encoding("noise")
    assert version.verify(without=["noise"]) == []
    assert version.verify() == ["encodings/noise/part-00000.parquet: missing"]


@pytest.mark.parametrize("wrong", ["no card", "no table", "rows", "twice"])
def test_cards_and_tables_must_agree(version: Version, wrong: str) -> None:
    value = dump(version.manifest)
    if wrong == "no card":
        value["encodings"].pop()
    elif wrong == "no table":
        value["shards"] = [s for s in value["shards"] if s["table"] != "encodings/good"]
    elif wrong == "rows":
        next(s for s in value["shards"] if s["table"] == "encodings/good")["rows"] -= 1
    else:
        value["encodings"].append(value["encodings"][0])
    with pytest.raises(ValidationError, match="encoding"):
        Manifest.model_validate(value)


@pytest.mark.parametrize(
    ("vectors", "problem"),
    [
        (np.zeros((90, 3)), "4 dimensions"),
        (np.full((90, 4), np.nan), "not a finite float16"),
        (np.full((90, 4), 1e6), "not a finite float16"),
    ],
)
def test_vectors_that_do_not_fit_their_card_are_refused(
    tmp_path: Path, vectors: np.ndarray, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        toy_text(tmp_path, encodings=((card("good", 4, "float16"), vectors),))


def test_a_server_refuses_vectors_of_another_width_than_the_card_says(tmp_path: Path) -> None:
    version = toy_text(tmp_path)
    wide = version.manifest.encoding("good").model_copy(update={"dimensions": 5})
    cards = (wide, version.manifest.encoding("noise"))
    manifest = version.manifest.model_copy(update={"encodings": cards})
    manifest = manifest.model_copy(update={"digest": manifest.content_digest()})
    (version.root / "manifest.json").write_text(manifest.model_dump_json(by_alias=True))
    with pytest.raises(CheckError, match=r"encodings/good/.* 'vector' is fixed_size_list"):
        check_version(Version.open(version.root))
