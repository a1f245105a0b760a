"""Who changed what: the server's record, what went past it, and what other systems stated."""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape

import pytest

from auditreg.formats.report.html import HtmlFormat
from auditreg.models import Grade
from auditreg.queries.captures import joined, without
from auditreg.queries.change_groups import Change, collapse_registrations
from auditreg.queries.records import Interval
from auditreg.report import changes
from auditreg.report.wording import how_known, offset, who
from tests.report.firm import NAMES, READINGS, RENAMED, RESTART, SERVER_OFF, SERVER_ON

DAY = [datetime(2026, 7, day) for day in range(1, 20)]


@pytest.fixture(scope="module")
def report(recorded):
    return recorded[2]


@pytest.fixture(scope="module")
def page(report):
    return words(HtmlFormat().render(report)["report.html"])


def words(content):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", content.decode())).split())


def value(report, name):
    return next(number.value for number in report.numbers if number.id == name)


def dossier(report, model):
    return next(dossier for dossier in report.dossiers if dossier.row.model == model)


def change(**fields):
    return Change(
        **{
            "seq": 1, "subject": "m-1/1", "model": "motor", "version": 1,
            "when": Interval(DAY[1], DAY[1]), "observed_at": DAY[9], "item": "stage",
            "kind": "model_version", "before": "None", "after": "Production", "actor": None,
            "grade": Grade.CAPTURED, "request": "r-1", **fields,
        }
    )  # fmt: skip


def test_what_went_past_the_server_is_the_first_group_and_counted(report, page, recorded):
    first = report.changes[0]
    assert first.title == "Changes not in the server's record"
    shown = [change for row in first.rows for change in row.changes]
    assert [(change.model, change.item) for change in shown] == [
        (NAMES[0], "gov.risk.rating"),
        (NAMES[5], "champion"),
    ]
    counted = recorded.connection.execute("select count(*) from changes where uncaptured")
    assert value(report, "uncaptured") == counted.fetchone()[0] == first.total == 2
    assert "not in the server's record" in page
    rest = [row for group in report.changes[1:] for row in group.rows]
    assert not any(change.uncaptured for row in rest for change in row.changes)


def test_without_a_server_s_record_nothing_is_said_of_it(report, made):
    plain = made.report
    assert {number.id for number in plain.numbers} & {"uncaptured", "gaps", "engines"} == set()
    files = HtmlFormat().render(plain)
    text = words(files["report.html"])
    assert "No server capture: changes are known as intervals between readings" in text
    assert "none recorded by the server" in text
    assert "Changes not in" not in text
    for dossier in plain.dossiers:
        content = words(files[f"dossiers/{dossier.slug}.html"])
        assert "Stated by other systems" not in content
        assert "engines are stated" not in content


def test_a_captured_change_has_its_moment_and_its_actor(report):
    moved = dossier(report, NAMES[0]).changes[0]
    at = datetime(2026, 9, 28, 13, 55)
    assert moved.when == Interval(at, at)
    assert (moved.first.actor, moved.first.actor_from) == ("ingrid.solberg", "basic-auth")
    assert (moved.first.grade, moved.known) == (Grade.CAPTURED, "recorded by the server")
    live = next(row for row in report.promotions if (row.model, row.version) == (NAMES[0], 4))
    assert (live.actor, live.live.exact, live.lasts) == ("ingrid.solberg", True, "in use")


def test_a_request_is_one_row(report):
    staged = [row for row in dossier(report, NAMES[3]).changes if row.first.item == "stage"]
    assert [(change.version, change.before, change.after) for change in staged[0].changes] == [
        (1, "Production", "Archived"),
        (2, "None", "Production"),
    ]
    renamed = [row for row in dossier(report, RENAMED).changes if row.first.item == "name"]
    assert len(renamed) == 1
    assert dict(renamed[0].first.together) == {"version": 3, "tag": 19}
    page = words(HtmlFormat().render(report)[f"dossiers/{dossier(report, RENAMED).slug}.html"])
    assert f"{NAMES[4]} → {RENAMED}, with 3 versions and 19 tags" in page


def test_two_requests_in_one_moment_stay_two_rows():
    other = change(seq=2, request="r-2", subject="m-1/2", version=2)
    assert len(changes.in_rows([change(), other])) == 2
    assert len(changes.in_rows([change(), change(seq=2, subject="m-1/2", version=2)])) == 1


def test_what_one_reading_saw_is_one_row_whose_interval_holds_all():
    seen = {"request": None, "grade": Grade.OBSERVED}
    early = change(**seen, when=Interval(DAY[1], DAY[4]))
    late = change(**seen, seq=2, kind="alias", item="champion", when=Interval(DAY[2], DAY[6]))
    (row,) = changes.in_rows([early, late], by_reading=True)
    assert row.when == Interval(DAY[1], DAY[6])
    assert len(changes.in_rows([early, late])) == 2
    unbounded = change(**seen, seq=3, when=Interval(None, DAY[4]))
    (row,) = changes.in_rows([unbounded, late], by_reading=True)
    assert row.when == Interval(None, DAY[6])


