"""Draw what the pages carry: the net beside the title of the first page, and the card that other
sites show for a link, `net.svg` and `social.png` in retia/api/pages/static.

    python scripts/page_art.py

Both are the wide vessels of a generated network, seen from one side.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from retia.datasets.vessel.synthetic import generate_vessels
from retia.protocol.randomness import Randomness

STATIC = Path(__file__).resolve().parents[1] / "retia" / "api" / "pages" / "static"
FONTS = Path("/usr/share/fonts/truetype/dejavu")
NODES, SEED = 2500, 5
WIDTH, HEIGHT = 460, 300
TEAL, INK, PAPER, SOFT = "#12857c", "#14201e", "#fafbf9", "#54635f"
SOCIAL = (1200, 630)

Floats = NDArray[np.float64]


def main() -> None:
    """Write both files."""
    lines, radius = wide_vessels()
    (STATIC / "net.svg").write_text(as_svg(lines, radius))
    social(lines, radius).quantize(24).save(STATIC / "social.png", optimize=True)


def wide_vessels() -> tuple[Floats, Floats]:
    """(m, 2, 2) ends of the wide vessels from 0 to 1, and their radii, widest last."""
    network = generate_vessels(NODES, Randomness.from_seed(SEED))
    positions = np.column_stack([network.nodes[f"pos_{axis}"].to_numpy() for axis in "xyz"])
    columns = [network.edges[f"node{end}id"].to_numpy() for end in (1, 2)]
    ends = np.column_stack(columns).astype(int) - int(network.nodes["id"].to_numpy().min())
    radius = network.edges["avgRadiusAvg"].to_numpy()
    turned = positions @ np.array([[0.88, 0.12], [0.0, 0.95], [-0.47, 0.29]])
    turned = (turned - turned.min(axis=0)) / np.ptp(turned, axis=0)
    keep = (radius > 4) & (ends[:, 0] != ends[:, 1])
    order = np.argsort(radius[keep])
    return turned[ends[keep][order]], radius[keep][order]


def as_svg(lines: Floats, radius: Floats) -> str:
    """The vessels as an SVG, a path for each of four calibres."""
    scaled = 6 + lines * [WIDTH - 12, HEIGHT - 12]
    parts = []
    bounds = np.quantile(radius, [0, 0.5, 0.8, 0.95, 1])
    for low, high, width, opacity in zip(
        bounds, bounds[1:], (0.6, 1.1, 2, 3.4), (0.35, 0.55, 0.8, 1), strict=False
    ):
        chosen = scaled[(radius >= low) & (radius <= high)]
        path = "".join(f"M{a:.0f} {b:.0f}L{c:.0f} {d:.0f}" for (a, b), (c, d) in chosen)
        parts.append(f'<path d="{path}" stroke-width="{width}" opacity="{opacity}"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" fill="none" '
        f'stroke="{TEAL}" stroke-linecap="round">{"".join(parts)}</svg>\n'
    )


def social(lines: Floats, radius: Floats) -> Image.Image:
    """The card: the name, what it is, the net."""
    big = Image.new("RGB", (SOCIAL[0] * 2, SOCIAL[1] * 2), PAPER)
    draw = ImageDraw.Draw(big)
    widths = np.interp(radius, (3, radius.max()), (2, 18)).astype(int)
    for ((a, b), (c, d)), width in zip(lines, widths, strict=True):
        ends = (1250 + a * 1080, 60 + b * 1140, 1250 + c * 1080, 60 + d * 1140)
        draw.line(ends, fill=TEAL, width=int(width))
    for text, size, top, fill, face in (
        ("Retia", 190, 420, INK, "DejaVuSans-Bold.ttf"),
        ("Graphs of vessels,", 74, 690, SOFT, "DejaVuSans.ttf"),
        ("brains and texts", 74, 790, SOFT, "DejaVuSans.ttf"),
    ):
        draw.text((140, top), text, fill=fill, font=ImageFont.truetype(str(FONTS / face), size))
    return big.resize(SOCIAL, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
