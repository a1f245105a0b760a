"""Capture's journal through a server: the same rows, and no answer that is believed blindly."""

from __future__ import annotations

import importlib.util
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auditreg.sources.server.journal import NO_ADMINISTRATOR
from auditreg.sources.server.source import CHANGED_BACK, RestSource
from tests.servers.mlflow_server import ADMIN, MlflowServer
from tests.servers.process import require
from tests.sources.conftest import has_capture
from tests.sources.journals import ID, START, change, identity, start
from tests.sources.lying import Answer, registry, standing_in
from tests.sources.reading import everything, rows, sqlite_source

Query = dict[str, list[str]]
PATH = "/api/2.0/auditreg/journal"
WITHOUT = "who changed what, and what stood there before"
UNREAD = "the server's journal could not be read: "


class Capture:
    """A made-up server with capture: an empty registry, and a journal of these rows."""

    def __init__(self, *entries: dict[str, Any], ids: bool = True, page: int = 1_000) -> None:
        self.entries = list(entries)
        self.ids = ids
        self.page = page
        self.queries: list[Query] = []
        self.served = 0
        self.models: list[dict[str, Any]] = [{"name": "m"}]

    def __call__(self, path: str, query: Query) -> Answer:
        if path == PATH:
            self.queries.append(query)
            return 200, self.journal(query)
        return registry(self.models, [])(path, query)

    def journal(self, query: Query) -> dict[str, Any]:
        numbers = [row["id"] for row in self.entries]
        answer: dict[str, Any] = {"journal": ID, "last": max(numbers), "now": START + 50_000}
        if self.ids and "ids" in query:
            return {**answer, "ranges": [[number, number] for number in numbers]}
        listed = [row for row in self.entries if self.matches(row["id"], query)]
        page = min(self.page, int(query["limit"][0]))
        if "range" in query:
            self.served += len(listed[:page])
        more = listed[page]["id"] if len(listed) > page else None
        return {**answer, "rows": listed[:page], "next": more}

    def matches(self, number: int, query: Query) -> bool:
        ends = [text.split("-") for text in query.get("range", ["0-"])]
        return any(int(a) <= number <= int(b or 2**63) for a, b in ends)


SPARSE = (identity(1), start(3), *map(change, range(5, 40, 2)))


def quick(uri: str, **options: Any) -> RestSource:
    return RestSource(uri, timeout=5, retries=0, artifacts=None, **options)


@pytest.mark.parametrize("ids", [True, False], ids=["says its ids", "says only its end"])
def test_the_journal_is_read_page_by_page(ids):
    capture = Capture(*SPARSE, ids=ids, page=4)
    with standing_in(capture) as uri, quick(uri, now=lambda: START).read() as reading:
        assert reading.journal == ID
        assert rows(reading, "journal") == list(SPARSE)
        completeness = reading.completeness()
        assert completeness.complete
        answer = len(SPARSE) if ids else None
        assert completeness.counts["journal"] == (answer, len(SPARSE))
        assert reading.journal_ranges() == [(row["id"], row["id"]) for row in SPARSE]
        assert reading.info.clock_offset_ms == 50_000
        limits = reading.info.cannot_show
    assert WITHOUT not in limits
    assert limits[0].startswith("changes from before capture first started on 2026-09-21 at 14:13")


@pytest.mark.parametrize("ids", [True, False], ids=["says its ids", "says only its end"])
def test_only_what_is_new_is_asked_for(ids):
    capture = Capture(*SPARSE, ids=ids)
    with standing_in(capture) as uri, quick(uri).read() as reading:
        capture.served = 0
        reading.skip_journal([(1, 5), (8, 34)])
        assert [row["id"] for row in rows(reading, "journal")] == [7, 35, 37, 39]
        assert capture.served == 4
        assert reading.completeness().complete


def test_many_ranges_are_asked_for_in_several_requests():
    capture = Capture(identity(1), start(3), *map(change, range(5, 801, 2)))
    with standing_in(capture) as uri, quick(uri).read() as reading:
        reading.skip_journal([(n, n) for n in range(3, 801, 4)])
        listed = [row["id"] for row in rows(reading, "journal")]
        assert listed == [1, *range(5, 801, 4)]
        assert reading.completeness().complete
    assert max(len(query.get("range", [])) for query in capture.queries) == 100


def test_a_server_without_capture_and_a_user_without_rights_are_told_apart():
    refused = {"error_code": "PERMISSION_DENIED", "message": "Permission denied"}
    for answer, says in (
        ((404, "not found"), "the server's journal: this server offers none"),
        ((200, "<!doctype html><title>MLflow</title>"), "this server offers none"),
        ((403, refused), "the server does not take this user for an administrator"),
        ((401, "who?"), "the server does not take this user for an administrator"),
    ):
        with standing_in(instead(answer)) as uri:
            tables, completeness = everything(quick(uri))
            with quick(uri).read() as reading:
                limits = reading.info.cannot_show
                assert reading.journal is None
        assert completeness.complete
        assert tables["journal"] == []
        assert limits[0] == WITHOUT
        assert says in limits[1]


