"""Tokens: `RETIA_TOKEN`, or a file that its owner alone can read, keyed by server."""

import json
import os
import secrets
from pathlib import Path

import platformdirs
from pydantic import TypeAdapter, ValidationError

from retia.shards.errors import InputError

TOKEN_FILE = "tokens.json"  # noqa: S105
_TOKENS = TypeAdapter(dict[str, str])


def find_token(server: str) -> str | None:
    """The token for a server: `RETIA_TOKEN`, else the one that `retia login` stored, else none."""
    token = os.environ.get("RETIA_TOKEN", "").strip()
    return token or _read(_token_file()).get(server)


def require_token(server: str) -> str:
    """As `find_token`; raises `InputError` where there is none."""
    token = find_token(server)
    if token is None:
        raise InputError(f"no token for {server}; run: retia login --server {server}")
    return token


def store_token(server: str, token: str) -> Path:
    """Keep a token for a server in a file of mode 0600; returns its path."""
    path = _token_file()
    _write(path, _read(path) | {server: token})
    return path


def forget_token(server: str) -> str | None:
    """Remove the token of a server from that file, and return it; none where there is none."""
    path = _token_file()
    tokens = _read(path)
    token = tokens.pop(server, None)
    if token is not None:
        _write(path, tokens)
    return token


def _write(path: Path, tokens: dict[str, str]) -> None:
    content = json.dumps(tokens, indent=2, sort_keys=True)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _token_file() -> Path:
    folder = os.environ.get("RETIA_CONFIG")
    return (Path(folder) if folder else Path(platformdirs.user_config_dir("retia"))) / TOKEN_FILE


def _read(path: Path) -> dict[str, str]:
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise InputError(f"{path} can be read by others; run: chmod 600 {path}")
        return _TOKENS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        raise InputError(f"{path} is not a file of tokens; remove it and log in again") from error
