"""What no honest client sends: each is refused, shown as text, or has no effect."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from retia.api.context import Context
from retia.api.settings import Settings
from retia.shards.manifest import dump
from retia.shards.version import Version
from retia.shards.writer import write_atomically
from tests.api.browsing import Browser
from tests.api.client import API, bearer, body_of, meta_of, parquet, predictions, submit, upload
from tests.api.conftest import PASSWORD, Local, Running, make_tokens, open_local
from tests.api.raw import ask
from tests.databases import BOTH, fresh_url
from tests.toys import toy_link

FILES = f"{API}/datasets/toy-link/1.0.0/files"
NODES = f"{FILES}/nodes/part-00000.parquet"
SECRETS = (b"root:", b"SQLite format", b'"secret"', b"from fastapi")

CLIMBS = [
    "../../../../../../../../etc/passwd", "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/retia.sqlite", "..%5c..%5cretia.sqlite", "..\\..\\retia.sqlite",
    "%252e%252e%252fretia.sqlite", "....//....//retia.sqlite", "/etc/passwd", "//etc/passwd",
    "%2fetc%2fpasswd", "nodes/../../../../retia.sqlite", "nodes/part-00000.parquet/../../../x",
    "sealed/secret.json", "manifest.json", "nodes/part-00000.parquet%00.txt", "..;/retia.sqlite",
    "file:///etc/passwd", "%c0%ae%c0%ae/retia.sqlite", "%ff%fe", ".", "..", "",
]  # fmt: skip
"""Ways out of a folder, plain and encoded, once and twice."""


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, accounts: tuple[Path, dict[str, str]], board: Local
) -> Iterator[Running]:
    """A server process on a copy of the board's data."""
    folder = tmp_path_factory.mktemp("bad") / "data"
    running = Running.on(folder, (board.context.settings.data, accounts[1]))
    yield running
    running.stop()


@pytest.mark.parametrize("path", CLIMBS)
@pytest.mark.parametrize(
    "root", [FILES, "/static", "/docs", f"{API}/datasets/toy-link", "/datasets"]
)
def test_no_path_leads_out_of_its_folder(root: str, path: str, running: Running) -> None:
    request = f"GET {root}/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = ask(running.client, request.encode("latin-1"))
    assert answer.status in (200, 307, 400, 404, 422)
    assert not any(secret in answer.content for secret in SECRETS), path
    if root == FILES:
        assert answer.status in (400, 404)


@pytest.mark.parametrize(
    ("asked", "statuses"),
    [
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(0, 4000, 2)), {200, 206}),
        ("bytes=" + ",".join(["0-"] * 2000), {200, 206}),
        ("bytes=0-99999999999999999999999", {200, 206}),
        ("bytes=99999999999999999999999-", {416}),
        ("bytes=-99999999999999999999999", {200, 206}),
        ("bytes=-0", {200, 416}),
        ("bytes=" + "9" * 8000 + "-", {200, 416}),
        ("bytes=١-٢", {200, 400}),
        ("bytes=,,,,", {200}),
        ("bytes=0x0-0x9", {200}),
    ],
)
def test_an_absurd_range_costs_no_more_than_the_file(
    asked: str, statuses: set[int], running: Running
) -> None:
    whole = len(running.client.get(NODES).content)
    start = time.monotonic()
    answer = running.client.get(NODES, headers={"Range": asked.encode()})
    assert answer.status_code in statuses
    assert len(answer.content) < 2 * whole + 20_000
    assert time.monotonic() - start < 5
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"


NESTED = ["[" * 100_000, '{"a":' * 10_000 + "1" + "}" * 10_000, '{"name":' + "[" * 5_000]


@pytest.mark.parametrize("body", NESTED, ids=["lists", "objects", "field"])
@pytest.mark.parametrize(
    ("method", "place"),
    [
        ("POST", "users"), ("POST", "tokens"), ("POST", "datasets/toy-link/9.0.0"),
        ("PATCH", "submissions/x"), ("POST", "invitations"),
    ],
)  # fmt: skip
def test_deeply_nested_json_is_refused(method: str, place: str, body: str, board: Local) -> None:
    headers = bearer(board.tokens["root"])
    answer = board.client.request(method, f"{API}/{place}", content=body, headers=headers)
    assert answer.status_code in (413, 422)
    assert len(answer.content) < 2000


def parameters(board: Local, where: str) -> list[tuple[str, str, str]]:
    """Every parameter of that kind in the description of the API, of operations that read."""
    document = board.client.get("/openapi.json").json()
    return [
        (method.upper(), path, parameter["name"])
        for path, place in document["paths"].items()
        for method, operation in place.items()
        if method in ("get", "head", "delete")
        for parameter in operation.get("parameters", [])
        if parameter["in"] == where
    ]


