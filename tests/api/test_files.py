"""Files over HTTP: ETags, ranges, and what a cache asks."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from retia.shards.manifest import Shard
from retia.shards.version import Version
from tests.api.client import API, publish
from tests.api.conftest import Local, Running


@pytest.fixture(scope="module")
def shard(versions: dict[str, Version]) -> Shard:
    return versions["link"].manifest.files("nodes")[0]


@pytest.fixture(scope="module")
def content(versions: dict[str, Version], shard: Shard) -> bytes:
    return (versions["link"].root / shard.path).read_bytes()


@pytest.fixture
def url(shard: Shard) -> str:
    return f"{API}/datasets/toy-link/1.0.0/files/{shard.path}"


def test_a_file_comes_whole_with_its_sum(
    board: Local, url: str, shard: Shard, content: bytes
) -> None:
    for method in ("GET", "HEAD"):
        answer = board.client.request(method, url)
        assert answer.status_code == 200
        assert answer.headers["etag"] == f'"{shard.sha256}"'
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-length"] == str(shard.bytes)
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.content == (content if method == "GET" else b"")


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("0-0", slice(0, 1)),
        ("5-9", slice(5, 10)),
        ("100-", slice(100, None)),
        ("-7", slice(-7, None)),
    ],
)
def test_a_range_is_that_part(
    asked: str, part: slice, board: Local, url: str, content: bytes
) -> None:
    answer = board.client.get(url, headers={"Range": f"bytes={asked}"})
    assert answer.status_code == 206
    assert answer.content == content[part]
    start, stop, _ = part.indices(len(content))
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(content)}"


def test_several_ranges_come_as_parts(board: Local, url: str, content: bytes) -> None:
    answer = board.client.get(url, headers={"Range": "bytes=0-3,10-13"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")
    assert content[:4] in answer.content
    assert content[10:14] in answer.content


def test_a_range_beyond_the_end_is_a_problem(board: Local, url: str, content: bytes) -> None:
    answer = board.client.get(url, headers={"Range": f"bytes={len(content)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(content)}"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_range_that_is_not_understood_is_ignored(board: Local, url: str, content: bytes) -> None:
    for asked in ("lines=1-2", "bytes=9-3", "nonsense"):
        answer = board.client.get(url, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (200, content)


def test_a_range_of_another_content_gives_the_whole(
    board: Local, url: str, shard: Shard, content: bytes
) -> None:
    headers = {"Range": "bytes=5-9"}
    same = board.client.get(url, headers=headers | {"If-Range": f'"{shard.sha256}"'})
    assert (same.status_code, same.content) == (206, content[5:10])
    other = board.client.get(url, headers=headers | {"If-Range": f'"{"0" * 64}"'})
    assert (other.status_code, other.content) == (200, content)


def test_what_a_cache_has_is_not_sent_again(board: Local, url: str, shard: Shard) -> None:
    for tag in (f'"{shard.sha256}"', f'"x", W/"{shard.sha256}"', "*"):
        answer = board.client.get(url, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == f'"{shard.sha256}"'
    assert board.client.get(url, headers={"If-None-Match": '"x"'}).status_code == 200


def test_ranges_are_of_get_alone_and_no_clock_is_a_validator(
    board: Local, url: str, content: bytes
) -> None:
    asked = board.client.head(url, headers={"Range": "bytes=0-3"})
    assert (asked.status_code, asked.headers["content-length"]) == (200, str(len(content)))
    assert "last-modified" not in board.client.get(url).headers
    headers = {"Range": "bytes=0-3", "If-Range": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert board.client.get(url, headers=headers).status_code == 200


def test_of_several_ranges_those_beyond_the_end_are_left_out(
    board: Local, url: str, content: bytes
) -> None:
    answer = board.client.get(url, headers={"Range": "bytes=2-5,999999999-"})
    assert (answer.status_code, answer.content) == (206, content[2:6])


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=" + ",".join(f"{start}-{start}" for start in range(0, 80, 2)),
        "bytes=" + "9" * 5000 + "-",
        "bytes=-" + "9" * 5000,
        "bytes=0-" + "9" * 30,
        "bytes=--5",
        "bytes=\x660-1",
        "bytes=0-1;0-2",
        "bytes=",
    ],
)
def test_absurd_ranges_get_the_whole_or_416(
    asked: str, board: Local, url: str, content: bytes
) -> None:
    answer = board.client.get(url, headers={"Range": asked})
    assert answer.status_code in (200, 206, 416)
    if answer.status_code != 416:
        assert answer.content == content


def test_a_file_with_another_tag_than_wanted_is_not_sent(
    board: Local, url: str, shard: Shard
) -> None:
    assert board.client.get(url, headers={"If-Match": f'"{shard.sha256}"'}).status_code == 200
    assert board.client.get(url, headers={"If-Match": '"x"'}).status_code == 412


def test_addresses_are_those_of_the_settings_whatever_host_is_asked(
    make_local: Callable[..., Local], versions: dict[str, Version]
) -> None:
    local = make_local(public_url="https://retia.example.org")
    local.publish(versions["link"])
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    for address in ("/datasets/toy-link", f"{API}/datasets", "/", f"{API}/datasets/toy-link"):
        answer = local.client.get(address, headers=evil)
        assert answer.status_code == 200
        assert "evil.example" not in answer.text + str(answer.headers)
    assert "https://retia.example.org" in local.client.get("/datasets/toy-link").text


def test_a_download_that_broke_off_goes_on(
    serve: Callable[..., Running], versions: dict[str, Version], tmp_path: Path
) -> None:
    running = serve()
    version = versions["node"]
    assert publish(running.client, running.tokens["ada"], version)["state"] == "published"
    shard = max(version.manifest.shards, key=lambda shard: shard.bytes)
    content = (version.root / shard.path).read_bytes()
    path = f"{API}/datasets/{version.manifest.name}/1.0.0/files/{shard.path}"
    address = str(running.client.base_url.join(path))
    part = tmp_path / "part.parquet"
    for command in (
        ["curl", "-sSf", "-C", "-", "-o", str(part), address],
        ["aria2c", "-q", "-c", "-d", str(tmp_path), "-o", part.name, address],
    ):
        part.write_bytes(content[: len(content) // 2])
        subprocess.run(command, check=True, timeout=20)
        assert part.read_bytes() == content
