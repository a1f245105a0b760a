"""What is carried forward: findings about events of earlier periods, which nobody has answered.

A version that went live unapproved in September did so in December, too. The population of a
check is what happened in its period; to the rules that ask about events, what is still open from before is
shown as well, so that they say what they find today, and their answers about it are kept apart: the table
`carried_answer`. So are the answers about what happened since the last check and before this period: that
check could not know it, and this one's period does not hold it.

What a rule does not answer for any more, because the record no longer has the event, stays as it was.
"""
# ruff: noqa: S608 - the names in SQL are those of our own tables; texts are quoted

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from auditreg.audit.answers import Columns, answer_columns, answer_source, table_name
from auditreg.audit.isolation import result_table
from auditreg.audit.ratings import rank_of_word
from auditreg.audit.results import AGAIN, NO_REASON, column_problem
from auditreg.audit.snapshot import Extension, Moment, selection_condition
from auditreg.config import Config, calendar
from auditreg.ledger import definitions
from auditreg.models import OPEN, Grade, RuleInfo, Scope, Status
from auditreg.queries.model_refs import Selection
from auditreg.rules.validate import COLUMNS, STATUSES
from auditreg.sql import listed, moment_literal, quoted, rows_select

if TYPE_CHECKING:
    import duckdb

_ALWAYS = (datetime.fromisoformat("1000-01-01"), datetime.fromisoformat("9999-12-31"))
"""A period that holds every event."""

_WAITING = listed((*OPEN, Status.WAIVED, Status.UNDECIDED))
"""States of findings that the end of a period does not settle."""

_ANSWER = (
    "rule VARCHAR, rank INTEGER, subject VARCHAR, status VARCHAR, reason VARCHAR, grade VARCHAR, "
    "fix VARCHAR, evidence VARCHAR, condition_since TIMESTAMP, registry VARCHAR, "
    "workspace VARCHAR, model VARCHAR, version BIGINT, kept BOOLEAN"
)