def fill(address: str, **values: str) -> str:
    """An address with sound values, and these."""
    sound = {
        "name": "toy-link", "version": "1.0.0", "dataset": "toy-link", "task": "link",
        "path": "nodes/part-00000.parquet", "sha256": "0" * 64, "token_id": "1",
        "submission_id": "x",
    }  # fmt: skip
    for key, value in (sound | values).items():
        address = address.replace(f"{{{key}}}", quote(value, safe="" if key in values else "/"))
    return address


ODD = [
    "' OR 1=1 --", "'; DROP TABLE users; --", "1) UNION SELECT password_hash FROM users --",
    "%' --", "\\", '"', "\x00", "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
    "x" * 10_000, "<script>alert(1)</script>", "${7*7}{{7*7}}", "\u202e", "🕸" * 100,
]  # fmt: skip


@pytest.fixture(scope="module", params=BOTH)
def either(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    versions: dict[str, Version],
) -> Iterator[Local]:
    """An app with one dataset, on SQLite and on PostgreSQL."""
    folder = tmp_path_factory.mktemp("either")
    with fresh_url(request.param, folder) as url:
        context = Context.open(Settings(data=folder / "data", database_url=url))
        local = open_local(folder / "data", make_tokens(context), database_url=url)
        assert local.publish(versions["link"])["state"] == "published"
        yield local
        context.database.close()
        local.context.database.close()


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_sql_and_other_odd_values_in_every_parameter_do_nothing(value: str, either: Local) -> None:
    """They give what a value gives that means nothing."""
    board, asked = either, 0
    headers = bearer(board.tokens["root"])
    for where in ("path", "query"):
        for method, path, name in parameters(board, where):
            url = fill(path, **{name: value}) if where == "path" else fill(path)
            query = {name: value} if where == "query" else {}
            answer = board.client.request(method, url, params=query, headers=headers)
            assert answer.status_code < 500, (method, url, name)
            assert "$argon2" not in answer.text
            if answer.status_code >= 400 and method != "HEAD":
                assert answer.headers["content-type"] == "application/problem+json"
                assert len(answer.content) < 5000
            elif name == "q" and answer.headers["content-type"] == "application/json":
                assert answer.json()["items"] == [], (url, value)
            asked += 1
    assert asked > 20
    names = [item["name"] for item in board.client.get(f"{API}/datasets").json()["items"]]
    assert names == ["toy-link"]


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_odd_values_in_bodies_and_forms_do_nothing(value: str, either: Local) -> None:
    client, headers = either.client, bearer(either.tokens["root"])
    for place in ("users", "tokens", "invitations", "datasets/toy-link/9.0.0"):
        for name in ("name", "password", "email", "role", "label", "manifest", "invitation"):
            body = {"name": "zoe", "password": PASSWORD, "scopes": ["read"]} | {name: value}
            answer = client.post(f"{API}/{place}", json=body, headers=headers)
            assert answer.status_code in (401, 403, 409, 422, 429), (place, name, answer.text)
    browser = Browser(client)
    for action in ("/sign-in", "/forgotten"):
        browser.open("/sign-in")
        fields = {"form": browser.form("/sign-in").fields["form"]}
        answer = client.post(action, data=fields | {"name": value, "password": value})
        assert answer.status_code in (200, 400, 401, 413, 429)
    client.headers.pop("Accept", None)


def test_notes_may_hold_any_character(either: Local, versions: dict[str, Version]) -> None:
    meta = meta_of(versions["link"], "link", notes="a\x00b\u202e\u2028")
    table = predictions(versions["link"], "link", seeds=2)
    answer = submit(either.client, either.tokens["uma"], meta, table)
    assert answer.status_code == 202, answer.text
    either.work()
    found = either.client.get(f"{API}/submissions/{answer.json()['id']}").json()
    assert (found["state"], found["meta"]["notes"]) == ("scored", "a\x00b\u202e\u2028")


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_odd_values_in_pages_do_nothing(value: str, board: Local) -> None:
    for page in ("/?q=", "/datasets?q=", "/leaderboards/toy-link/link?version=", "/join?link=",
                 "/new-password?link=", "/datasets/", "/submissions/", "/docs/"):  # fmt: skip
        answer = board.client.get(page + quote(value, safe=""), headers={"Accept": "text/html"})
        assert answer.status_code < 500, page
        assert "<script>alert" not in answer.text


