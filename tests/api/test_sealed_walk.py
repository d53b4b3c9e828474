"""Two servers whose datasets differ in sealed labels alone tell everybody the same."""

import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from retia.leaderboard.tables import Publication, PublicShard
from retia.shards.canonical import canonical_json, sha256_file
from retia.shards.manifest import dump
from retia.shards.version import MANIFEST_FILE, SEALED_FOLDER, Version
from tests.api.client import API, bearer
from tests.api.conftest import Local, open_local
from tests.toys import toy_node

NAME = "toy-hidden"
DIFFERENT = {
    "scores", "rank", "rank_group", "digest", "sealed_commitment", "created", "published",
    "submission", "id", "at", "predictions_sha256", "expires", "last_used", "request",
}  # fmt: skip
"""What a reader may see differ: scores and what follows from them, commitment, digest, times."""
HEX = re.compile(r"\b[0-9a-f]{10,}\b")
NUMBER = re.compile(r"-?\d+\.\d+|\d{4}-\d\d-\d\dT[0-9:+]+")
CHART = re.compile(r"<svg.*?</svg>", re.DOTALL)  # of a board; it draws the scores
RANK_GROUP = re.compile(r"(cannot be told apart\">)\d+")
WHO = ("", "uma", "eve")


def with_other_labels(version: Version, folder: Path) -> Version:
    """A copy whose sealed test labels are turned by one class."""
    root = Path(shutil.copytree(version.root, folder))
    sealed = version.sealed_manifest()
    shards = []
    for shard in sealed.shards:
        path = root / SEALED_FOLDER / shard.path
        table = pq.read_table(path)
        if "label" not in table.column_names:
            shards.append(shard)
            continue
        turned = pa.array((table["label"].to_numpy() + 1) % 3, pa.int16())
        table = table.set_column(table.column_names.index("label"), "label", turned)
        pq.write_table(table, path, compression="zstd")
        told = {"sha256": sha256_file(path), "bytes": path.stat().st_size}
        shards.append(shard.model_copy(update=told))
    sealed = sealed.model_copy(update={"shards": tuple(shards)})
    (root / SEALED_FOLDER / MANIFEST_FILE).write_bytes(canonical_json(dump(sealed)))
    commitment = sealed.commitment(version.secret())
    manifest = version.manifest.model_copy(update={"sealed_commitment": commitment})
    manifest = manifest.model_copy(update={"digest": manifest.content_digest()})
    (root / MANIFEST_FILE).write_bytes(canonical_json(dump(manifest)))
    return Version.open(root)


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, accounts: tuple[Path, dict[str, str]]
) -> Iterator[tuple[Local, Local]]:
    """Two servers, each with its variant of the dataset."""
    out = tmp_path_factory.mktemp("walk")
    one = toy_node(out / "one", sealed=True, name=NAME, num_nodes=200, source="walk")
    servers = []
    for number, version in enumerate((one, with_other_labels(one, out / "two"))):
        folder = shutil.copytree(accounts[0], out / f"data{number}")
        servers.append(open_local(folder, accounts[1]))
        outcome = servers[-1].publish(version)
        assert outcome["state"] == "published", outcome
    yield servers[0], servers[1]


