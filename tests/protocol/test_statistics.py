"""Means, intervals and groups of methods that are not told apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, ttest_1samp

from retia.protocol.statistics import holm, rank_groups, summarise, worse


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


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.01, 0.2))
def test_holm_rejects_what_the_step_down_procedure_rejects(p: list[float], level: float) -> None:
    corrected = holm(np.array(p))
    rejected = set()
    for step, place in enumerate(np.argsort(p, kind="stable").tolist()):
        if p[place] * (len(p) - step) > level:
            break
        rejected.add(place)
    assert set(np.flatnonzero(corrected <= level).tolist()) == rejected
    assert (corrected >= np.array(p)).all() and (corrected <= 1).all()


def test_a_method_is_worse_where_it_loses_in_nearly_all_draws() -> None:
    leader = np.linspace(0.5, 0.7, 999)
    assert worse(leader, leader - 0.01) == 0.001
    assert worse(leader, leader) == 1.0
    assert worse(leader, leader + np.where(np.arange(999) < 99, 0.01, -0.01)) == 0.1


def test_a_group_ends_before_the_first_method_that_is_worse_than_its_leader() -> None:
    noise = np.random.default_rng(0).normal(size=(6, 2000)) * 0.01
    means = np.array([0.90, 0.895, 0.80, 0.795, 0.79, 0.50])
    assert rank_groups(list(means[:, None] + noise)) == [0, 0, 1, 1, 1, 2]
    shared = 30 * noise[0]  # what moves all methods alike does not hide a difference
    assert rank_groups(list(means[:, None] + noise + shared)) == [0, 0, 1, 1, 1, 2]
    assert rank_groups(list(means[:, None] + 30 * noise)) != [0, 0, 1, 1, 1, 2]
    assert rank_groups([noise[0]]) == [0]
    assert rank_groups([]) == []


def test_many_methods_make_it_harder_to_be_apart() -> None:
    rng = np.random.default_rng(1)
    leader = rng.normal(size=2000)
    other = leader - 1 + rng.normal(size=2000) * 0.5  # worse with p near 0.02
    assert rank_groups([leader, other]) == [0, 1]
    assert rank_groups([leader, *[other] * 20]) == [0] * 21
