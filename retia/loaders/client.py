"""The client of a Retia server: the routes of `docs/api.md` as methods.

Calls that may be repeated are, on lost connections and on 502, 503 and 504. A token goes to its
own server alone: never over plain http but to this machine, and never along a redirect.
"""

import ipaddress
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from retia.shards.canonical import canonical_json, sha256_bytes, sha256_file
from retia.shards.errors import IntegrityError, NotFoundError, ServiceError
from retia.shards.manifest import Manifest
from retia.shards.version import MAX_MANIFEST_BYTES, parse_manifest

API = "/api/v1"
ATTEMPTS = 5
LONGEST_WAIT_S = 30.0
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
BUSY = frozenset({502, 503, 504})
MAX_DETAIL = 500
HINTS = {
    401: ": the token is wrong or has expired; run: retia login",
    403: ": the token does not allow this; run: retia login --scope publish",
}

Answer = dict[str, Any]
T = TypeVar("T")


class UnreachableError(ServiceError):
    """A server that does not answer at all."""


class TransientError(Exception):
    """A failure that may pass: carries the error to raise when it does not."""

    def __init__(self, error: ServiceError, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.retry_after = error, retry_after


def server_url(server: str) -> str:
    """The one way to write a server's address: scheme, host, port if unusual, no slash at the end.

    Raises `ServiceError` for anything but http and https, and for addresses with a password.
    """
    parts = urlsplit(server.strip())
    try:
        port = parts.port
    except ValueError as error:
        raise ServiceError(f"'{server}': not a server's address ({error})") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ServiceError(
            f"'{server}' is not a server's address; it looks like https://retia.example.org"
        )
    if parts.query or parts.fragment:
        raise ServiceError(f"'{server}': a server's address has no ? and no #")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    suffix = "" if port in (None, usual) else f":{port}"
    return f"{parts.scheme}://{host}{suffix}{parts.path.rstrip('/')}"


def is_loopback(server: str) -> bool:
    """Whether an address is this very machine."""
    host = urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Client:
    """A connection to a server, to be used in a `with` block or closed.

    Every method raises `NotFoundError` for a 404 and `ServiceError` for any other refusal, with
    the detail of the server's problem document; `UnreachableError` where there is no answer.
    """

    def __init__(self, server: str, token: str | None = None) -> None:
        self.server = server_url(server)
        self._token = token
        local = is_loopback(self.server)
        self._http = httpx.Client(timeout=TIMEOUT, trust_env=not local, max_redirects=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.server!r})"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def datasets(self, q: str | None = None, kind: str | None = None) -> Iterator[Answer]:
        """Published datasets, the newest version each, page by page."""
        query = {"q": q, "kind": kind, "limit": "200"}
        params = {key: value for key, value in query.items() if value}
        while True:
            page = self._json("GET", "/datasets", params=params)
            yield from page.get("items", [])
            if not page.get("next"):
                return
            params["cursor"] = str(page["next"])

    def dataset(self, name: str) -> Answer:
        """A dataset: name, owner, versions."""
        return self._json("GET", _path("datasets", name))

    def manifest(self, name: str, version: str) -> Manifest:
        """The manifest of a version, checked against its digest and against what was asked for."""
        content = self._call("GET", _path("datasets", name, version))
        where = f"{self.server}: {name}@{version}"
        manifest = parse_manifest(content, where)
        if manifest.reference != f"{name}@{version}":
            raise IntegrityError(f"{where}: the server sent the manifest of {manifest.reference}")
        if manifest.digest != manifest.content_digest():
            raise IntegrityError(f"{where}: the manifest does not have the digest it states")
        return manifest

    @contextmanager
    def file(
        self, name: str, version: str, path: str, start: int = 0, etag: str | None = None
    ) -> Iterator[httpx.Response]:
        """A file's response, to be read as a stream: 206 from byte `start`, or 200 from the first.

        One attempt; raises `TransientError` where another may help.
        """
        headers = {"Accept-Encoding": "identity"}
        if start and etag:
            headers |= {"Range": f"bytes={start}-", "If-Range": f'"{etag}"'}
        url = _path("datasets", name, version, "files") + "/" + quote(path)
        with self._response("GET", url, headers=headers) as response:
            yield response

    def has_blob(self, sha256: str) -> bool:
        """Whether the server has this public blob for us."""
        try:
            self._call("HEAD", _path("blobs", sha256))
        except NotFoundError:
            return False
        return True

    def put_blob(self, path: Path, sha256: str, *, sealed: bool = False) -> None:
        """Upload a file under its sha256."""
        params = {"sealed": "true"} if sealed else {}
        headers = {"Content-Type": "application/octet-stream"}
        self._call("PUT", _path("blobs", sha256), upload=path, params=params, headers=headers)

    def publish(self, manifest: Answer, sealed: Answer | None = None) -> Answer:
        """Ask for a version to be published, all its blobs being there: `{state}`."""
        body = {"manifest": manifest} | ({"sealed": sealed} if sealed else {})
        url = _path("datasets", manifest["name"], manifest["version"])
        return self._json("POST", url, json=body)

    def publication(self, name: str, version: str) -> Answer:
        """How far a publication is: state, problem, findings."""
        return self._json("GET", _path("datasets", name, version, "publication"))

    def submit(self, meta: Answer, predictions: Path) -> Answer:
        """Submit predictions: `{id, state}`; the same content twice is one submission."""
        document = canonical_json(meta)
        key = sha256_bytes(document + sha256_file(predictions).encode())
        named = {"dataset", "task"} <= meta.keys()
        told = {name: str(meta[name]) for name in ("dataset", "task")} if named else {}
        return self._json(
            "POST",
            "/submissions",
            need="id",
            headers={"Idempotency-Key": key},
            params=told,
            form=[("meta", document), ("predictions", predictions)],
            repeatable=True,
        )

    def submission(self, number: str) -> Answer:
        """A submission: state, scores, problem, and what was submitted."""
        return self._json("GET", _path("submissions", number))

    def leaderboard(self, dataset: str, task: str, version: str | None = None) -> Answer:
        """The rows of a leaderboard, best first."""
        params = {"version": version} if version else {}
        return self._json("GET", _path("leaderboards", dataset, task), params=params)

    def create_token(self, name: str, password: str, scopes: list[str], label: str) -> Answer:
        """A new token for an account: `{token, scopes, expires}`."""
        self._check_private()
        body = {"name": name, "password": password, "scopes": scopes, "label": label}
        return self._json("POST", "/tokens", need="token", json=body)

    def create_user(
        self, name: str, password: str, email: str | None = None, invitation: str | None = None
    ) -> Answer:
        """A new account: `{name, role}`."""
        self._check_private()
        body = {"name": name, "password": password, "email": email, "invitation": invitation}
        given = {key: value for key, value in body.items() if value is not None}
        return self._json("POST", "/users", need="name", json=given)

    def tokens(self) -> Answer:
        """The tokens of the account: `{user, items}`, and never what they are."""
        return self._json("GET", "/tokens")

    def revoke_token(self, number: int) -> None:
        """End a token of the account."""
        self._call("DELETE", _path("tokens", str(number)))

    def _json(self, method: str, path: str, need: str | None = None, **options: Any) -> Answer:
        """The answer as an object that has the key `need`."""
        content = self._call(method, path, **options)
        try:
            value = json.loads(content)
        except ValueError as error:
            raise ServiceError(f"{self.server}{API}{path}: the answer is not JSON") from error
        if not isinstance(value, dict):
            raise ServiceError(f"{self.server}{API}{path}: the answer is not a JSON object")
        if need is not None and need not in value:
            raise ServiceError(f"{self.server}{API}{path}: the answer has no '{need}'")
        return value

    def _call(self, method: str, path: str, *, repeatable: bool = False, **options: Any) -> bytes:
        """The whole answer, no longer than any manifest; repeated where that does no harm."""

        def once() -> bytes:
            with self._response(method, path, **options) as response:
                return self._read(response)

        return retry(once) if repeatable or method != "POST" else _once(once)

    def _read(self, response: httpx.Response) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > MAX_MANIFEST_BYTES:
                raise ServiceError(f"{response.url}: the answer is longer than any we expect")
            chunks.append(chunk)
        return b"".join(chunks)

    @contextmanager
    def _response(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        upload: Path | None = None,
        form: list[tuple[str, bytes | Path]] | None = None,
        **options: Any,
    ) -> Iterator[httpx.Response]:
        """One request, its answer open as a stream; lost connections are `TransientError`."""
        sent = dict(headers or {}) | self._authorization()
        files = [_field(name, value) for name, value in form or ()]
        if files:
            options["files"] = files
        opened = [upload.open("rb")] if upload else [f[1][1] for f in files]
        try:
            with self._http.stream(
                method,
                f"{self.server}{API}{path}",
                headers=sent,
                content=opened[0] if upload else None,
                follow_redirects=method in ("GET", "HEAD"),
                **options,
            ) as response:
                self._raise_for(response)
                yield response
        except httpx.RequestError as error:
            raise TransientError(self._unreachable(error)) from error
        finally:
            for file in opened:
                if not isinstance(file, bytes):
                    file.close()

    def _authorization(self) -> dict[str, str]:
        if self._token is None:
            return {}
        self._check_private()
        if not (self._token.isascii() and self._token.isprintable()):
            raise ServiceError("the token has characters that no token has")
        return {"Authorization": f"Bearer {self._token}"}

    def _check_private(self) -> None:
        if self.server.startswith("http:") and not is_loopback(self.server):
            raise ServiceError(
                f"{self.server}: a token or password is not sent over plain http to another "
                "machine; use https"
            )

    def _unreachable(self, error: Exception) -> ServiceError:
        reason = one_line(str(error)) or type(error).__name__
        return UnreachableError(f"{self.server} cannot be reached ({reason})")

    def _raise_for(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        status = response.status_code
        message = f"{self.server}: {_detail(response, self._read(response))}"
        if status in BUSY:
            raise TransientError(ServiceError(message), _retry_after(response))
        raise NotFoundError(message) if status == 404 else ServiceError(message)


def retry(action: Callable[[], T]) -> T:
    """Repeat an action on `TransientError`, waiting as the server asks; then raise its error."""
    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=_wait,
        reraise=True,
    )
    return _once(lambda: retrying(action))


