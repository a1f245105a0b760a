"""`live`, `history`, `changes`, `inventory --diff`, `capture` and their Python API, on one story.

The story: a model before any capture, read, changed unseen, read again; then under capture with
two users, a change behind the server's back, capture switched off, and on again.
"""

from __future__ import annotations

import json
import re
import shutil
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import auditreg as api
from auditreg.cli import cli
from auditreg.errors import UsageError
from auditreg.formats import TABLE_FORMATS
from auditreg.ledger.store import Ledger
from tests.cli.running import in_every_format
from tests.ledger.captured import CapturedRegistry

HOUR = 3_600_000
EVIL = "evil\x1b[31m\u202eabc" + "x" * 60
DAVE = "dave@pricing.example"
ACTING = {"\x1b", "\u202e", "\x07"}


def iso(ms: int) -> str:
    """A moment for the command line."""
    return pd.Timestamp(ms, unit="ms").isoformat() + "Z"


@pytest.fixture(scope="session")
def story(tmp_path_factory) -> tuple[Path, dict[str, int]]:
    """The ledger of the story, and its moments. Do not write to it."""
    folder = tmp_path_factory.mktemp("story")
    book, told = Ledger(folder / "audit.duckdb"), CapturedRegistry()
    at: dict[str, int] = {}

    def take(name: str) -> None:
        look = told.look()
        at[name] = look.at
        book.ingest(look.reading, registry="default", policies=(), allow_empty=True)

    told.create("motor", owner="ann")
    told.version("motor", approved_by="bob", approval_date="2025-12-20")
    told.alias("motor", "champion", 1)
    told.create(EVIL, owner="=2+5")
    told.version(EVIL, **{"note\x1b[2J": "z" * 300})
    told.create("gone")
    told.create("old-name")
    at["early"] = told.wait(HOUR)
    told.wait(HOUR)
    take("first")
    told.wait(HOUR)
    told.version("motor", approved_by="carol")
    told.alias("motor", "champion", 2)
    told.delete("gone")
    told.rename("old-name", "new-name")
    at["open"] = told.wait(HOUR)
    take("second")
    told.wait(HOUR)
    told.capture()
    take("captured")
    told.wait(HOUR)
    told.actor = DAVE
    told.alias("motor", "champion", 1)
    at["moved"] = told.clock
    told.wait(HOUR)
    told.actor = "mallory\x1b]0;owned\x07"
    told.delete_version("motor", 2)
    told.actor = None
    told.tag(EVIL, 1, "note\x1b[2J", "=cmd|' /C calc'!A0")
    told.tamper(("tag", "motor", 1, "approved_by", "mallory"), moves=False)
    told.wait(HOUR)
    take("third")
    told.wait(HOUR)
    told.stop("off")
    at["off"] = told.clock
    told.wait(HOUR)
    told.capture()
    at["on"] = told.clock
    told.wait(HOUR)
    take("last")
    return book.path, at


@pytest.fixture
def at(story, tmp_path, monkeypatch) -> dict[str, int]:
    """The story's ledger in the current folder; its moments."""
    path, moments = story
    for file in path.parent.iterdir():
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return moments


def auditreg(*arguments: str, code: int = 0) -> str:
    """The standard output of a command that ends in `code`, nothing in it acting."""
    done = CliRunner().invoke(cli, list(arguments))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    assert not ACTING & set(done.output)
    return done.stdout


def told_and_rows(*arguments: str) -> tuple[str, list[dict]]:
    """What one run of a command tells, and its rows."""
    shown = in_every_format(*arguments, formats=("text", "json"))
    assert not ACTING & set(shown["text"])
    return shown["text"], json.loads(shown["json"])


def rows(*arguments: str, code: int = 0) -> list[dict]:
    return json.loads(auditreg(*arguments, "--format", "json", code=code))


# -- live -----------------------------------------------------------------------------------------


def test_what_was_captured_is_told_with_moment_and_person(at):
    told, found = told_and_rows("live", "motor", "--at", iso(at["moved"] + 1000))
    assert told.startswith("motor: version 1 was live at ")
    assert len(told.splitlines()) == 1
    moved = f"{pd.Timestamp(at['moved'], unit='ms'):%Y-%m-%d %H:%M:%S} UTC"
    assert f"via alias champion; since {moved}; put there by {DAVE} (basic-auth)" in told
    assert "evidence: certain, recorded by the server." in told
    [row] = found
    assert (row["version"], row["live"], row["certainty"]) == (1, "yes", "certain")
    assert (row["put_live_by"], row["put_live_by_from"]) == (DAVE, "basic-auth")
    assert row["live_not_before"] == row["live_not_after"]


