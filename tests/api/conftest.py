"""A server in its own process for the main flows, and an app in this one for the small ones."""

import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher

from retia.api import accounts as accounts_module
from retia.api.accounts import SCOPES, add_token, add_user
from retia.api.app import create_app
from retia.api.context import Context
from retia.api.settings import Settings
from retia.api.worker import work
from retia.shards.version import Version
from tests.api.client import SECRET, post_version, publication, upload
from tests.toys import toy_link, toy_node

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # which HTTP client its test client would rather use
    from starlette.testclient import TestClient

PASSWORD = "correct horse battery"


def hash_quickly() -> None:
    """Let the accounts of tests have hashes that take no time; what is being tested is not they."""
    accounts_module._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    accounts_module._nobody = accounts_module._hasher.hash("nobody")


hash_quickly()


@dataclass
class Running:
    """A server process, its data folder, and a client that speaks to it."""

    data: Path
    env: dict[str, str]
    tokens: dict[str, str]
    process: subprocess.Popen[str] = field(init=False)
    client: httpx.Client = field(init=False)

    @classmethod
    def on(cls, folder: Path, accounts: tuple[Path, dict[str, str]], **env: str) -> "Running":
        """A server on a copy of a data folder."""
        shutil.copytree(accounts[0], folder, dirs_exist_ok=True)
        running = cls(folder, env, accounts[1])
        running.start()
        return running

    @property
    def log(self) -> Path:
        """Where the server and its worker write their log."""
        return self.data.with_suffix(".log")

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "retia", "serve", "--data", str(self.data), "--port", "0"],
            env=os.environ | self.env,
            stdout=subprocess.PIPE,
            stderr=self.log.open("a"),
            text=True,
        )
        assert self.process.stdout is not None
        url = self.process.stdout.readline().split()[-1]
        self.client = httpx.Client(base_url=url, timeout=30)
        assert self.client.get("/readyz").status_code == 200

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.client.close()
        self.process.send_signal(how)
        return self.process.wait(20)


def make_tokens(context: Context) -> dict[str, str]:
    """A token with all its role's scopes for each of these accounts."""
    tokens = {}
    accounts = {"ada": "publisher", "eve": "publisher", "uma": "user", "root": "admin"}
    with context.database.write() as session:
        for name, role in accounts.items():
            user = add_user(session, name, PASSWORD, role)
            tokens[name] = add_token(session, user, SCOPES[role], "test", 1)[0]
    return tokens


@pytest.fixture
def serve(
    tmp_path: Path, accounts: tuple[Path, dict[str, str]]
) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(**env: str) -> Running:
        running = Running.on(tmp_path / "data", accounts, **env)
        started.append(running)
        return running

    yield start
    for running in started:
        if running.process.poll() is None:
            running.stop()


@dataclass
class Local:
    """An app in this process; its worker runs when a test says so."""

    context: Context
    client: TestClient
    tokens: dict[str, str]

    def work(self) -> None:
        work(self.context, once=True)

    def publish(self, version: Version, account: str = "ada") -> dict[str, object]:
        upload(self.client, self.tokens[account], version)
        answer = post_version(self.client, self.tokens[account], version)
        assert answer.status_code in (200, 202), answer.text
        self.work()
        return publication(self.client, self.tokens[account], version)


def open_local(folder: Path, tokens: dict[str, str], **settings: object) -> Local:
    app = create_app(Settings.model_validate({"data": folder, "quota": 3} | settings))
    return Local(app.state.context, TestClient(app, raise_server_exceptions=False), tokens)


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A data folder that has accounts and nothing else, and their tokens."""
    folder = tmp_path_factory.mktemp("accounts") / "data"
    context = Context.open(Settings(data=folder))
    tokens = make_tokens(context)
    context.database.close()
    return folder, tokens


@pytest.fixture
def make_local(tmp_path: Path, accounts: tuple[Path, dict[str, str]]) -> Callable[..., Local]:
    def make(**settings: object) -> Local:
        folder = shutil.copytree(accounts[0], tmp_path / "data")
        return open_local(folder, accounts[1], **settings)

    return make


@pytest.fixture
def local(make_local: Callable[..., Local]) -> Local:
    return make_local()


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Version]:
    """Small versions, each from a source of its own."""
    out = tmp_path_factory.mktemp("toys")
    return {
        "link": toy_link(out, source="a"),
        "sealed": toy_link(
            out,
            sealed=True,
            name="toy-sealed",
            source="b",
            spatial=True,
            num_nodes=600,
            secret=SECRET,
        ),
        "node": toy_node(out, source="c"),
    }


@pytest.fixture(scope="session")
def board(
    tmp_path_factory: pytest.TempPathFactory,
    accounts: tuple[Path, dict[str, str]],
    versions: dict[str, Version],
) -> Local:
    """An app with all the small versions published, to which tests only add submissions."""
    folder = shutil.copytree(accounts[0], tmp_path_factory.mktemp("board") / "data")
    local = open_local(folder, accounts[1], quota=1000)
    for version in versions.values():
        outcome = local.publish(version)
        assert outcome["state"] == "published", outcome
    return local
