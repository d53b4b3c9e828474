"""Sentence transformers, with a stand-in for the library: names, pins, caches, errors."""

import json
import os
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from retia.datasets.text.encoders import Encoded, encode, sentence
from retia.datasets.text.encoders.vector_cache import keep, look_up, text_keys
from retia.protocol.randomness import Randomness
from retia.shards.errors import InputError, MissingExtraError, NotFoundError

ZERO = Randomness.from_seed(0)
COMMIT = "c0ffee" + "0" * 34
TEXTS = ["red apple", "", "red apple", "a\0b ☃", "pear"]


def letters(text: str) -> np.ndarray:
    """A vector that a text determines: how often each of four kinds of letters stands in it."""
    codes = np.frombuffer(text.encode(), np.uint8)
    return 3 * np.bincount(codes % 4, minlength=4).astype(np.float32)


class Pooling:
    pooling_mode = "mean"


class SentenceTransformer:
    """What the encoder uses of the class of that name."""

    max_seq_length: float = 64
    calls: list[list[str]] = []  # noqa: RUF012
    fail_at = -1

    def __init__(self, folder: str, *, local_files_only: bool, model_kwargs: dict) -> None:
        assert local_files_only
        assert model_kwargs == {"use_safetensors": True}
        if not (Path(folder) / "model.safetensors").is_file():
            raise OSError("no file named model.safetensors\nand more lines")
        self.modules = [object(), Pooling()]

    def __iter__(self):
        return iter(self.modules)

    def encode(
        self, texts: list[str], *, batch_size: int, show_progress_bar: bool, convert_to_numpy: bool
    ) -> np.ndarray:
        assert batch_size == sentence.BATCH
        if len(self.calls) == self.fail_at:
            raise KeyboardInterrupt
        self.calls.append(texts)
        return np.stack([letters(text) for text in texts])


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> type[SentenceTransformer]:
    """The stand-in, and a hub that holds no model."""

    class Fresh(SentenceTransformer):
        calls: list[list[str]] = []  # noqa: RUF012

    module = ModuleType("sentence_transformers")
    module.SentenceTransformer = Fresh  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    hub(monkeypatch, missing)
    return Fresh


def hub(monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., str]) -> None:
    module = ModuleType("huggingface_hub")
    module.snapshot_download = snapshot  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)


def missing(name: str, **_: object) -> str:
    raise FileNotFoundError(f"cannot find {name}\nCheck your connection")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "My Model_v2")


def make_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "modules.json").write_text(json.dumps([]))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def encoded(spec: str, cache: Path, texts: list[str] = TEXTS, **options: bool) -> Encoded:
    return encode(texts, spec, what="title", randomness=ZERO, cache=cache, **options)


def test_a_model_in_a_folder_is_named_and_pinned_by_its_files(
    library: type[SentenceTransformer], model: Path, tmp_path: Path
) -> None:
    made = encoded(f"st:{model}", tmp_path / "cache")
    card = made.card
    assert card.name == "st-my-model-v2"
    assert card.encoder == "sentence-transformers My Model_v2"
    assert str(tmp_path) not in card.model_dump_json()
    assert (card.pooling, card.max_length, card.fitted_on) == ("mean", 64, "nothing")
    expected = np.stack([letters(text) for text in TEXTS])
    expected[[0, 2, 3, 4]] /= np.linalg.norm(expected[[0, 2, 3, 4]], axis=1, keepdims=True)
    np.testing.assert_allclose(made.values, expected, atol=1e-6)
    assert not made.values[1].any()
    (model / "model.safetensors").write_bytes(b"other")
    other = encoded(f"st:{model}", tmp_path / "cache").card
    assert card.revision is not None
    assert card.revision.startswith("sha256:")
    assert other.revision != card.revision
    assert len(library.calls) == 2


def test_equal_texts_are_encoded_once_and_never_again(
    library: type[SentenceTransformer], model: Path, tmp_path: Path
) -> None:
    first = encoded(f"st:{model}", tmp_path)
    assert library.calls == [["red apple", "a\0b ☃", "pear"]]
    more = encoded(f"st:{model}", tmp_path, ["new", *TEXTS[::-1]])
    assert library.calls[1:] == [["new"]]
    np.testing.assert_array_equal(more.values[:0:-1], first.values)


