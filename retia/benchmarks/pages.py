"""Pages that need no other file: templates, escaped always, with their style and figures inside."""

from typing import Any

from retia.shards.errors import MissingExtraError

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
except ImportError as error:
    raise MissingExtraError("bench", "jinja2") from error


def render(template: str, **values: Any) -> bytes:
    """A page of `templates/`."""
    return _templates.get_template(template).render(**values).encode()


def number(value: float | None, digits: int = 4) -> str:
    """A score; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """Bytes for people."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


_templates = Environment(
    loader=PackageLoader("retia.benchmarks"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(number=number, duration=duration, size=size)
