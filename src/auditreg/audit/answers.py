"""The answers of rules, read from their tables.

A rule's answers stay in its own table `result_<id>`, as the rule returned them. Only where they are
read are they put together with the table `override`, with the evidence as JSON and the names people
use. So a hundred thousand passed subjects cost a scan and no Python objects.
"""
# ruff: noqa: S608 - the names in SQL are those of our own tables; texts are quoted or bound

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditreg.audit.isolation import result_table
from auditreg.audit.ratings import by_rating, rank_sql
from auditreg.audit.sentences import complete
from auditreg.models import NO_FINDING, Finding, Grade, RuleInfo, RuleResult, Status, Subject
from auditreg.rules.validate import COLUMNS
from auditreg.sql import listed, quoted, quoted_name
from auditreg.waivers import Waiver

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import duckdb

Columns = Mapping[str, Mapping[str, str]]
"""The bare name of a rule's table to its columns, and these to their types."""

CONDITION = "condition_since"
"""The column in which a rule says since when its condition holds, where it can tell."""

_BATCH = 10_000
_STATUSES = {status.value: status for status in Status}
_STATUS_RANK = " ".join(["case status", *(f"when '{s}' then {s.rank}" for s in Status), "end"])
_GRADES = {grade.value: grade for grade in Grade}


def result_columns(connection: duckdb.DuckDBPyConnection, rules: Iterable[RuleInfo]) -> Columns:
    """The columns of the tables of rules that ran."""
    # The engine's own list of columns is made of every view of the ledger, which takes longer.
    tables = {table_name(rule): connection.table(f"temp.{result_table(rule)}") for rule in rules}
    return {
        name: dict(zip(table.columns, map(str, table.types), strict=True))
        for name, table in tables.items()
    }


def table_name(rule: RuleInfo) -> str:
    """The bare name of a rule's table."""
    return result_table(rule).strip('"')


def condition_sql(columns: Collection[str]) -> str:
    """SQL for since when a row `r` of a rule's table says that its condition holds."""
    # A rule of a firm's own may return anything under that name.
    if CONDITION not in columns:
        return "null::TIMESTAMP"
    moment = "try_cast(r.condition_since::VARCHAR as TIMESTAMP)"
    return f"case when year({moment}) between 1 and 9999 then {moment} end"


def answer_source(rule: RuleInfo) -> str:
    """SQL for a rule's table `r`, with what `answer_columns` reads beside it."""
    _, rated = rank_sql(rule)
    return f"{result_table(rule)} r join population_{rule.scope} p on p.subject = r.subject {rated}"


def answer_columns(rule: RuleInfo, columns: Collection[str]) -> str:
    """SQL for what a rule says of a row `r` of its table, and the names in `p` that people use.

    Evidence is JSON, in the order of the columns' names, in which it is sealed.
    """
    evidence = sorted(c for c in columns if c not in (*COLUMNS, "grade", "fix"))
    rank, _ = rank_sql(rule)
    packed = ", ".join(f"{quoted_name(c)} := r.{quoted_name(c)}" for c in evidence)
    return (
        f"{quoted(rule.id)} as rule, {rank} as rank, r.subject as subject, "
        "r.status::VARCHAR as status, r.reason::VARCHAR as reason, "
        f"{'r.grade::VARCHAR' if 'grade' in columns else 'null'} as grade, "
        f"{'r.fix::VARCHAR' if 'fix' in columns else 'null'} as fix, "
        f"{f'to_json(struct_pack({packed}))::VARCHAR' if packed else 'null'} as evidence, "
        f"{condition_sql(columns)} as condition_since, p.registry, p.workspace, p.model, p.version"
    )


