"""A multipart body as a stream: its parts come one after the other, and none is ever kept whole."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Self

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from retia.api.problems import Problem

MAX_HEADERS, MAX_HEADER_BYTES = 8, 1024


@dataclass(frozen=True)
class Begin:
    """A part begins."""

    name: str


@dataclass(frozen=True)
class End:
    """A part ends."""


Event = Begin | bytes | End


class Form:
    """The parts of a multipart body, to be taken in their order.

    Raises `Problem`: 415 for another kind of body, 400 for one that is not readable, 422 for a
    part that is missing, out of its order, or one too many.
    """

    def __init__(self, request: Request, chunks: AsyncGenerator[bytes, None]) -> None:
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind != b"multipart/form-data":
            raise Problem(415, "send multipart/form-data")
        if b"boundary" not in options:
            raise Problem(400, "the multipart body has no boundary")
        self._events = _events(chunks, options[b"boundary"])
        self._rest = chunks

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._events.aclose()
        await self._rest.aclose()

    async def read(self, name: str, limit: int) -> bytes:
        """The next part, which has this name, whole."""
        content = bytearray()
        async for chunk in self.stream(name):
            content += chunk
            if len(content) > limit:
                raise Problem(413, f"{name}: more than {limit} bytes")
        return bytes(content)

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        """The next part, which has this name, in chunks."""
        begin = await anext(self._events, None)
        if begin is None:
            raise Problem(422, f"{name}: the body has no part of that name")
        if begin != Begin(name):
            found = begin.name[:40] if isinstance(begin, Begin) else ""
            raise Problem(422, f"{name}: expected as the next part, and there is '{found}'")
        async for event in self._events:
            if isinstance(event, bytes):
                yield event
            else:
                return

    async def finish(self) -> None:
        """Read to the end of the body, where no other part may stand."""
        extra = await anext(self._events, None)
        if isinstance(extra, Begin):
            raise Problem(422, f"there is one part too many, '{extra.name[:40]}'")


async def _events(
    chunks: AsyncGenerator[bytes, None], boundary: bytes
) -> AsyncGenerator[Event, None]:
    found: list[Event] = []
    parser = _Parser(boundary, found)
    try:
        async for chunk in chunks:
            parser.write(chunk)
            for event in found:
                yield event
            found.clear()
        parser.finalize()
    except FormParserError as error:
        raise Problem(400, f"the multipart body is not readable: {error}") from error
    if not parser.ended:
        raise Problem(400, "the multipart body ends too early")


class _Parser:
    """python-multipart's callbacks as events."""

    def __init__(self, boundary: bytes, events: list[Event]) -> None:
        self.ended = False
        self._events = events
        self._field, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_part_data": lambda data, start, end: events.append(data[start:end]),
                "on_part_end": lambda: events.append(End()),
                "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header,
                "on_headers_finished": self._headers,
                "on_end": self._end,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )

    def write(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def finalize(self) -> None:
        self._parser.finalize()

    def _begin(self) -> None:
        self._disposition = b""

    def _header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise FormParserError("a part has no name")
        self._events.append(Begin(options[b"name"].decode("utf-8", "replace")))

    def _end(self) -> None:
        self.ended = True
