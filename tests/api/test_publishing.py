"""Publishing: who may name which blob, what is refused, and that nothing sealed comes out."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retia.shards.canonical import canonical_json, sha256_bytes
from retia.shards.manifest import Manifest, dump
from retia.shards.version import SEALED_FOLDER, Version
from tests.api.client import API, SECRET, bearer, body_of, post_version, publication, put, upload
from tests.api.conftest import Local
from tests.toys import toy_link, toy_node


def rewritten(version: Version, **changes: object) -> dict[str, object]:
    """The manifest with other fields and a digest that fits them."""
    value = dump(version.manifest) | changes
    value["digest"] = Manifest.model_validate(value).content_digest()
    return value


def test_a_published_version_is_listed_and_read(board: Local, versions: dict[str, Version]) -> None:
    items = board.client.get(f"{API}/datasets").json()["items"]
    assert [item["name"] for item in items] == ["toy-link", "toy-node", "toy-sealed"]
    assert items[0]["digest"] == versions["link"].manifest.digest
    manifest = board.client.get(f"{API}/datasets/toy-link/1.0.0").json()
    assert manifest == dump(versions["link"].manifest)
    listed = board.client.get(f"{API}/datasets/toy-link").json()
    assert listed["owner"] == "ada"
    assert [row["version"] for row in listed["versions"]] == ["1.0.0"]


def test_lists_are_paged(board: Local) -> None:
    first = board.client.get(f"{API}/datasets?limit=2").json()
    rest = board.client.get(f"{API}/datasets?limit=2&cursor={first['next']}").json()
    assert [i["name"] for i in first["items"] + rest["items"]] == [
        "toy-link", "toy-node", "toy-sealed",
    ]  # fmt: skip
    assert rest["next"] is None


def test_datasets_are_found_by_words(board: Local) -> None:
    assert len(board.client.get(f"{API}/datasets?q=toy+sealed").json()["items"]) == 1
    assert board.client.get(f"{API}/datasets?kind=vessel").json()["items"] == []


def test_a_publication_has_its_audit_and_baselines(board: Local) -> None:
    headers = bearer(board.tokens["ada"])
    answer = board.client.get(f"{API}/datasets/toy-sealed/1.0.0/publication", headers=headers)
    assert {finding["status"] for finding in answer.json()["findings"]} == {"passed"}
    rows = board.client.get(f"{API}/leaderboards/toy-sealed/link").json()["items"]
    rows = [row for row in rows if row["baseline"]]
    assert {row["method"] for row in rows} == {"degree", "common-neighbours", "distance"}
    assert all(row["rank"] and row["user"] is None for row in rows)


def test_publishing_again_changes_nothing(local: Local, versions: dict[str, Version]) -> None:
    local.publish(versions["link"])
    again = post_version(local.client, local.tokens["ada"], versions["link"])
    assert (again.status_code, again.json()) == (200, {"state": "published"})
    rows = local.client.get(f"{API}/leaderboards/toy-link/link").json()["items"]
    assert len(rows) == 2


def test_a_version_is_invisible_until_it_is_published(
    local: Local, versions: dict[str, Version]
) -> None:
    upload(local.client, local.tokens["ada"], versions["link"])
    assert post_version(local.client, local.tokens["ada"], versions["link"]).status_code == 202
    assert local.client.get(f"{API}/datasets").json()["items"] == []
    path = versions["link"].manifest.shards[0].path
    assert local.client.get(f"{API}/datasets/toy-link/1.0.0").status_code == 404
    assert local.client.get(f"{API}/datasets/toy-link/1.0.0/files/{path}").status_code == 404


def test_other_content_under_the_same_version_is_a_conflict(
    local: Local, versions: dict[str, Version]
) -> None:
    local.publish(versions["link"])
    manifest = rewritten(versions["link"], title="Another title")
    answer = local.client.post(
        f"{API}/datasets/toy-link/1.0.0",
        json={"manifest": manifest},
        headers=bearer(local.tokens["ada"]),
    )
    assert answer.status_code == 409


def test_a_name_belongs_to_its_first_publisher(
    local: Local, versions: dict[str, Version], tmp_path: Path
) -> None:
    local.publish(versions["link"])
    other = toy_link(tmp_path, version="2.0.0", source="other", seed=4)
    upload(local.client, local.tokens["eve"], other)
    answer = post_version(local.client, local.tokens["eve"], other)
    assert answer.status_code == 403
    assert answer.json()["detail"] == "the name toy-link belongs to ada"


def test_a_blob_that_was_not_uploaded_is_unknown(
    local: Local, versions: dict[str, Version]
) -> None:
    upload(local.client, local.tokens["ada"], versions["link"])
    answer = post_version(local.client, local.tokens["eve"], versions["link"])
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("unknown blob ")


def test_a_public_shard_may_be_named_by_anyone(local: Local, versions: dict[str, Version]) -> None:
    local.publish(versions["link"])
    renamed = rewritten(versions["link"], name="toy-copy")
    answer = local.client.post(
        f"{API}/datasets/toy-copy/1.0.0",
        json={"manifest": renamed},
        headers=bearer(local.tokens["eve"]),
    )
    assert answer.status_code == 202
    local.work()
    assert local.client.get(f"{API}/datasets/toy-copy/1.0.0").status_code == 200


@pytest.mark.parametrize("account", ["ada", "eve"])
def test_a_sealed_blob_in_the_public_part_is_unknown(
    account: str, local: Local, versions: dict[str, Version]
) -> None:
    """To its owner and to others alike, and like a blob that nobody has."""
    sealed = versions["sealed"]
    local.publish(sealed)
    secret = sealed.sealed_manifest().shards[0]
    public = [dump(shard) for shard in versions["link"].manifest.shards]
    upload(local.client, local.tokens[account], versions["link"])
    details = []
    for sha256 in (secret.sha256, "0" * 64):
        stolen = dump(secret) | {"path": "nodes/part-00009.parquet", "table": "nodes"}
        manifest = rewritten(versions["link"], shards=[*public, stolen | {"sha256": sha256}])
        answer = local.client.post(
            f"{API}/datasets/toy-link/1.0.0",
            json={"manifest": manifest},
            headers=bearer(local.tokens[account]),
        )
        assert answer.status_code == 422
        details.append(answer.json()["detail"].replace(sha256, "SHA"))
        head = local.client.head(f"{API}/blobs/{sha256}", headers=bearer(local.tokens[account]))
        assert head.status_code == 404
    assert details[0] == details[1]


def test_somebody_elses_sealed_blob_is_unknown(local: Local, versions: dict[str, Version]) -> None:
    sealed = versions["sealed"]
    upload(local.client, local.tokens["ada"], sealed)
    for shard in sealed.manifest.shards:
        put(
            local.client, local.tokens["eve"], shard.sha256, (sealed.root / shard.path).read_bytes()
        )
    answer = post_version(local.client, local.tokens["eve"], sealed)
    assert answer.status_code == 422
    assert "unknown blob" in answer.json()["detail"]


def test_no_route_serves_a_sealed_file(board: Local, versions: dict[str, Version]) -> None:
    sealed = versions["sealed"]
    base = f"{API}/datasets/toy-sealed/1.0.0"
    secrets = {
        (sealed.root / SEALED_FOLDER / shard.path).read_bytes()
        for shard in sealed.sealed_manifest().shards
    }
    names = [shard.path for shard in sealed.sealed_manifest().shards]
    names += ["manifest.json", "secret.json", "ids/part-00000.parquet"]
    tries = [f"{base}/files/{prefix}{name}" for prefix in ("", "sealed/") for name in names]
    tries += [f"{base}/files/{'../' * n}sealed/secret.json" for n in range(1, 5)]
    tries += [f"{base}/files/..%2fsealed%2fsecret.json", "/static/../retia.sqlite"]
    tries += [f"{API}/blobs/{s.sha256}" for s in sealed.sealed_manifest().shards]
    for url in tries:
        answer = board.client.get(url, headers=bearer(board.tokens["ada"]))
        assert answer.status_code in (404, 405), url
        assert answer.content not in secrets
        assert sealed.secret().hex() not in answer.text


def test_a_public_walk_meets_no_sealed_byte(board: Local, versions: dict[str, Version]) -> None:
    sealed = versions["sealed"]
    hidden = {shard.sha256 for shard in sealed.sealed_manifest().shards}
    pages = ["/", "/datasets/toy-sealed", "/leaderboards/toy-sealed/link", f"{API}/datasets"]
    pages += [f"{API}/datasets/toy-sealed/1.0.0", f"{API}/leaderboards/toy-sealed/link"]
    for shard in sealed.manifest.shards:
        pages.append(f"{API}/datasets/toy-sealed/1.0.0/files/{shard.path}")
    for page in pages:
        answer = board.client.get(page)
        assert answer.status_code == 200, page
        assert sha256_bytes(answer.content) not in hidden
        assert sealed.secret().hex().encode() not in answer.content
        assert not any(sha256.encode() in answer.content for sha256 in hidden)


def test_a_sibling_of_a_sealed_version_is_refused(local: Local, tmp_path: Path) -> None:
    sealed = toy_link(tmp_path, sealed=True, source="one", name="toy-sealed", secret=SECRET)
    sibling = toy_node(tmp_path, source="one")
    assert local.publish(sealed)["state"] == "published"
    outcome = local.publish(sibling, "eve")
    assert outcome["state"] == "refused"
    assert "toy-sealed@1.0.0 has a sealed task" in str(outcome["problem"])
    again = toy_link(
        tmp_path, sealed=True, source="one", name="toy-sealed", secret=SECRET, version="1.0.1"
    )
    assert local.publish(again)["state"] == "refused"


def test_a_sealed_version_is_refused_beside_its_open_sibling(local: Local, tmp_path: Path) -> None:
    assert local.publish(toy_node(tmp_path, source="one"))["state"] == "published"
    sealed = toy_link(tmp_path, sealed=True, source="one", name="toy-sealed", secret=SECRET)
    outcome = local.publish(sealed)
    assert outcome["state"] == "refused"
    assert "this version has a sealed task" in str(outcome["problem"])


def test_siblings_checked_at_once_do_not_both_pass(local: Local, tmp_path: Path) -> None:
    pair = [
        toy_link(tmp_path, sealed=True, source="one", name="toy-sealed", secret=SECRET),
        toy_node(tmp_path, source="one"),
    ]
    for version in pair:
        upload(local.client, local.tokens["ada"], version)
        assert post_version(local.client, local.tokens["ada"], version).status_code == 202
    local.work()
    states = [publication(local.client, local.tokens["ada"], version)["state"] for version in pair]
    assert sorted(states) == ["published", "refused"]


def test_a_leaking_version_is_refused_and_its_number_stays_free(
    local: Local, tmp_path: Path, versions: dict[str, Version]
) -> None:
    version = toy_link(tmp_path, source="leak")
    hidden = version.answers("link", 0, "test")
    items = version.task_table("link", 0, "test")
    leak = items.take(pa.array([hidden["label"].to_pylist().index(1)])).select(["src", "dst"])
    edges = version.edges("edge")
    row = leak.append_column("weight", pa.array([1.0], pa.float32())).cast(edges.schema)
    leaky = pa.concat_tables([edges, row]).sort_by([("src", "ascending"), ("dst", "ascending")])
    replaced = _replace(version, "edges/edge/part-00000.parquet", leaky)
    replaced["relations"][0]["num_edges"] += 1
    manifest = Manifest.model_validate(replaced)
    body = {"manifest": dump(manifest) | {"digest": manifest.content_digest()}}
    upload_all(local, version)
    url = f"{API}/datasets/toy-link/1.0.0"
    answer = local.client.post(url, json=body, headers=bearer(local.tokens["ada"]))
    assert answer.status_code == 202, answer.text
    local.work()
    outcome = publication(local.client, local.tokens["ada"], version)
    assert outcome["state"] == "refused"
    assert "checks failed" in outcome["problem"]
    assert local.publish(versions["link"])["state"] == "published"


def test_a_column_that_is_not_in_the_manifest_is_refused(local: Local, tmp_path: Path) -> None:
    version = toy_link(tmp_path, source="more")
    nodes = version.nodes()
    replaced = _replace(
        version, "nodes/part-00000.parquet", nodes.append_column("hint", nodes.column(0))
    )
    _refused(local, version, replaced, "columns degree_in, degree_out, hint")


def test_a_number_of_rows_that_is_wrong_is_refused(local: Local, tmp_path: Path) -> None:
    version = toy_link(tmp_path, source="rows")
    replaced = dump(version.manifest)
    replaced["shards"][0]["rows"] += 1
    _refused(local, version, replaced, "number of rows")


def test_what_is_not_parquet_is_refused(local: Local, tmp_path: Path) -> None:
    version = toy_link(tmp_path, source="text")
    (version.root / "nodes" / "part-00000.parquet").write_bytes(b"nothing")
    replaced = dump(version.manifest)
    for shard in replaced["shards"]:
        if shard["table"] == "nodes":
            shard |= {"bytes": 7, "sha256": sha256_bytes(b"nothing")}
    _refused(local, version, replaced, "not a readable Parquet file")


def test_a_reason_tells_nothing_of_the_servers_folders(local: Local, tmp_path: Path) -> None:
    version = toy_link(tmp_path, source="page")
    path = version.root / "nodes" / "part-00000.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 60 + content[64:])
    replaced = dump(version.manifest)
    for shard in replaced["shards"]:
        if shard["table"] == "nodes":
            shard["sha256"] = sha256_bytes(path.read_bytes())
    _refused(local, version, replaced, "not a readable Parquet file")
    outcome = publication(local.client, local.tokens["ada"], version)
    assert str(local.context.settings.data) not in outcome["problem"]
    assert "\n" not in outcome["problem"]


def test_a_sealed_part_that_does_not_fit_is_refused(
    local: Local, versions: dict[str, Version]
) -> None:
    sealed = versions["sealed"]
    upload(local.client, local.tokens["ada"], sealed)
    body = body_of(sealed)
    body["sealed"]["secret"] = "0" * 64
    url = f"{API}/datasets/toy-sealed/1.0.0"
    answer = local.client.post(url, json=body, headers=bearer(local.tokens["ada"]))
    assert (answer.status_code, answer.json()["detail"]) == (
        422, "the sealed part does not fit the commitment",
    )  # fmt: skip
    assert (
        local.client.post(
            url, json={"manifest": body["manifest"]}, headers=bearer(local.tokens["ada"])
        ).json()["detail"]
        == "a sealed commitment and a sealed part come together"
    )


def test_a_manifest_with_unknown_keys_names_them(
    local: Local, versions: dict[str, Version]
) -> None:
    manifest = dump(versions["link"].manifest) | {"surprise": 1}
    answer = local.client.post(
        f"{API}/datasets/toy-link/1.0.0",
        content=json.dumps({"manifest": manifest}),
        headers=bearer(local.tokens["ada"]),
    )
    assert answer.status_code == 422
    assert "manifest.surprise" in answer.json()["detail"]


def test_a_number_that_json_lacks_is_named(local: Local, versions: dict[str, Version]) -> None:
    manifest = dump(versions["link"].manifest)
    manifest["provenance"]["parameters"] = {"rate": float("nan")}
    answer = local.client.post(
        f"{API}/datasets/toy-link/1.0.0",
        content=json.dumps({"manifest": manifest}),
        headers=bearer(local.tokens["ada"]),
    )
    assert answer.status_code == 422
    assert "manifest.provenance.parameters" in answer.json()["detail"]


def test_a_blob_that_is_lost_may_be_uploaded_again(
    local: Local, versions: dict[str, Version]
) -> None:
    """What the server says it has, a client does not send again."""
    version, headers = versions["link"], bearer(local.tokens["ada"])
    upload(local.client, local.tokens["ada"], version)
    shard = version.manifest.shards[0]
    assert local.client.head(f"{API}/blobs/{shard.sha256}", headers=headers).status_code == 200
    local.context.storage.blob(shard.sha256).unlink()
    post_version(local.client, local.tokens["ada"], version)
    local.work()
    outcome = publication(local.client, local.tokens["ada"], version)
    assert "its blob is gone; upload it again" in outcome["problem"]
    assert local.client.head(f"{API}/blobs/{shard.sha256}", headers=headers).status_code == 404
    assert local.publish(version)["state"] == "published"


def test_a_blob_with_another_sum_is_refused(local: Local) -> None:
    answer = put(local.client, local.tokens["ada"], "0" * 64, b"something")
    assert answer.status_code == 422
    assert "have the sha256" in answer.json()["detail"]
    assert list((local.context.settings.data / "incoming").iterdir()) == []


def test_a_sealed_folder_is_for_the_server_alone(board: Local) -> None:
    folder = board.context.settings.data / "sealed"
    assert folder.stat().st_mode & 0o077 == 0


def upload_all(local: Local, version: Version) -> None:
    """Put every file below the version's folder under its present sum."""
    for path in version.root.rglob("*.parquet"):
        content = path.read_bytes()
        put(local.client, local.tokens["ada"], sha256_bytes(content), content)


def _replace(version: Version, path: str, table: pa.Table) -> dict[str, object]:
    """Write another table at a shard's place, and the manifest that fits it."""
    file = version.root / path
    pq.write_table(table, file)
    value = json.loads(canonical_json(dump(version.manifest)))
    for shard in value["shards"]:
        if shard["path"] == path:
            content = file.read_bytes()
            shard |= {
                "rows": table.num_rows, "bytes": len(content), "sha256": sha256_bytes(content),
            }  # fmt: skip
    return value


def _refused(local: Local, version: Version, manifest: dict[str, object], reason: str) -> None:
    manifest["digest"] = Manifest.model_validate(manifest).content_digest()
    upload_all(local, version)
    answer = local.client.post(
        f"{API}/datasets/toy-link/1.0.0",
        json={"manifest": manifest},
        headers=bearer(local.tokens["ada"]),
    )
    assert answer.status_code == 202, answer.text
    local.work()
    outcome = publication(local.client, local.tokens["ada"], version)
    assert outcome["state"] == "refused"
    assert reason in outcome["problem"]
