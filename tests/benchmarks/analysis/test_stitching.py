"""Affine stitching against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from retia.benchmarks.analysis.embeddings import Embedding, Head
from retia.benchmarks.analysis.stitching import RIDGE, halves, r2, stitch, stitching_matrices
from tests.benchmarks.analysis.spaces import moved, space


def test_equals_ridge_and_r2_of_scikit_learn(rng: np.random.Generator) -> None:
    x, y = space(rng, 80, 6), space(rng, 80, 4)
    y[:, :2] += x[:, :2] + 5
    fit, scored = halves(80, rng)
    centred = x[fit] - x[fit].mean(axis=0)
    model = Ridge(alpha=RIDGE * np.sum(centred**2) / 6).fit(x[fit], y[fit])
    found = stitch(x, y, fit, scored)
    assert found == pytest.approx(model.predict(x[scored]))
    score = r2_score(y[scored], found, multioutput="variance_weighted")
    assert r2(y[scored], found) == pytest.approx(score)


@given(st.integers(0, 2**32 - 1))
def test_an_affine_image_is_read_off_and_the_unit_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = space(rng, 60, 4), space(rng, 60, 3)
    fit, scored = halves(60, rng)
    other = moved(x, rng)
    assert r2(other[scored], stitch(x, other, fit, scored)) > 0.99
    scores = [r2(y[scored], stitch(z, y, fit, scored)) for z in (x, other)]
    assert scores[0] == pytest.approx(scores[1])


def test_halves_are_disjoint_and_cover(rng: np.random.Generator) -> None:
    fit, scored = halves(81, rng)
    assert np.array_equal(np.sort(np.concatenate([fit, scored])), np.arange(81))
    assert len(fit) == 40


def test_a_part_reads_not_the_whole_and_heads_agree_where_it_does(
    rng: np.random.Generator,
) -> None:
    whole = space(rng, 400, 6)
    part = moved(whole[:, :3], rng)
    head = Head(rng.normal(size=(3, 6)), np.zeros(3), several=False)
    small = Head(rng.normal(size=(3, 3)), np.zeros(3), several=False)
    nodes = np.arange(400)
    runs = [Embedding(nodes, whole, head), Embedding(nodes, part, small)]
    explained, agreeing = stitching_matrices(runs, rng)
    assert explained[0, 1] > 0.99
    assert agreeing[0, 1] > 0.97
    assert explained[1, 0] < 0.8
    assert agreeing[1, 0] < 0.9


def test_a_constant_source_gives_the_mean(rng: np.random.Generator) -> None:
    y = space(rng, 20, 2)
    fit, scored = halves(20, rng)
    found = stitch(np.ones((20, 3)), y, fit, scored)
    assert found == pytest.approx(np.tile(y[fit].mean(axis=0), (10, 1)))
    assert np.isnan(r2(np.ones((5, 2)), np.ones((5, 2))))


def test_a_head_of_several_classes_answers_each() -> None:
    head = Head(np.array([[1.0, 0.0], [0.0, -1.0]]), np.array([0.0, 0.5]), several=True)
    z = np.array([[1.0, 1.0], [-1.0, 0.0]])
    assert head.answers(z).tolist() == [[1, 0], [0, 1]]
