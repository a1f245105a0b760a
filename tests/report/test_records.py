"""What is told of a model of which an earlier one had the name, and of one without versions."""

from __future__ import annotations

import json
import shlex
from datetime import date
from pathlib import Path

import pytest

from auditreg.audit import Auditor
from auditreg.config import Config
from auditreg.ledger.import_parse import parse_deployments, parse_history
from auditreg.ledger.import_record import record
from auditreg.ledger.store import Ledger
from auditreg.models import CheckResult
from auditreg.queries.history import history_rows
from auditreg.queries.model_refs import Selection
from auditreg.report import build_report
from auditreg.report.provenance import _integrity
from auditreg.rules.parse import builtin_rules
from tests.ledger.book import KEY, Book, opened
from tests.ledger.reading import Registry, moment


@pytest.mark.integration
def test_an_earlier_model_of_a_name_keeps_its_records_and_counts_no_versions(tmp_path: Path):
    empty = tmp_path / "empty.duckdb"
    with Ledger(empty).writer():
        pass
    registry = Registry()
    with opened(empty) as book:
        registry.create("motor")
        registry.create("empty")
        registry.version("motor")
        ran = registry.wait()
        book.take(registry.read())
        registry.wait(60_000)
        registry.delete("motor")
        registry.delete("empty")
        registry.create("motor")
        registry.version("motor")
        registry.wait()
        book.take(registry.read())
        again = registry.wait()
        now = registry.wait(86_400_000)
        book.take(registry.read())
        imported(
            book, parse_deployments, {"from": iso(ran), "until": iso(ran + 2000), "version": 1}
        )
        imported(book, parse_deployments, {"from": iso(again), "version": 7})
        imported(book, parse_history, {"at": iso(ran), "what": "other"})
        report = reported(book, now)
        earlier, later = (
            (d.row.subject, [run.deployed_at for run in d.deployments], len(d.statements))
            for d in sorted(report.dossiers, key=lambda d: not d.row.deleted)
            if d.row.model in {"motor (deleted)", "motor"}
        )
        assert earlier[1:] == ([moment(ran)], 1)
        assert later[1:] == ([moment(again)], 0)
        assert next(n.value for n in report.numbers if n.id == "deleted") == 1
        for subject, began, _ in (earlier, later):
            rows = history_rows(book.con, Selection(("motor",), (subject,)))
            assert [r["not_before"] for r in rows if r["event"] == "deployment began"] == began


def iso(ms: int) -> str:
    return f"{moment(ms).isoformat(timespec='milliseconds')}Z"


def imported(book: Book, parse, line: dict[str, object]) -> None:
    content = json.dumps({"model": "motor", "system": "engine", **line}).encode()
    record(
        book.con, parse(content, "f.jsonl"), file="f.jsonl", content=content,
        registry="default", key=KEY,
    )  # fmt: skip


def reported(book: Book, at: int):
    config = Config()
    check = Auditor(book.con, config, builtin_rules()[:1]).check(moment(at))
    return build_report(book.con, check, [], config, config.quarter_of(moment(at)))


def test_a_printed_command_names_a_ledger_with_a_blank():
    result = CheckResult(
        moment(0), (date(2026, 1, 1),) * 2, "", {"tree_size": 1, "root": "ab"}, (), ()
    )
    commands = dict(_integrity(result, "my audit.duckdb", [], draft=False).commands).values()
    assert [shlex.split(command)[2] for command in commands if "my" in command] == [
        "my audit.duckdb"
    ] * 2
