"""Servers that fail, refuse, lie or change: an error or a doubt, never an empty registry."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from auditreg.errors import ExitCode, SourceError
from auditreg.sources.rest import RestSource
from tests.sources.conftest import free_port
from tests.sources.reading import everything

Answer = tuple[int, object]


@contextmanager
def standing_in(answer: Callable[[str, dict[str, list[str]]], Answer]) -> Iterator[str]:
    """A server whose answers are made up."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            status, body = answer(parts.path, parse_qs(parts.query))
            raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *arguments):
            pass

    stand_in = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=stand_in.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{stand_in.server_port}"
    finally:
        stand_in.shutdown()
        stand_in.server_close()
        thread.join()


def quick(uri: str) -> RestSource:
    return RestSource(uri, timeout=5, retries=0)


MISSING = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"})
VERSION = {"name": "m", "version": "1", "current_stage": "Production", "status": "READY"}


def registry(models: list, versions: list) -> Callable[[str, dict[str, list[str]]], Answer]:
    """A server with these rows; filters find nothing, as an old server's do."""

    def answer(path: str, query: dict[str, list[str]]) -> Answer:
        if path.endswith("/registered-models/search"):
            return 200, {"registered_models": [] if "filter" in query else models}
        if path.endswith("/model-versions/search"):
            return 200, {"model_versions": [] if "filter" in query else versions}
        if path.endswith("/registered-models/get"):
            return 200, {"registered_model": {"name": query["name"][0], "creation_timestamp": 7}}
        return MISSING

    return answer


def test_an_old_server_whose_filters_find_nothing_shows_everything():
    with standing_in(registry([{"name": "m"}, {"name": "n"}], [VERSION])) as uri:
        tables, completeness = everything(quick(uri))
    assert [row["model"] for row in tables["registered_models"]] == ["m", "n"]
    assert completeness.complete


def test_models_missing_from_the_list_are_found_through_their_versions():
    with standing_in(registry([], [VERSION])) as uri:
        tables, completeness = everything(quick(uri))
    assert [row["model"] for row in tables["registered_models"]] == ["m"]
    assert tables["registered_models"][0]["creation_time"] == 7
    assert not completeness.complete
    assert "leaves out 1 whose versions it shows (m)" in completeness.doubts[0]


def test_versions_missing_from_the_search_are_found_through_their_models():
    inner = registry([{"name": "m", "latest_versions": [VERSION]}], [])

    def answer(path, query):
        if path.endswith("/model-versions/get"):
            return 200, {"model_version": VERSION}
        return inner(path, query)

    with standing_in(answer) as uri:
        tables, completeness = everything(quick(uri))
    assert [row["version"] for row in tables["model_versions"]] == [1]
    assert not completeness.complete


def test_versions_hidden_in_a_gap_are_found_and_real_gaps_counted():
    listed = [{**VERSION, "version": "4"}]
    inner = registry([{"name": "m"}], listed)

    def answer(path, query):
        if path.endswith("/model-versions/get") and query["version"] == ["2"]:
            return 200, {"model_version": {**VERSION, "version": "2"}}
        return inner(path, query)

    with standing_in(answer) as uri:
        tables, completeness = everything(quick(uri))
    assert sorted(row["version"] for row in tables["model_versions"]) == [2, 4]
    assert completeness.gaps == 2
    assert "1 versions that exist (m/2)" in completeness.doubts[0]


def test_no_models_at_all_is_zero_rows_and_complete():
    with standing_in(registry([], [])) as uri:
        tables, completeness = everything(quick(uri))
    assert not any(tables.values())
    assert completeness.complete


def test_a_registry_that_never_stands_still_is_a_doubt():
    calls = iter(range(10_000))

    def answer(path, query):
        return registry([{"name": "m", "last_updated_timestamp": next(calls) + 1}], [])(path, query)

    with standing_in(answer) as uri:
        _, completeness = everything(quick(uri))
    assert completeness.passes == 4
    assert "changed between each of 4 passes" in completeness.doubts[0]


def test_a_run_that_is_gone_is_counted():
    with standing_in(registry([{"name": "m"}], [{**VERSION, "run_id": "r"}])) as uri:
        tables, completeness = everything(quick(uri))
    assert tables["runs"] == []
    assert completeness.left_out == {"runs that versions point to and that no longer exist": 1}


def test_an_id_the_server_refuses_is_as_good_as_gone():
    inner = registry([{"name": "m"}], [{**VERSION, "run_id": "../x"}])

    def answer(path, query):
        if path.endswith("/runs/get"):
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "no such id"}
        return inner(path, query)

    with standing_in(answer) as uri:
        tables, completeness = everything(quick(uri))
    assert tables["runs"] == []
    assert completeness.left_out == {"runs that versions point to and that no longer exist": 1}


def test_numbers_beyond_64_bits_are_a_doubt():
    with standing_in(registry([{"name": "m", "creation_timestamp": 2**70}], [])) as uri:
        tables, completeness = everything(quick(uri))
    assert tables["registered_models"][0]["creation_time"] is None
    assert "registered_models.creation_time" in completeness.doubts[0]


FAILURES = {
    "500": (500, "oops", "HTTP 500"),
    "502 page": (502, "<html>bad gateway</html>", "HTTP 502"),
    "401": (401, {"error_code": "UNAUTHENTICATED", "message": "who?"}, "HTTP 401"),
    "403": (403, {"error_code": "PERMISSION_DENIED", "message": "no"}, "HTTP 403"),
    "web page": (200, "<html>hello</html>", "not an MLflow tracking server"),
    "list": (200, [1, 2], "not an MLflow tracking server"),
}


@pytest.mark.parametrize(("status", "body", "says"), FAILURES.values(), ids=FAILURES)
def test_a_server_that_fails_is_an_error(status, body, says):
    with standing_in(lambda path, query: (status, body)) as uri:
        check_error(uri.replace("//", "//bob:s3cret@"), says)


def test_a_server_that_refuses_everything_is_an_error_not_an_empty_registry():
    with standing_in(lambda path, query: (404, "not here")) as uri:
        check_error(uri, "HTTP 404")


def test_one_that_lists_the_same_page_for_ever_is_an_error():
    with standing_in(lambda path, query: (200, {"next_page_token": "again"})) as uri:
        check_error(uri, "the same page again and again")


def test_nobody_listening_is_an_error_within_seconds():
    started = time.monotonic()
    uri = f"http://bob:s3cret@127.0.0.1:{free_port()}"
    with pytest.raises(SourceError) as caught:
        RestSource(uri).read()
    assert time.monotonic() - started < 10
    assert "refused" in caught.value.what
    assert "s3cret" not in str(caught.value)
    assert caught.value.hint


def check_error(uri: str, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        everything(quick(uri))
    error = caught.value
    assert says in error.what
    assert error.state
    assert error.hint
    assert "s3cret" not in f"{error} {error.state} {error.hint}"
    assert error.exit_code == ExitCode.ERROR
