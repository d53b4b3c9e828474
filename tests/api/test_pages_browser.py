"""Home, datasets, a dataset and the docs in a browser: seen, heard, weighed, and turned."""

import gzip
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import html5lib
import pytest

from retia.shards.version import Version
from tests.api.client import publish
from tests.api.conftest import Running
from tests.api.test_browser import ARGUMENTS, CHROMIUM, OVERFLOW

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python", reason="axe is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")

DATASET = "/datasets/toy-sealed"
PAGES = (
    "/",
    "/datasets?q=nothing-fits",
    "/datasets",
    DATASET,
    "/datasets/toy-node",
    "/docs",
    "/docs/protocol",
    "/nowhere",
)
WEIGHT = 60_000
SOFTWARE = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
VIOLATIONS = """async () => (await axe.run()).violations
    .filter((found) => ["serious", "critical"].includes(found.impact))
    .map((found) => [found.id, ...found.nodes.map((node) => node.html.slice(0, 200))])"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
INLINE = """document.body.append(
    Object.assign(document.createElement('script'), {text: 'window.bad = 1'}))"""
REACHABLE = """[...document.querySelectorAll(
    'a[href], button, select, summary, canvas, [tabindex="0"]')]
    .filter((e) => e.checkVisibility()).length"""
FOCUSED = "[...document.querySelectorAll('*')].indexOf(document.activeElement)"


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    accounts: tuple[Path, dict[str, str]],
    versions: dict[str, Version],
) -> Iterator[Running]:
    running = Running.on(tmp_path_factory.mktemp("pages") / "data", accounts)
    for name in ("sealed", "node"):
        publish(running.client, running.tokens["ada"], versions[name])
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS + SOFTWARE)
        yield browser
        browser.close()


def wait(value: Callable[[], float | None]) -> float:
    """The value, as soon as there is one."""
    for _ in range(100):
        found = value()
        if found is not None:
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")


def address(server: Running, path: str) -> str:
    return f"{str(server.client.base_url).rstrip('/')}{path}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_speak_and_stay_at_home(server: Running, browser: Any, scheme: str) -> None:
    """At three widths: no overflow, no serious violation, no other host, no complaint."""
    script = (Path(axe.__file__).parent / "axe.min.js").read_text()
    view = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = view.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in PAGES:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(address(server, path))
        page.evaluate(script)
        assert page.evaluate(VIOLATIONS) == [], path
        for width in (360, 1280, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(OVERFLOW) <= 0, (path, width)
    assert [text for text in said if "404" not in text and "GPU stall" not in text] == []
    assert all(url.startswith(address(server, "/")) for url in asked)
    view.close()


def test_the_policy_lets_the_pages_own_scripts_run_and_no_other(
    server: Running, browser: Any
) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(address(server, DATASET))
    page.wait_for_selector(".scene.live canvas[data-view]")
    assert not [text for text in said if "Content Security Policy" in text]
    page.evaluate(INLINE)
    assert page.evaluate("window.bad") is None
    page.close()


def test_the_scene_draws_and_turns(server: Running, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 900, "height": 1000})
    page.goto(address(server, DATASET))
    canvas = page.locator("canvas")
    canvas.wait_for()
    page.wait_for_selector("canvas[data-view]")
    view = lambda: canvas.get_attribute("data-view")  # noqa: E731
    start, seen = view(), {canvas.screenshot()}
    assert start == "0.600 0.350 2.600"
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 320, box["y"] + 180)
    page.mouse.up()
    page.wait_for_selector(f"canvas:not([data-view='{start}'])")
    seen.add(canvas.screenshot())
    yaw, pitch, away = map(float, str(view()).split())
    assert (yaw, pitch, away) == (pytest.approx(1.4), pytest.approx(0.55), pytest.approx(2.6))
    canvas.focus()
    for key in ("ArrowLeft", "ArrowUp", "+"):
        before = view()
        page.keyboard.press(key)
        page.wait_for_selector(f"canvas:not([data-view='{before}'])")
        seen.add(canvas.screenshot())
    page.keyboard.press("Home")
    page.wait_for_selector(f"canvas[data-view='{start}']")
    page.locator(".scene select").select_option(index=1)
    page.wait_for_timeout(100)
    seen.add(canvas.screenshot())
    assert len(seen) == 6
    assert page.locator(".legend:visible").count() == 1
    page.close()


def test_touch_turns_the_scene(server: Running, browser: Any) -> None:
    view = browser.new_context(has_touch=True, viewport={"width": 360, "height": 800})
    page = view.new_page()
    page.goto(address(server, DATASET))
    canvas = page.locator("canvas")
    canvas.wait_for()
    canvas.scroll_into_view_if_needed()
    page.wait_for_selector("canvas[data-view]")
    box = canvas.bounding_box()
    assert box is not None
    speak = view.new_cdp_session(page)
    points = [(box["x"] + x, box["y"] + 60) for x in (60, 100, 140)]
    kinds = ("touchStart", "touchMove", "touchMove")
    for kind, (x, y) in zip(kinds, points, strict=True):
        speak.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    speak.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_selector("canvas:not([data-view^='0.600'])")
    view.close()


def test_without_javascript_everything_is_there(server: Running, browser: Any) -> None:
    view = browser.new_context(java_script_enabled=False)
    page = view.new_page()
    page.goto(address(server, DATASET))
    still = page.locator(".stage img")
    assert still.is_visible()
    assert still.get_attribute("alt")
    assert not page.locator(".scene .controls").is_visible()
    page.locator(".chart summary").first.click()
    assert page.locator(".chart table").first.is_visible()
    page.goto(address(server, "/datasets"))
    page.get_by_label("Words").fill("toy-node")
    page.get_by_role("button", name="Show").click()
    assert page.locator(".card").count() == 1
    view.close()


def test_everything_is_reached_by_keyboard(server: Running, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address(server, DATASET))
    page.wait_for_selector(".scene.live")
    wanted = page.evaluate(REACHABLE)
    reached = set()
    for _ in range(wanted + 2):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(FOCUSED))
    assert len(reached) >= wanted
    page.close()


def test_the_first_paint_comes_soon(server: Running, browser: Any) -> None:
    for path in ("/", "/datasets", DATASET, "/docs/protocol"):
        times = []
        for _ in range(3):
            page = browser.new_page()
            page.goto(address(server, path), wait_until="load")
            times.append(wait(lambda page=page: page.evaluate(PAINT)))
            page.close()
        assert min(times) < 500, (path, times)


@pytest.mark.parametrize("path", PAGES)
def test_the_html_is_valid_and_light(server: Running, path: str) -> None:
    answer = server.client.get(path, headers={"Accept": "text/html"})
    parser = html5lib.HTMLParser()
    parser.parse(answer.text)
    assert parser.errors == []
    ids = re.findall(r'\bid="([^"]+)"', answer.text)
    assert len(ids) == len(set(ids))
    weight = len(gzip.compress(answer.content))
    for place in set(re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js)[^"]*)"', answer.text)):
        weight += len(gzip.compress(server.client.get(place).content))
    assert weight <= WEIGHT, weight
    sent = server.client.get(path, headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
    assert sent.headers["content-encoding"] == "gzip"


def test_a_page_prints_dark_on_white(server: Running, browser: Any) -> None:
    view = browser.new_context(color_scheme="dark", viewport={"width": 794, "height": 1123})
    page = view.new_page()
    page.goto(address(server, DATASET))
    page.emulate_media(media="print")
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not page.locator("canvas:visible, .sections:visible, button:visible").count()
    assert page.locator(".stage img").is_visible()
    view.close()


def test_a_slow_or_broken_connection_leaves_the_picture(server: Running, browser: Any) -> None:
    page = browser.new_page()
    waiting: list[Any] = []
    page.route("**/scene.bin", lambda route: waiting.append(route))
    page.goto(address(server, DATASET))
    told = page.locator(".scene [role=status]")
    told.get_by_text("Loading the 3-D view").wait_for()
    assert page.locator(".stage img").is_visible()
    assert not page.locator(".scene .controls").is_visible()
    waiting[0].abort()
    told.get_by_text("this is a still picture").wait_for()
    assert page.locator(".stage img").is_visible()
    page.close()


def test_without_webgl_the_picture_stays(server: Running, browser: Any) -> None:
    page = browser.new_page()
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(address(server, DATASET))
    page.get_by_text("no WebGL 2").wait_for()
    assert page.locator(".stage img").is_visible()
    assert page.locator("canvas").count() == 0
    page.close()
