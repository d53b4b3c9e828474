"""Ask the jailer: a process beside the app that opens strangers' files within limits."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

from retia.api.jailer import TOO_MUCH
from retia.leaderboard.scoring import Checked
from retia.shards.errors import InputError

CHILDREN = max(2, os.cpu_count() or 1)
STOP_SECONDS = 2.0
ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # the others reserve more than they use
    "OPENBLAS_NUM_THREADS": "1",  # a process that forks has no threads
    "OMP_NUM_THREADS": "1",
}


class Jail:
    """The one jailer of this process; it is started when it is first needed, and when it has died.

    The jailer ends when this side of its socket is closed, also when this process is killed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def warm_up(self) -> None:
        """Start the jailer before anybody asks: it takes seconds to import what it needs."""
        with self._lock:
            if self._process is None:
                self._start()

    async def check_predictions(
        self, path: Path, version: Path, task: str, deterministic: bool, memory: int
    ) -> Checked:
        """What is known of a file of predictions that is whole.

        Raises `InputError` that names the first offender, or says that the file wants more than
        `memory` bytes, or more time than a file of its size may take.
        """
        answer = await self._ask(
            job="predictions",
            path=str(path.resolve()),
            version=str(version.resolve()),
            task=task,
            deterministic=deterministic,
            memory=memory,
        )
        return Checked(tuple(answer["seeds"]), str(answer["order_sha256"]))

    async def _ask(self, **question: Any) -> dict[str, Any]:
        for _ in range(2):
            process, near = self._connect()
            reader, writer = await asyncio.open_connection(sock=near)
            try:
                writer.write(json.dumps(question).encode() + b"\n")
                line = await reader.readline()
            except ConnectionError:
                line = b""
            finally:
                writer.close()
            if line or process.poll() is None:
                break  # else the jailer itself is gone, and the next one is asked
        answer: dict[str, Any] = json.loads(line) if line else {"problem": TOO_MUCH}
        if "failure" in answer:
            raise RuntimeError(answer["failure"])
        if "problem" in answer:
            raise InputError(answer["problem"])
        return answer

    def _connect(self) -> tuple["subprocess.Popen[bytes]", socket.socket]:
        """The jailer, and a socket whose other end it has given to a new child."""
        near, far = socket.socketpair()
        with self._lock, far:
            if self._process is None or self._process.poll() is not None:
                self._start()
            assert self._process is not None
            assert self._control is not None
            socket.send_fds(self._control, [b"q"], [far.fileno()])
            return self._process, near

    def _start(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "retia.api.jailer", str(other.fileno()), str(CHILDREN)],
                env=os.environ | ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
            )
        weakref.finalize(self, _end, self._control, self._process)


def _end(control: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    control.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


jail = Jail()
