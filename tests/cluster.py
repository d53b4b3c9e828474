"""A PostgreSQL of a test's own, that may be killed."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

OWNER = "postgres"


def binaries() -> Path:
    """Where Debian keeps the programs of the newest PostgreSQL that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL is installed")
    return found[-1].parent


class Cluster:
    """A cluster in a folder, as a user who is not root: PostgreSQL refuses root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = OWNER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._bin = binaries()
        shutil.chown(folder, self.user)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        words = ["-D", str(folder / "data"), "-A", "trust", "-U", OWNER, "--no-sync"]
        subprocess.run(
            [str(self._bin / "initdb"), *words],
            user=self.user,
            check=True,
            capture_output=True,
            cwd=folder,
        )
        self.start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = ["-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder)]
        self.process = subprocess.Popen(
            [str(self._bin / "postgres"), *words, "-c", "listen_addresses=127.0.0.1"],
            user=self.user,
            start_new_session=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                assert time.monotonic() < end, "PostgreSQL does not start"
                time.sleep(0.1)
            else:
                return

    def kill(self) -> None:
        """kill -9 of the postmaster; its children see that and end."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        end = time.monotonic() + 10
        while (
            subprocess.run(["pgrep", "-s", str(self.process.pid)], capture_output=True).returncode
            == 0
        ):
            assert time.monotonic() < end
            time.sleep(0.05)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running cluster, gone after the block."""
    with tempfile.TemporaryDirectory(prefix="retia-pg-") as name:
        made = Cluster(Path(name))
        try:
            yield made
        finally:
            if made.process.poll() is None:
                made.process.send_signal(signal.SIGQUIT)
                made.process.wait(20)
