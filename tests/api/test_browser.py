"""The leaderboard in a browser: at any width, light and dark, alone and in silence."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from retia.shards.version import Version
from tests.api.client import API, meta_of, predictions, publish, submit, wait
from tests.api.conftest import Running

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
LONG = "w" * 80
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def server(serve: Callable[..., Running], versions: dict[str, Version]) -> Running:
    """A server with one leaderboard; its words are as long and as hostile as they may be."""
    running, version = serve(), versions["link"]
    assert publish(running.client, running.tokens["ada"], version)["state"] == "published"
    meta = meta_of(
        version,
        "link",
        method=LONG,
        hardware="h" * 300,
        external_data="<img src=https://example.org/x.png onerror=alert(1)>",
        notes="n" * 2000,
    )
    answer = submit(running.client, running.tokens["uma"], meta, predictions(version, "link"))
    url = f"{API}/submissions/{answer.json()['id']}"
    assert wait(lambda: running.client.get(url).json(), {"scored"})
    return running


def test_the_pages_fit_any_window_and_ask_nobody_else(server: Running, browser: Any) -> None:
    host = str(server.client.base_url)
    board = "/leaderboards/toy-link/link"
    row = next(r for r in server.client.get(f"{API}{board}").json()["items"] if r["user"])
    pages = ["/", "/datasets/toy-link", board, f"/submissions/{row['submission']}"]
    for scheme in ("light", "dark"):
        for width in (360, 1280, 2560):
            view = browser.new_context(
                color_scheme=scheme, viewport={"width": width, "height": 900}
            )
            page = view.new_page()
            asked: list[str] = []
            said: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("console", lambda message, said=said: said.append(message.text))
            page.on("pageerror", lambda error, said=said: said.append(str(error)))
            for place in pages:
                page.goto(f"{host}{place}")
                assert page.evaluate(OVERFLOW) <= 0, (place, width, scheme)
                if place == board:
                    rows = page.locator("table.board tbody tr")
                    assert rows.count() == 3
                    assert all(rows.nth(i).is_visible() for i in range(3))
                    assert page.locator("table.board").get_by_text(LONG).is_visible()
            assert said == []
            assert {url.startswith(f"{host}/") for url in asked} == {True}
            view.close()


def test_the_dark_page_is_dark(server: Running, browser: Any) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(f"{server.client.base_url}/leaderboards/toy-link/link")
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, ground[4:-1].split(","))) for ground in grounds)
    assert dark < 150 < 600 < light
