"""Files over HTTP: ETags, ranges, and what a cache asks."""

import pytest

from retia.shards.manifest import Shard
from retia.shards.version import Version
from tests.api.client import API
from tests.api.conftest import Local


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
