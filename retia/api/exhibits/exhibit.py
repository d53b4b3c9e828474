"""Everything that the page of a version shows beside its manifest."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from retia.api.exhibits.matrix import Matrix, make_matrix
from retia.api.exhibits.plots import Plot, make_plots
from retia.api.exhibits.scene import make_scene
from retia.api.exhibits.still import HEIGHT, WIDTH, draw_still
from retia.api.exhibits.tables import Rows, Sample, first_rows, sample_texts
from retia.shards.version import Version

SCENE, STILL, MATRIX = "scene.bin", "still.webp", "matrix.png"
MEDIA = {SCENE: "application/octet-stream", STILL: "image/webp", MATRIX: "image/png"}


class Exhibit(BaseModel):
    """What the page is made of; `files` are the names, sums and sizes of the pictures."""

    plots: list[Plot] = []
    rows: list[Rows] = []
    samples: list[Sample] = []
    scene: dict[str, Any] | None = None
    still_size: tuple[int, int] = (WIDTH, HEIGHT)
    matrix: Matrix | None = None
    files: dict[str, tuple[str, int]] = {}


@dataclass(frozen=True)
class Made:
    """An exhibit, and the files that belong to it by name."""

    exhibit: Exhibit
    files: dict[str, bytes]


def make_exhibit(version: Version) -> Made:
    """Compute it, from public files alone."""
    files = {}
    scene = make_scene(version)
    if scene is not None:
        files[SCENE], files[STILL] = scene.encode(), draw_still(scene)
    drawn = make_matrix(version) if version.manifest.kind == "connectome" else None
    if drawn is not None:
        files[MATRIX] = drawn[1]
    exhibit = Exhibit(
        plots=make_plots(version),
        rows=first_rows(version),
        samples=sample_texts(version),
        scene=None if scene is None else scene.header(),
        matrix=None if drawn is None else drawn[0],
    )
    return Made(exhibit, files)
