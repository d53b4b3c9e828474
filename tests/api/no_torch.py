"""Run by a test in an environment that has the server's packages alone: publish, submit, score.

Prints one line of JSON: which packages are absent, and how the submission ended.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from retia.api.accounts import SCOPES, add_token, add_user
from retia.api.context import Context
from retia.api.settings import Settings
from tests.api.client import API, meta_of, predictions, publish, submit, wait
from tests.toys import toy_link

ABSENT = ["torch", "torch_geometric", "ogb", "pandas", "networkx"]


def main(folder: Path) -> None:
    """Serve a sealed toy from `folder`, and submit to it."""
    data = folder / "data"
    context = Context.open(Settings(data=data))
    with context.database.write() as session:
        user = add_user(session, "ada", "correct horse battery", "publisher")
        token = add_token(session, user, SCOPES["publisher"], "test", 1)[0]
    server = subprocess.Popen(
        [sys.executable, "-m", "retia", "serve", "--data", str(data), "--port", "0"],
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        with httpx.Client(base_url=server.stdout.readline().split()[-1], timeout=60) as client:
            version = toy_link(folder / "store", sealed=True)
            published = publish(client, token, version)
            meta = meta_of(version, "link")
            answer = submit(client, token, meta, predictions(version, "link")).json()
            place = f"{API}/submissions/{answer['id']}"
            state = wait(lambda: client.get(place).json(), {"scored", "failed"})["state"]
    finally:
        server.terminate()
        server.wait(30)
    absent = [name for name in ABSENT if importlib.util.find_spec(name) is None]
    print(json.dumps({"absent": absent, "published": published["state"], "state": state}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
