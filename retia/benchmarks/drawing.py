"""How figures look, on paper and in a page: there, they take the page's colours, light or dark."""

import io
import re
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from retia.shards.errors import MissingExtraError
from retia.shards.writer import write_atomically

try:
    import matplotlib as mpl
    from matplotlib.colors import LinearSegmentedColormap, to_hex
    from matplotlib.figure import Figure
except ImportError as error:
    raise MissingExtraError("bench", "matplotlib") from error

INK, MUTED, FAINT, ACCENT, PAPER = "#17211f", "#586663", "#dfe5e3", "#0b6b64", "#fffffe"
STEPS = 20
_ramp = LinearSegmentedColormap.from_list("", ["#f3f8f7", "#7fb9b2", ACCENT, "#06403c"])
SHADES = [to_hex(_ramp(i / STEPS)) for i in range(STEPS + 1)]
"""One hue that darkens, so that it reads the same without colour vision."""
DARK_FROM = 0.55
"""From here on a shade wants light letters."""

PAGE = {INK: "var(--ink)", MUTED: "var(--soft)", FAINT: "var(--line)", PAPER: "var(--raised)"}
PAGE |= {shade: f"var(--shade-{i})" for i, shade in enumerate(SHADES)}
PAGE[ACCENT] = "var(--accent)"

STYLE: Any = {
    "font.size": 8.5,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.hashsalt": "retia",
    "svg.fonttype": "none",
    "text.parse_math": False,
}


def shade(value: float) -> str:
    """The colour of a value in [0, 1]; what lies outside has that of the nearer end."""
    return SHADES[round(min(max(value, 0.0), 1.0) * STEPS)]


def write_svg(figure: Figure, path: Path) -> None:
    """Write a figure on white; the same figure gives the same bytes."""
    write_atomically(path, _svg(figure, transparent=False).encode())


def inline_svg(figure: Figure, label: str) -> Markup:
    """A figure to stand in a page, in the page's colours; `label` says what it shows."""
    text = _svg(figure, transparent=True)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<g) id="[^"]*"', r"\1", text)
    text = re.sub(r"#[0-9a-f]{6}", lambda found: PAGE.get(found[0], found[0]), text)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
    # matplotlib escapes the words it is given.
    return Markup(text)  # noqa: S704


def _svg(figure: Figure, transparent: bool) -> str:
    content = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(content, format="svg", metadata={"Date": None}, transparent=transparent)
    return content.getvalue()
