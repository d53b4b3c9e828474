"""Each model earns its place: it beats a simpler one where it should."""

import pytest

from retia.benchmarks import MODELS
from tests.benchmarks.places import CONTROLS, PLACES, Place, compare


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_model_is_better_by_more_than_two_standard_errors(place: Place) -> None:
    gain, error = compare(place).gain
    assert gain > 2 * error


def test_every_model_has_a_place() -> None:
    assert {str(place.model).split()[0] for place in PLACES} == set(MODELS) - CONTROLS
