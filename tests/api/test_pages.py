"""The pages: whole, escaped, and strict."""

import html
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from retia.api.catalogue import newest_results
from retia.api.pages.documents import document, names
from retia.api.queries import published_version
from retia.leaderboard.tables import Score, Submission
from retia.shards.version import Version
from tests.api.client import API, meta_of, predictions, submit
from tests.api.conftest import Local
from tests.toys import toy_link

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


def test_titles_of_any_script_and_length_are_shown(
    make_local: Callable[..., Local], tmp_path: Path
) -> None:
    """Right-to-left, emoji, one word of 300 letters, markup: all of it is text."""
    titles = ["شبكة الأوعية 🧠🩸", "w" * 300, "<b onclick=alert(1)>&\"'"]
    local = make_local()
    for number, title in enumerate(titles):
        version = toy_link(tmp_path, name=f"toy-{number}", source=f"title-{number}")
        local.publish(version)
        with local.context.database.write() as session:
            row = published_version(session, f"toy-{number}")
            row.summary = row.summary | {"title": title}
            row.manifest = row.manifest.replace(
                json.dumps(version.manifest.title)[1:-1], json.dumps(title)[1:-1]
            )
    for page in ("/", "/datasets", *(f"/datasets/toy-{number}" for number in range(len(titles)))):
        answer = local.client.get(page, headers=HTML)
        assert answer.status_code == 200
        assert not any("onclick" in attributes for _, attributes in tags(answer.text))
    assert titles[2] in html.unescape(local.client.get("/datasets/toy-2", headers=HTML).text)
    assert titles[0] in local.client.get("/datasets/toy-0", headers=HTML).text


def test_an_empty_server_says_what_to_do(local: Local) -> None:
    for page in ("/", "/datasets"):
        assert "retia publish REF" in local.client.get(page, headers=HTML).text


def test_datasets_are_filtered_and_paged(board: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(query: str) -> list[str]:
        text = board.client.get(f"/datasets?{query}", headers=HTML).text
        return re.findall(r'<h3 class="name"><a href="/datasets/([^"]+)"', text)

    everything = set(found(""))
    assert {"toy-link", "toy-sealed", "toy-node"} <= everything
    assert found("task=node") == ["toy-node"]
    assert set(found("size=small")) == everything
    assert found("size=large") == []
    assert found("q=TOY+sealed") == ["toy-sealed"]
    assert found("licence=none-such") == []
    assert found("order=name") == sorted(everything)
    assert found("order=nodes")[0] == "toy-sealed"
    assert set(found("size=huge&order=odd")) == everything
    monkeypatch.setattr("retia.api.catalogue.PAGE", 2)
    pages = [found(f"order=name&page={page}") for page in (1, 2, 99)]
    assert [*pages[0], *pages[1]] == sorted(everything)
    assert pages[2] == pages[1]
    assert board.client.get("/datasets?page=0", headers=HTML).status_code == 422


def test_a_failing_page_is_a_page(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("retia.api.pages.catalogue.find_datasets", fail)
    answer = local.client.get("/", headers=HTML)
    assert answer.status_code == 500
    assert "the server failed; its log says more" in answer.text
    assert "on purpose" not in answer.text
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_every_document_is_in_the_index_and_its_links_lead_somewhere(local: Local) -> None:
    listed = set(re.findall(r'href="/docs/([a-z-]+)', document("index").body))
    assert listed == set(names())
    for name in names():
        text = local.client.get(f"/docs/{name}", headers=HTML).text
        for link in re.findall(r'(?:href|src)="(/docs/[^"]+)"', text):
            target, _, section = link.partition("#")
            answer = local.client.get(target, headers=HTML)
            assert answer.status_code == 200, (name, link)
            assert not section or f'id="{section}"' in answer.text, (name, link)


def test_the_card_of_a_link_needs_the_public_url(make_local: Callable[..., Local]) -> None:
    local = make_local(public_url="https://retia.example.org")
    text = local.client.get("/", headers={**HTML, "Host": "evil.example"}).text
    assert 'property="og:image" content="https://retia.example.org/static/social.png' in text
    assert "evil.example" not in text


def test_answers_are_compressed_but_for_visitors_with_a_cookie(board: Local) -> None:
    board.client.cookies.clear()
    plain = {**HTML, "Accept-Encoding": "gzip"}
    assert board.client.get("/docs", headers=plain).headers["content-encoding"] == "gzip"
    cookie = {**plain, "Cookie": "x=1"}
    assert "content-encoding" not in board.client.get("/docs", headers=cookie).headers
    place = f"{API}/datasets/toy-link/1.0.0/files/pages/exhibit.json"
    assert "content-encoding" not in board.client.get(place, headers=plain).headers


def test_a_named_sum_is_kept_for_ever(board: Local) -> None:
    text = board.client.get("/", headers=HTML).text
    for place in re.findall(r'"(/static/[^"]+)"', text):
        assert "immutable" in board.client.get(place).headers["cache-control"]
    assert "immutable" not in board.client.get("/static/base.css").headers.get("cache-control", "")


def test_a_newest_result_is_that_of_the_evaluator_that_counts(
    board: Local, versions: dict[str, Version]
) -> None:
    meta = meta_of(versions["link"], "link", method="twice scored")
    answer = submit(board.client, board.tokens["uma"], meta, predictions(versions["link"], "link"))
    board.work()
    with board.context.database.write() as session:
        row = session.get_one(Submission, answer.json()["id"])
        before = next(r for r in newest_results(session, 9) if r.submission.id == row.id).summary
        session.add_all(
            Score(
                submission_id=row.id,
                evaluator="retia 0",
                part=score.part,
                measure=score.measure,
                seed=score.seed,
                value=0.0,
            )
            for score in row.current_scores
        )
    with board.context.database.read() as session:
        found = newest_results(session, 9)
        assert next(r for r in found if r.submission.id == answer.json()["id"]).summary == before
