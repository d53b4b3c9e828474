"""An account from the command: join, log in, list, revoke, log out."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.api.client import API, bearer
from tests.api.conftest import PASSWORD, Running


def test_an_account_is_made_used_and_left_from_the_command(
    serve: Callable[..., Running], tmp_path: Path
) -> None:
    running = serve(RETIA_REGISTRATION="invite")
    url = str(running.client.base_url).rstrip("/")
    environment = os.environ | {"RETIA_CONFIG": str(tmp_path / "config")}
    environment.pop("RETIA_TOKEN", None)

    def retia(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "retia", *words, "--server", url],
            input=stdin, text=True, capture_output=True, check=False, env=environment,
        )  # fmt: skip

    secret = f"{PASSWORD}\n"
    refused = retia("join", "zoe", "--password-stdin", stdin=secret)
    assert refused.returncode == 2
    assert "for people who are invited" in refused.stderr
    made = running.client.post(
        f"{API}/invitations", json={}, headers=bearer(running.tokens["root"])
    )
    joined = retia(
        "join", "zoe", "--password-stdin", "--invitation", made.json()["link"], stdin=secret
    )
    assert joined.returncode == 0, joined.stderr
    assert f"zoe is a user on {url} now." in joined.stdout
    assert retia("login", "--name", "zoe", "--password-stdin", stdin=secret).returncode == 0
    running.client.post(
        f"{API}/tokens",
        json={"name": "zoe", "password": PASSWORD, "scopes": ["read"], "label": "other"},
    )
    listed = json.loads(retia("token", "list", "--json").stdout)["items"]
    assert [(item["label"], item["current"]) for item in listed] == [
        ("other", False),
        (listed[1]["label"], True),
    ]
    assert "other" in retia("token", "list").stdout
    assert retia("token", "revoke", str(listed[0]["id"])).returncode == 0
    assert len(json.loads(retia("token", "list", "--json").stdout)["items"]) == 1
    assert retia("logout").stdout.strip() == f"Logged out of {url}."
    assert "retia_" not in (tmp_path / "config" / "tokens.json").read_text()
    gone = retia("token", "list")
    assert (gone.returncode, "run: retia login" in gone.stderr) == (2, True)
    assert retia("logout").stdout.strip() == f"There is no token for {url}."
