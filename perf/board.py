"""Read a leaderboard of many submissions under load: revalidations, and whole pages as JSON.

    python perf/board.py [SUBMISSIONS] [DATABASE_URL]

A server with one board of SUBMISSIONS (default 10,000) rows runs on core 0, the load on core 1.
DATABASE_URL is an empty database; by default SQLite in a temporary folder. The pages have 50 rows.
`pages` asks for one page, `other pages` for ever other ones that nothing has rendered before. On a
machine that does other work too, the rate for a second of the server's processor time says what a
core of its own would give. The latency is measured at half of the rate that was aimed at, from the
time a request was due.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sqlalchemy import update

from retia.leaderboard import boards
from retia.leaderboard.database import Database
from retia.leaderboard.scoring import EVALUATOR
from retia.leaderboard.tables import Board, Dataset, Publication, Score, Submission, User
from retia.shards.canonical import canonical_json
from retia.shards.manifest import dump
from tests.toys import toy_node

ROWS, SEEDS = 50, 10
SECONDS, CONNECTIONS = 8.0, 32
GOALS = {"revalidations": 2000, "pages": 500, "other pages": 500}
PATH = "/api/v1/leaderboards/toy-node/colour"


def main() -> None:
    """Print requests a second at full load, and the latency at half of the goal."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        url = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{data / 'retia.sqlite'}"
        start = time.perf_counter()
        fill(Database(url), data, number)
        print(f"{number:,} submissions in {time.perf_counter() - start:.0f} s, {url.split(':')[0]}")
        command = ["taskset", "-c", "0", sys.executable, "-m", "retia", "serve"]
        server = subprocess.Popen(
            [*command, "--data", str(data), "--database", url, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the log, a line a request
            text=True,
        )
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().rsplit(":", 1)[1])
            time.sleep(3)
            os.sched_setaffinity(0, {1})
            report(port, server.pid)
        finally:
            server.terminate()
            server.wait()


def fill(database: Database, data: Path, number: int) -> None:
    """One published version, and its board."""
    version = toy_node(data / "toys")
    task = version.manifest.task("colour")
    database.migrate()
    rng = np.random.default_rng(0)
    with database.write() as session:
        session.add(User(id=1, name="ada", password_hash="-", role="user"))
        session.flush()
        session.add(Dataset(name="toy-node", owner_id=1))
        session.flush()
        publication = Publication(
            id=1, name="toy-node", version="1.0.0", digest=str(version.manifest.digest),
            manifest=canonical_json(dump(version.manifest)).decode(), summary={},
            state="published", published=1.0,
        )  # fmt: skip
        session.add(publication)
        session.flush()
        boards.open_board(session, publication, task)
    seeds = list(range(SEEDS))
    with database.write() as session:
        session.add_all(submission(i, seeds) for i in range(number))
        session.flush()
        for i in range(number):
            means = rng.random(2)
            session.add_all(
                Score(
                    submission_id=f"{i:08x}", evaluator=EVALUATOR, part=part,
                    measure=measure.key, seed=seed, value=float(mean + 0.01 * rng.random()),
                )
                for seed in seeds
                for part, mean in zip(("test", "valid"), means, strict=True)
                for measure in task.measures
            )  # fmt: skip
            if i % 1000 == 999:
                session.flush()
    add_entries(database, number)


def submission(number: int, seeds: list[int]) -> Submission:
    """A scored submission."""
    meta = {"method": f"method {number}", "parameters": 1000 + number, "hardware": "2 cores"}
    return Submission(
        id=f"{number:08x}", publication_id=1, task="colour", user_id=1, method=f"method {number}",
        meta=meta, seeds=seeds, predictions_sha256=f"{number:064x}", body_sha256="0",
        state="scored", evaluator=EVALUATOR, created=1e9 + number,
    )  # fmt: skip


def add_entries(database: Database, number: int) -> None:
    """Put all on the board; the last one is timed, as a worker would do it."""
    with database.write() as session:
        board = session.get_one(Board, 1)
        for i in range(number - 1):
            boards._add(session, board, session.get_one(Submission, f"{i:08x}"), 1)
            if i % 500 == 499:
                session.expunge_all()
    for _ in range(2):
        start = time.perf_counter()
        with database.write() as session:
            boards.show(session, session.get_one(Submission, f"{number - 1:08x}"))
            session.execute(update(Board).values(state="grouped"))
        print(f"a new row, with the ranks of all that change: {time.perf_counter() - start:.2f} s")


def report(port: int, pid: int) -> None:
    """Run the loads."""
    etag = asyncio.run(one(port, f"{PATH}?limit={ROWS}"))
    before = memory(pid)
    for name, goal in GOALS.items():
        requests = make_requests(name, etag)
        used = processor(pid)
        done = asyncio.run(flood(port, requests))
        used = (processor(pid) - used) / SECONDS
        waits = asyncio.run(steady(port, requests, goal / 2))
        p50, p99, worst = (1000 * np.quantile(waits, q) for q in (0.5, 0.99, 1.0))
        print(
            f"{name:14} {done:7,.0f} a second, {done / used:7,.0f} a second of its processor time "
            f"(goal {goal:,}); at {goal / 2:,.0f} a second: "
            f"median {p50:.1f}, p99 {p99:.1f}, worst {worst:.1f} ms"
        )
    print(f"memory of the server: {before} MB before, {memory(pid)} MB after")


def make_requests(name: str, etag: str) -> list[bytes]:
    """What is asked for, in turn."""
    if name == "revalidations":
        return [request(f"{PATH}?limit={ROWS}", etag)]
    if name == "pages":
        return [request(f"{PATH}?limit={ROWS}")]
    standings = np.linspace(-1, 0, 5000)
    cursors = [
        cursor([False, float(s), 0.0, ""]) for s in np.random.default_rng(1).permutation(standings)
    ]
    return [request(f"{PATH}?limit={ROWS}&cursor={c}") for c in cursors]


def cursor(values: list[object]) -> str:
    text = json.dumps(values, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def request(path: str, etag: str | None = None) -> bytes:
    more = f"If-None-Match: {etag}\r\n" if etag else ""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


async def one(port: int, path: str) -> str:
    """The ETag of a page."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = await ask(reader, writer, request(path))
    writer.close()
    return head.lower().split(b"etag: ")[1].split(b"\r\n")[0].decode()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> bytes:
    """The head of the answer; its body is read and thrown away."""
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head[9:12] in (b"200", b"304"), head
    place = head.lower().find(b"content-length: ")
    if place >= 0 and head[9:12] == b"200":
        await reader.readexactly(int(head[place + 16 :].split(b"\r\n")[0]))
    return head


async def flood(port: int, requests: list[bytes]) -> float:
    """Answers a second when every connection asks again at once."""
    end, counts = time.perf_counter() + SECONDS, []
    turn = iter(range(10**9))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        count = 0
        while time.perf_counter() < end:
            await ask(reader, writer, requests[next(turn) % len(requests)])
            count += 1
        counts.append(count)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return sum(counts) / SECONDS


async def steady(port: int, requests: list[bytes], rate: float) -> list[float]:
    """Waits, in seconds, from when each request was due at this rate."""
    start, waits = time.perf_counter(), []
    turn = iter(range(int(rate * SECONDS)))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        for number in turn:
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await ask(reader, writer, requests[(7 * number) % len(requests)])
            waits.append(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return waits


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    """The resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1000


if __name__ == "__main__":
    main()
