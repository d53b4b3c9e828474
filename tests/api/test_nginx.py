"""Files through a real nginx that is told by X-Accel-Redirect: a client sees what the app says."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from retia.shards.manifest import Shard
from retia.shards.version import SEALED_FOLDER, Version
from tests.api.client import API
from tests.api.conftest import Local, Running
from tests.api.proxy import nginx


@pytest.fixture(scope="module")
def proxied(
    board: Local, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, Running]]:
    """A client of nginx, before a real app on a copy of the board's data folder."""
    folder = tmp_path_factory.mktemp("proxied")
    running = Running.on(
        folder / "data",
        (board.context.settings.data, board.tokens),
        RETIA_ACCEL_LOCATION="/stored",
        RETIA_PUBLIC_URL="https://retia.example.org",
    )
    upstream = f"{running.client.base_url.host}:{running.client.base_url.port}"
    with nginx(folder / "nginx", upstream, running.data) as url, httpx.Client(base_url=url) as http:
        yield http, running
    running.stop()


@pytest.fixture(scope="module")
def shard(versions: dict[str, Version]) -> Shard:
    return versions["link"].manifest.files("nodes")[0]


@pytest.fixture(scope="module")
def content(versions: dict[str, Version], shard: Shard) -> bytes:
    return (versions["link"].root / shard.path).read_bytes()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"Range": "bytes=5-9"},
        {"Range": "bytes=-7"},
        {"Range": "bytes=100-"},
        {"Range": "bytes=999999999-"},
        {"Range": "bytes=5-9", "If-Range": "TAG"},
        {"Range": "bytes=5-9", "If-Range": '"other"'},
        {"Range": "bytes=999999999-", "If-Range": '"other"'},
        {"If-None-Match": "TAG"},
        {"If-None-Match": "W/TAG"},
        {"If-None-Match": '"other"'},
        {"If-None-Match": "*"},
        {"If-Match": "TAG"},
        {"If-Match": '"other"'},
        {"If-Modified-Since": "Wed, 21 Oct 2099 07:28:00 GMT"},
        {"Range": "lines=1-2"},
        {"Range": "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 120, 2))},
    ],
)
def test_nginx_answers_as_the_app_does(
    method: str,
    asked: dict[str, str],
    proxied: tuple[httpx.Client, Running],
    board: Local,
    shard: Shard,
) -> None:
    url = f"{API}/datasets/toy-link/1.0.0/files/{shard.path}"
    headers = {
        key: value.replace("TAG", f'"{shard.sha256}"')
        for key, value in (asked | {"Accept-Encoding": "identity"}).items()
    }
    found = proxied[0].request(method, url, headers=headers)
    wanted = board.client.request(method, url, headers=headers)
    assert (found.status_code, found.content) == (wanted.status_code, wanted.content)
    for name in (
        "etag", "cache-control", "content-range", "content-length", "content-type",
        "last-modified", "x-content-type-options", "content-security-policy", "referrer-policy",
        "cross-origin-opener-policy",
    ):  # fmt: skip
        if wanted.status_code != 416 or name != "etag":
            assert found.headers.get(name) == wanted.headers.get(name), name
    assert len(found.headers.get_list("etag")) <= 1
    assert found.headers["x-request-id"]
    assert "x-accel-redirect" not in found.headers


def test_several_ranges_come_as_parts(
    proxied: tuple[httpx.Client, Running], shard: Shard, content: bytes
) -> None:
    url = f"{API}/datasets/toy-link/1.0.0/files/{shard.path}"
    answer = proxied[0].get(url, headers={"Range": "bytes=0-3,10-13"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")
    assert answer.headers["etag"] == f'"{shard.sha256}"'
    assert content[:4] in answer.content
    assert content[10:14] in answer.content


def test_nginx_itself_sends_the_file(
    proxied: tuple[httpx.Client, Running], shard: Shard, content: bytes
) -> None:
    """The app alone would answer with a header and no body."""
    url = f"{API}/datasets/toy-link/1.0.0/files/{shard.path}"
    alone = proxied[1].client.get(url)
    assert alone.content == b""
    stored = f"/stored/blobs/{shard.sha256[:2]}/{shard.sha256}"
    assert alone.headers["x-accel-redirect"] == stored
    assert proxied[0].get(url).content == content


def test_no_address_leads_past_the_app(
    proxied: tuple[httpx.Client, Running], shard: Shard, versions: dict[str, Version]
) -> None:
    http, running = proxied
    sealed = versions["sealed"].sealed_manifest().shards[0]
    assert (versions["sealed"].root / SEALED_FOLDER / sealed.path).is_file()
    assert shutil.which("curl")
    for path in (
        f"/stored/blobs/{shard.sha256[:2]}/{shard.sha256}",
        f"/stored/blobs/../sealed/1/{sealed.sha256}",
        f"/stored/blobs/..%2fsealed/1/{sealed.sha256}",
        f"/stored/blobs../sealed/1/{sealed.sha256}",
        f"/stored/sealed/1/{sealed.sha256}",
        f"{API}/datasets/toy-link/1.0.0/files/../../../../retia.sqlite",
        f"{API}/datasets/toy-link/1.0.0/files/%2e%2e/%2e%2e/retia.sqlite",
        f"{API}/datasets/toy-link/1.0.0/files/..%5c..%5cretia.sqlite",
        f"{API}/datasets/toy-link/1.0.0/files//etc/passwd",
        "/metrics",
    ):
        request = httpx.Request("GET", f"{http.base_url}")
        request.extensions["target"] = path.encode()
        answer = http.send(request)
        assert answer.status_code in (400, 404, 405), path
    assert Path(running.data / "retia.sqlite").is_file()