def instead(answer: Answer) -> Callable[[str, Query], Answer]:
    """A server with an empty registry that always says this of its journal."""

    def answered(path: str, query: Query) -> Answer:
        return answer if path == PATH else registry([{"name": "m"}], [])(path, query)

    return answered


GOOD = {"journal": ID, "last": 9, "now": 5, "ranges": [[1, 9]]}
MALFORMED = {
    "500": (500, "oops"),
    "no json": (200, "{"),
    "deep": (200, "[" * 99_999),
    "list": (200, [GOOD]),
    "no id": (200, {**GOOD, "journal": None}),
    "id of another kind": (200, {**GOOD, "journal": "../../x"}),
    "no end": (200, {**GOOD, "last": None}),
    "fraction": (200, {**GOOD, "last": 1.5}),
    "huge": (200, {**GOOD, "last": 2**80}),
    "no time": (200, {**GOOD, "now": "late"}),
    "ranges of another kind": (200, {**GOOD, "ranges": {"1": 9}}),
    "ranges back": (200, {**GOOD, "ranges": [[5, 9], [1, 9]]}),
    "ranges touching": (200, {**GOOD, "ranges": [[1, 4], [5, 9]]}),
    "range upside down": (200, {**GOOD, "ranges": [[9, 1]]}),
    "range of text": (200, {**GOOD, "ranges": [["1", "9"]]}),
    "range of three": (200, {**GOOD, "ranges": [[1, 5, 9]]}),
    "range of truth": (200, {**GOOD, "ranges": [[True, 9]]}),
    "another end": (200, {**GOOD, "ranges": [[1, 8]]}),
}


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED)
def test_an_answer_that_is_none_is_a_doubt_and_no_journal(answer):
    with standing_in(instead(answer)) as uri, quick(uri).read() as reading:
        assert reading.journal is None
        assert rows(reading, "journal") == []
        assert [row["model"] for row in rows(reading, "registered_models")] == ["m"]
        (doubt,) = reading.completeness().doubts
        assert doubt.startswith(UNREAD)
        assert reading.info.cannot_show[0] == WITHOUT


ROWS: dict[str, tuple[Callable[[dict[str, Any], Query], Any], str]] = {
    "the same page again": (
        lambda answer, _: {**answer, "rows": list(SPARSE[:2]), "next": 1},
        "the ids of its rows do not ascend",
    ),
    "a page back": (
        lambda answer, _: {**answer, "rows": list(SPARSE[1::-1])},
        "the ids of its rows do not ascend",
    ),
    "nobody asked": (
        lambda answer, _: {**answer, "rows": [change(4)]},
        "it gives rows nobody asked for",
    ),
    "above the end": (
        lambda answer, _: {**answer, "rows": [change(41)]},
        "it gives rows nobody asked for",
    ),
    "another journal": (
        lambda answer, _: {**answer, "journal": "e" * 32},
        "its answers are of two journals",
    ),
    "no rows": (lambda answer, _: {**answer, "rows": None}, "an answer has no list of rows"),
    "nothing and more": (
        lambda answer, _: {**answer, "rows": [], "next": 5},
        "an answer promises rows and gives none",
    ),
    "a list": (lambda answer, _: {**answer, "rows": [[1]]}, "does not have the columns"),
    "a column less": (
        lambda answer, _: {**answer, "rows": [{"id": 1, "operation": "start"}]},
        "does not have the columns",
    ),
    "an id of text": (
        lambda answer, _: {**answer, "rows": [{**identity(), "id": "1"}]},
        "a row has no id",
    ),
    "an object for text": (
        lambda answer, _: {**answer, "rows": [{**identity(), "after_row": {"journal": ID}}]},
        "something else where text belongs",
    ),
}


@pytest.mark.parametrize(("spoiled", "says"), ROWS.values(), ids=ROWS)
def test_rows_that_cannot_be_right_end_the_reading_with_a_doubt(spoiled, says):
    capture = Capture(*SPARSE)

    def answer(path: str, query: Query) -> Answer:
        status, answer = capture(path, query)
        return status, spoiled(answer, query) if path == PATH and "range" in query else answer

    with standing_in(answer) as uri, quick(uri).read() as reading:
        started = time.monotonic()
        rows(reading, "journal")
        doubts = reading.completeness().doubts
    assert time.monotonic() - started < 5
    assert doubts[0].startswith(UNREAD)
    assert says in doubts[0]
    assert "journal: the server counts 20 rows" in doubts[1]


def test_a_server_that_never_ends_is_left(monkeypatch):
    monkeypatch.setattr("auditreg.sources.server.journal._MAX_PAGES", 20)

    def answer(path: str, query: Query) -> Answer:
        if path != PATH:
            return registry([{"name": "m"}], [])(path, query)
        answer = {"journal": ID, "last": 2**62, "now": 5}
        if "range" not in query:
            return 200, answer
        first = int(query["range"][0].split("-")[0])
        return 200, {**answer, "rows": [change(first)], "next": first + 1}

    with standing_in(answer) as uri, quick(uri).read() as reading:
        assert len(rows(reading, "journal")) == 20
        assert reading.completeness().doubts == (f"{UNREAD}it does not come to an end",)


