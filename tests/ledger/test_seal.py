"""Sealed checks and reports: findings keep their numbers, and only what was looked at closes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from auditreg.ledger.policies import Policy
from auditreg.ledger.seal import CheckRecord, Sealed, seal_check, seal_report
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
    examined: Sequence[str] = RULES,
    selected: tuple[str, ...] | None = None,
    waivers: Sequence[dict[str, Any]] = (),
    policies: Sequence[Policy] = (),
) -> Sealed:
    record = CheckRecord(
        as_of=datetime(2026, 2, day),
        period=PERIOD,
        policy="p",
        selection=() if selected is None else ("motor",),
        examined=tuple(examined),
        selected=selected,
        rules=[{"rule": rule} for rule in RULES],
        summary={"open": len(answers)},
    )
    done = seal_check(book.con, record, answers, waivers=waivers, policies=policies)
    assert book.tables() == book.rebuilt()
    return done


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


def test_closed_and_opened_again(book: Book):
    one, two = answer("has-owner", "m-1"), answer("has-owner", "m-2")
    check(book, 1, one, two)
    assert check(book, 2, two) == Sealed(0, 0, 1)
    assert findings(book)["F-1"] == ["has-owner", "m-1", "closed", False, "02"]
    assert check(book, 3, two) == Sealed(0, 0, 0)
    assert check(book, 4, one, two) == Sealed(0, 1, 0)
    assert findings(book)["F-1"] == ["has-owner", "m-1", "fail", True, "04"]
    assert check(book, 5, one, two, answer("has-owner", "m-3")).opened == 1
    assert list(findings(book)) == ["F-1", "F-2", "F-3"]


def test_the_same_check_again_appends_only_that_it_was_made(book: Book):
    one = answer("has-owner", "m-1")
    check(book, 1, one)
    before = len(book.log())
    check(book, 2, one)
    assert [row[5] for row in book.log()[before:]] == ["check"]


def test_only_what_was_examined_and_selected_closes(book: Book):
    answers = [answer(rule, subject) for rule in RULES for subject in ("m-1", "m-2")]
    check(book, 1, *answers)
    assert check(book, 2, examined=["has-owner"], selected=("m-1",)) == Sealed(0, 0, 1)
    closed = [rest[:2] for rest in findings(book).values() if rest[2] == "closed"]
    assert closed == [["has-owner", "m-1"]]
    assert check(book, 3, examined=[], selected=None) == Sealed(0, 0, 0)
    assert check(book, 4, selected=()) == Sealed(0, 0, 0)
    assert check(book, 5, examined=["has-owner"]) == Sealed(0, 0, 1)
    assert check(book, 6) == Sealed(0, 0, 2)


def test_an_error_does_not_close_and_is_not_open(book: Book):
    one = answer("has-owner", "m-1")
    check(book, 1, one)
    failed = {**one, "status": "error", "reason": "could not be judged"}
    assert check(book, 2, failed, examined=["has-approval"]) == Sealed(0, 1, 0)
    assert findings(book)["F-1"] == ["has-owner", "m-1", "error", False, "01"]
    assert check(book, 3, one) == Sealed(0, 1, 0)
    assert findings(book)["F-1"] == ["has-owner", "m-1", "fail", True, "01"]


def waiver(rule: str = "has-owner", scope: str = "motor", **more: Any) -> dict[str, Any]:
    return {
        "rule": rule, "scope": scope, "status": "accepted", "reason": "small", "approver": "ann",
        "ticket": "T-1", "expires": date(2026, 12, 31), "owner": None, "due": None,
        "judged": "in_force", **more,
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
        check(Book(con), 2, one)
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
