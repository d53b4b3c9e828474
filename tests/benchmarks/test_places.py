"""Each model earns its place: it beats a simpler one where it should."""

import pytest

from retia.benchmarks import MODELS
from tests.benchmarks.places import CONTROLS, PLACES, Place, compare


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_model_is_better_by_more_than_two_standard_errors(place: Place) -> None:
    gain, error = compare(place).gain
    assert gain > 2 * error


@pytest.mark.slow
def test_differences_of_positions_tell_nothing_where_distances_are_matched() -> None:
    (place,) = (place for place in PLACES if str(place.model).startswith("gav"))
    assert compare(place).simpler.mean() == pytest.approx(0.5, abs=0.03)


def test_every_model_has_a_place() -> None:
    assert {str(place.model).split()[0] for place in PLACES} == set(MODELS) - CONTROLS
