"""A real HTTP server that answers chat completions as badly as servers do, and keeps the books."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEXT = "This node is like the others.\nClass: green"


@dataclass
class Books:
    """How to behave, and what was asked: attempts and bills of each request, and times.

    A request is billed where the model has worked, whether or not its answer arrives.
    """

    key: str | None = None
    delay_s: float = 0.0
    behave: Callable[[str, int], str] = lambda key, attempt: "ok"
    text: str = TEXT
    attempts: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    idempotency: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def chat_server(books: Books) -> Iterator[str]:
    """The base URL of a server that behaves as `books.behave(key, attempt)` says."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.reply(200, {"data": []}) if self.may() else self.reply(401, {"error": "no"})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if not self.may():
                self.reply(401, {"error": {"message": f"bad key {self.headers['Authorization']}"}})
                return
            key = self.headers["Idempotency-Key"].partition("-")[0]
            with books.lock:
                books.attempts[key] += 1
                attempt = books.attempts[key]
                books.times.append(time.monotonic())
                books.idempotency.append(self.headers["Idempotency-Key"])
                books.at_once += 1
                books.most_at_once = max(books.most_at_once, books.at_once)
            try:
                time.sleep(books.delay_s)
                self.act(books.behave(key, attempt), key)
            finally:
                with books.lock:
                    books.at_once -= 1

        def may(self) -> bool:
            return books.key is None or self.headers["Authorization"] == f"Bearer {books.key}"

        def act(self, behaviour: str, key: str) -> None:
            if behaviour == "close":
                self.bill(key)
                self.close_connection = True
            elif behaviour == "cut":
                self.pay(key, b'{"choices": [{"message": {"content": "This no')
            elif behaviour == "slow":
                self.bill(key)
                time.sleep(3)
                self.reply(200, completion(books.text))
            elif behaviour == "504":
                self.bill(key)
                self.reply(504, b"the gateway does not wait")
            elif behaviour == "empty":
                self.pay(key, completion("  "))
            elif behaviour == "length":
                self.pay(key, completion("This node is", finish="length"))
            elif behaviour == "echo":
                self.pay(key, completion(f"I was sent {self.headers['Authorization']}"))
            elif behaviour == "200 error":
                self.reply(200, {"error": {"message": "the engine is out"}})
            elif behaviour.isdigit():
                message = f"no, {self.headers['Authorization']}"
                self.reply(int(behaviour), {"error": {"message": message}})
            elif behaviour.startswith("429"):
                self.reply(429, {"error": "slower"}, {"Retry-After": behaviour.split()[1]})
            else:
                self.pay(key, completion(books.text))

        def pay(self, key: str, body: dict | bytes) -> None:
            self.bill(key)
            self.reply(200, body)

        def bill(self, key: str) -> None:
            with books.lock:
                books.paid[key] += 1

        def reply(
            self, status: int, body: dict | bytes, headers: dict[str, str] | None = None
        ) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def completion(text: str, finish: str = "stop") -> dict:
    """The body of a chat completion."""
    return {
        "model": "toy-model-2",
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20},
    }
