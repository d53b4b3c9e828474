"""Open strangers' files in processes that may not do much: run by `retia.api.jail`, never by hand.

It imports what it needs once, and then makes a child for each question by fork, which takes
milliseconds. The child has an address space and processor time of its own, and when it is out of
either it dies alone. Questions and answers are JSON; nothing is ever unpickled.
"""

import json
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from retia.leaderboard.scoring import check_predictions, describe, open_predictions
from retia.shards.errors import RetiaError
from retia.shards.version import Version

MIB = 1 << 20
FOOTER_BYTES = 256 * MIB
BYTES_A_VALUE = 160
FOOTER_SECONDS, SECONDS_A_MILLION = 20, 10
WALL_SECONDS = 600
OPEN_FILES = 64

TOO_MUCH = "predictions: reading them takes more memory or time than any honest file does"


def predictions(question: dict[str, Any]) -> dict[str, Any]:
    """Whether a file of predictions is whole: the fields of `Checked`."""
    path, most = Path(question["path"]), int(question["memory"])
    _allow(FOOTER_BYTES, FOOTER_SECONDS)
    version = Version.open(Path(question["version"]))
    task = version.manifest.task(question["task"])
    values = _values(path)
    _allow(
        min(most, FOOTER_BYTES + BYTES_A_VALUE * values),
        FOOTER_SECONDS + SECONDS_A_MILLION * values // 10**6,
    )
    table = open_predictions(path, task)
    deterministic = bool(question["deterministic"])
    found = check_predictions(version, task.name, table, deterministic)
    return asdict(describe(found, task, deterministic))


JOBS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"predictions": predictions}


def serve(control: socket.socket, children: int) -> None:
    """Take a socket for every question, until the other side is closed."""
    living: set[int] = set()
    while True:
        _, sockets, _, _ = socket.recv_fds(control, 1, 1)
        if not sockets:
            return
        while len(living) >= children:
            living.discard(os.wait()[0])
        pid = os.fork()
        if pid == 0:
            control.close()
            _answer(socket.socket(fileno=sockets[0]))
        os.close(sockets[0])
        living = {other for other in living | {pid} if os.waitpid(other, os.WNOHANG)[0] == 0}


def _answer(connection: socket.socket) -> None:
    """Answer one question, and end this process whatever happens."""
    signal.alarm(WALL_SECONDS)
    try:
        question = json.loads(connection.makefile("rb").readline())
        answer = _outcome(question)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        connection.sendall(json.dumps(answer).encode() + b"\n")
    finally:
        os._exit(0)


def _outcome(question: dict[str, Any]) -> dict[str, Any]:
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    try:
        return JOBS[question["job"]](question)
    except RetiaError as error:
        if isinstance(error.__cause__, pa.ArrowMemoryError | MemoryError):
            return {"problem": TOO_MUCH}
        return {"problem": str(error)}
    except (MemoryError, pa.ArrowMemoryError):
        return {"problem": TOO_MUCH}
    except Exception:  # a fault of ours, which is nobody's problem
        traceback.print_exc()
        return {"failure": "a checked file made the checks fail; the log says how"}


def _values(path: Path) -> int:
    """How many values the file says it has; 0 where it is not readable, which others will say."""
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return 0
    return max(0, metadata.num_rows * metadata.num_columns)


def _allow(more_bytes: int, more_seconds: int) -> None:
    """Limit this process to what it has and this much more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + more_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    pa.array(["what pyarrow imports late, it imports now, and not in every child"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the server, which closes our socket
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
