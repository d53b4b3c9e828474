"""Downloads: nginx alone, nginx told by the app, and the app alone, side by side.

    python perf/downloads.py [MEGABYTES]

A whole file, and ranges of 8 MB in one connection, by curl to /dev/null: megabytes a second, the
median of five runs taken in turn, and the share of nginx alone. The memory is what the app's peak
grows by.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from retia.api.context import Context
from retia.api.settings import Settings
from retia.leaderboard.tables import Dataset, Publication, PublicShard, User
from tests.api.proxy import nginx

RUNS = 5
RANGE = 8 << 20
TIME = "%{stderr}%{time_total}\\n"
PATH = "/api/v1/datasets/big/1.0.0/files/big.parquet"


def main() -> None:
    """Print a line a way."""
    size = int(sys.argv[1] if len(sys.argv) > 1 else 512) << 20
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        blob = fill(folder / "data", size)
        with (
            serving(folder / "data", {}) as (app, pid),
            serving(folder / "data", {"RETIA_ACCEL_LOCATION": "/stored"}) as (told, _),
            nginx(folder / "nginx", told.removeprefix("http://"), folder / "data") as proxy,
            nginx(folder / "plain", told.removeprefix("http://"), folder / "data", PLAIN) as plain,
        ):
            ways = {
                "nginx": f"{plain}/plain/{blob}",
                "nginx + X-Accel": proxy + PATH,
                "retia": app + PATH,
            }
            before = peak(pid)
            for kind, ask in (("whole", whole), ("ranges", ranges)):
                speeds: dict[str, list[float]] = {way: [] for way in ways}
                for _ in range(RUNS):
                    for way, url in ways.items():
                        speeds[way].append(ask(url, size, folder))
                base = statistics.median(speeds["nginx"])
                for way, found in speeds.items():
                    speed = statistics.median(found)
                    print(f"{kind:8}{way:18}{speed / 1e6:8.0f} MB/s {speed / base:6.2f}")
            print(f"memory of the app: +{(peak(pid) - before) / 1024:.0f} MB")


PLAIN = "location /plain/ { alias ${RETIA_FILES}/blobs/; sendfile on; tcp_nopush on; }"


def fill(data: Path, size: int) -> str:
    """A data folder with one public file; its place below the blobs."""
    server = Context.open(Settings(data=data))
    part = os.urandom(1 << 20)
    sha256, _ = server.storage.keep(part * (size >> 20))
    with server.database.write() as session:
        session.add(User(id=1, name="ada", password_hash="-", role="publisher"))
        session.flush()
        session.add(Dataset(name="big", owner_id=1))
        session.flush()
        row = Publication(
            id=1, name="big", version="1.0.0", digest="0" * 64, manifest="{}", summary={},
            state="published", published=1.0,
        )  # fmt: skip
        session.add(row)
        session.flush()
        session.add(PublicShard(publication_id=1, path="big.parquet", sha256=sha256, bytes=size))
    server.database.close()
    return f"{sha256[:2]}/{sha256}"


class serving:  # noqa: N801
    """A server process: its URL and its process id."""

    def __init__(self, data: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "retia", "serve", "--no-worker", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--data", str(data)],
            env=os.environ | environment | {"RETIA_LOG_LEVEL": "error"},
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        url = self.process.stdout.readline().split()[-1]
        assert httpx.get(f"{url}/readyz").status_code == 200
        return url, self.process.pid

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)


def whole(url: str, size: int, _folder: Path) -> float:
    """Bytes a second of the whole file."""
    return size / seconds(["-w", TIME, "-o", "/dev/null", url])


def ranges(url: str, size: int, folder: Path) -> float:
    """Bytes a second of all its ranges, one after another."""
    asked = folder / "ranges"
    parts = [f"{start}-{start + RANGE - 1}" for start in range(0, size, RANGE)]
    form = f'url="{url}"\nrange=RANGE\noutput="/dev/null"\nwrite-out="{TIME}"'
    asked.write_text("\nnext\n".join(form.replace("RANGE", part) for part in parts))
    return size / seconds(["-K", str(asked)])


def seconds(words: list[str]) -> float:
    """How long curl takes for its transfers, without its own start."""
    command = ["curl", "-sSf", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    times = [float(line) for line in done.stderr.split()]
    return sum(times)


def peak(pid: int) -> int:
    """The most memory that a process has had, in KB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


if __name__ == "__main__":
    main()
