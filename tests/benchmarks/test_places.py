"""Each model earns its place: it beats a simpler one where it should."""

import pytest

from tests.benchmarks.places import PLACES, Place, compare


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_model_beats_a_simpler_one(place: Place) -> None:
    gain, error = compare(place).gain
    assert gain > 2 * error
