"""The house: what imports what, what the command offers, what the server needs."""

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

GROUPS = {
    "Datasets": [
        "list",
        "inspect",
        "build",
        "synth",
        "audit",
        "fetch",
        "import",
        "download",
        "export",
        "motifs",
        "query",
        "describe",
    ],
    "Benchmarks": ["run", "sweep", "compare", "models", "metrics"],
    "Server": [
        "login",
        "logout",
        "join",
        "token",
        "submit",
        "publish",
        "serve",
        "worker",
        "admin",
    ],
}


def retia(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "retia", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "100"},
    )


def test_imports_run_downward_only() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


SKIPS = """
import pytest

{line}

def test_nothing() -> None:
    {inside}
"""


@pytest.mark.parametrize(
    ("line", "inside", "failed"),
    [
        ("", "pytest.skip('no chromium')", True),
        ("pytest.importorskip('no_such_package')", "pass", True),
        ("pytestmark = pytest.mark.skip(reason='later')", "pass", True),
        ("", "pytest.skip('test data is not here')", False),
        ("", "pytest.skip('no GPU on this machine')", False),
        ("", "pytest.xfail('known')", False),
    ],
)
def test_in_ci_only_want_of_data_or_gpu_may_skip(
    tmp_path: Path, line: str, inside: str, failed: bool
) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(SKIPS.format(line=line, inside=inside))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    environment = os.environ | {"CI": "true", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (done.returncode != 0) == failed, done.stdout


def test_help_shows_the_verbs_in_groups() -> None:
    text = retia("--help").stdout
    for group, verbs in GROUPS.items():
        assert group in text
        for verb in verbs:
            assert f" {verb} " in text, verb


def test_help_is_quick_to_load() -> None:
    code = "import sys, retia.cli; retia.cli.make_app(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "torch_geometric", "pandas", "networkx", "fastapi", "sqlalchemy"}


@pytest.mark.parametrize("words", [("inspect", "nowhere"), ("audit", "nowhere@1.0.0")])
def test_an_unknown_reference_is_one_line(words: tuple[str, ...]) -> None:
    done = retia(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("retia: no dataset 'nowhere")
    assert done.stderr.count("\n") == 1


def test_every_dependency_has_its_reason() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    names = {re.split(r"[>=\[]", word)[0] for word in wanted if not word.startswith("retia[")}
    reasons = (ROOT / "CONTRIBUTING.md").read_text()
    assert [name for name in sorted(names) if name not in reasons] == []


@pytest.mark.slow
def test_the_server_publishes_and_scores_without_torch(tmp_path: Path) -> None:
    """In an environment that has the server's packages alone, hidden behind a fresh venv."""
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=False, system_site_packages=False)
    python = folder / "bin" / "python"
    site = next((folder / "lib").glob("python*/site-packages"))
    link_server_packages(site)
    script = ROOT / "tests" / "api" / "no_torch.py"
    done = subprocess.run(
        [python, script, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["absent"] == ["torch", "torch_geometric", "ogb", "pandas", "networkx"]
    assert answer["state"] == "scored"


def link_server_packages(site: Path) -> None:
    """Link the server extra's packages, and what they need, from this environment."""
    from importlib.metadata import distribution

    from packaging.requirements import Requirement

    wanted, seen = [Requirement("retia[server]")], set()
    while wanted:
        requirement = wanted.pop()
        if requirement.name.lower() in seen and not requirement.extras:
            continue
        seen.add(requirement.name.lower())
        found = distribution(requirement.name)
        environments = [{"extra": extra} for extra in (requirement.extras or {""})]
        for text in found.requires or []:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate(e) for e in environments):
                wanted.append(needed)
        if requirement.name == "retia":
            continue
        tops = {Path(file).parts[0] for file in found.files or [] if ".." not in Path(file).parts}
        for top in tops:
            source = Path(str(found.locate_file(top)))
            if source.exists() and not (site / top).exists():
                (site / top).symlink_to(source)
