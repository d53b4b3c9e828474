"""Connections that wait for nobody: headers come in time, and bad HTTP gets a problem document."""

import asyncio
import socket

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from retia.api.problems import SECURITY, problem_response

VANISHED_MS = 60_000


def guarded(patience: float) -> type[H11Protocol]:
    """uvicorn's protocol, for clients that may be slow on purpose.

    A request's headers have `patience` seconds from their first byte, and the first ones from the
    connection on. So has what is left of a body that was answered before it was read whole.
    """

    class Guarded(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._arm()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._look()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._look()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            """Answer what is no HTTP, or has headers without end."""
            if self.cycle is not None and self.cycle.response_started:
                self.transport.close()
                return
            answer = problem_response(400, f"{msg} Headers may have 16 KiB in all.", SECURITY)
            headers = [*answer.raw_headers, (b"connection", b"close")]
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

        def _look(self) -> None:
            """Let the time run while it is the client's turn to say what it wants."""
            waiting = self.cycle is None or self.cycle.response_complete
            if not waiting or self.timeout_keep_alive_task is not None:
                self._disarm()
            elif self._deadline is None:
                self._arm()

        def _arm(self) -> None:
            self._deadline = self.loop.call_later(patience, self.transport.close)

        def _disarm(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Guarded


def notice_the_vanished(listener: socket.socket) -> None:
    """Close connections whose other side acknowledges nothing any more; they inherit this."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_MS)