def addresses(local: Local) -> list[str]:
    """Every address that a GET may ask of this server's dataset."""
    http = local.client
    base = f"{API}/datasets/{NAME}/1.0.0"
    with local.context.database.read() as session:
        paths = sorted(row.path for row in session.query(PublicShard))
    rows = http.get(f"{API}/leaderboards/{NAME}/colour").json()["items"]
    ids = [row["submission"] for row in sorted(rows, key=lambda row: row["method"])]
    found = [f"{base}/files/{path}" for path in paths]
    found += [f"{API}/leaderboards/{NAME}/colour?format={form}" for form in ("csv", "parquet")]
    found += [f"{API}/submissions/{number}" for number in ids]
    found += [f"/submissions/{number}" for number in ids]
    values = {
        "name": NAME, "dataset": NAME, "version": "1.0.0", "task": "colour", "token_id": "1",
        "sha256": "0" * 64, "path": "sealed/secret.json", "submission_id": ids[0],
    }  # fmt: skip
    document = http.get("/openapi.json").json()["paths"]
    found += [path.format_map(values) for path, ways in document.items() if "get" in ways]
    pages = ["/", "/datasets", f"/datasets/{NAME}", f"/datasets/{NAME}/1.0.0"]
    pages += [f"/leaderboards/{NAME}/colour", "/leaderboards", "/openapi.json"]
    return [address for address in found + pages if address not in ("/metrics",)]


def plain(answer: httpx.Response) -> Any:
    """What an answer says, decoded, without what may differ."""
    kind = answer.headers.get("content-type", "").split(";")[0]
    if kind.endswith("parquet"):
        return without_scores(pq.read_table(io.BytesIO(answer.content)))
    if kind == "text/csv":
        return without_scores(csv.read_csv(io.BytesIO(answer.content)))
    if kind.endswith("json"):
        return stripped(json.loads(answer.content))
    if kind.startswith("text/"):
        text = HEX.sub("H", NUMBER.sub("N", CHART.sub("", answer.text)))
        text = RANK_GROUP.sub(r"\1G", text)
        return Counter(re.split(r"[\n<,]", text))
    return answer.content


def without_scores(table: pa.Table) -> dict[str, list[Any]]:
    kept = [
        name
        for name in table.column_names
        if name not in DIFFERENT and not name.startswith(("test.", "valid.", "test_", "valid_"))
    ]
    table = table.select([*kept])
    if "method" in kept:
        table = table.take(pc.sort_indices(table["method"]))
    return table.to_pydict()


def stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: stripped(each) for key, each in value.items() if key not in DIFFERENT}
    if isinstance(value, list):
        return sorted((stripped(each) for each in value), key=repr)
    return HEX.sub("H", value) if isinstance(value, str) and "submission" in value else value


def walk(local: Local, who: str) -> list[tuple[int, Any]]:
    headers = bearer(local.tokens[who]) if who else {}
    answers = (local.client.get(address, headers=headers) for address in addresses(local))
    return [(answer.status_code, plain(answer)) for answer in answers]


@pytest.mark.parametrize("who", WHO)
def test_every_route_says_the_same(who: str, pair: tuple[Local, Local]) -> None:
    one, two = (walk(local, who) for local in pair)
    names = addresses(pair[0])
    assert len(one) == len(two) > 30
    assert sum(status == 200 for status, _ in one) > 25
    for address, first, second in zip(names, one, two, strict=True):
        if isinstance(first[1], Counter):
            assert (first[1] - second[1], second[1] - first[1]) == (Counter(), Counter()), address
        assert first == second, address


def test_a_planted_leak_is_found(pair: tuple[Local, Local]) -> None:
    """A public file that holds the labels, a number of them, or their sum."""
    for leak in ("labels", "count"):
        walked = []
        for local in pair:
            with local.context.database.write() as session:
                row = session.query(Publication).one()
                version = Version.open(local.context.storage.version(NAME, "1.0.0"))
                labels = version.answers("colour", 0, "test")["label"].to_pylist()
                told = labels if leak == "labels" else {"greens": labels.count(1)}
                sha256, size = local.context.storage.keep(json.dumps(told).encode())
                path = f"pages/{leak}.json"
                session.add(
                    PublicShard(publication_id=row.id, path=path, sha256=sha256, bytes=size)
                )
            walked.append(walk(local, ""))
            with local.context.database.write() as session:
                session.delete(session.get_one(PublicShard, (row.id, path)))
        differing = [a != b for a, b in zip(*walked, strict=True)]
        assert sum(differing) == 1, leak
