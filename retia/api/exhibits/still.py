"""Draw a scene as a picture, as it lies before anyone turns it."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from retia.api.exhibits.palette import GROUND, MUTED, table
from retia.api.exhibits.scene import TOP, Scene

WIDTH, HEIGHT = 1200, 750
TWICE = 2
TURN, TILT = 0.6, 0.35
DISTANCE, LENS = 2.6, 1.5
MAX_WIDTH = 7.0
POINTS = 5000

Floats = NDArray[np.float64]


def draw_still(scene: Scene) -> bytes:
    """The picture as WebP: far lines first and darker, by the first colouring."""
    image = Image.new("RGB", (WIDTH * TWICE, HEIGHT * TWICE), GROUND)
    pen = ImageDraw.Draw(image)
    colouring = scene.colourings[0] if scene.colourings else None
    colours = table(colouring)[colouring.values] if colouring else None
    places, depth = project(scene.positions)
    if len(scene.lines):
        on_lines = colours is not None and colouring is not None and colouring.on == "lines"
        ends = colours[scene.lines[:, 0]] if colours is not None and not on_lines else colours
        _lines(pen, scene, places, depth, ends)
    if len(scene.positions) <= POINTS or not len(scene.lines):
        on_nodes = colouring is not None and colouring.on == "nodes"
        _points(pen, places, depth, colours if on_nodes else None)
    small = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80, method=6)
    return buffer.getvalue()


def project(positions: NDArray[np.uint16]) -> tuple[Floats, Floats]:
    """(n, 2) places in the large picture, (n,) depth from 0, near, to 1, far."""
    centred = positions / TOP - 0.5
    x, y, z = centred.T
    x, z = x * np.cos(TURN) + z * np.sin(TURN), z * np.cos(TURN) - x * np.sin(TURN)
    y, z = y * np.cos(TILT) - z * np.sin(TILT), z * np.cos(TILT) + y * np.sin(TILT)
    away = DISTANCE - z
    scale = LENS * HEIGHT * TWICE / away
    places = np.column_stack([WIDTH * TWICE / 2 + x * scale, HEIGHT * TWICE / 2 - y * scale])
    return places, np.clip((away - (DISTANCE - 0.87)) / 1.74, 0, 1)


def _lines(
    pen: ImageDraw.ImageDraw,
    scene: Scene,
    places: Floats,
    depth: Floats,
    colours: NDArray[np.uint8] | None,
) -> None:
    far = depth[scene.lines].mean(axis=1)
    order = np.argsort(-far, kind="stable")
    ends = places[scene.lines[order]].reshape(-1, 4).round(1)
    widths = np.ones(len(order)) if scene.widths is None else scene.widths[order] / 255 * MAX_WIDTH
    widths = np.maximum(1, np.round(widths * TWICE)).astype(int)
    shades = _shade(colours, order, far)
    for end, width, shade in zip(ends.tolist(), widths.tolist(), shades, strict=True):
        pen.line(end, fill=shade, width=width)


def _points(
    pen: ImageDraw.ImageDraw, places: Floats, depth: Floats, colours: NDArray[np.uint8] | None
) -> None:
    order = np.argsort(-depth, kind="stable")
    shades = _shade(colours, order, depth)
    radius = 4.0 * TWICE if len(order) <= POINTS else 1.0 * TWICE
    for (x, y), shade in zip(places[order].tolist(), shades, strict=True):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade)


def _shade(
    colours: NDArray[np.uint8] | None, order: NDArray[np.int64], depth: Floats
) -> list[tuple[int, int, int]]:
    """Colours that fade into the ground with depth; without any, a quiet one."""
    chosen = np.array([MUTED]) if colours is None else colours[order]
    light = (1 - 0.7 * depth[order])[:, None]
    faded = np.round(chosen * light + np.array(GROUND) * (1 - light)).astype(int)
    return [tuple(colour) for colour in faded.tolist()]
