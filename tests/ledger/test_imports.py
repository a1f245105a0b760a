"""What is imported: whole files or nothing, once, resolved, masked, and running at a moment."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditreg.audit import Auditor
from auditreg.config import Config
from auditreg.errors import UsageError
from auditreg.ledger import store
from auditreg.ledger.import_parse import parse_deployments, parse_history
from auditreg.ledger.import_record import Imported, record
from auditreg.ledger.verify import verify
from auditreg.rules.parse import builtin_rules
from tests.ledger.book import KEY, Book
from tests.ledger.reading import MemoryReading, Registry, together

DIGEST = "ab" * 32


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000).astimezone().isoformat(timespec="milliseconds")


def lines(*records: dict) -> bytes:
    return "".join(json.dumps(one) + "\n" for one in records).encode()


def history(book: Book, *records: dict, **options) -> Imported:
    given = {
        "at": "2026-03-01T12:00:00Z", "model": "motor", "what": "other", "system": "tickets",
    }  # fmt: skip
    content = lines(*({**given, **one} for one in records))
    return take(book, parse_history(content, "h.jsonl"), content, **options)


def deployed(book: Book, *records: dict) -> Imported:
    given = {"system": "engine", "model": "motor", "from": "2026-03-01T12:00:00Z"}
    content = lines(*({**given, **one} for one in records))
    return take(book, parse_deployments(content, "d.jsonl"), content)


def take(book: Book, records, content: bytes, **options) -> Imported:
    return record(
        book.con, records, file="f.jsonl", content=content, registry="default", key=KEY, **options
    )


@pytest.fixture
def filled(book: Book, registry: Registry) -> Book:
    registry.create("motor")
    registry.version("motor")
    registry.version("motor")
    registry.alias("motor", "champion", 1)
    book.take(registry.read())
    return book


# -- records of other systems ----------------------------------------------------------------------


def test_a_record_is_kept_as_it_was_given(filled: Book, registry: Registry):
    at = registry.clock
    done = history(
        filled,
        {
            "at": iso(at), "version": 2, "what": "approval", "item": "approved_by", "before": "",
            "after": "bob", "actor": "Bob Okafor", "system": "JIRA", "reference": "MR-12",
            "note": "committee of 3 March",
        },
    )  # fmt: skip
    assert (done.lines, done.added, done.known, done.masked) == (1, 1, 0, 0)
    assert (done.unknown_models, done.unresolved, done.systems) == ((), 0, ("JIRA",))
    [row] = filled.rows(
        "select epoch_ms(happened_at), registry, workspace, model, version, what, item, before, "
        "after, actor, system, reference, note, file, grade, subject, model_subject "
        "from history_records"
    )
    [(model,)] = filled.rows("select distinct subject from registered_models")
    assert row == (
        at, "default", "default", "motor", 2, "approval", "approved_by", "", "bob", "Bob Okafor",
        "JIRA", "MR-12", "committee of 3 March", "f.jsonl", "asserted", f"{model}/2", model,
    )  # fmt: skip
    assert filled.rows("select kind, op, grade, actor, valid_at = make_timestamp(? * 1000) "
                       "from ledger.log where kind = 'history_record'", at) == [
        ("history_record", "event", "asserted", "Bob Okafor", True)
    ]  # fmt: skip
    assert filled.tables() == filled.rebuilt()


def test_a_line_is_recorded_once(filled: Book):
    first = history(filled, {"note": "a"}, {"note": "a"}, {"note": "b"})
    assert (first.added, first.known) == (2, 1)
    before = filled.log()
    again = history(filled, {"note": "b"}, {"at": "2026-03-01T13:00:00.0001+01:00", "note": "a"})
    assert (again.added, again.known) == (0, 2)
    assert filled.log() == before
    assert history(filled, {"note": "a", "version": 1}).added == 1


def test_a_file_is_sealed_with_its_hash(filled: Book):
    content = lines({"at": "2026-03-01T12:00:00Z", "model": "m", "what": "other", "system": "s"})
    take(filled, parse_history(content, "h"), content)
    [(what, file, sha256, root)] = filled.rows("select what, file, sha256, root from imports")
    assert (what, file) == ("history_record", "f.jsonl")
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert len(root) == 64


def test_an_imported_ledger_verifies_and_a_changed_record_does_not(
    empty_file: Path, tmp_path: Path, registry: Registry
):
    ledger = store.Ledger(tmp_path / "audit.duckdb")
    registry.create("motor")
    ledger.ingest(registry.read(), registry="default", policies=())
    with ledger.writer() as con:
        book = Book(con)
        history(book, {"after": "bob"})
        deployed(book, {"version": 1})
    found = verify(ledger)
    assert (found.ok, found.roots) == (True, 3)
    with ledger.writer() as con:
        con.execute("update history_records set \"after\" = 'carol'")
    assert not verify(ledger).ok


def test_the_model_is_the_one_that_had_the_name_then(book: Book, registry: Registry):
    created = registry.wait()
    registry.create("motor")
    book.take(registry.read())
    deleted = registry.wait()
    registry.delete("motor")
    book.take(registry.read(), allow_empty=True)
    between = registry.wait()
    registry.create("motor")
    registry.create("home")
    book.take(registry.read())
    home = registry.clock
    registry.rename("home", "house")
    book.take(registry.read())
    old, new = (s for (s,) in book.rows(
        "select subject from registered_models where model = 'motor' order by created_at"))  # fmt: skip
    [(house,)] = book.rows("select subject from registered_models where model = 'house'")
    end = registry.wait()
    done = history(
        book,
        {"at": iso(created - 5000), "note": "before it was there"},
        {"at": iso(deleted), "note": "the deleted one"},
        {"at": iso(between + 10_000), "note": "the new one"},
        {"at": iso(home), "model": "home", "note": "by its former name"},
        {"at": iso(end), "model": "home", "note": "not its name any more"},
        {"at": iso(end), "model": "house", "note": "renamed"},
        {"at": iso(end), "model": "boat", "note": "unknown"},
    )
    about = dict(book.rows("select note, subject from history_records"))
    assert about == {
        "before it was there": None, "the deleted one": old, "the new one": new,
        "by its former name": house, "not its name any more": None, "renamed": house,
        "unknown": None,
    }  # fmt: skip
    assert (done.unknown_models, done.unresolved, done.unplaced) == (("boat",), 3, 2)


def test_a_workspace_or_a_name_in_it_that_no_reading_showed_is_told(filled: Book):
    at = filled.rows("select created_at + interval 1 minute from registered_models")[0][0]
    given = {"at": f"{at.isoformat()}Z"}
    done = history(
        filled,
        {**given, "workspace": "default"},
        {**given, "workspace": "elsewhere", "actor": "ann"},
        {**given, "workspace": "default", "model": "boat"},
        {**given, "model": "ship"},
    )
    assert (done.unknown_workspaces, done.unknown_models) == (
        ("elsewhere",),
        ("boat in default", "ship"),
    )
    assert (done.unresolved, done.unplaced) == (3, 0)
    ran = deployed(filled, {"version": 1, "workspace": "elsewhere", "from": f"{at.isoformat()}Z"})
    assert ran.unknown_workspaces == ("elsewhere",)


def test_credentials_are_masked(filled: Book):
    secret, password = "sk-" + "x" * 30, "hunter2-and-more"
    done = history(
        filled,
        {"what": "tag", "item": "db_password", "before": "none", "after": password},
        {"what": "tag", "item": "colour", "after": secret},
        {"note": f"see https://bob:{password}@host/x", "actor": "bob"},
    )
    assert done.masked == 3
    text = json.dumps(filled.rows("select entry from ledger.log"), default=str)
    assert secret not in text
    assert password not in text
    shown = filled.rows("select before, after from history_records where item = 'db_password'")
    assert shown[0][0] == "none"
    assert json.loads(shown[0][1])["$secret"]["key"] == KEY.id
    assert history(filled, {"what": "tag", "item": "colour", "after": secret}).added == 0


def test_patterns_of_the_settings_count(filled: Book):
    record = {"what": "tag", "item": "kennwort", "after": "geheim-123"}
    assert history(filled, record, secret_patterns=("kennwort",)).masked == 1


GOOD = {"at": "2026-03-01T12:00:00Z", "model": "motor", "what": "stage", "system": "s"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"at": "2026-03-01"}, "`at` names no time zone"),
        ({"at": "2026-03-01T12:00:00"}, "`at` names no time zone"),
        ({"at": "yesterday"}, "`at` is not a moment of ISO 8601"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "`at` is out of range"),
        ({"at": None}, "`at`: expected `str`, got `null`"),
        ({"model": " "}, "`model` is empty"),
        ({"model": "a\x00b"}, "`model` holds the character U+0000"),
        ({"system": ""}, "`system` is empty"),
        ({"what": "promoted"}, "`what`: invalid enum value 'promoted'"),
        ({"version": "seven"}, "`version`: expected `int | null`, got `str`"),
        ({"version": 0}, "`version` is not a version number"),
        ({"by": "bob"}, "there is no key `by`; keys: at, model, what, system"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(change, said):
    content = lines(GOOD) + b"\n" + lines({**GOOD, **change})
    with pytest.raises(UsageError) as caught:
        parse_history(content, "h.jsonl")
    assert caught.value.what.startswith(f"h.jsonl, line 3: {said}")
    assert caught.value.state == "Nothing was recorded."


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "it is not a JSON object"),
        (b"[]", "it is not a JSON object but `array`"),
        (b'{"model": "m"}', "it lacks the key `at`"),
        (b'{"model": "\\ud800"}', "it is not a JSON object"),
        (b"\xff\xfe", "it is not UTF-8 text"),
    ],
)
def test_what_is_no_record_is_refused(line, said):
    with pytest.raises(UsageError, match="line 1: ") as caught:
        parse_history(line, "h.jsonl")
    assert said in caught.value.what


def test_a_file_without_a_record_is_refused():
    with pytest.raises(UsageError, match="holds no record"):
        parse_history(b"\n  \n", "h.jsonl")


def test_a_byte_order_mark_and_windows_line_ends_are_no_content():
    content = b"\xef\xbb\xbf" + lines(GOOD).replace(b"\n", b"\r\n")
    assert len(parse_history(content, "h")) == 1


def test_hostile_text_is_kept_as_it_is(filled: Book):
    text = "=cmd|' /C calc'!A0 \x1b[31m \u202e 'drop' \\ \" {log} $base"
    history(filled, {"note": text, "model": text, "actor": text, "item": text})
    assert filled.rows("select note, model, actor, item from history_records") == [(text,) * 4]
    assert filled.tables() == filled.rebuilt()


def test_an_erased_record_is_not_taken_in_again(empty_file: Path, tmp_path: Path):
    ledger = store.Ledger(tmp_path / "audit.duckdb")
    registry = Registry()
    registry.create("motor")
    ledger.ingest(registry.read(), registry="default", policies=())
    from auditreg.ledger.secrets import load_key

    key = load_key(ledger.key_path)

    def once() -> Imported:
        content = lines({**GOOD, "note": "Ann's address"})
        with ledger.writer() as con:
            return record(
                con, parse_history(content, "h"), file="h", content=content, registry="default",
                key=key,
            )  # fmt: skip

    assert once().added == 1
    with ledger.reader() as con:
        [(seq,)] = con.execute("select seq from history_records").fetchall()
    ledger.erase(seq, "asked for by Ann")
    assert once().added == 0
    with ledger.reader() as con:
        assert con.execute("from history_records").fetchall() == []
    assert verify(ledger).ok


# -- deployments -----------------------------------------------------------------------------------


def test_an_end_closes_the_former_record_and_an_old_file_does_not_open_it(filled: Book):
    assert deployed(filled, {"version": 1}).added == 1
    assert filled.rows("select running_until from deployments") == [(None,)]
    until = {"version": 1, "until": "2026-04-01T00:00:00+02:00"}
    assert deployed(filled, until).added == 1
    ended = [(1, datetime(2026, 3, 31, 22))]
    assert filled.rows("select version, running_until from deployments") == ended
    assert deployed(filled, {"version": 1}).added == 0
    assert filled.rows("select version, running_until from deployments") == ended
    assert deployed(filled, {"version": 1, "environment": "test"}).added == 1
    assert filled.rows("select count(*) from deployments") == [(2,)]
    assert filled.tables() == filled.rebuilt()


def test_a_version_went_into_use_when_its_name_or_an_engine_says(filled: Book, registry: Registry):
    registry.version("motor")
    registry.version("motor")
    registry.alias("motor", "champion", 3)
    filled.take(registry.read())
    hours = [datetime.fromtimestamp(registry.wait(3_600_000) // 1000, UTC) for _ in range(4)]
    before, earlier, later, after = (f"{hour:%Y-%m-%dT%H:%M:%SZ}" for hour in hours)
    filled.take(registry.read())
    deployed(
        filled,
        {"version": 2, "from": later, "system": "batch"},
        {"version": 2, "from": earlier},
        {"version": 3, "from": earlier},
    )
    query = (
        "select version, value, found_in, tag, grade from fields{} "
        "where field = 'deployed_at' and rank = 1 order by all"
    )
    went_live = filled.rows(
        "select version, strftime(live_not_before, '%Y-%m-%dT%H:%M:%SZ'), "
        "strftime(live_not_after, '%Y-%m-%dT%H:%M:%SZ') from promotions order by version"
    )
    [(_, from_1, by_1), (_, from_3, by_3)] = went_live
    known = [
        (1, f"between {from_1} and {by_1}", "promotion", "alias champion", "observed"),
        (2, earlier, "deployment", "engine", "asserted"),
        (3, f"between {from_3} and {by_3}", "promotion", "alias champion", "observed"),
    ]
    assert filled.rows(query.format("")) == known
    assert filled.rows("select version, deployed_at from inventory order by version") == [
        *((version, value) for version, value, *_ in known),
        (4, None),
    ]
    assert filled.rows(query.format(f"_as_of(timestamp '{after}')")) == known
    assert filled.rows(query.format(f"_as_of(timestamp '{before}')")) == [known[0], known[2]]
    registry.tag("motor", 1, "deployed_at", "2026-02-27")
    filled.take(registry.read())
    assert filled.rows(query.format("") + " limit 1") == [
        (1, "2026-02-27", "version tag", "deployed_at", "asserted")
    ]


def test_the_end_of_a_deployment_is_erased_and_it_does_not_run_again(
    empty_file: Path, tmp_path: Path, registry: Registry
):
    path = tmp_path / "audit.duckdb"
    shutil.copyfile(empty_file, path)
    ledger = store.Ledger(path)
    registry.create("motor")
    registry.version("motor")
    ledger.ingest(registry.read(), registry="default", policies=())
    with ledger.writer() as con:
        deployed(Book(con), {"version": 1})
    with ledger.reader() as con:
        known = con.execute("select max(recorded_at) from deployments").fetchone()[0]
    with ledger.writer() as con:
        deployed(Book(con), {"version": 1, "until": "2026-04-01T00:00:00Z"})
    with ledger.reader() as con:
        last = con.execute("select max(seq) from ledger.log where kind = 'deployment'").fetchone()
    ledger.erase(last[0], "asked")
    march = datetime(2026, 3, 15)
    with ledger.reader() as con:
        assert con.execute("from deployments").fetchall() == []
        assert con.execute("from running").fetchall() == []
        then = "select version from deployments_as_of(?, known_at := ?)"
        assert con.execute(then, [march, None]).fetchall() == []
        assert con.execute(then, [march, known]).fetchall() == [(1,)]
    assert verify(ledger).ok


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "it has neither `version` nor `digest`"),
        ({"version": 1, "until": "2026-03-01T12:00:00Z"}, "`until` is not after `from`"),
        ({"version": 1, "from": "2026-03-01T12:00"}, "`from` names no time zone"),
        ({"digest": "abc"}, "`digest` is not a SHA-256"),
    ],
)
def test_a_bad_deployment_is_refused(change, said):
    content = lines({"system": "e", "model": "m", "from": "2026-03-01T12:00:00Z", **change})
    with pytest.raises(UsageError, match="line 1: ") as caught:
        parse_deployments(content, "d")
    assert said in caught.value.what


def artifact(version: int, **more) -> dict:
    return {
        "workspace": "default", "model": "motor", "version": version, "location": "/m",
        "state": "read", **more,
    }  # fmt: skip


def test_what_ran_is_resolved_when_asked(book: Book, registry: Registry):
    registry.create("motor")
    for _ in range(3):
        registry.version("motor")
    registry.alias("motor", "champion", 1)
    files = json.dumps([{"path": "model.pkl", "size": 3, "sha256": "cd" * 32}])
    artifacts = [
        artifact(1, mlmodel_sha256=DIGEST), artifact(2, mlmodel_sha256="99" * 32, files=files),
        artifact(3, mlmodel_sha256="99" * 32),
    ]  # fmt: skip
    begun = {"from": iso(registry.clock)}
    deployed(
        book,
        {**begun, "environment": "a", "version": 1},
        {**begun, "environment": "b", "digest": f"sha256:{DIGEST.upper()}", "model": "Rating"},
        {**begun, "environment": "c", "digest": "cd" * 32},
        {**begun, "environment": "d", "digest": "99" * 32},
        {**begun, "environment": "e", "version": 9},
        {**begun, "environment": "f", "version": 1, "until": iso(registry.clock + 100)},
    )
    asked = "select environment, version, resolved_by, live, live_versions from running order by 1"
    assert [row[:3] for row in book.rows(asked)] == [
        ("a", 1, "nothing"), ("b", None, "nothing"), ("c", None, "nothing"),
        ("d", None, "nothing"), ("e", 9, "nothing"),
    ]  # fmt: skip
    book.take(
        MemoryReading(together(registry.rows(), {"model_artifacts": artifacts}), registry.wait())
    )
    assert book.rows(asked) == [
        ("a", 1, "version", True, "1"), ("b", 1, "digest", True, "1"),
        ("c", 2, "digest", False, "1"), ("d", None, "several versions", False, "1"),
        ("e", 9, "nothing", None, None),
    ]  # fmt: skip


def test_what_ran_at_a_moment_and_what_was_live_then(filled: Book, registry: Registry):
    first = registry.clock
    deployed(filled, {"version": 1, "from": iso(first - 500), "until": iso(first + 60_000)})
    registry.wait(30_000)
    registry.alias("motor", "champion", 2)
    moved = registry.wait(1)
    filled.take(registry.read())

    def asked(ms: int) -> list[tuple]:
        return filled.rows(
            "select version, live, possibly_live, live_versions, possibly_live_versions "
            f"from running_as_of(make_timestamp({ms} * 1000))"
        )

    assert asked(first - 501) == []
    assert asked(first) == [(1, True, False, "1", None)]
    assert asked(first + 10_000) == [(1, False, True, None, "1, 2")]
    assert asked(moved + 2000) == [(1, False, False, "2", None)]
    assert asked(first + 60_000) == []
    known = "select count(*) from running_as_of(timestamp '{}', known_at := timestamp '{}')"
    at = filled.rows(f"select make_timestamp({first} * 1000)")[0][0]
    assert filled.rows(known.format(at, "2000-01-01")) == [(0,)]
    assert filled.rows(known.format(at, "2100-01-01")) == [(1,)]


def test_what_no_reading_showed_and_what_is_still_to_come_is_said(filled: Book, registry: Registry):
    done = history(
        filled,
        {"at": iso(registry.clock), "version": 2, "what": "approval", "after": "approved"},
        {"at": iso(registry.clock), "version": 99, "what": "approval", "after": "approved"},
        {"at": "2999-01-01T00:00:00Z", "version": 2, "what": "approval", "after": "approved"},
    )
    assert (done.added, done.unknown_models, done.unknown_versions) == (3, (), ("motor/99",))
    assert done.to_come == 1


# -- what imports contradict, or come too early for --------------------------------------------------


@pytest.mark.parametrize("decisions", [("approved", "rejected"), ("rejected", "approved")])
def test_of_one_system_and_one_moment_a_refusal_counts_in_any_order(
    filled: Book, registry: Registry, decisions: tuple[str, str]
):
    at = {"at": iso(registry.wait()), "version": 1, "what": "approval"}
    first = history(filled, {**at, "actor": "ann", "after": decisions[0]})
    assert first.contradicting == ()
    then = history(filled, {**at, "actor": "bo", "after": decisions[1]})
    assert then.contradicting == ("motor/1",)
    filled.take(registry.read())
    asked = (
        "select verdict, decision from approval_verdicts where about = 'version' and version = 1"
    )
    assert filled.rows(asked) == [("rejected", "rejected")]
    # what one system decided later, or another, is no contradiction of this kind
    later = {**at, "at": iso(registry.wait()), "actor": "bo", "after": "approved"}
    assert history(filled, later).contradicting == ()
    assert history(filled, {**later, "system": "minutes", "after": "rejected"}).contradicting == ()


def test_a_key_that_stands_in_a_line_twice_is_refused():
    line = b'{"at": "2026-03-01T12:00:00Z", "model": "m", "what": "approval", "system": "s", '
    good = line + b'"after": "rejected"}\n'
    with pytest.raises(UsageError, match=r"h, line 2: the key `after` stands in it twice"):
        parse_history(good + line + b'"after": "rejected", "after": "approved"}', "h")
    assert len(parse_history(good, "h")) == 1
    with pytest.raises(UsageError, match=r"d, line 1: the key `version` stands in it twice"):
        parse_deployments(
            b'{"from": "2026-03-01T12:00:00Z", "model": "m", "system": "s", "version": 1, "version": 2}',
            "d",
        )


def test_an_approval_of_before_the_registration_is_named_where_none_is_recorded(filled: Book):
    rules = [rule for rule in builtin_rules() if rule.id == "approver-recorded"]
    given = {"version": 1, "what": "approval", "actor": "ann", "after": "approved"}
    history(filled, {**given, "at": "2020-01-02T03:04:00Z", "version": 2})
    (finding,) = Auditor(filled.con, Config(), rules).check().every
    assert finding.status == "not_evidenced"
    assert "counts for nothing" not in finding.reason
    history(filled, {**given, "at": "2020-01-02T03:04:00Z"})
    (finding,) = Auditor(filled.con, Config(), rules).check().every
    assert finding.status == "not_evidenced"
    assert finding.reason.endswith(
        "; tickets says that ann approved it on 2020-01-02 03:04 UTC, before its model was registered, "
        "which counts for nothing"
    )


def test_what_an_engine_ran_and_runs_no_more_is_asked_about(filled: Book, registry: Registry):
    begun, ended, later = (registry.wait() for _ in range(3))
    end = filled.rows(f"select ledger.moment({ended})")[0][0]
    run = {"system": "a", "version": 2, "from": iso(begun)}
    ahead = {**run, "system": "b", "from": "2099-01-01T00:00:00Z"}
    deployed(filled, {**run, "until": iso(ended)}, ahead)
    filled.take(registry.read())
    assert filled.rows("select version, system from running") == []
    asked = (
        "select system, version, matches, running_until from deployed_versions{} order by system"
    )
    assert filled.rows(asked.format("")) == [("a", 2, 1, end)]
    moment = f"_as_of(ledger.moment({begun}))"
    assert filled.rows(asked.format(moment)) == [("a", 2, 1, None)]
    assert filled.rows(f"select version, system from running{moment}") == [(2, "a")]
    assert filled.rows(f"select version from running_as_of(ledger.moment({later}))") == []


@dataclass(frozen=True)
class WentLive:
    """Version 2 went live between two readings; moments before, between and after them."""

    book: Book
    before: int
    between: int
    after: int

    def told(self, *records: tuple[int, str, str, str]) -> dict[str, tuple[str, str]]:
        """Rule to status and reason, where systems decided at moments: (at, system, actor, decision)."""
        history(
            self.book,
            *(
                {"at": iso(at), "version": 2, "what": "approval", "system": system, "actor": actor,
                 "after": decision}
                for at, system, actor, decision in records
            ),
        )  # fmt: skip
        wanted = ("approval-precedes-live", "approval-recorded-at-promotion")
        rules = [rule for rule in builtin_rules() if rule.id in wanted]
        answers = Auditor(self.book.con, Config(), rules).check().every
        return {a.rule.id: (str(a.status), a.reason) for a in answers if a.subject.version == 2}

    def verdict(self) -> tuple:
        """Verdict of the promotion, who approved, and whether that was recorded before or after."""
        [row] = self.book.rows(
            "select verdict, approver, written from approval_verdicts "
            "where about = 'promotion' and version = 2"
        )
        return row


@pytest.fixture
def went_live(filled: Book, registry: Registry) -> WentLive:
    before = registry.wait()
    registry.wait()
    filled.take(registry.read())
    between = registry.wait()
    registry.wait()
    registry.stage("motor", 2, "Production")
    registry.wait()
    filled.take(registry.read())
    after = registry.wait()
    registry.wait()
    filled.take(registry.read())
    return WentLive(filled, before, between, after)


def test_a_refusal_of_after_going_live_does_not_undo_what_another_system_approved_before(
    went_live: WentLive,
):
    at = went_live
    told = at.told((at.before, "JIRA", "ann", "approved"), (at.after, "board", "eve", "withdrawn"))
    assert at.verdict() == ("unidentified", "ann", "open")
    assert {rule: status for rule, (status, _) in told.items()} == {
        "approval-precedes-live": "pass",
        "approval-recorded-at-promotion": "pass",
    }
    # it is what stands now
    now = "select verdict, decision from approval_verdicts where about = 'version' and version = 2"
    assert at.book.rows(now) == [("rejected", "withdrawn")]


def test_a_refusal_of_after_going_live_is_told_as_that_where_nothing_was_granted(
    went_live: WentLive,
):
    at = went_live
    told = at.told((at.after, "board", "eve", "rejected"))
    assert at.verdict() == ("rejected", "eve", "after")
    assert told["approval-precedes-live"][0] == "not_applicable"
    assert "see approver-recorded" in told["approval-precedes-live"][1]


def test_a_refusal_of_before_going_live_weighs_more_than_another_systems_approval(
    went_live: WentLive,
):
    at = went_live
    told = at.told((at.before, "JIRA", "ann", "approved"), (at.before, "board", "eve", "rejected"))
    assert at.verdict()[0] == "rejected"
    status, reason = told["approval-precedes-live"]
    assert status != "pass", reason


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_a_decision_between_the_readings_around_going_live_leaves_the_order_open(
    went_live: WentLive, decision: str
):
    at = went_live
    told = at.told((at.between, "JIRA", "ann", decision))
    assert at.verdict()[0] == "order cannot be told"
    assert told["approval-precedes-live"][0] == "undecided"
    told_of = {
        "approved": "Whether motor/2 was approved by ann, as JIRA says, at 2026-01-01 00:00:09 UTC, before",
        "rejected": "before or after the approval decision 'rejected' was taken cannot be told",
    }[decision]
    assert told_of in told["approval-precedes-live"][1]
    status, reason = told["approval-recorded-at-promotion"]
    assert status == "undecided"
    assert reason.startswith("Whether JIRA held the approval of motor/2 by ann, given at ")


@pytest.mark.parametrize("decision", ["rejected", ""])
def test_what_tags_say_after_going_live_does_not_undo_what_was_approved_before(
    went_live: WentLive, registry: Registry, decision: str
):
    at = went_live
    registry.tag("motor", 2, "approver", "eve")
    if decision:
        registry.tag("motor", 2, "gov.approval.decision", decision)
    registry.wait()
    at.book.take(registry.read())
    told = at.told((at.before, "JIRA", "ann", "approved"))
    assert at.verdict() == ("unidentified", "ann", "open")
    assert told["approval-precedes-live"][0] == "pass"
    now = "select verdict from approval_verdicts where about = 'version' and version = 2"
    assert at.book.rows(now) == [("rejected" if decision else "unidentified",)]