def test_two_possible_answers_are_both_given(at):
    text, found = told_and_rows("live", "motor", "--at", iso(at["open"]))
    told = text.splitlines()
    assert told[0].startswith("motor: either version 1 or version 2 was live at ")
    assert "changed at some moment around this time" in told[0]
    assert told[1].startswith("  version 1: via alias champion; since some moment between ")
    assert "approved by bob on 2025-12-20" in told[1]
    assert "until some moment between" in told[1]
    assert told[2].startswith("  version 2: ")
    assert "put there by: not recorded, nothing captured it; approval: cannot be told" in told[2]
    assert "(recorded: by carol)" in told[2]
    assert {row["version"]: row["live"] for row in found} == {1: "possibly", 2: "possibly"}


def test_before_the_first_reading_it_may_have_been_nothing(at):
    told, found = told_and_rows("live", "motor", "--at", iso(at["early"]))
    assert told.startswith("motor: either version 1 or nothing was live at ")
    assert "before any record: the first reading is of" in told
    assert found[0]["certainty"] == "unknown"


def test_nothing_live_is_said_and_is_no_error(at):
    told = auditreg("live", "new-name", "--at", iso(at["third"]))
    assert told.startswith("new-name: nothing was live at ")
    assert "a change undone in between would not show" in told
    assert "there was no such model" in auditreg("live", "gone")
    assert "there was no such model" in auditreg("live", "motor", "--at", "2001-01-01")
    later = auditreg("live", "new-name", "--at", "2030-01-01")
    assert "not looked at since" in later


def test_a_date_means_the_end_of_that_day(at):
    assert "was live at the end of 2030-01-01 UTC" in auditreg(
        "live", "motor", "--at", "2030-01-01"
    )


def test_live_and_history_are_on_the_firm_s_clock(at):
    Path("auditreg.toml").write_text('[calendar]\ntimezone = "America/Toronto"\n')
    moved = pd.Timestamp(at["moved"], unit="ms", tz="UTC").tz_convert("America/Toronto")
    local, utc = f"{moved:%Y-%m-%d %H:%M:%S} EST", f"{iso(at['moved'])[:19]}Z"
    for command in ("live", "history"):
        shown = in_every_format(command, "motor", formats=("text", "table", "json", "csv"))
        for name in ("text", "table"):
            assert local in shown[name]
            assert not re.search(r"\d\d:\d\d(:\d\d)?(Z| UTC)", shown[name])
        assert utc in shown["json"]
        assert utc.replace("T", " ") in shown["csv"]
        assert "EST" not in shown["json"] + shown["csv"]
    assert "was live at the end of 2026-01-01 America/Toronto" in auditreg(
        "live", "motor", "--at", "2026-01-01"
    )


def test_codes_are_words_in_the_table_of_what_was_live(at):
    shown = in_every_format("live", "--at", iso(at["early"]), formats=("table", "json"))
    assert {row["certainty"] for row in json.loads(shown["json"])} >= {"unknown"}
    assert "before any record" in shown["table"]
    told = in_every_format("live", "--at", iso(at["first"] + HOUR), formats=("table", "json"))
    assert "seen_same" in told["json"]
    assert "same before and after" in told["table"]
    assert "seen_same" not in told["table"]


def test_one_version_is_asked_for(at):
    moment = iso(at["open"])
    assert "motor: version 2 was possibly live" in auditreg("live", "motor/2", "--at", moment)
    assert "motor: version 2 was not live" in auditreg("live", "motor/2", "--at", iso(at["moved"]))
    assert "version 1 is live" in auditreg("live", "models:/motor@champion")
    assert "version 2 was live" in auditreg("live", "motor@champion", "--at", iso(at["captured"]))


def test_a_deleted_version_is_listed_by_its_name_too(at):
    listed = json.loads(auditreg("inventory", "motor/2", "--format", "json"))
    assert [(row["model"], row["version"], row["deleted"]) for row in listed] == [
        ("motor", 2, True)
    ]
    assert json.loads(auditreg("inventory", "motor@champion", "--format", "json"))


def test_former_names_and_deleted_models_are_known(at):
    assert auditreg("live", "old-name").startswith("new-name: nothing is live")
    assert auditreg("live", "old-name", "--at", iso(at["first"])).startswith("old-name: nothing")
    assert auditreg("live", "gone", "--at", iso(at["first"])).startswith("gone: nothing was live")


