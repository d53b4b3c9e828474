"""The colours of pictures, on a dark ground: one scale for quantities, a set for classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retia.api.exhibits.colourings import ABSENT, Colouring

GROUND = (13, 20, 19)
MUTED = (92, 108, 104)
SCALE = ((58, 76, 150), (38, 128, 148), (70, 172, 128), (168, 208, 92), (253, 241, 170))
CLASSES = (
    (95, 202, 191), (240, 150, 70), (150, 140, 240), (240, 228, 96), (232, 110, 150),
    (110, 175, 240), (160, 205, 90), (215, 165, 130), (200, 130, 220), (190, 200, 200),
)  # fmt: skip


def table(colouring: Colouring | None) -> NDArray[np.uint8]:
    """(256, 3) the colour of each value; the classes after the tenth share the last colour."""
    colours = np.full((256, 3), MUTED, dtype=np.float64)
    if colouring is None:
        colours[:] = CLASSES[0]
    elif colouring.classes:
        kinds = np.minimum(np.arange(len(colouring.classes)), len(CLASSES) - 1)
        colours[: len(kinds)] = np.array(CLASSES)[kinds]
    else:
        place = np.linspace(0, len(SCALE) - 1, ABSENT)
        for channel in range(3):
            steps = [colour[channel] for colour in SCALE]
            colours[:ABSENT, channel] = np.interp(place, np.arange(len(SCALE)), steps)
    return colours.round().astype(np.uint8)


def stops(header: dict[str, Any]) -> list[str]:
    """The colours of a colouring, `#rrggbb`: the ends and steps of a range, or one a class."""
    named = header.get("classes")
    colours = SCALE if named is None else CLASSES[: len(named)]
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in colours]
