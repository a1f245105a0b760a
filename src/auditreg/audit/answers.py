"""The answers of rules, read from their tables.

A rule's answers stay in its own table `result_<id>`, as the rule returned them. Only where they are
read are they put together with the table `override`, with the evidence as JSON and the names people
use. So a hundred thousand passed subjects cost a scan and no Python objects.
"""
# ruff: noqa: S608 - the names in SQL are those of our own tables; texts are quoted or bound

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from auditreg.audit.isolation import result_table
from auditreg.audit.sentences import complete
from auditreg.models import Finding, Grade, RuleInfo, RuleResult, Status, Subject
from auditreg.rules.validate import COLUMNS
from auditreg.sql import quoted, quoted_name
from auditreg.waivers import Waiver

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import duckdb

Columns = Mapping[str, Sequence[str]]
"""The bare name of a rule's table to its columns."""

_BATCH = 10_000
_STATUSES = {status.value: status for status in Status}
_STATUS_RANK = " ".join(["case status", *(f"when '{s}' then {s.rank}" for s in Status), "end"])
_GRADES = {grade.value: grade for grade in Grade}


def result_columns(connection: duckdb.DuckDBPyConnection) -> Columns:
    """The columns of every rule's table, by the table's bare name."""
    rows = connection.execute(
        "select table_name, list(column_name order by column_index) from duckdb_columns() "
        "where database_name = 'temp' and starts_with(table_name, 'result_') group by table_name"
    ).fetchall()
    return dict(rows)


def moment_columns(connection: duckdb.DuckDBPyConnection) -> Columns:
    """The columns of every rule's table that hold moments, by the table's bare name."""
    rows = connection.execute(
        "select table_name, list(column_name) from duckdb_columns() "
        "where database_name = 'temp' and starts_with(table_name, 'result_') "
        "and starts_with(data_type, 'TIMESTAMP') group by table_name"
    ).fetchall()
    return dict(rows)


def table_name(rule: RuleInfo) -> str:
    """The bare name of a rule's table."""
    return result_table(rule).strip('"')


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of the rules that ran, read anew from their tables each time.

    `columns` are those of the tables; `numbered` says whether findings sealed in the ledger lend
    their numbers (the latest state). `zone` is the firm's clock, for the sentences.
    """

    connection: duckdb.DuckDBPyConnection
    results: Sequence[RuleResult]
    waivers: Sequence[Waiver]
    columns: Columns
    numbered: bool
    zone: ZoneInfo | None = None

    def findings(self) -> tuple[Finding, ...]:
        """The answers that are open, waived or older than the policy, worst first."""
        # Answers refer to nothing that refers back, and looking through all of them for circles over
        # and over takes longer than reading them.
        collecting = gc.isenabled()
        gc.disable()
        try:
            rules = [result.rule for result in self.results if _shows_findings(result)]
            return tuple(self._read(rules, "status not in ('pass', 'not_applicable')"))
        finally:
            if collecting:
                gc.enable()

    def every(self) -> Iterator[Finding]:
        """Every answer of every rule, worst first."""
        return self._read([r.rule for r in self.results if r.error is None], "true")

    def _read(self, rules: Sequence[RuleInfo], condition: str) -> Iterator[Finding]:
        """Read answers in batches, so that the reader may use the connection in between.

        An open result would end with the connection's next statement, and another connection does
        not see temporary tables; so the ordered answers become a table that is read by position.
        """
        if not rules:
            return
        by_id = {rule.id: rule for rule in rules}
        by_table = moment_columns(self.connection)
        moments = {rule.id: by_table.get(table_name(rule), ()) for rule in rules}
        self.connection.execute(
            "create or replace temp table ordered_answers as "
            "select rule, subject, status, reason, grade, fix, evidence, registry, workspace, "
            "model, version, waiver, number, since, row_number() over (order by rank, "
            f"{_STATUS_RANK}, rule, coalesce(model, ''), coalesce(version, 0), subject) as place "
            f"from ({self._select(rules)}) where {condition} order by place"
        )
        start = 1
        while rows := self.connection.execute(
            "select * exclude (place) from ordered_answers where place >= ? and place < ? "
            "order by place",
            [start, start + _BATCH],
        ).fetchall():
            for row, evidence in zip(rows, _evidence([row[6] for row in rows]), strict=True):
                rule = by_id[row[0]]
                told = partial(
                    complete,
                    columns=self.columns[table_name(rule)],
                    moments=moments[rule.id],
                    zone=self.zone,
                )
                yield _answer(row, evidence, rule, self.waivers, told)
            start += _BATCH

    def _select(self, rules: Sequence[RuleInfo]) -> str:
        """SQL for the answers of rules with names, evidence (JSON), number and since."""
        number = "f.number, case when f.open then f.since end as since"
        lent = "left join findings f on f.rule = r.rule and f.subject = r.subject"
        if not self.numbered:
            number, lent = "null::BIGINT as number, null::TIMESTAMP as since", ""
        parts = [_part(rule, self.columns[table_name(rule)]) for rule in rules]
        return (
            f"select r.* replace (coalesce(o.status, r.status) as status), o.waiver, {number} "
            f"from ({' union all '.join(parts)}) r "
            f"left join override o on o.rule = r.rule and o.subject = r.subject {lent}"
        )


def _shows_findings(result: RuleResult) -> bool:
    """Whether a rule has any answer that is shown among findings."""
    return any(
        number and status not in (Status.PASS, Status.NOT_APPLICABLE)
        for status, number in result.counts.items()
    )


def _part(rule: RuleInfo, columns: Sequence[str]) -> str:
    table = result_table(rule)
    # In the order of their names, in which evidence is sealed.
    evidence = sorted(c for c in columns if c not in (*COLUMNS, "grade", "fix"))
    packed = ", ".join(f"{quoted_name(c)} := r.{quoted_name(c)}" for c in evidence)
    return (
        f"select {quoted(rule.id)} as rule, {rule.severity.rank} as rank, r.subject, "
        "r.status::VARCHAR as status, r.reason::VARCHAR as reason, "
        f"{'r.grade::VARCHAR' if 'grade' in columns else 'null'} as grade, "
        f"{'r.fix::VARCHAR' if 'fix' in columns else 'null'} as fix, "
        f"{f'to_json(struct_pack({packed}))::VARCHAR' if packed else 'null'} as evidence, "
        "p.registry, p.workspace, p.model, p.version "
        f"from {table} r join population_{rule.scope} p on p.subject = r.subject"
    )


def _answer(
    row: tuple[Any, ...],
    evidence: dict[str, object],
    rule: RuleInfo,
    waivers: Sequence[Waiver],
    completed: Callable[[str, Mapping[str, object], str], str],
) -> Finding:
    _, subject, status, reason, grade, fix, _, registry, workspace, model = row[:10]
    version, waiver, number, since = row[10:]
    about = Subject(subject, registry, workspace, model, version)
    return Finding(
        rule=rule,
        subject=about,
        status=_STATUSES[status],
        reason=completed(reason, evidence, about.label),
        grade=_GRADES[grade] if grade else Grade.NONE,
        fix=fix,
        evidence=evidence,
        waiver=None if waiver is None else waivers[waiver].ref,
        number=number,
        since=since,
    )


def _evidence(texts: Sequence[str | None]) -> Iterator[dict[str, object]]:
    """The further columns that hold something; one text is decoded faster than thousands."""
    for values in json.loads(f"[{','.join(text or '{}' for text in texts)}]"):
        yield {name: value for name, value in values.items() if value is not None}
