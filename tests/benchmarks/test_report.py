"""The page and the learning curves that a run leaves."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from retia.benchmarks import make_config, run
from retia.benchmarks.pages import duration
from retia.benchmarks.report import interval, write_report
from retia.benchmarks.runner import read_result
from retia.shards.errors import InputError
from retia.shards.version import Version

CHROMIUM = shutil.which("chromium")


def test_a_run_leaves_its_page_and_curves(colours: Version, tmp_path: Path) -> None:
    folder = run(colours, make_config(colours, "gcn", epochs=15), tmp_path, seeds=3, workers=1)
    page, curves = (folder / "report.html").read_text(), (folder / "curves.svg").read_text()
    result = read_result(folder)
    assert result["primary"] == "accuracy"
    assert f"{result['test']['accuracy']['mean']:.4f}" in page
    assert colours.manifest.digest in page
    assert f"retia submit {folder}" in page
    assert "A ranked entry needs 10 seeds; this run has 3" in page
    assert "training loss" in curves
    assert "validation, accuracy" in curves
    before = (folder / "curves.svg").read_bytes()
    write_report(folder)
    assert (folder / "curves.svg").read_bytes() == before


def test_a_computed_model_has_a_page_without_curves(spatial: Version, tmp_path: Path) -> None:
    folder = run(spatial, make_config(spatial, "distance"), tmp_path)
    page = (folder / "report.html").read_text()
    assert not (folder / "curves.svg").exists()
    assert "Learning curves" not in page
    assert "a seed is a split" in page
    assert "A ranked entry needs" not in page


def test_a_sealed_task_has_no_test_score(sealed: Version, tmp_path: Path) -> None:
    folder = run(sealed, make_config(sealed, "gcn", epochs=2), tmp_path, seeds=1, workers=1)
    page = (folder / "report.html").read_text()
    assert "its server scores them" in page
    assert "95 % interval" in page


def test_interval_is_that_of_a_t_test() -> None:
    values = [0.61, 0.64, 0.7, 0.58]
    test = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval(values) == pytest.approx((test.low, test.high))
    assert interval([0.5]) is None


def test_an_unfinished_run_has_no_page(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no run directory"):
        write_report(tmp_path)


def test_durations_are_for_people() -> None:
    shown = [duration(seconds) for seconds in (0.0312, 4.26, 59.7, 61, 7325)]
    assert shown == ["0.031 s", "4.3 s", "60 s", "1 min 1 s", "2 h 2 min"]


@pytest.fixture
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium on the PATH")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def test_pages_fit_any_window_and_run_no_words(
    colours: Version, tmp_path: Path, browser: Any
) -> None:
    from retia.benchmarks.analysis.comparison import compare_runs
    from retia.benchmarks.analysis.page import write_comparison

    folders = [
        run(
            colours,
            make_config(colours, model, epochs=10),
            tmp_path / "<b>&",
            seeds=3,
            workers=1,
            embeddings=True,
        )
        for model in ("gcn", "mlp")
    ]
    hostile = "<img src=https://example.org/x.png onerror=alert(1)>" + "w" * 200
    result = json.loads((folders[0] / "result.json").read_text())
    result["submission"] |= {"method": hostile, "notes": hostile, "hardware": hostile}
    (folders[0] / "result.json").write_text(json.dumps(result))
    write_report(folders[0])
    write_comparison(compare_runs(folders), tmp_path / "out")
    for path in (folders[0] / "report.html", tmp_path / "out" / "compare.html"):
        assert hostile not in path.read_text()
        assert "<b>&" not in path.read_text()
        grounds = []
        for scheme in ("light", "dark"):
            for width in (360, 1280):
                view = browser.new_context(
                    color_scheme=scheme, viewport={"width": width, "height": 900}
                )
                page, asked, said = view.new_page(), [], []
                page.on("request", lambda request, asked=asked: asked.append(request.url))
                page.on("console", lambda message, said=said: said.append(message.text))
                page.on("pageerror", lambda error, said=said: said.append(str(error)))
                page.goto(path.as_uri())
                wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert page.evaluate(wide) <= 0, (path.name, width, scheme)
                assert len(asked) == 1
                assert said == []
                grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
                view.close()
        light, dark = (np.sum([int(v) for v in g[4:-1].split(",")]) for g in grounds[1:3])
        assert dark < 150 < 600 < light