@dataclass(frozen=True, slots=True)
class _Sentences:
    """How the sentences of one rule are completed: by its columns, those with moments, and the firm's clock."""

    columns: Collection[str]
    moments: frozenset[str]
    zone: ZoneInfo | None

    def complete(self, reason: str, evidence: Mapping[str, object], subject: str) -> str:
        """The whole sentence."""
        return complete(
            reason,
            evidence,
            subject,
            columns=self.columns,
            moments=self.moments,
            zone=self.zone,
        )


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of the rules that ran, read anew from their tables each time.

    What the ledger knows of a finding is lent from the table `known_finding`. `columns` are those of
    the rules' tables; `zone` is the firm's clock, for the sentences.
    """

    connection: duckdb.DuckDBPyConnection
    results: Sequence[RuleResult]
    waivers: Sequence[Waiver]
    columns: Columns
    zone: ZoneInfo | None = None

    def findings(self) -> tuple[Finding, ...]:
        """The answers that are findings, worst first."""
        # Answers refer to nothing that refers back, and looking through all of them for circles over
        # and over takes longer than reading them.
        collecting = gc.isenabled()
        gc.disable()
        try:
            results = [result for result in self.results if _shows_findings(result)]
            found = f"status not in ({listed(NO_FINDING)})"
            # No waiver makes a finding of what is none, so nothing else is read.
            return tuple(self._read(results, found, lambda _: f"r.{found}"))
        finally:
            if collecting:
                gc.enable()

    def every(self) -> Iterator[Finding]:
        """Every answer of every rule, worst first."""
        return self._read([r for r in self.results if r.error is None])

    def examples(self, results: Sequence[RuleResult]) -> dict[str, tuple[int, Finding]]:
        """By rule, how many different reasons it gives, and one of its answers: always the same."""
        counted = " union all ".join(
            f"select {quoted(result.rule.id)} as rule, count(distinct reason) as reasons, "
            f"min(subject) as subject from {result_table(result.rule)}"
            for result in results
        )
        if not counted:
            return {}
        reasons = {
            rule: (number, subject)
            for rule, number, subject in self.connection.execute(counted).fetchall()
        }
        found = self._read(results, of=lambda rule: f"r.subject = {quoted(reasons[rule.id][1])}")
        return {
            answer.rule.id: (reasons[answer.rule.id][0], answer)
            for answer in found
            if not answer.carried
        }

    def no_longer_found(self, rules: Collection[str]) -> Iterator[Finding]:
        """What these rules answer about what the ledger knows as findings, and that are none any more."""
        results = [r for r in self.results if r.error is None and r.rule.id in rules]
        return self._read(
            results,
            f"status in ({listed(NO_FINDING)}) and known <> 'closed'",
            lambda rule: (
                f"r.subject in (select subject from known_finding where rule = {quoted(rule.id)})"
            ),
            all_carried=True,
        )

    def _read(
        self,
        results: Sequence[RuleResult],
        condition: str = "true",
        of: Callable[[RuleInfo], str] = lambda _: "true",
        *,
        all_carried: bool = False,
    ) -> Iterator[Finding]:
        """Read answers in batches, so that the reader may use the connection in between.

        `condition` is asked of the answers as they are judged, `of` before of the rows of a rule's own
        table: what it leaves out costs no more than a look.

        An open result would end with the connection's next statement, and another connection does
        not see temporary tables; so the ordered answers become a table that is read by position.
        """
        if not results:
            return
        by_id = {result.rule.id: result.rule for result in results}
        completed = {rule: self._completing(by_id[rule]) for rule in by_id}
        self.connection.execute(
            "create or replace temp table ordered_answers as "
            "select rule, subject, status, reason, grade, fix, evidence, registry, workspace, "
            "model, version, waiver, number, since, first_reported, condition_since, carried, kept, "
            "rank, "
            f"row_number() over (order by rank, {_STATUS_RANK}, rule, coalesce(model, ''), "
            "coalesce(version, 0), subject) as place "
            f"from ({self._select(results, of, all_carried=all_carried)}) where {condition} "
            "order by place"
        )
        start = 1
        while rows := self.connection.execute(
            "select * exclude (place) from ordered_answers where place >= ? and place < ? "
            "order by place",
            [start, start + _BATCH],
        ).fetchall():
            for row, evidence in zip(rows, _evidence([row[6] for row in rows]), strict=True):
                rule = row[0]
                yield _answer(row, evidence, by_id[rule], self.waivers, completed[rule])
            start += _BATCH

    def _columns_of(self, rule: RuleInfo) -> Mapping[str, str]:
        """Those of its table; none where it did not run."""
        return self.columns.get(table_name(rule), {})

    def _completing(self, rule: RuleInfo) -> _Sentences:
        """What completes the sentences of a rule."""
        columns = self._columns_of(rule)
        moments = frozenset(
            name
            for name, kind in columns.items()
            if kind.startswith("TIMESTAMP") and not kind.endswith("]")
        )
        return _Sentences(columns, moments, self.zone)

    def _select(
        self, results: Sequence[RuleResult], of: Callable[[RuleInfo], str], *, all_carried: bool
    ) -> str:
        """SQL for the answers of rules with names, evidence (JSON), numbers and ages.

        Of what is carried forward, only findings are answers of the check, unless `all_carried`.
        """
        parts = [
            f"select {answer_columns(result.rule, self._columns_of(result.rule))}, "
            f"false as kept, false as carried from {answer_source(result.rule)} "
            f"where {of(result.rule)}"
            for result in results
            if result.error is None  # nothing in the table of a faulty rule is to be trusted
        ]
        found = f"coalesce(o.status, r.status) not in ({listed(NO_FINDING)})"
        if carrying := [r.rule.id for r in results if r.carried or all_carried]:
            parts.append(
                f"select *, true as carried from carried_answer where rule in ({listed(carrying)})"
            )
        return (
            "select r.* replace (coalesce(o.status, r.status) as status), o.waiver, k.number, "
            "k.status as known, "
            f"case when {found} then k.since end as since, "
            f"case when {found} then k.first_reported end as first_reported "
            f"from ({' union all '.join(parts)}) r "
            "left join override o on o.rule = r.rule and o.subject = r.subject "
            "left join known_finding k on k.rule = r.rule and k.subject = r.subject "
            f"where {'true' if all_carried else f'not r.carried or {found}'}"
        )


def _shows_findings(result: RuleResult) -> bool:
    """Whether a rule has any answer that is shown among findings."""
    counted = (*result.counts.items(), *result.carried.items())
    return any(number and Status(status).is_finding for status, number in counted)


def _answer(
    row: tuple[Any, ...],
    evidence: dict[str, object],
    rule: RuleInfo,
    waivers: Sequence[Waiver],
    sentences: _Sentences,
) -> Finding:
    _, subject, status, reason, grade, fix, _, registry, workspace, model = row[:10]
    version, waiver, number, since, first_reported, condition_since, carried, kept, rank = row[10:]
    about = Subject(subject, registry, workspace, model, version)
    return Finding(
        rule=rule,
        subject=about,
        status=_STATUSES[status],
        # What is kept as it was sealed is a whole sentence already.
        reason=reason if kept else sentences.complete(reason, evidence, about.label),
        grade=_GRADES[grade] if grade else Grade.NONE,
        fix=fix,
        evidence=evidence,
        waiver=None if waiver is None else waivers[waiver].ref,
        number=number,
        since=since,
        first_reported=first_reported,
        condition_since=condition_since,
        carried=carried,
        by_rating=by_rating(rule, rank),
        moments=sentences.moments,
    )


def _evidence(texts: Sequence[str | None]) -> Iterator[dict[str, object]]:
    """The further columns that hold something; one text is decoded faster than thousands."""
    for values in json.loads(f"[{','.join(text or '{}' for text in texts)}]"):
        yield {name: value for name, value in values.items() if value is not None}