def test_rows_that_are_gone_when_they_are_asked_for_are_a_doubt():
    capture = Capture(*SPARSE)
    with standing_in(capture) as uri, quick(uri).read() as reading:
        del capture.entries[5:8]
        rows(reading, "journal")
        assert reading.completeness().doubts == (
            f"journal: the server counts {len(SPARSE)} rows, {len(SPARSE) - 3} were read",
        )


def test_what_is_written_after_the_tables_were_read_belongs_to_the_next_reading():
    for ids in (True, False):
        capture = Capture(*SPARSE, ids=ids)
        with standing_in(capture) as uri, quick(uri).read() as reading:
            capture.entries.append(change(41))
            assert [row["id"] for row in rows(reading, "journal")][-1] == 39
            assert reading.journal_ranges()[-1] == (39, 39)
            assert reading.completeness().complete
            # A row may have come in below the end, of a transaction that took long.
            assert (CHANGED_BACK in reading.info.cannot_show) == (not ids)


@pytest.mark.parametrize("times", [1, 2, 3, 99])
def test_the_journal_has_to_stand_still_while_the_tables_are_read(times):
    capture = Capture(*SPARSE)
    grown = []

    def answer(path: str, query: Query) -> Answer:
        if path.endswith("/model-versions/search") and len(grown) < 2 * times:
            # A pass asks twice: once for prompts. Two more rows, and the tables look the same.
            grown.append(capture.entries.append(change(capture.entries[-1]["id"] + 2)))
        return capture(path, query)

    with standing_in(answer) as uri, quick(uri).read() as reading:
        listed = rows(reading, "journal")
        completeness = reading.completeness()
    assert [row["id"] for row in listed] == [row["id"] for row in capture.entries]
    if times < 4:
        assert completeness.complete
        assert completeness.passes == max(2, times + 1)
    else:
        assert completeness.doubts == ("the journal grew while the registry was read 4 times",)


def test_a_journal_that_breaks_off_between_two_passes_is_a_doubt():
    capture = Capture(*SPARSE)

    def answer(path: str, query: Query) -> Answer:
        if path == PATH and len(capture.queries) > 2:
            return 500, "oops"
        return capture(path, query)

    with standing_in(answer) as uri, quick(uri).read() as reading:
        assert reading.journal is None
        assert rows(reading, "journal") == []
        assert reading.completeness().doubts[0].startswith(UNREAD)
        assert reading.info.cannot_show[0] == WITHOUT


def test_hostile_text_comes_through_and_bad_numbers_are_doubts():
    odd = "\u202e'\"<script>\x1b[31m\n\ud800"
    spoiled = change(5, actor=odd, version="one", server_time=2**70)
    spoiled["operation"] = None
    capture = Capture(identity(1), start(3), spoiled)
    with standing_in(capture) as uri, quick(uri).read() as reading:
        listed = rows(reading, "journal")[-1]
        doubts = reading.completeness().doubts
    assert listed["actor"].startswith("\x00$bytes:")
    assert (listed["version"], listed["server_time"], listed["operation"]) == (None, None, None)
    assert doubts == (
        "1 row(s) of journal have no operation",
        "1 value(s) of journal.server_time are not of type int64 and were read as missing",
        "1 value(s) of journal.version are not of type int64 and were read as missing",
    )


@pytest.fixture(scope="module")
def guarded(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A real server with capture and `basic-auth`, on which two users have worked."""
    require(has_capture(), "auditreg-capture is not installed")
    require(importlib.util.find_spec("flask_wtf"), "basic-auth needs flask-wtf")
    folder = tmp_path_factory.mktemp("guarded")
    path = shutil.copy(empty_store, folder / "mlflow.db")
    server = MlflowServer(folder, f"sqlite:///{path}", app="basic-auth", permission="MANAGE")
    with server:
        ann = server.add_user("ann", "a-long-password")
        server.call("POST", "registered-models/create", {"name": "motor"}, user=ADMIN)
        server.call(
            "POST", "model-versions/create", {"name": "motor", "source": "s3://models/x"}, user=ann
        )
        yield server


@pytest.mark.parametrize("user", [ADMIN, ("ann", "a-long-password")], ids=["admin", "user"])
def test_only_an_administrator_of_a_real_server_is_shown_its_journal(guarded, user, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", user[1])
    with RestSource(guarded.uri).read() as reading:
        listed = rows(reading, "journal")
        assert [row["model"] for row in rows(reading, "registered_models")] == ["motor"]
        assert reading.completeness().complete
        limits = reading.info.cannot_show
        assert (reading.journal is not None) == (user == ADMIN)
    if user != ADMIN:
        assert listed == []
        assert limits[:2] == (WITHOUT, NO_ADMINISTRATOR)
        return
    changes = [(row["actor"], row["table_name"]) for row in listed if row["operation"] == "insert"]
    assert changes == [("admin", "registered_models"), ("ann", "model_versions")]
    path = guarded.backend.removeprefix("sqlite:///")
    with sqlite_source(path).read() as reading:
        assert rows(reading, "journal") == listed
