"""Take the pictures of the pages that the documentation shows, from a server that runs.

    python scripts/screenshots.py URL --vessel NAME --connectome NAME --text NAME

Writes docs/images/NAME-WIDTH-SCHEME.webp, each under 150 kB. Needs a Chromium on the PATH.
"""

import argparse
import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
SIZES = {360: 780, 1280: 900, 2560: 1440}
SCHEMES = ("light", "dark")
MOST_BYTES = 150_000
WIDEST = 1600
ARGUMENTS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("server", help="the URL of a running server")
    parser.add_argument("--vessel", required=True, help="a dataset with a scene")
    parser.add_argument("--connectome", required=True, help="a dataset with a matrix")
    parser.add_argument("--text", required=True, help="a dataset with texts")
    given = parser.parse_args()
    pages = {
        "home": ("/", ""),
        "datasets": ("/datasets", ""),
        "dataset": (f"/datasets/{given.vessel}", ""),
        "statistics": (f"/datasets/{given.connectome}", "statistics"),
        "adjacency": (f"/datasets/{given.connectome}", "matrix"),
        "texts": (f"/datasets/{given.text}", "texts"),
        "docs": ("/docs/vessel", ""),
        "missing": ("/datasets/nothing", ""),
    }
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for scheme in SCHEMES:
            for width, height in SIZES.items():
                view = browser.new_context(
                    color_scheme=scheme,
                    viewport={"width": width, "height": height},
                    reduced_motion="reduce",
                )
                page = view.new_page()
                for name, (path, part) in pages.items():
                    shot = take(page, given.server.rstrip("/") + path, part)
                    (FOLDER / f"{name}-{width}-{scheme}.webp").write_bytes(small(shot))
                view.close()
        browser.close()


def take(page: Any, address: str, part: str) -> bytes:
    """A page from its top, or from one of its parts, when all of it has come."""
    page.goto(address, wait_until="networkidle")
    if page.locator("[data-scene]").count() and not part:
        page.locator(".scene.live").scroll_into_view_if_needed()
        page.wait_for_selector("canvas[data-view]")
        page.evaluate("scrollTo(0, 0)")
    if part:
        page.locator(f"#{part}").evaluate("(found) => found.scrollIntoView()")
    page.wait_for_timeout(300)
    shot: bytes = page.screenshot()
    return shot


def small(png: bytes) -> bytes:
    """The picture as WebP, at the best quality that fits."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)))
    for quality in (90, 80, 70, 60, 50, 40):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=quality, method=6)
        if buffer.tell() < MOST_BYTES:
            return buffer.getvalue()
    raise SystemExit("a picture is larger than 150 kB at any quality")


if __name__ == "__main__":
    main()
