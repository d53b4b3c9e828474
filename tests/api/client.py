"""Speak to a server as docs/api.md says: publish versions, make predictions, submit them."""

import io
import itertools
import json
import time
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retia.protocol.randomness import Randomness
from retia.shards.manifest import dump
from retia.shards.version import SEALED_FOLDER, Version

API = "/api/v1"
SECRET = bytes(range(32))  # so that a sealed test version is the same on every run


_draws = itertools.count()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def upload(client: httpx.Client, token: str, version: Version) -> None:
    """Put all blobs of a version, the sealed ones as sealed."""
    for shard in version.manifest.shards:
        put(client, token, shard.sha256, (version.root / shard.path).read_bytes())
    if version.manifest.sealed_commitment:
        for shard in version.sealed_manifest().shards:
            content = (version.root / SEALED_FOLDER / shard.path).read_bytes()
            put(client, token, shard.sha256, content, sealed=True)


def put(
    client: httpx.Client, token: str, sha256: str, content: bytes, sealed: bool = False
) -> httpx.Response:
    query = "?sealed=true" if sealed else ""
    return client.put(f"{API}/blobs/{sha256}{query}", content=content, headers=bearer(token))


def body_of(version: Version) -> dict[str, Any]:
    """The body that publishes a version."""
    body: dict[str, Any] = {"manifest": dump(version.manifest)}
    if version.manifest.sealed_commitment:
        body["sealed"] = {
            "manifest": dump(version.sealed_manifest()),
            "secret": version.secret().hex(),
        }
    return body


def post_version(client: httpx.Client, token: str, version: Version) -> httpx.Response:
    name, number = version.manifest.name, version.manifest.version
    return client.post(
        f"{API}/datasets/{name}/{number}", json=body_of(version), headers=bearer(token)
    )


def publication(client: httpx.Client, token: str, version: Version) -> dict[str, Any]:
    name, number = version.manifest.name, version.manifest.version
    answer = client.get(f"{API}/datasets/{name}/{number}/publication", headers=bearer(token))
    answer.raise_for_status()
    return answer.json()


def publish(client: httpx.Client, token: str, version: Version) -> dict[str, Any]:
    """Upload, post, and wait for the outcome."""
    upload(client, token, version)
    answer = post_version(client, token, version)
    assert answer.status_code in (200, 202), answer.text
    return wait(lambda: publication(client, token, version), {"published", "refused"})


def predictions(version: Version, task_name: str, seeds: int = 10, skill: float = 0.0) -> pa.Table:
    """Random predictions, others at every call; with skill, they lean on the answers."""
    draw = next(_draws)
    task = version.manifest.task(task_name)
    tables = []
    for seed in range(seeds):
        for part in ("valid", "test"):
            items = version.task_table(task_name, seed % task.num_splits, part)["item"]
            rng = Randomness.from_seed(draw).stream(task_name, seed, part)
            rows = len(items)
            columns = {
                "seed": np.full(rows, seed),
                "part": [part] * rows,
                "item": items.to_numpy(),
            }
            if task.type == "link":
                answers = version.answers(task_name, seed % task.num_splits, part)["label"]
                columns["score"] = rng.normal(size=rows) + skill * answers.to_numpy()
            else:
                columns["pred"] = rng.integers(len(task.classes), size=rows)
            tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def meta_of(version: Version, task: str, **more: Any) -> dict[str, Any]:
    manifest = version.manifest
    return {
        "dataset": manifest.name,
        "version": manifest.version,
        "digest": manifest.digest,
        "task": task,
        "method": "guess",
        "parameters": 12_345,
    } | more


def submit(
    client: httpx.Client,
    token: str,
    meta: dict[str, Any],
    table: pa.Table | bytes,
    key: str | None = None,
) -> httpx.Response:
    content = table if isinstance(table, bytes) else parquet(table)
    headers = bearer(token) | ({"Idempotency-Key": key} if key else {})
    return client.post(
        f"{API}/submissions",
        data={"meta": json.dumps(meta)},
        files={"predictions": ("predictions.parquet", content)},
        headers=headers,
    )


def wait(ask: Any, states: set[str], seconds: float = 40.0) -> dict[str, Any]:
    """Ask until the state is one of these."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer["state"] in states:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"still {answer}")
