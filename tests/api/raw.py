"""HTTP by hand: requests that no library would send."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx


@dataclass
class Answer:
    """What came before the connection was closed, and how long that took."""

    content: bytes
    seconds: float

    @property
    def status(self) -> int:
        return int(self.content.split(maxsplit=2)[1]) if self.content else 0


@contextmanager
def connected(client: httpx.Client) -> Iterator[socket.socket]:
    """A connection to the server that a client speaks to."""
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address, timeout=20) as connection:
        yield connection


def ask(client: httpx.Client, request: bytes) -> Answer:
    """Send these bytes, and read one answer with its body."""
    with connected(client) as connection:
        connection.sendall(request)
        start = time.monotonic()
        content = b""
        while not _is_whole(content) and (chunk := connection.recv(1 << 20)):
            content += chunk
        return Answer(content, time.monotonic() - start)


def _is_whole(content: bytes) -> bool:
    head, end, body = content.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    return bool(end) and length is not None and len(body) >= int(length[1])


def drip(client: httpx.Client, first: bytes, seconds: float, drop: bytes = b"x") -> Answer:
    """Send `first`, then a few bytes a second, until the server answers or hangs up."""
    with connected(client) as connection:
        connection.sendall(first)
        start = time.monotonic()
        connection.settimeout(0.2)
        content = b""
        while time.monotonic() - start < seconds:
            try:
                connection.sendall(drop)
                found = connection.recv(100_000)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if not found:
                break
            content += found
        return Answer(content, time.monotonic() - start)