def test_a_long_name_is_refused_everywhere(board: Local, versions: dict[str, Version]) -> None:
    name, version = "n" * 10_000, versions["link"]
    headers = bearer(board.tokens["ada"])
    table = predictions(version, "link", seeds=2)
    meta = meta_of(version, "link")
    for change in ("method", "contact", "hardware", "external_data", "dataset", "task", "code_url"):
        value = f"https://example.org/{name}" if change == "code_url" else name
        answer = submit(board.client, board.tokens["uma"], meta | {change: value}, table)
        assert answer.status_code == 422, change
        assert len(answer.content) < 2000
    manifest = body_of(version)["manifest"] | {"name": name}
    body = {"manifest": manifest}
    answer = board.client.post(f"{API}/datasets/x/1.0.0", json=body, headers=headers)
    assert answer.status_code == 422
    assert len(answer.content) < 2000


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><b onclick=alert(3)>&lt;i&gt;"


class Page(HTMLParser):
    """What a browser would make of a page: its tags, and every attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def check(self) -> None:
        """No tag, no handler and no address that our own templates have not made."""
        sources = [
            value for tag, name, value in self.attributes if (tag, name) == ("script", "src")
        ]
        assert len(sources) == self.tags.count("script"), "no script stands in a page itself"
        assert all(source.startswith("/static/") for source in sources)
        for tag, name, value in self.attributes:
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "action"):
                assert value.startswith("/"), (tag, name, value)
            if name == "href":
                assert re.match(r"/|#|\?|https?://", value), (tag, name, value)


def hostile_version(folder: Path) -> Version:
    """A version whose every text is hostile."""
    version = toy_link(folder, name="toy-hostile", source="hostile")
    columns = tuple(
        column.model_copy(update={"description": HOSTILE, "unit": HOSTILE})
        for column in version.manifest.columns
    )
    tasks = tuple(
        task.model_copy(update={"description": HOSTILE}) for task in version.manifest.tasks
    )
    update: dict[str, Any] = {
        "title": HOSTILE, "description": HOSTILE, "citation": HOSTILE, "columns": columns,
        "tasks": tasks,
    }  # fmt: skip
    manifest = version.manifest.model_copy(update=update)
    manifest = manifest.model_copy(update={"digest": manifest.content_digest()})
    write_atomically(version.root / "manifest.json", json.dumps(dump(manifest)).encode())
    return Version.open(version.root)


def test_html_in_every_text_is_text_on_every_page(local: Local, tmp_path: Path) -> None:
    version = hostile_version(tmp_path)
    outcome = local.publish(version)
    assert outcome["state"] == "published", outcome
    texts = dict.fromkeys(("method",), HOSTILE[:80])
    texts |= dict.fromkeys(("contact", "hardware", "external_data", "notes"), HOSTILE)
    meta = meta_of(version, "link", **texts) | {
        "code_url": "https://example.org/'onmouseover='alert(1)",
        "tuned": {"<b>rate</b>": HOSTILE},
    }
    answer = submit(local.client, local.tokens["uma"], meta, predictions(version, "link", seeds=2))
    assert answer.status_code == 202, answer.text
    local.work()
    number = answer.json()["id"]
    pages = ["/", "/datasets", "/datasets/toy-hostile", "/leaderboards/toy-hostile/link",
             f"/submissions/{number}", f"/?q={quote(HOSTILE)}"]  # fmt: skip
    shown = ""
    for place in pages:
        found = local.client.get(place, headers={"Accept": "text/html"})
        assert found.status_code == 200, place
        page = Page(found.text)
        page.check()
        assert "alert(1)</script>" not in found.text.replace("&lt;/script&gt;", "")
        shown += found.text
    assert shown.count("&lt;script&gt;alert(1)") >= 6, "it is shown, as text"


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x",
        "file:///etc/passwd", "//example.org", "https://x\njavascript:alert(1)", " https://x",
        "https://x\"><script>", "ftp://example.org", "java\tscript:alert(1)", "",
    ],
)  # fmt: skip
def test_a_link_is_http_or_https(address: str, board: Local, versions: dict[str, Version]) -> None:
    version = versions["link"]
    table = predictions(version, "link", seeds=2)
    for field in ("code_url", "paper_url"):
        meta = meta_of(version, "link") | {field: address}
        assert submit(board.client, board.tokens["uma"], meta, table).status_code == 422
        headers = bearer(board.tokens["uma"])
        changed = board.client.patch(f"{API}/submissions/x", json={field: address}, headers=headers)
        assert changed.status_code == 422
    manifest = body_of(version)["manifest"] | {"homepage": address}
    answer = board.client.post(
        f"{API}/datasets/toy-link/9.0.0",
        json={"manifest": manifest},
        headers=bearer(board.tokens["ada"]),
    )
    assert answer.status_code == 422
    assert "homepage" in answer.json()["detail"]


def test_no_address_that_a_stranger_gives_is_fetched(local: Local, tmp_path: Path) -> None:
    """Every address names a listener of this test; nobody calls."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        version = toy_link(tmp_path, source="ssrf")
        provenance = version.manifest.provenance
        sources = tuple(s.model_copy(update={"uri": url}) for s in provenance.sources)
        manifest = version.manifest.model_copy(
            update={
                "homepage": url,
                "provenance": provenance.model_copy(update={"sources": sources}),
            }
        )
        manifest = manifest.model_copy(update={"digest": manifest.content_digest()})
        write_atomically(version.root / "manifest.json", json.dumps(dump(manifest)).encode())
        version = Version.open(version.root)
        assert local.publish(version)["state"] == "published"
        meta = meta_of(version, "link", code_url=url, paper_url=url, contact=url, notes=url)
        table = predictions(version, "link", seeds=2)
        answer = submit(local.client, local.tokens["uma"], meta, table)
        assert answer.status_code == 202
        local.work()
        for page in ("/", "/datasets/toy-link", "/leaderboards/toy-link/link"):
            local.client.get(page, headers={"Host": url, "X-Forwarded-Host": url, "Referer": url})
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    "give",
    [
        lambda token: {"headers": {"Cookie": f"token={token}; retia={token}"}},
        lambda token: {"params": {"token": token, "access_token": token}},
        lambda token: {"headers": {"Authorization": f"Basic {token}"}},
        lambda token: {"headers": {"Authorization": f"Bearer {token[:-1]}"}},
        lambda token: {"headers": {"Authorization": f"Bearer {token}x"}},
        lambda token: {"headers": {"Authorization": f"Bearer {token.swapcase()}"}},
        lambda token: {"headers": {"Authorization": "Bearer ' OR 1=1 --"}},
        lambda token: {"headers": {"Authorization": "Bearer " + "x" * 5000}},
        lambda token: {"headers": {"X-Authorization": f"Bearer {token}"}},
    ],
)
def test_a_token_is_taken_whole_and_from_its_header_alone(
    give: Callable[[str], dict[str, Any]], board: Local
) -> None:
    board.client.cookies.clear()
    answer = board.client.get(f"{API}/tokens", **give(board.tokens["ada"]))
    assert answer.status_code == 401


