"""Servers that are made up: they answer what a test says, also what no server should."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from auditreg.sources.server.source import RestSource

Query = dict[str, list[str]]
Answer = tuple[int, object]
Says = Callable[[str, Query], Answer]

MISSING: Answer = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"})
VERSION = {"name": "m", "version": "1", "current_stage": "Production", "status": "READY"}


@dataclass(frozen=True)
class Raw:
    """An answer as it is sent.

    `cut` bytes are promised and never sent.
    """

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0


@contextmanager
def standing_in(
    answer: Says, wrap: Callable[[Any], Any] | None = None, needs: str | None = None
) -> Iterator[str]:
    """A server whose answers are made up; a POST request's body is its query.

    Args:
        answer: status and body by path and query; a GET request's workspace is in its query.
        wrap: makes its socket another one.
        needs: the `Authorization` header without which it answers 401.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            if workspace := self.headers["X-MLFLOW-WORKSPACE"]:
                query["workspace"] = [workspace]
            self.say(*answer(parts.path, query))

        def do_POST(self):
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            query = {k: v if isinstance(v, list) else [str(v)] for k, v in sent.items()}
            self.say(*answer(urlsplit(self.path).path, query))

        def say(self, status, body):
            if needs not in (None, self.headers["Authorization"]):
                status, body = 401, "who are you?"
            raw = body if isinstance(body, Raw) else None
            if raw is None:
                text = body if isinstance(body, str) else json.dumps(body)
                raw = Raw(text.encode())
            self.send_response(status)
            for name, value in raw.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw.body) + raw.cut))
            self.end_headers()
            self.wfile.write(raw.body)
            self.close_connection = bool(raw.cut)

        def log_message(self, *arguments):
            pass

    stand_in = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.daemon_threads = True
    if wrap:
        stand_in.socket = wrap(stand_in.socket)
    thread = threading.Thread(target=stand_in.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http{'s' if wrap else ''}://127.0.0.1:{stand_in.server_port}"
    finally:
        stand_in.shutdown()
        stand_in.server_close()
        thread.join()


def quick(uri: str, **options: Any) -> RestSource:
    """A source that does not wait for long."""
    return RestSource(uri, **{"timeout": 5, "retries": 0, **options})


def registry(models: list[Any], versions: list[Any]) -> Says:
    """A server with these rows; filters find nothing, as an old server's do."""

    def answer(path: str, query: Query) -> Answer:
        if path.endswith("/registered-models/search"):
            return 200, {"registered_models": [] if "filter" in query else models}
        if path.endswith("/model-versions/search"):
            return 200, {"model_versions": [] if "filter" in query else versions}
        if path.endswith("/registered-models/get"):
            return 200, {"registered_model": {"name": query["name"][0], "creation_timestamp": 7}}
        return MISSING

    return answer


def paged(rows: Callable[[int], list[Any]], items: str, rest: Says, last: int) -> Says:
    """A server whose unfiltered list of `items` comes in pages 0 to `last`."""
    path = "/" + items.replace("_", "-") + "/search"

    def answer(request: str, query: Query) -> Answer:
        if not request.endswith(path) or "filter" in query:
            return rest(request, query)
        number = int(query.get("page_token", ["0"])[0])
        more = {"next_page_token": str(number + 1)} if number < last else {}
        return 200, {items: rows(number), **more}

    return answer
