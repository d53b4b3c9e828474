"""Logs: one JSON object a line, each with the id of the request that it belongs to."""

import logging
import sys
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

from retia.api.settings import Settings

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that is being answered; none in a worker."""

QUIET = ("python_multipart", "httpx", "httpcore", "alembic", "asyncio")
"""Libraries whose remarks are about what strangers send, or about themselves."""


def configure(settings: Settings) -> None:
    """Write the log of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_request_id)
    if settings.log_format == "json":
        handler.setFormatter(
            JsonFormatter(
                "%(asctime)s %(levelname)s %(name)s %(message)s %(request)s",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            )
        )
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(name)s %(request)s %(message)s")
        )
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request = request_id.get()
    return True
