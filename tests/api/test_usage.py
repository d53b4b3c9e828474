"""What the page of a dataset says about loading it is run, as it stands there."""

import html
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

from retia.api.app import create_app
from retia.api.pages.dataset import HERE
from retia.api.pages.usage import bibtex, loading
from retia.api.settings import Settings
from retia.cli import make_app
from retia.shards.version import Version
from tests.api.conftest import Local


@pytest.fixture
def address(board: Local) -> Iterator[str]:
    """A server that listens, on the data of the board."""
    app = create_app(Settings(data=board.context.settings.data))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CACHE", "STORE", "CONFIG"):
        monkeypatch.setenv(f"RETIA_{name}", str(tmp_path / name))
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["toy-link", "toy-node"])
def test_the_lines_of_a_dataset_page_run(
    name: str, board: Local, address: str, versions: dict[str, Version]
) -> None:
    text = board.client.get(f"/datasets/{name}", headers={"Accept": "text/html"}).text
    blocks = re.findall(r'<code id="code-\d">(.*?)</code>', text, re.DOTALL)
    shown = [html.unescape(code) for code in blocks]
    manifest = versions[name.removeprefix("toy-")].manifest
    ways = loading(manifest, address)
    assert shown == [code.replace(address, HERE) for _, code, _ in ways]
    assert [library for library, _, _ in ways] == ["PyTorch Geometric", "OGB", "pandas"]
    for library, code, _ in ways:
        for line in code.splitlines():
            if line.startswith("# retia "):
                done = CliRunner().invoke(make_app(), line.split()[2:])
                assert done.exit_code == 0, done.output
        found: dict[str, object] = {}
        exec(code, found)
        if library == "pandas":
            assert len(found["nodes"]) == manifest.num_nodes  # type: ignore[arg-type]
        elif library == "OGB":
            assert found["dataset"][0].num_nodes == manifest.num_nodes  # type: ignore[index]
        else:
            assert found["data"].num_nodes == manifest.num_nodes  # type: ignore[attr-defined]


def test_an_entry_escapes_what_latex_would_read(versions: dict[str, Version]) -> None:
    manifest = versions["link"].manifest.model_copy(update={"title": r"50 % of {x}_1 & #2 \ ~"})
    entry = bibtex(manifest, 1_700_000_000.0, "https://example.org")
    assert r"50 \% of \{x\}\_1 \& \#2 \textbackslash{} \textasciitilde{}" in entry
    assert "year = {2023}" in entry
    assert r"\url{https://example.org/datasets/toy-link/1.0.0}" in entry
    assert entry.count("{") == entry.count("}")
