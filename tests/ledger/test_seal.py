"""Sealed checks and reports: findings keep numbers and ages, and nothing closes without a reason."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from auditreg.ledger.entries import Appender, Event, epoch_ms, prepare, size
from auditreg.ledger.policies import Policy
from auditreg.ledger.seal import CheckRecord, Closing, Sealed, seal_check, seal_report
from auditreg.ledger.state import refresh
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from auditreg.models import finding_key
from tests.ledger.book import Book, opened
from tests.ledger.conftest import ask, take
from tests.ledger.reading import Registry, moment

RULES = ("has-owner", "has-approval")
PERIOD = (date(2026, 1, 1), date(2026, 3, 31))


@pytest.fixture
def book(empty_file: Path, registry: Registry):
    registry.create("motor")
    with opened(empty_file) as one:
        one.take(registry.read())
        yield one


def answer(rule: str, subject: str, status: str = "fail", **more: Any) -> dict[str, Any]:
    return {
        "key": finding_key(rule, subject),
        "rule": rule,
        "subject": subject,
        "severity": "high",
        "registry": "default",
        "workspace": "default",
        "model": "motor",
        "version": 1,
        "status": status,
        "reason": "because",
        "grade": "none",
        "evidence": '{"a": 1}',
        **more,
    }


def check(
    book: Book,
    day: int,
    *answers: dict[str, Any],
    closings: Sequence[Closing] = (),
    waivers: Sequence[dict[str, Any]] = (),
    policies: Sequence[Policy] = (),
) -> Sealed:
    record = CheckRecord(
        as_of=datetime(2026, 2, day),
        period=PERIOD,
        policy="p",
        selection=(),
        rules=[{"rule": rule} for rule in RULES],
        summary={"open": len(answers)},
    )
    done = seal_check(
        book.con, record, answers, closings=closings, waivers=waivers, policies=policies
    )
    assert book.tables() == book.rebuilt()
    return done


def closed(answered: dict[str, Any], why: str = "repaired", **more: Any) -> Closing:
    return Closing(answered["key"], why, f"It is {why}.", **more)


def findings(book: Book) -> dict[str, tuple[Any, ...]]:
    return {
        id_: rest
        for id_, *rest in book.rows(
            "select id, rule, subject, status, open, strftime(since, '%d') from findings "
            "order by number"
        )
    }


def test_a_finding_keeps_its_number_and_its_beginning(book: Book):
    one, two = answer("has-owner", "m-1"), answer("has-approval", "m-1/1", severity="critical")
    assert check(book, 1, one, two) == Sealed(2, 0, 0)
    first = {
        "F-1": ["has-approval", "m-1/1", "fail", True, "01"],
        "F-2": ["has-owner", "m-1", "fail", True, "01"],
    }
    assert findings(book) == first
    assert check(book, 2, one, two) == Sealed(0, 0, 0)
    assert findings(book) == first
    assert check(book, 3, {**one, "reason": "another"}, two) == Sealed(0, 1, 0)
    assert findings(book) == first
    assert check(book, 4, {**one, "status": "waived"}, two) == Sealed(0, 1, 0)
    assert findings(book)["F-2"] == ["has-owner", "m-1", "waived", False, "01"]


def life(book: Book, number: int) -> list[tuple[Any, ...]]:
    """A finding's states: status, first reported, open since, closed, and why; moments as days."""
    return book.rows(
        "select status, strftime(first_reported, '%d'), strftime(since, '%d'), "
        "strftime(closed_at, '%d'), closed_why from finding_history where number = ? order by seq",
        number,
    )


def test_closed_and_opened_again_and_nothing_of_it_is_overwritten(book: Book):
    one, two = answer("has-owner", "m-1"), answer("has-owner", "m-2")
    check(book, 1, one, two)
    assert check(book, 2, two, closings=[closed(one)]) == Sealed(0, 0, 1)
    assert findings(book)["F-1"] == ["has-owner", "m-1", "closed", False, "01"]
    assert check(book, 3, two, closings=[closed(one)]) == Sealed(0, 0, 0)
    assert check(book, 4, one, two) == Sealed(0, 1, 0)
    assert findings(book)["F-1"] == ["has-owner", "m-1", "fail", True, "04"]
    assert check(book, 5, one, two, answer("has-owner", "m-3")).opened == 1
    assert list(findings(book)) == ["F-1", "F-2", "F-3"]
    assert life(book, 1) == [
        ("fail", "01", "01", None, None),
        ("closed", "01", "01", "02", "repaired"),
        ("fail", "01", "04", None, None),
    ]
    [(reason,)] = book.rows("select reason from finding_history where status = 'closed'")
    assert reason == "It is repaired."


