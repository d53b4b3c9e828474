"""Means, intervals and ranks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, ttest_1samp

from retia.leaderboard.ranking import is_ranked
from retia.protocol.rank_groups import higher_is_better, summarise


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_spread_is_unbiased(values: list[float]) -> None:
    assert summarise(values).std == pytest.approx(np.std(values, ddof=1), abs=1e-12)


def test_the_interval_is_that_of_students_t() -> None:
    values = [0.71, 0.74, 0.69, 0.73, 0.75, 0.70, 0.72, 0.74, 0.71, 0.73]
    summary = summarise(values)
    interval = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (summary.low, summary.high) == pytest.approx((interval.low, interval.high), abs=1e-12)
    near = bootstrap((values,), np.mean, rng=np.random.default_rng(0)).confidence_interval
    assert abs(near.low - interval.low) < 0.005


def test_one_seed_has_no_spread() -> None:
    assert summarise([0.5]).std is None
    assert summarise([0.5]).low is None


def test_ten_seeds_from_zero_are_ranked() -> None:
    assert is_ranked(range(10), deterministic=False, num_splits=10)
    assert not is_ranked(range(9), deterministic=False, num_splits=10)
    assert not is_ranked(range(5, 15), deterministic=False, num_splits=1)


def test_a_deterministic_method_is_ranked_with_each_split_once() -> None:
    assert is_ranked([0], deterministic=True, num_splits=1)
    assert not is_ranked([0], deterministic=True, num_splits=10)


def test_every_metric_has_a_direction() -> None:
    assert higher_is_better("rocauc")
    assert higher_is_better("spearman")
    assert not higher_is_better("mae")
