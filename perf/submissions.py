"""Send many submissions at once, and wait until all are scored.

    python perf/submissions.py [SUBMISSIONS] [ITEMS] [DATABASE_URL]

SUBMISSIONS (default 200) clients each send predictions for ITEMS (default 100,000) nodes, all at
the same moment, to one server with one worker. DATABASE_URL is an empty database; by default SQLite
in a temporary folder. Printed are the waits of the requests, the processor time that each took,
when all were scored, whether one was lost or doubled, and the memory of the server's processes.
"""

import asyncio
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retia.api.accounts import add_token, add_user
from retia.api.context import Context
from retia.api.settings import Settings
from retia.api.verify import verify
from retia.api.wire import summary
from retia.leaderboard.boards import open_board
from retia.leaderboard.tables import Dataset, Publication
from retia.protocol.node_task import make_node_task
from retia.protocol.randomness import Randomness
from retia.shards.canonical import canonical_json
from retia.shards.manifest import dump
from retia.shards.version import Version
from tests import toys

USERS, LIMIT_S = 20, 600.0


def main() -> None:
    """Print what came of it."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    items = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        url = sys.argv[3] if len(sys.argv) > 3 else f"sqlite:///{data / 'retia.sqlite'}"
        context = Context.open(Settings(data=data, database_url=url))
        version, tokens = prepare(context, items)
        bodies = [predictions(version, seed) for seed in range(number)]
        print(f"{number} files of {len(bodies[0]) / 1e6:.1f} MB, {url.split(':')[0]}")
        command = [sys.executable, "-m", "retia", "serve", "--data", str(data), "--port", "0"]
        server = subprocess.Popen(
            [*command, "--database", url],
            env=os.environ | {"RETIA_QUOTA": "1000"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1]
            time.sleep(3)
            asyncio.run(report(address, server.pid, version, tokens, bodies))
            print("verify:", list(verify(context)) or "clean")
        finally:
            server.terminate()
            server.wait()


def prepare(context: Context, items: int) -> tuple[Version, list[str]]:
    """A published node task with so many items, as a worker would leave it, and users' tokens."""
    nodes = items * 5 // 2
    rng = np.random.default_rng(0)
    tables = make_node_task(
        rng.integers(3, size=nodes),
        name="colour",
        label="colour",
        classes=toys.CLASSES,
        description="Tell the community.",
        randomness=Randomness.from_seed(0),
        sealed=False,
    )
    ends = np.unique(np.sort(rng.integers(nodes, size=(nodes, 2)), axis=1), axis=0)
    ends = ends[ends[:, 0] < ends[:, 1]]
    name, root = "many", context.storage.version("x", "y").parent.parent
    version = toys._write(root, name, "1.0.0", ends, None, False, tables, "many", None)
    task, manifest = version.manifest.task("colour"), version.manifest
    tokens = []
    with context.database.write() as session:
        users = [add_user(session, f"user{i}x", "a long password", "user") for i in range(USERS)]
        session.flush()
        tokens = [add_token(session, user, ("read", "submit"), "", 1)[0] for user in users]
        session.add(Dataset(name=name, owner_id=users[0].id))
        session.flush()
        publication = Publication(
            name=name,
            version="1.0.0",
            digest=str(manifest.digest),
            manifest=canonical_json(dump(manifest)).decode(),
            summary=summary(manifest),
            state="published",
            published=time.time(),
        )
        session.add(publication)
        session.flush()
        open_board(session, publication, task)
    return version, tokens


def predictions(version: Version, seed: int) -> bytes:
    """One seed's classes of all items."""
    rng, parts = np.random.default_rng(seed), []
    for part in ("valid", "test"):
        item = version.task_table("colour", 0, part)["item"]
        columns = {"seed": np.zeros(len(item), np.int32), "part": [part] * len(item), "item": item}
        parts.append(pa.table(columns | {"pred": rng.integers(3, size=len(item))}))
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(parts), buffer, compression="zstd")
    return buffer.getvalue()


async def report(
    address: str, pid: int, version: Version, tokens: list[str], bodies: list[bytes]
) -> None:
    """Send all at once, then ask until all are scored."""
    before, used = memory(pid), processor(pid)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=address, timeout=LIMIT_S, limits=limits) as client:
        start = time.perf_counter()
        peak = asyncio.create_task(watch(pid))
        answers = await asyncio.gather(
            *(
                send(client, version, tokens[i % USERS], i, body)
                for i, body in enumerate(bodies)
            )
        )  # fmt: skip
        sent = time.perf_counter() - start
        waits = sorted(wait for wait, _ in answers)
        codes = Counter(answer.status_code for _, answer in answers)
        ids = {answer.json()["id"] for _, answer in answers if answer.status_code == 202}
        print(
            f"answers {dict(codes)}, {len(ids)} ids; median {np.median(waits):.1f} s, "
            f"p99 {np.quantile(waits, 0.99):.1f} s, worst {waits[-1]:.1f} s, all in {sent:.1f} s"
        )
        print("processor time in ms a submission:", each(processor(pid), used, len(bodies)))
        while True:
            board = await client.get("/api/v1/leaderboards/many/colour?format=csv")
            rows = len(board.text.splitlines()) - 1
            if rows >= len(ids) or time.perf_counter() - start > LIMIT_S:
                break
            await asyncio.sleep(0.5)
        print(f"{rows} on the board after {time.perf_counter() - start:.1f} s")
        peak.cancel()
        print(f"memory in MB: {before} before, {memory(pid)} after, peak {PEAK}")


async def send(
    client: httpx.AsyncClient, version: Version, token: str, number: int, body: bytes
) -> tuple[float, httpx.Response]:
    """A submission, and how long its request took."""
    manifest = version.manifest
    meta = {
        "dataset": manifest.name, "version": manifest.version, "digest": manifest.digest,
        "task": "colour", "method": f"method {number}", "parameters": number,
    }  # fmt: skip
    start = time.perf_counter()
    answer = await client.post(
        "/api/v1/submissions",
        data={"meta": json.dumps(meta)},
        files={"predictions": ("predictions.parquet", body)},
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": str(number)},
    )
    return time.perf_counter() - start, answer


def each(after: dict[str, float], before: dict[str, float], number: int) -> dict[str, int]:
    return {k: round(1000 * (v - before.get(k, 0)) / number) for k, v in after.items()}


PEAK: dict[str, int] = {}


async def watch(pid: int) -> None:
    """Note the most memory that the server and its worker have."""
    while True:
        for name, size in memory(pid).items():
            PEAK[name] = max(PEAK.get(name, 0), size)
        await asyncio.sleep(0.1)


def memory(pid: int) -> dict[str, int]:
    """Resident memory in MB, of the server and its children by what they are."""
    return {name: resident(number) for name, number in processes(pid).items()}


def processes(pid: int) -> dict[str, int]:
    """The server and its children, by what they are."""
    found = {"server": pid}
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in listed.read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_bytes()
            found["worker" if b"worker" in words else "jailer"] = int(child)
    return found


def processor(pid: int) -> dict[str, float]:
    """Seconds of processor time that each has used, with its own children that have ended."""
    used = {}
    for name, number in processes(pid).items():
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        used[name] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return used


def resident(pid: int) -> int:
    """Resident memory of a process in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 // 10**6


if __name__ == "__main__":
    main()