def test_an_age_goes_on_while_a_finding_is_accepted(book: Book):
    one = answer("has-owner", "m-1")
    accepted = {**one, "status": "waived", "why": "accepted"}
    check(book, 1, one)
    check(book, 2, accepted)
    assert check(book, 3, {**accepted, "reason": "another"}) == Sealed(0, 1, 0)
    check(book, 4, one)
    assert life(book, 1) == [
        ("fail", "01", "01", None, None),
        ("waived", "01", "01", "02", "accepted"),
        ("waived", "01", "01", "02", "accepted"),
        ("fail", "01", "01", None, None),
    ]


def test_what_a_check_knows_of_an_age_counts(book: Book):
    began = epoch_ms(datetime(2026, 1, 15))
    one = answer("has-owner", "m-1", since=began, condition_since=began, carried=True)
    check(book, 3, one)
    assert book.rows(
        "select strftime(since, '%m-%d'), strftime(first_reported, '%m-%d'), "
        "strftime(condition_since, '%m-%d'), carried from findings"
    ) == [("01-15", "02-03", "01-15", True)]
    assert check(book, 4, one) == Sealed(0, 0, 0)
    assert check(book, 5, {**one, "carried": None}) == Sealed(0, 1, 0)


def test_what_was_settled_before_keeps_when_and_why(book: Book):
    answered = answer(
        "has-owner", "m-1", "answered", why="rejected", waiver='{"status": "rejected"}'
    )
    check(book, 1, answer("has-owner", "m-1"))
    check(book, 2, answered)
    assert check(book, 3, closings=[closed(answered, kept=True)]) == Sealed(0, 0, 1)
    assert life(book, 1)[1:] == [
        ("answered", "01", "01", "02", "rejected"),
        ("closed", "01", "01", "02", "rejected"),
    ]
    [(reason, waiver)] = book.rows("select reason, waiver from findings")
    assert (reason, waiver) == ("because", '{"status": "rejected"}')


def test_what_the_readings_no_longer_tell_is_undecided_once(book: Book):
    one = answer("has-owner", "m-1")
    untold = closed(one, "cannot be told", status="undecided")
    check(book, 1, one)
    assert check(book, 2, closings=[untold]) == Sealed(0, 0, 1)
    assert check(book, 3, closings=[untold]) == Sealed(0, 0, 0)
    assert findings(book)["F-1"] == ["has-owner", "m-1", "undecided", False, "01"]
    assert check(book, 4, closings=[closed(one)]) == Sealed(0, 0, 1)
    assert [row[3:] for row in life(book, 1)] == [
        (None, None), ("02", "cannot be told"), ("04", "repaired"),
    ]  # fmt: skip


def moved(book: Book, start: str | None, end: str) -> dict[str, dict[str, int]]:
    """What `finding_movement` tells, without zeros."""
    cursor = book.con.execute(
        f"from finding_movement({'null' if start is None else repr(start)}, '{end}')"
    )
    names = [column[0] for column in cursor.description]
    return {
        severity: {n: v for n, v in zip(names[1:], values, strict=True) if v}
        for severity, *values in cursor.fetchall()
    }


CLOSED = (
    *("repaired", "accepted", "rejected", "out_of_scope", "rule_changed", "policy_changed"),
    *("cannot_be_told", "not_judged", "not_recorded"),
)


def adds_up(row: dict[str, int]) -> bool:
    given = [row.get(name, 0) for name in ("opening", "new", "reopened", "reclassified")]
    return sum(given) - sum(row.get(name, 0) for name in CLOSED) == row.get("closing", 0)


def test_the_movement_of_findings_adds_up(book: Book):
    many = [answer("has-owner", f"m-{n}") for n in range(9)]
    why = ("repaired", "no longer in scope", "rule changed", "policy changed")
    check(book, 1, *many)
    gone = [closed(one, reason) for one, reason in zip(many, why, strict=False)]
    worse = {**many[5], "severity": "critical"}
    accepted = {**many[6], "status": "waived", "why": "accepted"}
    disputed = {**many[7], "status": "answered", "why": "rejected"}
    failed = {**many[8], "status": "error", "why": "could not be judged"}
    untold = closed(many[4], "cannot be told", status="undecided")
    check(book, 2, worse, accepted, disputed, failed, closings=[*gone, untold])
    check(book, 3, worse, accepted, disputed, failed, many[0], answer("has-approval", "m-1/1"))
    check(book, 4, accepted, disputed, failed, many[0], closings=[closed(worse)])

    assert moved(book, None, "2026-02-01") == {
        "critical": {}, "high": {"new": 9, "closing": 9}, "medium": {}, "low": {},
    }  # fmt: skip
    second = moved(book, "2026-02-01", "2026-02-04")
    assert second["critical"] == {"reclassified": 1, "repaired": 1}
    assert second["high"] == {
        "opening": 9, "new": 1, "reopened": 1, "reclassified": -1, "repaired": 1, "accepted": 1,
        "rejected": 1, "out_of_scope": 1, "rule_changed": 1, "policy_changed": 1,
        "cannot_be_told": 1, "not_judged": 1, "closing": 2,
    }  # fmt: skip
    for start, end in (("2026-01-01", "2026-02-02"), ("2026-02-02", "2026-02-03")):
        rows = moved(book, start, end).values()
        assert all(map(adds_up, rows))
        [(opened,)] = book.rows(f"select count(*) from findings_as_of('{end}') where open")
        assert sum(row.get("closing", 0) for row in rows) == opened
    assert all(map(adds_up, second.values()))
    assert book.rows("select count(*) from findings where not open and closed_why is null") == [
        (0,)
    ]