def one_line(text: str) -> str:
    """Text of another machine, fit for one line on a terminal: no control characters, not long."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(clean.split())[:MAX_DETAIL]


def _once(action: Callable[[], T]) -> T:
    try:
        return action()
    except TransientError as error:
        raise error.error from error


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, TransientError) else None
    waited = 0.2 * 2 ** (state.attempt_number - 1) if asked is None else asked
    return min(waited, LONGEST_WAIT_S)


def _retry_after(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds, stated as such or as a date."""
    value = response.headers.get("Retry-After", "")
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, OverflowError):
        return None


def _detail(response: httpx.Response, content: bytes) -> str:
    """What a problem document says, or the status; an answer to HEAD has no document."""
    status = f"{response.status_code} {response.reason_phrase}".strip()
    status = f"{status}{HINTS.get(response.status_code, '')}"
    try:
        problem = json.loads(content)
        said = problem.get("detail") or problem.get("title") or status
    except (ValueError, AttributeError):
        said = status
    return one_line(str(said))


def _path(*steps: str) -> str:
    return "".join("/" + quote(step, safe="") for step in steps)


def _field(name: str, value: bytes | Path) -> tuple[str, tuple[str | None, Any, str]]:
    if isinstance(value, bytes):
        return name, (None, value, "application/json")
    return name, (value.name, value.open("rb"), "application/vnd.apache.parquet")
