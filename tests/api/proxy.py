"""A real nginx with the configuration that Retia ships, as a process of a test's own."""

import os
import shutil
import socket
import string
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[2] / "deploy" / "nginx.conf.template"
INCLUDED = "include /etc/nginx/retia.d/*.conf;"
MAIN = """daemon off; pid {folder}/pid; worker_processes 1; {user}
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    include {folder}/retia.conf;
}}
"""


@contextmanager
def nginx(folder: Path, upstream: str, files: Path, more: str = "") -> Iterator[str]:
    """The URL of an nginx before the app at `upstream` (host:port) with the data folder `files`.

    `more` is configuration that is added to the server.
    """
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = {
        "RETIA_LISTEN": f"127.0.0.1:{port}",
        "RETIA_UPSTREAM": upstream,
        "RETIA_FILES": str(files.resolve()),
    }
    text = string.Template(TEMPLATE.read_text().replace(INCLUDED, more)).safe_substitute(told)
    (folder / "retia.conf").write_text(text)
    user = "user root;" if os.geteuid() == 0 else ""  # a test's folder is its owner's alone
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(command, stderr=errors)
    try:
        _wait(port, process, folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError((folder / "stderr").read_text())
