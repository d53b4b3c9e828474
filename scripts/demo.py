"""The whole path on real input, by the commands a user would type.

Builds the C. elegans connectome (real, open) and a generated vessel graph (sealed), starts a
server, publishes both through the API, trains models on what the loader downloads, submits their
predictions, and waits for the server's scores. Every command is printed before it runs.
"""

import argparse
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "demo-data"
SEEDS = 10
VESSEL_NODES = 20_000
MODELS = {
    "adamic-adar": ("--model", "adamic-adar"),
    "mlp": ("--model", "mlp"),
    "gcn": ("--model", "gcn"),
    "graphsage": ("--model", "graphsage"),
}
BOARDS = {
    ("celegans-link", "chemical"): MODELS,
    ("demo-link", "link"): MODELS | {"mlp-hadamard": ("--model", "mlp", "--decoder", "hadamard")},
}


def main() -> int:
    """Run the demo; with --exit, check the leaderboards, stop the server, and say 0 or 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--exit", action="store_true", help="check the leaderboards and stop")
    arguments = parser.parse_args()
    started = time.monotonic()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    environment = os.environ | {
        "RETIA_STORE": str(FOLDER / "store"),
        "RETIA_CACHE": str(FOLDER / "cache"),
        "RETIA_CONFIG": str(FOLDER / "config"),
        "RETIA_QUOTA": "20",
    }
    retia("build", "celegans", env=environment)
    retia(
        *("build", "vessel", "--generate", str(VESSEL_NODES), "--name", "demo"),
        *("--sealed", "link", "--only", "link"),
        env=environment,
    )
    for reference in ("celegans-link", "celegans-node", "demo-link"):
        retia("inspect", reference, "--verify", env=environment)
    server, url = serve(environment)
    try:
        environment["RETIA_TOKEN"] = make_token(environment)
        for reference in ("celegans-link", "celegans-node", "demo-link"):
            retia("publish", reference, "--server", url, "--wait", env=environment)
        for (dataset, task), models in BOARDS.items():
            for method, model in models.items():
                train_and_submit(dataset, task, method, model, url, environment)
        print(f"\nDone in {time.monotonic() - started:.0f} s. The leaderboards:")
        for dataset, task in BOARDS:
            print(f"  {url}/leaderboards/{dataset}/{task}")
        if arguments.exit:
            return check(url)
        print("The server stays up; Ctrl-C stops it.")
        server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
    return 0


def retia(*words: str, env: dict[str, str], text: str | None = None) -> str:
    """Run a command of Retia's and give back what it printed; a failure ends the demo."""
    print(f"\n$ retia {shlex.join(words)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "retia", *words],
        env=env,
        input=text,
        text=True,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    if "--json" not in words and words[:2] != ("admin", "token"):
        print(done.stdout, end="", flush=True)
    if done.returncode:
        sys.exit(f"demo: 'retia {words[0]}' ended with {done.returncode}")
    return done.stdout


def serve(env: dict[str, str]) -> tuple[subprocess.Popen[str], str]:
    """Start the server and wait until it answers."""
    words = ["serve", "--data", str(FOLDER / "server"), "--port", "0"]
    print(f"\n$ retia {shlex.join(words)} &", flush=True)
    log = (FOLDER / "server.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "retia", *words],
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=ROOT,
    )
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        found = [word for word in line.split() if word.startswith("http://")]
        if found:
            return process, found[0].rstrip("/.")
    sys.exit(f"demo: the server did not start; see {log.name}")


def make_token(env: dict[str, str]) -> str:
    """A publisher's account and its token."""
    data = ("--data", str(FOLDER / "server"))
    password = secrets.token_urlsafe(16)
    retia(
        *("admin", "user", "add", "demo", "--role", "publisher", "--password-stdin", *data),
        env=env,
        text=password,
    )
    scopes = ("--scope", "read", "--scope", "submit", "--scope", "publish")
    return retia("admin", "token", "demo", *scopes, *data, env=env).strip()


def train_and_submit(
    dataset: str, task: str, method: str, model: tuple[str, ...], url: str, env: dict[str, str]
) -> None:
    """Train over the seeds on the downloaded dataset, then submit and wait for the score."""
    result = retia(
        *("run", "--dataset", dataset, "--task", task, *model, "--seeds", str(SEEDS)),
        *("--server", url, "--out", str(FOLDER / "runs"), "--json"),
        env=env,
    )
    folder = json.loads(result)["run"]
    retia("submit", folder, "--method", method, "--server", url, "--wait", env=env)


def check(url: str) -> int:
    """Read the leaderboards back over HTTP: is every row there, and scored?"""
    problems = []
    for (dataset, task), models in BOARDS.items():
        with urlopen(f"{url}/api/v1/leaderboards/{dataset}/{task}?limit=100") as answer:
            rows = json.load(answer)["items"]
        scored = {row["method"] for row in rows if row["scores"]}
        problems += [f"{dataset}/{task}: no scored row of {m}" for m in models if m not in scored]
        with urlopen(f"{url}/leaderboards/{dataset}/{task}") as answer:
            page = answer.read().decode()
        problems += [f"{dataset}/{task}: the page lacks {m}" for m in models if m not in page]
        print(f"{dataset}/{task}: {len(rows)} rows, {len(scored)} methods scored")
    print("\n".join(problems) or "All rows are there and scored.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