@pytest.mark.parametrize(
    ("asked", "said", "hint"),
    [
        ("motr", "no registered model for 'motr'", "Did you mean motor?"),
        ("motor/9", "motor has no version '9'", "versions go up to 2"),
        ("motor/" + "9" * 30, "motor has no version", "versions go up to 2"),
        ("motor@best", "motor has no alias 'best' now", "It has: champion."),
        ("gone/1", "gone has no version '1'", "It has no versions."),
    ],
)
def test_what_was_never_there_is_named_with_what_is_near(at, asked, said, hint):
    for command in ("live", "history"):
        with pytest.raises(UsageError) as caught:
            auditreg(command, asked)
        assert said in caught.value.what
        assert hint in caught.value.hint


def test_every_model_has_a_line(at):
    shown = in_every_format("live", formats=("text", *TABLE_FORMATS))
    assert all("motor" in text and not ACTING & set(text) for text in shown.values())
    found = {row["model"]: row for row in json.loads(shown["json"])}
    assert set(found) == {"motor", EVIL, "new-name"}
    assert found["motor"]["version"] == 1
    assert found["new-name"]["live"] == "no"


@pytest.mark.integration
def test_the_approval_is_the_one_that_stood_when_it_went_live(at):
    book, told = api.open(), set()
    for name in ("early", "open", "last"):
        verdicts = book.query(
            "select version_subject, about, verdict, approver, stated, live_not_after "
            "from approval_verdicts_as_of(as_of()) order by about, live_not_after desc",
            as_of=iso(at[name]),
        )
        for row in rows("live", "--at", iso(at[name])):
            if row["version"] is None:
                continue
            of_version = verdicts[verdicts["version_subject"] == row["version_subject"]]
            first = of_version.iloc[0].to_dict()
            expected = [first[c] if isinstance(first[c], str) else None for c in COLUMNS]
            assert [row["approval"], row["approver"], row["approval_date"]] == expected
            told.add(row["approval"])
    assert len(told) > 1
    # Its tag was overwritten later; it went live with the approval of another.
    overwritten = "select value from fields where field = 'approver' and rank = 1 and version = 1 and model = 'motor'"
    assert list(book.query(overwritten)["value"]) == ["mallory"]
    assert {r["approver"] for r in rows("live", "motor") if r["version"] == 1} <= {"bob", None}


COLUMNS = ("verdict", "approver", "stated")


# -- history --------------------------------------------------------------------------------------


def test_the_timeline_is_readable(at):
    told = auditreg("history", "motor")
    lines = told.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("before 2026-01-01 02:")
    assert "    version 1  registered, with 2 tags" in lines
    assert "    alias champion  1 -> 2" in lines
    moved = lines.index("    alias champion  2 -> 1")
    heading = " ".join(lines[moved - 2 : moved])
    assert f"{DAVE} (basic-auth) · recorded by the   server" in heading
    joined = re.sub(" +", " ", " ".join(lines))
    assert "recorded by the server version 2 deleted" in joined
    assert r"mallory\x1b]0;owned\x07 (basic-auth)" in joined
    assert "uncaptured: not in the server's record" in joined
    assert "version 1 tag approved_by bob -> mallory" in joined
    gap = [line for line in lines if line.startswith("without capture from ")]
    assert any("switched off" in line for line in gap) or "switched off" in joined


def test_changes_of_one_request_stand_together():
    """MLflow deletes a version in one transaction; so do two changes that share a request."""
    from auditreg.queries.history import COLUMNS, group_events

    change = dict.fromkeys([*COLUMNS, "observed_at"]) | {
        "event": "change", "request": "r1", "known": "captured", "actor": "a", "seq": 1,
        "not_before": datetime(2026, 1, 1), "not_after": datetime(2026, 1, 1), "subject": "m-1/1",
        "kind": "model_version", "item": "stage", "change": "changed",
    }  # fmt: skip
    groups = group_events([change, {**change, "seq": 2}, {**change, "seq": 3, "request": "r2"}])
    assert [[event.row["seq"] for event in group] for group in groups] == [[1, 2], [3]]