def test_findings_of_a_moment_are_those_known_then(book: Book):
    one, two = answer("has-owner", "m-1"), answer("has-owner", "m-2")
    check(book, 1, one)
    check(book, 5, two, closings=[closed(one)])

    def known(at: str, more: str = "") -> list[tuple[Any, ...]]:
        return book.rows(f"select id, status from findings_as_of({at}{more}) order by number")

    assert known("timestamp '2026-01-31'") == []
    assert known("timestamp '2026-02-04'") == [("F-1", "fail")]
    assert known("timestamp '2026-02-05'") == [("F-1", "closed"), ("F-2", "fail")]
    assert known("timestamp '2026-02-05'", ", known_at := timestamp '2026-02-05'") == []


def test_the_same_check_again_appends_only_that_it_was_made(book: Book):
    one = answer("has-owner", "m-1")
    check(book, 1, one)
    before = len(book.log())
    check(book, 2, one)
    assert [row[5] for row in book.log()[before:]] == ["check"]


def test_only_what_the_check_found_closed_closes(book: Book):
    answers = [answer(rule, subject) for rule in RULES for subject in ("m-1", "m-2")]
    check(book, 1, *answers)
    assert check(book, 2) == Sealed(0, 0, 0)
    assert check(book, 3, closings=[closed(answers[0])]) == Sealed(0, 0, 1)
    closed_ones = [rest[:2] for rest in findings(book).values() if rest[2] == "closed"]
    assert closed_ones == [["has-owner", "m-1"]]
    # What is among the answers is not closed, whatever was found before they were sealed.
    assert check(book, 4, *answers[1:], closings=[closed(answers[1])]) == Sealed(0, 0, 0)


def test_an_error_does_not_close_and_is_not_open(book: Book):
    one = answer("has-owner", "m-1")
    check(book, 1, one)
    failed = {**one, "status": "error", "reason": "no column", "why": "could not be judged"}
    assert check(book, 2, failed) == Sealed(0, 1, 0)
    assert findings(book)["F-1"] == ["has-owner", "m-1", "error", False, "01"]
    assert check(book, 3, one) == Sealed(0, 1, 0)
    assert findings(book)["F-1"] == ["has-owner", "m-1", "fail", True, "01"]


def waiver(rule: str = "has-owner", scope: str = "motor", **more: Any) -> dict[str, Any]:
    return {
        "rule": rule, "scope": scope, "status": "accepted", "reason": "small", "approver": "ann",
        "ticket": "T-1", "expires": date(2026, 12, 31), "owner": None, "due": None,
        "judged": "in_force", "answered_by": None, "answered_on": None, **more,
    }  # fmt: skip


def test_waivers_are_put_changed_and_gone(book: Book):
    def kept() -> list[tuple[Any, ...]]:
        return book.rows("select rule, scope, judged, expires from waivers order by rule, scope")

    def added(day: int, *waivers: dict[str, Any]) -> list[str]:
        before = len(book.log())
        check(book, day, waivers=waivers)
        return [f"{row[5]} {row[6]}" for row in book.log()[before:]]

    end = date(2026, 12, 31)
    both = waiver(), waiver("has-approval")
    assert added(1, *both) == ["waiver put", "waiver put", "check event"]
    assert added(2, *reversed(both)) == ["check event"]
    assert added(3, waiver(judged="expired"), both[1]) == ["waiver put", "check event"]
    assert kept() == [
        ("has-approval", "motor", "in_force", end),
        ("has-owner", "motor", "expired", end),
    ]
    assert added(4, both[1]) == ["waiver gone", "check event"]
    assert kept() == [("has-approval", "motor", "in_force", end)]
    assert added(5, both[1]) == ["check event"]
    assert added(6, *both) == ["waiver put", "check event"]
    assert len(kept()) == 2
    assert added(7, both[1], both[1]) == ["waiver put", "waiver gone", "check event"]
    assert len(kept()) == 2


