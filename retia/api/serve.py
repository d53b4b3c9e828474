"""Run the app and its worker on one machine, and stop them together."""

import os
import signal
import socket
import subprocess
import sys
import threading

import uvicorn

from retia.api.app import create_app
from retia.api.connections import guarded, notice_the_vanished
from retia.api.jail import jail
from retia.api.settings import Settings
from retia.shards.errors import ServiceError

RESTART_SECONDS = 1.0
STOP_SECONDS = 10.0
BACKLOG = 512


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A listening socket and the URL of the server that will use it."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ServiceError(
            f"cannot listen at {host}:{port} ({error.strerror or error}); choose another --port"
        ) from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    notice_the_vanished(listener)
    shown = f"[{host}]" if ":" in host else host
    return listener, f"http://{shown}:{listener.getsockname()[1]}"


def run(settings: Settings, listener: socket.socket, with_worker: bool = True) -> None:
    """Serve until SIGTERM or SIGINT; the worker, if one is wanted, is restarted when it dies."""
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http=guarded(settings.patience),
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        server_header=False,
        timeout_graceful_shutdown=int(STOP_SECONDS),
    )
    worker = WorkerProcess(settings)
    signal.signal(signal.SIGTERM, _leave)
    if with_worker:
        worker.start()
    jail.warm_up()
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        if with_worker:
            worker.stop()


class WorkerProcess:
    """A worker as a child process that is started again when it dies.

    The child watches its parent: when the server is killed, it stops after its job.
    """

    def __init__(self, settings: Settings) -> None:
        self._command = [sys.executable, "-m", "retia", "worker", "--parent", str(os.getpid())]
        self._environment = os.environ | {
            "RETIA_DATA": str(settings.data),
            "RETIA_DATABASE_URL": settings.database,
        }
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the worker; its unfinished job is done again when a worker starts."""
        self._stopping.set()
        self._thread.join(2 * STOP_SECONDS)

    def _supervise(self) -> None:
        while not self._stopping.is_set():
            child = subprocess.Popen(self._command, env=self._environment, stdin=subprocess.DEVNULL)
            while child.poll() is None and not self._stopping.wait(0.1):
                pass
            if self._stopping.is_set():
                _end(child)
            else:
                self._stopping.wait(RESTART_SECONDS)


def _leave(_signal: int, _frame: object) -> None:
    """Leave through the `finally` blocks; uvicorn raises the signal again when it has stopped."""
    raise SystemExit(0)


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