def test_a_removed_model_takes_its_own_along_but_not_what_went_before():
    gone = {"after": None, "request": "r-9"}
    model = change(seq=9, subject="m-1", version=None, kind="registered_model", item="model",
                   before="present", **gone)  # fmt: skip
    version = change(seq=8, item="version", before="present", **gone)
    tag = change(
        seq=7, subject="m-1/1:tag:a", kind="model_version_tag", item="a", before="1", **gone
    )
    alias = change(seq=6, subject="m-1:alias:b", kind="alias", item="b", before="1", **gone)
    before = change(seq=5, subject="m-1/1:tag:c", kind="model_version_tag", item="c", before="1",
                    after=None, request="r-8")  # fmt: skip
    first, second = collapse_registrations([before, alias, tag, version, model])
    assert first == before
    assert second.together == (("version", 1), ("alias", 1), ("tag", 1))


def test_a_tag_set_in_a_later_request_is_not_part_of_the_registration():
    born = change(item="version", before=None, after="present", request="r-1")
    tag = {"kind": "model_version_tag", "before": None, "after": "1"}
    along = change(seq=2, subject="m-1/1:tag:a", item="a", request="r-1", **tag)
    later = change(seq=3, subject="m-1/1:tag:b", item="b", request="r-2", **tag)
    first, second = collapse_registrations([born, along, later])
    assert first.together == (("tag", 1),)
    assert second == later


def test_the_server_s_record_its_gap_and_its_restart_are_on_the_page(report, page):
    (capture,) = report.captures
    assert capture.recorded == (
        (SERVER_ON, SERVER_OFF[0]),
        (SERVER_OFF[1], RESTART[0]),
        (RESTART[1], READINGS[-1]),
    )
    assert [(gap.start, gap.end) for gap in capture.gaps] == [SERVER_OFF]
    assert (capture.restarts, capture.processes) == (1, 3)
    assert value(report, "gaps") == 1
    assert "recorded its changes from 2026-08-16 09:00 to 2026-09-30 23:55" in page
    assert "1 restart of the server within five minutes is not counted" in page
    assert "2026-08-20 02:00 2026-08-20 06:30 no server with capture" in page


def test_an_engine_that_runs_another_version_is_said_first(report, page):
    sentence = (
        f"Radar Live is reported to run version 3 of {NAMES[0]}; the registry shows version 4 live."
    )
    assert sentence in report.notices
    assert sentence in page
    assert value(report, "engines") == 1
    assert [(engine.model, engine.agrees) for engine in report.running] == [
        (NAMES[0], False),
        (NAMES[1], True),
    ]
    ran = dossier(report, NAMES[0]).deployments
    assert [(engine.version, engine.running) for engine in ran] == [(3, True), (2, False)]


def test_imported_records_are_a_group_of_their_own(report):
    first = dossier(report, NAMES[0])
    assert [(row.what, row.actor, row.system) for row in first.statements] == [
        ("stage", "Leonie Brandt", "ServiceNow"),
        ("approval", "Leonie Brandt", "ServiceNow"),
    ]
    assert all(not other.statements for other in report.dossiers if other is not first)
    text = words(HtmlFormat().render(report)[f"dossiers/{first.slug}.html"])
    heading = text.index("Stated by other systems")
    assert "Staging → Production" in text[heading:]
    assert "MLflow does not confirm them" in text[heading:]
    listed = [change for row in first.changes for change in row.changes]
    assert not any(change.grade is Grade.ASSERTED for change in listed)


def test_hostile_text_of_an_actor_and_of_an_import_is_inert(hostile_report):
    files = HtmlFormat().render(hostile_report)
    first = dossier(hostile_report, NAMES[0])
    assert all("<script>" in change.actor for row in first.changes[:1] for change in row.changes)
    assert "<script>" in first.statements[0].system
    assert "<script>" in first.deployments[0].system
    for content in files.values():
        assert b"<script" not in content
        assert "\u202e" not in content.decode()


def test_plain_words_never_claim_more_than_the_record():
    exact, open_ = Interval(DAY[1], DAY[1]), Interval(DAY[1], DAY[2])
    assert how_known(Grade.CAPTURED, exact) == "recorded by the server"
    assert how_known(Grade.OBSERVED, open_) == "seen between readings"
    assert how_known(Grade.OBSERVED, open_, DAY[9]) == "MLflow's own times"
    assert how_known(Grade.OBSERVED, open_, DAY[2]) == "seen by the first reading"
    assert how_known(Grade.OBSERVED, Interval(None, DAY[2]), DAY[2]) == "seen by the first reading"
    assert how_known(Grade.OBSERVED, exact) == "MLflow's own time"
    assert how_known(Grade.ASSERTED, exact) == "stated by the firm"
    assert how_known(Grade.OBSERVED, open_, uncaptured=True) == "not in the server's record"
    assert who(None, None) == who("", "basic-auth") == "not recorded"
    assert who("ann", "basic-auth") == "ann, signed in"
    assert who("ann", "proxy") == "ann, named by the proxy"
    assert who("ann", None) == "ann"
    assert (offset(-2500), offset(240_000)) == ("2.5 seconds behind", "4 minutes ahead of")


def test_spans_are_joined_and_gaps_taken_out():
    spans = joined([(DAY[0], DAY[3]), (DAY[2], DAY[5]), (DAY[7], DAY[9])])
    assert spans == [(DAY[0], DAY[5]), (DAY[7], DAY[9])]
    assert without(spans, [(DAY[1], DAY[2]), (DAY[4], DAY[8]), (DAY[9], DAY[12])]) == (
        (DAY[0], DAY[1]),
        (DAY[2], DAY[4]),
        (DAY[8], DAY[9]),
    )