def test_a_check_seals_what_it_judged_by(book: Book):
    check(book, 1, answer("has-owner", "m-1"), policies=[Policy("rule", "has-owner", "text")])
    check(book, 2, answer("has-owner", "m-1"), policies=[Policy("rule", "has-owner", "text")])
    assert book.rows("select name, text from policies") == [("has-owner", "text")]
    rows = book.rows(
        "select as_of, period_first, period_last, policy, selection, summary, tree_size, seq "
        "from checks order by seq"
    )
    assert rows[0][:6] == (datetime(2026, 2, 1), *PERIOD, "p", "[]", '{"open": 1}')
    assert all(size == seq for *_, size, seq in rows)
    assert book.rows("select evidence from findings") == [('{"a": 1}',)]


def test_sealed_results_verify_and_survive_the_next_extraction(ledger: Ledger, registry: Registry):
    registry.create("motor")
    take(ledger, registry.read())
    with ledger.writer() as con:
        check(Book(con), 1, answer("has-owner", "m-1"), waivers=[waiver()])
    with ledger.writer() as con:
        seal_report(
            con,
            period=PERIOD,
            as_of=moment(registry.clock),
            template="standard 1",
            draft=False,
            files={"report.pdf": "ab", "a.csv": "cd"},
            policy="p",
        )
    registry.tag("motor", None, "a", "b")
    take(ledger, registry.read())
    assert verify(ledger).problems == ()
    assert verify(ledger).roots == 4
    ((files, template, draft, first),) = ask(
        ledger, "select files, template, draft, period_first from reports"
    )
    assert json.loads(files) == {"report.pdf": "ab", "a.csv": "cd"}
    assert (template, draft, first) == ("standard 1", False, PERIOD[0])
    assert ask(ledger, "select id, status from findings") == [("F-1", "fail")]


def test_the_last_entry_of_a_finding_or_waiver_is_erased_and_no_older_one_comes_back(
    ledger: Ledger, registry: Registry
):
    registry.create("motor")
    take(ledger, registry.read())
    one, two = answer("has-owner", "m-1"), answer("has-owner", "m-2")
    with ledger.writer() as con:
        check(Book(con), 1, one, two, waivers=[waiver()])
        check(Book(con), 2, one, closings=[closed(two)])
    for kind in ("finding", "waiver"):
        [(last,)] = ask(ledger, "select max(seq) from ledger.log where kind = ?", kind)
        ledger.erase(last, "asked")
    assert ask(ledger, "select id from findings") == [("F-1",)]
    assert ask(ledger, "from waivers") == []
    assert verify(ledger).ok
    three = answer("has-owner", "m-3")
    with ledger.writer() as con:
        assert check(Book(con), 3, one, two, three) == Sealed(2, 0, 0)
        numbers = {subject: id_ for id_, (_, subject, *_) in findings(Book(con)).items()}
    assert numbers == {"m-1": "F-1", "m-2": "F-2", "m-3": "F-3"}
    assert verify(ledger).ok


def written_before(book: Book, day: int, **body: Any) -> None:
    """An entry of a finding as releases wrote it that knew no life of findings."""
    at = datetime(2026, 1, day)
    old = {**answer("has-owner", "m-1"), "number": 1, "fix": None, "repair": "tag", "waiver": None}
    del old["registry"], old["workspace"], old["model"], old["version"]
    event = Event(
        kind="finding",
        op="put",
        subject=f"f-{old['key']}",
        body={**old, "since": epoch_ms(at), **body},
        observed_at=at,
    )
    base = size(book.con)
    prepare(book.con)
    Appender(book.con).append_events([event], datetime(2026, 1, day, 1))
    refresh(book.con, base)
    assert book.tables() == book.rebuilt()


def test_entries_of_an_older_form_are_read_and_gone_on_with(book: Book):
    written_before(book, 2)
    written_before(book, 5, status="waived", since=epoch_ms(datetime(2026, 1, 2)))
    assert book.rows("select strftime(closed_at, '%d'), closed_why from findings") == [
        ("05", "accepted")
    ]
    written_before(book, 9, status="closed", reason="No longer open at this check.")
    # Such an entry gave as `since` of a closed finding when it closed.
    assert life(book, 1) == [
        ("fail", "02", "02", None, None),
        ("waived", "02", "02", "05", "accepted"),
        ("closed", "02", "02", "09", "not recorded"),
    ]
    assert book.rows(
        "select status, since, strftime(first_reported, '%d'), strftime(closed_at, '%d'), closed_why "
        "from findings"
    ) == [("closed", None, "02", "09", "not recorded")]
    assert check(book, 3, answer("has-owner", "m-1")) == Sealed(0, 1, 0)
    assert book.rows(
        "select id, strftime(first_reported, '%m-%d'), strftime(since, '%m-%d') from findings"
    ) == [("F-1", "01-02", "02-03")]
    rows = moved(book, None, "2026-02-03")
    assert rows["high"] == {"new": 1, "reopened": 1, "accepted": 1, "closing": 1}
