"""Encoders that need no model: TF-IDF with SVD, hashing with a projection, and their cards."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from retia.datasets.text.encoders import Encoded, FittedOn, encode, hashing, tfidf
from retia.datasets.text.encoders.hashing import SEED, projection, projection_sha256
from retia.protocol.randomness import Randomness
from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.errors import InputError, IntegrityError
from retia.shards.texts import texts_sha256

ZERO = Randomness.from_seed(0)
DIGEST = "0" * 64
SPECS = ("tfidf-svd-8", "hashing-64")
APPLE = 190608  # the bucket of the word
FRUIT = ["red apple tree", "green apple juice", "apple tree leaf", "pear tree", "pear juice", ""]


def zipf_texts(number: int, words: int, seed: int = 0) -> list[str]:
    """Texts of words whose frequency falls as one over their rank."""
    rng = np.random.default_rng(seed)
    share = np.cumsum(1 / np.arange(1, 3001))
    drawn = np.searchsorted(share / share[-1], rng.random((number, words)))
    return [" ".join(f"word{rank}" for rank in row) for row in drawn]


def encoded(texts: Sequence[str], spec: str, **options: object) -> Encoded:
    return encode(texts, spec, what="description", randomness=ZERO, **options)  # type: ignore[arg-type]


def source(spec: str = "tfidf-svd-8", texts: Sequence[str] = FRUIT) -> FittedOn:
    return FittedOn(texts, "fruit-node@1.0.0", DIGEST, encoded(texts, spec).card)


def column_sum(texts: Sequence[str]) -> str:
    return texts_sha256(pa.array(texts, pa.large_string()))


def test_tfidf_svd_is_the_pipeline_of_scikit_learn() -> None:
    texts = zipf_texts(1200, 12)
    made = encoded(texts, "tfidf-svd-16")
    seed = made.card.parameters["seed"]
    oracle = make_pipeline(
        TfidfVectorizer(sublinear_tf=True, min_df=2),
        TruncatedSVD(16, n_iter=2, random_state=seed),
        Normalizer(),
    )
    assert made.values.shape == (1200, 16)
    assert made.values.dtype == np.float32
    np.testing.assert_allclose(np.abs(made.values), np.abs(oracle.fit_transform(texts)), atol=1e-5)


def test_the_largest_weight_of_a_direction_is_positive() -> None:
    fitted, _ = tfidf.fit(zipf_texts(400, 8), 12, seed=5)
    assert (fitted.components.max(axis=1) == np.abs(fitted.components).max(axis=1)).all()
    turned = tfidf.turn(-fitted.components)
    np.testing.assert_array_equal(turned, fitted.components)


def test_the_exact_decomposition_gives_the_same_leading_vectors() -> None:
    """On texts of three topics, whose three directions stand out."""
    rng = np.random.default_rng(1)
    topics = rng.integers(3, size=600)
    words = [rng.integers(20 * topic, 20 * topic + 20, size=15) for topic in topics]
    texts = [" ".join(f"word{word}" for word in row) for row in words]
    made = encoded(texts, "tfidf-svd-3").values
    weights = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(texts).toarray()
    leading = np.linalg.svd(weights, full_matrices=False)[2][:3]
    exact = Normalizer().fit_transform(weights @ leading.T)
    np.testing.assert_allclose(made @ made.T, exact @ exact.T, atol=0.02)


def test_directions_that_the_texts_do_not_have_are_zeros() -> None:
    made = encoded(FRUIT * 3, "tfidf-svd-32")
    kept = made.card.parameters["components"]
    assert isinstance(kept, int)
    assert 0 < kept < 8
    assert made.values.shape == (18, 32)
    assert (made.values[:, :kept] != 0).any(axis=0).all()
    assert not made.values[:, kept:].any()


def test_hashing_is_the_projection_of_hashed_words() -> None:
    texts = zipf_texts(200, 12)
    counts = HashingVectorizer(n_features=1 << 18, norm=None, alternate_sign=False).transform(texts)
    weights = counts.copy()
    weights.data = 1 + np.log(counts.data)
    expected = Normalizer().fit_transform(weights @ projection(64).toarray())
    np.testing.assert_allclose(encoded(texts, "hashing-64").values, expected, atol=1e-6)


def test_hashing_keeps_angles_up_to_one_over_the_root_of_d() -> None:
    texts = zipf_texts(300, 30)
    exact = Normalizer().fit_transform(hashing.count_buckets(texts))
    apart = np.triu_indices(300, 1)
    truth = (exact @ exact.T).toarray()[apart]
    errors = {}
    for dimensions in (64, 1024):
        vectors = encoded(texts, f"hashing-{dimensions}").values
        errors[dimensions] = (vectors @ vectors.T)[apart] - truth
        assert np.sqrt((errors[dimensions] ** 2).mean()) < 1.1 / np.sqrt(dimensions)
    assert errors[1024].std() < 0.3 * errors[64].std()


@pytest.mark.parametrize("dimensions", [1, 7, 16, 100, 256])
def test_every_bucket_has_a_direction_of_length_one(dimensions: int) -> None:
    matrix = projection(dimensions)
    entries = min(16, dimensions)
    np.testing.assert_array_equal(np.diff(matrix.indptr), entries)
    rows = matrix.indices.reshape(-1, entries)
    assert (np.diff(rows, axis=1) > 0).all()
    assert np.array_equal(np.unique(rows), np.arange(dimensions))
    np.testing.assert_allclose((matrix.data.reshape(-1, entries) ** 2).sum(axis=1), 1)
    assert abs(matrix.data.mean()) < 0.01


def test_equal_texts_have_equal_hashed_vectors_in_all_graphs() -> None:
    one = encoded(["shared words here", *zipf_texts(50, 8)], "hashing-64")
    other = encode(
        [*zipf_texts(9, 3, seed=4), "shared words here"],
        "hashing-64",
        what="title",
        randomness=Randomness.from_seed(99),
        fit_on=source(),
    )
    np.testing.assert_array_equal(one.values[0], other.values[-1])
    assert one.card.parameters == other.card.parameters
    assert one.card.fitted_on == other.card.fitted_on == "nothing"


def test_another_graph_is_put_into_the_space_of_the_source() -> None:
    fit_on = source()
    target = ["apple tree leaf", "words the source lacks", "", "apple apple unknown"] * 5
    other = Randomness.from_seed(7)
    made = encode(target, "tfidf-svd-8", what="title", randomness=other, fit_on=fit_on)
    own = encoded(FRUIT, "tfidf-svd-8")
    np.testing.assert_allclose(made.values[0], own.values[2], atol=1e-6)
    assert not made.values[1:3].any()
    assert made.card.fitted_on == f"fruit-node@1.0.0 {DIGEST}"
    assert made.card.texts_sha256 == column_sum(target)
    assert made.card.parameters == own.card.parameters
    alone = encode(target[:1], "tfidf-svd-8", what="title", randomness=other, fit_on=fit_on)
    np.testing.assert_array_equal(alone.values[0], made.values[0])


def test_a_source_must_have_the_encoding_and_its_texts() -> None:
    fit_on = source()
    with pytest.raises(InputError, match=r"fruit-node@1.0.0 has no encoding of that name"):
        encoded(FRUIT, "tfidf-svd-4", fit_on=fit_on)
    second = encoded(["apple"], "tfidf-svd-8", fit_on=fit_on)
    with pytest.raises(InputError, match="fitted on its own texts"):
        encoded(FRUIT, "tfidf-svd-8", fit_on=FittedOn(["apple"], "b@1.0.0", DIGEST, second.card))
    changed = FittedOn(FRUIT[::-1], fit_on.reference, DIGEST, fit_on.card)
    with pytest.raises(IntegrityError, match="not those that its card names"):
        encoded(FRUIT, "tfidf-svd-8", fit_on=changed)
    words = fit_on.card.parameters | {"vocabulary_sha256": DIGEST}
    card = fit_on.card.model_copy(update={"parameters": words})
    with pytest.raises(IntegrityError, match="gives other words"):
        encoded(FRUIT, "tfidf-svd-8", fit_on=FittedOn(FRUIT, "b@1.0.0", DIGEST, card))


@pytest.mark.parametrize("spec", SPECS)
def test_the_number_of_workers_changes_no_byte(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfidf, "BLOCK_ROWS", 100)
    monkeypatch.setattr(hashing, "BLOCK_ROWS", 100)
    texts = zipf_texts(1001, 8)
    one, three = (encoded(texts, spec, workers=workers) for workers in (1, 3))
    assert one.values.tobytes() == three.values.tobytes()
    assert one.card == three.card


def test_the_card_tells_the_truth() -> None:
    texts = zipf_texts(300, 8)
    card = encoded(texts, "tfidf-svd-8", dtype="float16").card
    words = sorted(TfidfVectorizer(min_df=2).fit(texts).vocabulary_)
    assert card.name == "tfidf-svd-8"
    assert card.texts == "description"
    assert card.texts_sha256 == card.parameters["fitted_texts_sha256"] == column_sum(texts)
    assert card.fitted_on == "these texts"
    assert card.parameters["words"] == len(words)
    assert card.parameters["vocabulary_sha256"] == sha256_bytes(canonical_json(words))
    assert (card.dtype, card.dimensions, card.normalised) == ("float16", 8, True)
    hashed = encoded(texts, "hashing-64").card
    assert hashed.parameters["seed"] == SEED
    assert hashed.parameters["projection_sha256"] == projection_sha256(projection(64))


@pytest.mark.parametrize("spec", SPECS)
def test_half_precision_is_the_rounding_of_the_single_one(spec: str) -> None:
    full, half = (encoded(FRUIT, spec, dtype=dtype) for dtype in ("float32", "float16"))
    assert half.values.dtype == np.float16
    np.testing.assert_array_equal(half.values, full.values.astype(np.float16))


def test_another_seed_gives_another_decomposition_and_the_card_has_it() -> None:
    texts = zipf_texts(500, 8)
    other = encode(texts, "tfidf-svd-8", what="description", randomness=Randomness.from_seed(1))
    again, first = (encoded(texts, "tfidf-svd-8") for _ in range(2))
    assert again.values.tobytes() == first.values.tobytes() != other.values.tobytes()
    assert other.card.parameters["seed"] != first.card.parameters["seed"]


@settings(max_examples=20)
@given(st.lists(st.text(), min_size=1, max_size=8))
def test_any_text_has_a_vector_of_length_one_or_none(texts: list[str]) -> None:
    assert_unit_or_zero(encoded(texts, "hashing-16").values)
    known = [*texts, "two words", "two words"]
    made = encoded(known, "tfidf-svd-4")
    assert made.card.texts_sha256 == column_sum(known)
    assert_unit_or_zero(made.values)
    assert made.values[-1].any()


def assert_unit_or_zero(values: np.ndarray) -> None:
    norms = np.linalg.norm(values, axis=1)
    assert np.isfinite(values).all()
    assert (np.isclose(norms, 1, atol=1e-5) | (norms == 0)).all()


@settings(max_examples=5)
@given(st.permutations(range(40)))
def test_the_order_of_texts_is_the_order_of_vectors(order: list[int]) -> None:
    texts = zipf_texts(40, 6)
    values = encoded(texts, "hashing-32").values
    np.testing.assert_array_equal(
        encoded([texts[row] for row in order], "hashing-32").values, values[order]
    )


def test_a_text_of_ten_megabytes_is_encoded() -> None:
    texts = ["long text " * 1_000_000, "long text", ""]
    values = encoded(texts, "hashing-64").values
    np.testing.assert_allclose(values[0], values[1], atol=1e-6)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("word2vec", "no encoder 'word2vec'; there are: tfidf-svd-D, hashing-D, st:NAME_OR_PATH"),
        ("st:", "no encoder 'st:'"),
        ("tfidf-svd", "no encoder"),
        ("hashing-١٦", "no encoder"),
        ("hashing-0", "D is 1 to 4,096"),
        ("tfidf-svd-5000", "D is 1 to 4,096"),
    ],
)
def test_an_unknown_spec_is_refused(spec: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        encoded(FRUIT, spec)


@pytest.mark.parametrize("texts", [[""], ["", "", ""], ["one", "two"], ["a b c", "a b c"]])
def test_tfidf_wants_a_word_in_two_texts_and_hashing_none(texts: list[str]) -> None:
    with pytest.raises(InputError, match=r"no word stands in two of the .* use hashing-8"):
        encoded(texts, "tfidf-svd-8")
    assert encoded(texts, "hashing-8").values.shape == (len(texts), 8)


def test_what_is_no_text_is_named() -> None:
    with pytest.raises(InputError, match="text 1 is missing"):
        encoded(["a", None], "hashing-8")  # type: ignore[list-item]
    with pytest.raises(InputError, match="text 2 is not valid Unicode"):
        encoded(["a", "b", "\udcff"], "hashing-8")
    with pytest.raises(InputError, match="text 0 is not valid Unicode"):
        encoded([3], "hashing-8")  # type: ignore[list-item]
    with pytest.raises(InputError, match="no texts"):
        encoded([], "hashing-8")


def test_the_encoders_are_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "encoders.md").read_text()
    assert all(spec in page for spec in ("tfidf-svd-D", "hashing-D", "st:NAME_OR_PATH[@REVISION]"))


def test_the_space_of_hashing_is_the_same_on_every_machine() -> None:
    """Versions of numpy and scikit-learn among them: datasets that share it name this sum."""
    made = encoded(["red apple tree"], "hashing-64")
    assert made.card.parameters["projection_sha256"] == (
        "c37b20365c6d16a2fafa2218dac2bfec1760ccae600bca9e589f0d6ceebdc58f"
    )
    assert hashing.count_buckets(["apple"]).indices.tolist() == [APPLE]