def test_json_holds_every_change(at):
    found = rows("history", "motor")
    assert [row["event"] for row in found if row["kind"] == "reading"] == ["beginning"]
    tags = [row for row in found if row["kind"] == "model_version_tag"]
    assert {(row["version"], row["item"]) for row in tags} >= {
        (1, "approved_by"),
        (2, "approved_by"),
    }
    known = {row["known"] for row in found if row["kind"] in ("alias", "model_version_tag")}
    assert known == {"observed", "captured", "uncaptured"}
    [moved] = [row for row in found if row["kind"] == "alias" and row["known"] == "captured" and row["after"] == "1"]  # fmt: skip
    assert (moved["before"], moved["actor"], moved["actor_from"]) == ("2", DAVE, "basic-auth")
    assert moved["request"]
    assert moved["not_before"] == moved["not_after"]


def test_a_version_has_the_events_that_are_about_it(at):
    found = rows("history", "motor/2")
    about = {(row["kind"], row["item"], row["version"]) for row in found if row["event"] != "gap"}
    assert ("model_version", "version", 2) in about
    assert all(version in (2, None) or kind == "alias" for kind, _, version in about)
    assert {row["before"] for row in found if row["kind"] == "alias"} >= {"1", "2"}
    assert not any(row["version"] == 1 for row in found if row["kind"] != "alias")


def test_a_span_and_what_was_known_then(at):
    whole = rows("history", "motor")
    since = rows("history", "motor", "--since", iso(at["moved"]))
    assert 0 < len(since) < len(whole)
    until = rows("history", "motor", "--until", iso(at["moved"]))
    assert not any(row["known"] == "captured" for row in until)
    told, found = told_and_rows("history", "motor", "--as-of", "2001-01-01")
    assert found == []
    assert "nothing is on record" in told
    assert len(rows("history", "motor", "--as-of", "2099-01-01")) == len(whole)


def test_a_model_that_is_gone_has_a_history(at):
    assert "deleted" in auditreg("history", "gone")
    told = auditreg("history", "old-name")
    assert "model name  old-name -> new-name" in told
    assert told == auditreg("history", "new-name")


def test_hostile_names_have_a_history(at):
    shown = in_every_format("history", EVIL, formats=("text", *TABLE_FORMATS))
    assert max(map(len, shown["text"].splitlines())) <= 80
    assert all("note" in text and not ACTING & set(text) for text in shown.values())


def test_imported_records_and_deployments_are_lines(at):
    record = {"at": iso(at["second"]), "model": "motor", "what": "approval", "version": 2, "system": "JIRA", "reference": "MR-7", "actor": "Bob", "after": "yes"}  # fmt: skip
    Path("h.jsonl").write_text(json.dumps(record))
    run = {"system": "engine", "model": "motor", "version": 1, "from": iso(at["first"]), "until": iso(at["second"])}  # fmt: skip
    Path("d.jsonl").write_text(json.dumps(run))
    auditreg("import", "history", "h.jsonl")
    auditreg("import", "deployments", "d.jsonl")
    told = re.sub(r"\n  (?! )", " ", auditreg("history", "motor"))
    assert re.search(
        r"UTC · Bob · stated in JIRA \(h.jsonl\)\n    version 2 approval  \(none\) -> yes; MR-7",
        told,
    )
    assert re.search(r"stated in engine \(d.jsonl\)\n    version 1  began to run in engine", told)
    assert "version 1  ceased to run in engine" in told
    found = rows("history", "motor/1")
    assert [row["event"] for row in found if row["kind"] == "deployment"] == [
        "deployment began", "deployment ended",
    ]  # fmt: skip
    assert not any(row["event"] == "stated" for row in found)


# -- changes and differences ----------------------------------------------------------------------


def test_changes_by_kind_person_and_time(at):
    assert {row["kind"] for row in rows("changes", "--kind", "alias")} == {"alias"}
    both = {row["item"] for row in rows("changes", "--kind", "alias", "--kind", "version")}
    assert both == {"champion", "version"}
    assert {row["actor"] for row in rows("changes", "--actor", DAVE.upper())} == {DAVE}
    [behind] = rows("changes", "--uncaptured")
    assert (behind["item"], behind["before"], behind["after"]) == ("approved_by", "bob", "mallory")
    late = rows("changes", "--since", iso(at["moved"]), "--kind", "alias")
    assert [row["after"] for row in late] == ["1"]
    early = rows("changes", "--until", iso(at["moved"]), "--kind", "alias")
    assert [row["after"] for row in early] == ["2"]
    with pytest.raises(UsageError, match="--period goes with neither"):
        auditreg("changes", "--period", "2026", "--since", "2026-01-01")