def prepare_carried(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of what is carried forward, empty."""
    con.execute(
        "create or replace temp table carried (rule VARCHAR, scope VARCHAR, subject VARCHAR, "
        "known BOOLEAN); "
        f"create or replace temp table carried_answer ({_ANSWER})"
    )


@dataclass(slots=True)
class CarriedForward:
    """What one check carries forward; `extension` lets its rules see it."""

    con: duckdb.DuckDBPyConnection
    extension: Extension = field(default_factory=Extension)
    _scopes: list[Scope] = field(default_factory=list)

    def extend_populations(self, scopes: Collection[Scope] = tuple(Scope)) -> None:
        """Put it into the populations."""
        for scope, statement in self.extension.statements.items():
            if scope in scopes:
                self.con.execute(statement)

    def take_answers(
        self, rules: Sequence[RuleInfo], problems: Mapping[str, str], columns: Columns
    ) -> dict[str, str]:
        """Move the answers about it into `carried_answer`; populations and results are the period's.

        Args:
            rules: those of the check.
            problems: rule id to why it did not run, where it did not.
            columns: of the rules' tables.

        Returns:
            rule id to what is wrong with an answer about it, where one is not as it has to be.
        """
        if not self._scopes:
            return {}
        ran = [rule for rule in rules if rule.id not in problems and rule.scope in self._scopes]
        carrying = {
            rule for (rule,) in self.con.execute("select distinct rule from carried").fetchall()
        }
        faults: dict[str, str] = {}
        for rule in ran:
            if not set(COLUMNS) <= set(columns[table_name(rule)]):
                continue
            problem = self._problem(rule, columns[table_name(rule)])
            if problem is not None:
                faults[rule.id] = problem
            elif rule.id in carrying:
                self._take(rule, columns[table_name(rule)])
        self.con.execute(
            "; ".join(
                [
                    *(
                        f"delete from {result_table(rule)} "
                        f"where subject::VARCHAR in {_carried_in(rule.scope)}"
                        for rule in ran
                        if "subject" in columns[table_name(rule)]
                    ),
                    *(
                        f"delete from temp.population_{scope} where subject in {_carried_in(scope)}"
                        for scope in self._scopes
                    ),
                ]
            )
        )
        self._keep_unanswered(ran)
        return faults

    def _problem(self, rule: RuleInfo, columns: Collection[str]) -> str | None:
        """What is wrong with the answers of one rule about it."""
        table = result_table(rule)
        grade = f"grade::VARCHAR not in ({listed(Grade)})" if "grade" in columns else "false"
        row = self.con.execute(
            f"select count(*) - count(distinct subject), count(*) filter ({NO_REASON} "
            f"or coalesce(status::VARCHAR, '') not in ({listed(STATUSES)}) or {grade}) "
            f"from {table} where subject::VARCHAR in {_carried_in(rule.scope)}"
        ).fetchone()
        again, faulty = row or (0, 0)
        if faulty:
            return column_problem(self.con, table, columns)
        return AGAIN if again else None

    def keep_as_sealed(self, rules: Sequence[RuleInfo]) -> None:
        """Take no answer of these rules, which turned out to be faulty: what was carried stays as it was."""
        if self._scopes and rules:
            self.con.execute(
                f"delete from carried_answer where rule in ({listed(rule.id for rule in rules)})"
            )
            self._keep_unanswered(rules)

    def _take(self, rule: RuleInfo, columns: Collection[str]) -> None:
        """The answers of one rule, each of which is a proper one."""
        self.con.execute(
            f"insert into carried_answer by name "
            f"select {answer_columns(rule, columns)}, false as kept "
            f"from {answer_source(rule)} "
            "join carried c on c.subject = r.subject "
            f"and c.scope = '{rule.scope}' and c.rule = {quoted(rule.id)} "
            f"where c.known or r.status::VARCHAR in ({listed(OPEN)})"
        )

    def _keep_unanswered(self, rules: Sequence[RuleInfo]) -> None:
        """What a rule no longer answers for stays as the log had it then: open, with its evidence."""
        ids = listed(rule.id for rule in rules)

        def said(name: str) -> str:
            return f"json_extract_string(l.entry, '$.body.{name}') as {name}"

        severity = "json_extract_string(l.entry, '$.body.severity')"
        self.con.execute(
            "insert into carried_answer by name "
            f"select k.rule, {rank_of_word(severity)} as rank, k.subject, "
            f"coalesce(o.status, 'not_evidenced') as status, {said('reason')}, {said('grade')}, "
            f"{said('fix')}, {said('evidence')}, "
            "make_timestamp(try_cast(json_extract_string(l.entry, '$.body.condition_since') "
            "as BIGINT) * 1000) as condition_since, "
            "k.registry, k.workspace, k.model, k.version, true as kept "
            "from carried c join known_finding k on k.rule = c.rule and k.subject = c.subject "
            "join ledger.log l on l.seq = k.seq "
            "left join (select b.key, max_by(json_extract_string(e.entry, '$.body.status'), e.seq) "
            "as status from known_finding b join ledger.log x on x.seq = b.seq "
            "join ledger.log e on e.kind = 'finding' and e.subject = 'f-' || b.key and e.seq <= b.seq "
            "and e.observed_at <= x.observed_at "
            f"and json_extract_string(e.entry, '$.body.status') in ({listed(OPEN)}) "
            "group by b.key) o on o.key = k.key "
            f"where c.known and k.status <> 'undecided' and k.rule in ({ids}) "
            "and not exists (select 1 from carried_answer a "
            "where a.rule = k.rule and a.subject = k.subject)"
        )


def _carried_in(scope: Scope) -> str:
    """SELECT of what is carried forward to rules of a scope."""
    return f"(select subject from carried where scope = '{scope}')"


def carried_forward(
    con: duckdb.DuckDBPyConnection,
    rules: Sequence[RuleInfo],
    moment: Moment,
    chosen: Selection | None,
    config: Config,
) -> CarriedForward:
    """Find what is carried forward; `known_finding` and the populations are there.

    Args:
        con: the connection of the check.
        rules: those that run.
        moment: what is judged.
        chosen: the selection the check is limited to.
        config: whose calendar holds.
    """
    prepare_carried(con)
    found = CarriedForward(con)
    about_events = {rule.id for rule in rules if rule.is_about_events}
    since = {
        rule: begins
        for rule, begins in _judged_from(con, about_events, moment.as_of, config).items()
        if begins < moment.period_start
    }
    found.extension.starts.update(_starts(con, rules, moment, since, config))
    for scope in dict.fromkeys(rule.scope for rule in rules if rule.scope.is_event):
        _find(con, [rule for rule in rules if rule.scope is scope], moment, chosen, since)
        wanted = _carried_in(scope)
        if not con.execute(f"select 1 from {wanted} limit 1").fetchone():
            continue
        found._scopes.append(scope)
        _make_population(con, "other_population", scope, _ALWAYS, moment)
        rows = con.execute(
            "select subject, registry, workspace, model, version from other_population "
            f"where subject in {wanted} order by subject"
        ).fetchall()
        if rows:
            found.extension.statements[scope] = (
                f"insert into temp.population_{scope} {rows_select(rows)}"
            )
    return found


def _judged_from(
    con: duckdb.DuckDBPyConnection, wanted: Set[str], at: datetime, config: Config
) -> dict[str, datetime]:
    """Rule to the beginning of the period it was last judged in, by a moment; rules never judged are left out.

    Only a check of everything counts, in which the rule ran.
    """
    checks = "from checks where selection = '[]' and as_of <= ?"
    last = con.execute(
        f"select period_first, rules {checks} order by as_of desc, seq desc limit 1",
        [at],
    ).fetchone()
    if last is None:
        return {}
    ran = {entry.get("id") for entry in json.loads(last[1]) if not entry.get("error")}
    first_days: dict[str, date] = dict.fromkeys(wanted & ran, last[0])
    if wanted - ran:  # a check by one rule, or one in which another did not run
        earlier = con.execute(
            "select json_extract_string(rule, '$.id'), max_by(period_first, (as_of, seq)) from "
            "(select as_of, seq, period_first, unnest(from_json(rules, '[\"JSON\"]')) as rule "
            f"{checks}) where json_extract_string(rule, '$.error') is null group by 1",
            [at],
        )
        first_days |= {rule: day for rule, day in earlier.fetchall() if rule in wanted - ran}
    zone = config.calendar.timezone
    begins = {day: calendar.day_start(day, zone) for day in set(first_days.values())}
    return {rule: begins[day] for rule, day in first_days.items()}


def _starts(
    con: duckdb.DuckDBPyConnection,
    rules: Sequence[RuleInfo],
    moment: Moment,
    since: Mapping[str, datetime],
    config: Config,
) -> Iterator[tuple[str, datetime]]:
    """Since when each rule that reads the period is to look, so that it finds again what is still open.

    The check that first saw it looked from the period of the check before it on.
    """
    reading = [rule for rule in rules if rule.reads_period]
    if not reading:
        return
    rows = con.execute(
        f"select rule, min(since) filter (where status in ({_WAITING})), "
        "bool_or(status = 'answered') from known_finding "
        f"where rule in ({listed(rule.id for rule in reading)}) group by rule"
    ).fetchall()
    known = {rule: (oldest, answered) for rule, oldest, answered in rows}
    # An answer settles the periods before it: what such a rule finds in this one is new.
    con.execute(
        "update known_finding set since = null where status = 'answered' "
        f"and since < {moment_literal(moment.period_start)} "
        f"and rule in ({listed(r.id for r in reading if not r.scope.is_event)})"
    )
    for rule in reading:
        oldest, answered = known.get(rule.id, (None, False))
        starts = [since[rule.id]] if rule.id in since and not answered else []
        if oldest is not None:
            starts.append(config.quarter_of(oldest).start_utc)
            before = oldest - timedelta(microseconds=1)
            starts += _judged_from(con, {rule.id}, before, config).values()
        if starts and min(starts) < moment.period_start:
            yield rule.id, min(starts)


def _find(
    con: duckdb.DuckDBPyConnection,
    rules: Sequence[RuleInfo],
    moment: Moment,
    chosen: Selection | None,
    since: Mapping[str, datetime],
) -> None:
    """Put into `carried` what is carried forward to the rules, which are of one scope."""
    scope = rules[0].scope
    selected = "true" if chosen is None else selection_condition(f"population_{scope}", chosen)
    outside = f"subject not in (select subject from temp.population_{scope})"
    con.execute(
        f"insert into carried select rule, '{scope}', subject, true from known_finding "
        f"where rule in ({listed(rule.id for rule in rules)}) and status in ({_WAITING}) "
        f"and since < {moment_literal(moment.period_end)} and {outside} and {selected}"
    )
    for rule in rules:
        if rule.aliases:  # what was found under a former name is judged under this one
            con.execute(
                f"insert into carried select distinct {quoted(rule.id)}, '{scope}', subject, false "
                f"from known_finding where rule in ({listed(rule.aliases)}) "
                f"and status in ({_WAITING}) and {outside} and {selected} and subject not in "
                f"(select subject from known_finding where rule = {quoted(rule.id)})"
            )
    made: datetime | None = None
    for rule in sorted((rule for rule in rules if rule.id in since), key=lambda r: since[r.id]):
        begins = since[rule.id]
        if begins != made:
            _make_population(con, "since_last_check", scope, (begins, moment.period_start), moment)
            made = begins
        con.execute(
            f"insert into carried select {quoted(rule.id)}, '{scope}', subject, false "
            f"from since_last_check where {outside} and {selected} "
            f"and subject not in (select subject from known_finding where rule = {quoted(rule.id)} "
            f"and status in ({_WAITING}, 'answered'))"
        )


def _make_population(
    con: duckdb.DuckDBPyConnection,
    table: str,
    scope: Scope,
    period: tuple[datetime, datetime],
    moment: Moment,
) -> None:
    """Make a table of the population of a scope in another period than the one that is judged."""
    view = definitions.view_sql(f"population_{scope}", as_of=False)

    def judged_in(start: datetime, end: datetime) -> str:
        return (
            f"set variable period_start = {moment_literal(start)}; "
            f"set variable period_end = {moment_literal(end)}"
        )

    con.execute(
        f"{judged_in(*period)}; create or replace temp table {table} as {view}; "
        f"{judged_in(moment.period_start, moment.period_end)}"
    )