def test_a_stop_loses_one_shard_at_most(
    library: type[SentenceTransformer],
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sentence, "SHARD_TEXTS", 10)
    texts = [f"text {number}" for number in range(35)]
    library.fail_at = 2
    with pytest.raises(KeyboardInterrupt):
        encoded(f"st:{model}", tmp_path, texts)
    library.fail_at = -1
    made = encoded(f"st:{model}", tmp_path, texts)
    assert [len(call) for call in library.calls] == [10, 10, 10, 5]
    assert sorted(chain.from_iterable(library.calls)) == sorted(texts)
    expected = np.stack([letters(text) for text in texts])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(made.values, expected, atol=1e-6)


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:40] + b"?" + b[41:]])
def test_a_damaged_shard_is_made_again(
    library: type[SentenceTransformer],
    model: Path,
    tmp_path: Path,
    damage: Callable[[bytes], bytes],
) -> None:
    first = encoded(f"st:{model}", tmp_path / "cache")
    (shard,) = (tmp_path / "cache").rglob("*.parquet")
    shard.write_bytes(damage(shard.read_bytes()))
    again = encoded(f"st:{model}", tmp_path / "cache")
    np.testing.assert_array_equal(first.values, again.values)
    assert len(library.calls) == 2
    assert len(list((tmp_path / "cache").rglob("*.parquet"))) == 1


def test_what_is_kept_is_found_in_any_order(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(50)]
    vectors = np.random.default_rng(0).random((50, 3), np.float32)
    keep(tmp_path, text_keys(texts[:30]), vectors[:30])
    keep(tmp_path, text_keys(texts[20:40]), vectors[20:40])
    there, found = look_up(tmp_path, text_keys(texts[::-1]))
    np.testing.assert_array_equal(there, np.arange(50) >= 10)
    np.testing.assert_array_equal(found, vectors[39::-1])


def test_a_name_is_pinned_to_its_commit_and_nothing_is_downloaded_unless_allowed(
    library: type[SentenceTransformer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_model(tmp_path / "snapshots" / COMMIT)
    asked: list[tuple[str, str | None, bool]] = []

    def snapshot(
        name: str, *, revision: str | None, local_files_only: bool, ignore_patterns: list[str]
    ) -> str:
        assert "*.bin" in ignore_patterns
        asked.append((name, revision, local_files_only))
        return str(folder)

    hub(monkeypatch, snapshot)
    card = encoded("st:some/MiniLM-L12@main", tmp_path).card
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert (card.name, card.revision) == ("st-minilm-l12", COMMIT)
    assert card.encoder == "sentence-transformers some/MiniLM-L12"
    encoded("st:some/MiniLM-L12", tmp_path, allow_download=True)
    assert asked == [("some/MiniLM-L12", "main", True), ("some/MiniLM-L12", None, False)]


def test_a_model_that_reads_texts_of_any_length_states_none(
    library: type[SentenceTransformer], model: Path, tmp_path: Path
) -> None:
    library.max_seq_length = float("inf")
    assert encoded(f"st:{model}", tmp_path).card.max_length is None


def test_what_is_not_there_is_one_clear_line(
    library: type[SentenceTransformer], tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="x/y@v1: the model is not on this machine; give"):
        encoded("st:x/y@v1", tmp_path)
    with pytest.raises(NotFoundError, match=r"x/y: cannot be downloaded: cannot find x/y$"):
        encoded("st:x/y", tmp_path, allow_download=True)
    with pytest.raises(NotFoundError, match="no such folder"):
        encoded(f"st:{tmp_path}/nowhere", tmp_path)
    with pytest.raises(InputError, match=r"has no modules\.json"):
        encoded(f"st:{tmp_path}", tmp_path)


def test_weights_in_a_pickle_are_refused(
    library: type[SentenceTransformer], model: Path, tmp_path: Path
) -> None:
    (model / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"cannot be loaded: no file named model\.safetensors$"):
        encoded(f"st:{model}", tmp_path)
    (model / "2_Dense").mkdir()
    (model / "2_Dense" / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(InputError, match=r"2_Dense/pytorch_model\.bin is a pickle"):
        encoded(f"st:{model}", tmp_path)


def test_without_the_library_the_extra_is_named(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with pytest.raises(MissingExtraError, match=r"pip install 'retia\[text\]'"):
        encoded(f"st:{model}", tmp_path)


def test_no_text_at_all_has_no_vectors_to_take_a_width_from(
    library: type[SentenceTransformer], model: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="all texts are empty"):
        encoded(f"st:{model}", tmp_path, ["", ""])
