"""The pages of an account in a browser: they work, fit any window, and leave the console silent."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.conftest import PASSWORD, Running
from tests.api.test_browser import ARGUMENTS, CHROMIUM, OVERFLOW

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")


@pytest.fixture
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def test_a_user_signs_in_makes_a_token_and_signs_out(
    serve: Callable[..., Running], browser: Any
) -> None:
    running = serve(RETIA_REGISTRATION="open")
    url = str(running.client.base_url).rstrip("/")
    for width, scheme in ((360, "dark"), (1280, "light")):
        view = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page, said = view.new_page(), []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))

        def fits(page: Any = page) -> bool:
            return page.evaluate(OVERFLOW) <= 0

        for place in ("/join", "/forgotten", "/sign-in"):
            page.goto(url + place)
            assert fits(), (place, width)
        page.get_by_label("Name").fill("uma")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/account")
        page.get_by_label("What it is for").fill("w" * 60)
        page.get_by_label("submit").check()
        page.get_by_role("button", name="Make a token").click()
        assert page.locator(".secret").inner_text().startswith("retia_")
        assert fits(), ("account", width)
        page.get_by_role("button", name="Revoke " + "w" * 60).click()
        assert page.get_by_role("status").inner_text() == "The token has ended."
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{url}/account")
        assert page.url.endswith("/sign-in")
        assert said == []
        view.close()
