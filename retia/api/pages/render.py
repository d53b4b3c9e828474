"""Templates, escaped always, and the few formats that pages share."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from retia.api.pages.assets import asset

UNITS = {"um": "µm", "um2": "µm²", "um3": "µm³"}
CACHE = {"Cache-Control": "no-cache", "Vary": "Accept"}


def render(template: str, status: int = 200, **values: Any) -> Response:
    """A page."""
    return HTMLResponse(_templates.get_template(template).render(**values), status, CACHE)


def error_page(status: int, detail: str) -> Response:
    """A page that says what went wrong."""
    title = HTTPStatus(status).phrase
    return render("error.html", status, code=status, title=title, detail=detail)


def short_number(value: float | None) -> str:
    """12345 as 12.3k; nothing for none."""
    if value is None:
        return ""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:g}"


def byte_size(value: int) -> str:
    """A number of bytes for people."""
    return f"{short_number(value)}B" if value >= 1000 else f"{value} B"


def unit(name: str | None) -> str:
    """A unit as people write it; nothing for none."""
    return UNITS.get(name or "", name or "")


def day(seconds: float | None) -> str:
    """A time as its date, UTC."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def figure(value: float | None) -> str:
    """A score with four decimals."""
    return "–" if value is None else f"{value:.4f}"


_templates = Environment(
    loader=PackageLoader("retia.api.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(short=short_number, size=byte_size, day=day, unit=unit, figure=figure)
_templates.globals.update(asset=asset)
