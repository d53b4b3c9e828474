"""The pages: whole, escaped, and strict."""

from html.parser import HTMLParser

import pytest

from retia.shards.version import Version
from tests.api.client import API, meta_of, predictions, submit
from tests.api.conftest import Local

HTML = {"Accept": "text/html"}
PAGES = [
    "/",
    "/datasets",
    "/docs",
    "/docs/vessel",
    "/datasets/toy-link",
    "/datasets/toy-sealed/1.0.0",
    "/leaderboards/toy-sealed/link",
]


class Tags(HTMLParser):
    """All tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(text)
    return parser.found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_elsewhere(page: str, board: Local) -> None:
    answer = board.client.get(page, headers=HTML)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    for tag, attributes in tags(answer.text):
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        if tag in ("link", "img", "script"):
            address = attributes.get("href") or attributes.get("src")
            assert str(address).startswith(("/static/", "/docs/", "/api/"))
            assert board.client.get(str(address)).status_code == 200


def test_the_links_of_the_pages_lead_somewhere(board: Local) -> None:
    seen, left = set(), {"/"}
    while left:
        page = left.pop()
        seen.add(page)
        answer = board.client.get(page, headers=HTML)
        assert answer.status_code == 200, page
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        links = {str(a.get("href")) for tag, a in tags(answer.text) if tag == "a"}
        left |= {link for link in links if link.startswith("/") and "/files/" not in link} - seen
    assert "/leaderboards/toy-node/colour" in seen


def test_a_leaderboard_says_what_it_is(board: Local) -> None:
    sealed = board.client.get("/leaderboards/toy-sealed/link", headers=HTML).text
    assert "The test answers exist on this server alone" in sealed
    assert ">synthetic</span>" in sealed
    assert "baseline</span>" in sealed
    assert "area under the ROC curve" in sealed
    assert "The test answers are public" in board.client.get("/leaderboards/toy-link/link").text


def test_a_methods_name_is_text(board: Local, versions: dict[str, Version]) -> None:
    name = "<script>alert(1)</script>\"'&"
    meta = meta_of(versions["link"], "link", method=name, hardware="<img src=x>", notes="<b>")
    table = predictions(versions["link"], "link", seeds=2)
    answer = submit(board.client, board.tokens["uma"], meta, table)
    board.work()
    for page in ("/leaderboards/toy-link/link", f"/submissions/{answer.json()['id']}"):
        text = board.client.get(page, headers=HTML).text
        assert "&lt;script&gt;alert(1)" in text
        assert not {"script", "b"} & {tag for tag, _ in tags(text) if tag != "b"}
        assert all(
            str(a["src"]).startswith("/static/mark.svg") for tag, a in tags(text) if tag == "img"
        )


def test_a_page_that_is_not_there_says_so(board: Local) -> None:
    for page in ("/nothing", "/datasets/nothing", "/leaderboards/toy-link/x", "/submissions/x"):
        answer = board.client.get(page, headers=HTML)
        assert answer.status_code == 404
        assert "Not Found" in answer.text
        assert answer.headers["content-type"].startswith("text/html")


def test_the_description_of_the_api_is_whole(board: Local) -> None:
    schema = board.client.get("/openapi.json").json()
    text = str(schema)
    for name in schema["components"]["schemas"]:
        assert name
    references = {part.split("'")[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= set(schema["components"]["schemas"])
    for path in ("/datasets", "/submissions", "/blobs/{sha256}", "/leaderboards/{dataset}/{task}"):
        assert f"{API}{path}" in schema["paths"]