def test_a_date_is_taken_from_its_beginning_to_its_end(at):
    assert rows("changes", "--since", "2026-01-01", "--until", "2026-01-01")
    assert rows("changes", "--since", "2026-01-02") == []
    assert rows("changes", "--until", "2025-12-31") == []


def test_a_person_is_found_under_every_spelling(at):
    Path("auditreg.toml").write_text(
        f'[[people]]\nid = "dave"\nname = "Dave Hill"\naccounts = ["{DAVE}"]\n'
    )
    auditreg("check", "--rule", "owner-recorded", "--fail-on", "none")  # seals the settings
    for spelling in ("dave", "Dave Hill", DAVE):
        assert len(rows("changes", "--actor", spelling)) == 1


def test_the_table_of_changes_is_short_and_the_others_are_whole(at):
    shown = in_every_format("changes", formats=("table", "csv"))
    assert "changed_not_before" not in shown["table"]
    assert "changed_not_before" in shown["csv"]


@pytest.mark.integration
def test_what_differs_between_two_moments(at):
    found = rows("inventory", "--diff", iso(at["first"]), iso(at["last"]))
    said = {(r["model"], r["version"], r["field"]): (r["before"], r["after"]) for r in found}
    assert said["motor", 1, "approver"] == ("bob", "mallory")
    assert said["gone", None, "model"] == ("present", None)
    assert said["new-name", None, "model"] == ("old-name", "new-name")
    assert ("motor", 2, "version") not in said  # came and went in between
    assert all(row["certainty"] == "certain" for row in found)
    backwards = rows("inventory", "--diff", iso(at["last"]), iso(at["first"]))
    assert {(r["before"], r["after"]) for r in backwards} == {(b, a) for a, b in said.values()}


def test_what_is_uncertain_is_said_with_every_possible_value(at):
    found = rows("inventory", "motor", "--diff", iso(at["first"]), iso(at["open"]))
    live = {row["version"]: row for row in found if row["field"] == "live"}
    assert live[1]["after"] == "possibly"
    assert live[1]["certainty"] == "uncertain after"
    assert {row["model"] for row in found} == {"motor"}


def test_differences_say_where_the_record_ends(at):
    done = CliRunner().invoke(cli, ["inventory", "--diff", "2001-01-01", "2030-01-01"])
    assert "before any record" in done.stderr
    assert "after the last reading" in done.stderr
    with pytest.raises(UsageError, match="--diff goes with none of"):
        auditreg("inventory", "--diff", "2026-01-01", "2026-01-02", "--live")


# -- capture --------------------------------------------------------------------------------------


def test_the_status_of_capture(at):
    found = rows("capture", "status")
    assert [row["what"] for row in found].count("process") == 2
    assert any("switched off" in row["detail"] for row in found if row["what"] == "gap")
    assert all(row["end"] for row in found if row["what"] == "gap")
    assert found[0]["detail"].startswith("strict, ")


def test_sealed_rows_are_those_of_the_log(at):
    sealed = json.loads(auditreg("capture", "sealed"))
    assert re.fullmatch("[0-9a-f]{32}", sealed["journal"])
    listed = {n for first, last in sealed["ranges"] for n in range(first, last + 1)}
    in_log = rows("query", "select distinct journal from ledger.log where journal is not null")
    assert listed == {row["journal"] for row in in_log} != set()
    assert json.loads(auditreg("capture", "sealed", "--journal", sealed["journal"][:12])) == sealed
    with pytest.raises(UsageError, match="has no journal 'abc'"):
        auditreg("capture", "sealed", "--journal", "abc")


# -- the Python API -------------------------------------------------------------------------------


def test_the_api_answers_as_the_commands_do(at):
    book = api.open()
    live = book.live("motor", at=iso(at["moved"] + 1000))
    assert list(live["put_live_by"]) == [DAVE]
    assert len(book.live()) == 3
    assert len(book.history("motor")) == len(rows("history", "motor"))
    assert list(book.changes(kind="alias", since=iso(at["moved"]))["after"]) == ["1"]
    assert list(book.changes(actor=DAVE)["actor"]) == [DAVE]
    assert len(book.changes(kind=("alias", "version"))) == len(
        rows("changes", "--kind", "alias", "--kind", "version")
    )
    assert len(book.changes(uncaptured=True)) == 1
    assert len(book.changes(since="2026-01-02")) == 0
    with pytest.raises(UsageError, match="no kind of change"):
        book.changes(kind="nonsense")