def test_what_is_somebody_elses_is_out_of_reach(local: Local, versions: dict[str, Version]) -> None:
    """A publisher's token against another's dataset, publication, submission and tokens."""
    version = versions["link"]
    local.publish(version, "ada")
    eve = bearer(local.tokens["eve"])
    place = f"{API}/datasets/toy-link/1.0.0"
    assert local.client.get(f"{place}/publication", headers=eve).status_code == 404
    upload(local.client, local.tokens["eve"], version)
    taken = local.client.post(place, json=body_of(version), headers=eve)
    assert taken.status_code == 403
    table = predictions(version, "link", seeds=2)
    sent = submit(local.client, local.tokens["uma"], meta_of(version, "link"), parquet(table))
    number = sent.json()["id"]
    for method in ("PATCH", "DELETE"):
        answer = local.client.request(
            method, f"{API}/submissions/{number}", json={"notes": "x"}, headers=eve
        )
        assert answer.status_code == 403
    assert local.client.get(f"{API}/submissions/{number}").json()["state"] == "received"


def test_a_host_header_goes_nowhere(make_local: Callable[..., Local]) -> None:
    """Links are made from the public URL alone: no mail and no page has a stranger's host."""
    local = make_local(public_url="https://retia.example.org")
    headers = bearer(local.tokens["root"]) | {"Host": "evil.example", "X-Forwarded-Host": "evil"}
    made = local.client.post(f"{API}/invitations", json={}, headers=headers)
    assert made.json()["link"].startswith("https://retia.example.org/")
    for page in ("/", "/sign-in", "/nothing"):
        assert "evil" not in local.client.get(page, headers=headers).text


def test_the_password_is_never_repeated(make_local: Callable[..., Local]) -> None:
    local = make_local(registration="open")
    for body in (
        {"name": "uma", "password": PASSWORD},
        {"name": "u", "password": PASSWORD},
        {"name": "zoe", "password": PASSWORD, "more": 1},
        {"name": "zoe", "password": [PASSWORD]},
    ):
        answer = local.client.post(f"{API}/users", json=body)
        assert answer.status_code in (409, 422)
        assert PASSWORD not in answer.text
