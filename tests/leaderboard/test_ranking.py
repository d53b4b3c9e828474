"""Which entries are ranked, and which way is better."""

from retia.leaderboard.ranking import higher_is_better, is_ranked


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
