"""Runs rules over whole populations and judges what they answer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge
from typing import TYPE_CHECKING

from auditreg.audit import isolation, waiver_givers
from auditreg.audit.answers import Answers, result_columns
from auditreg.audit.carried import CarriedForward, carried_forward
from auditreg.audit.closing import Rejudged, RulesInForce, closings
from auditreg.audit.in_force import configured, in_force
from auditreg.audit.judging import counted, judge_waivers, with_carried
from auditreg.audit.known_findings import no_longer_found, prepare_known_findings
from auditreg.audit.ratings import RATINGS, rate_subjects
from auditreg.audit.reach import rules_within_reach, with_unreached
from auditreg.audit.results import check_results, policy_overrides, population_sizes
from auditreg.audit.snapshot import (
    Extension,
    Moment,
    Reads,
    reads_of,
    selection_statements,
    state_statements,
)
from auditreg.config import Config, Period, calendar
from auditreg.errors import NothingToAudit, SourceError, first_line
from auditreg.ledger.planning import is_small
from auditreg.models import (
    OPEN,
    CheckResult,
    Finding,
    RuleInfo,
    RuleResult,
    Status,
    Subject,
    worst_first,
)
from auditreg.queries.model_refs import Selection, select
from auditreg.queries.nothing_live import READ_FOR_NAMES, nothing_live
from auditreg.queries.prompts import refuse_prompts
from auditreg.rules.parse import select_rules
from auditreg.rules.validate import wrapped
from auditreg.sql import listed, moment_literal, quoted, quoted_name
from auditreg.waivers import Waiver

if TYPE_CHECKING:
    import duckdb

    from auditreg.ledger.seal import Closing


_NO_ANSWERS = (
    "select null::VARCHAR as subject, null::VARCHAR as status, null::VARCHAR as reason where false"
)


def latest_complete(con: duckdb.DuckDBPyConnection, *, state: str) -> datetime:
    """The moment of the last reading that left nothing in doubt, UTC; settings may say another.

    Args:
        con: a connection to a ledger.
        state: what state things are in, for the error.

    Raises:
        SourceError: every reading so far was incomplete: no result could be trusted.
        NothingToAudit: there is no reading at all.
    """
    row = con.execute(
        "select coalesce(setting('as_of')::TIMESTAMP, "
        "max(observed_at) filter (where complete)), count(*) from extractions"
    ).fetchone()
    latest, readings = row or (None, 0)
    if latest is not None:
        moment: datetime = latest
        return moment
    if readings:
        raise SourceError(
            "The ledger holds no complete reading of a registry, only incomplete ones.",
            state=state,
            hint="auditreg status names the doubt; repair its cause and extract again.",
        )
    raise NothingToAudit(
        "The ledger holds no reading of a registry.",
        state=state,
        hint="auditreg extract --from URI",
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a check judged; `only` says that not all rules ran."""

    moment: Moment
    chosen: Selection | None
    answers: Answers
    findings: tuple[Finding, ...]
    carried: CarriedForward
    only: bool


class Auditor:
    """Judges one ledger by a set of rules.

    Args:
        connection: a ledger, or the state of a registry in memory. Only temporary tables and
            variables are made on it. It stays open as long as the result is read.
        config: the settings in force.
        rules: built-in ones and a firm's own; `config.rules` says which do not run, and with
            which severity and parameters.
        waivers: the entries of waivers.toml.
        policy: the policy digest that goes into the result.
        ledger: identity of the ledger for the result (path, tree size, root, extraction).
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        config: Config,
        rules: Sequence[RuleInfo],
        waivers: Sequence[Waiver] = (),
        *,
        policy: str = "",
        ledger: Mapping[str, object] | None = None,
        limits: isolation.Limits | None = None,
    ) -> None:
        self._connection = connection
        self._config = config
        self._rules = configured(rules, config)
        self._known = {name for rule in rules for name in (rule.id, *rule.aliases)}
        self._waivers = tuple(waivers)
        self._policy = policy
        self._ledger = dict(ledger or {})
        self._limits = limits or isolation.Limits()
        self._judged: _Judged | None = None

    def check(
        self,
        as_of: datetime | None = None,
        *,
        period: Period | None = None,
        selection: Sequence[str] = (),
        only: Sequence[str] = (),
        all_views: bool = True,
    ) -> CheckResult:
        """Run the rules.

        Args:
            as_of: a past moment, UTC; None judges the latest state.
            period: what `promotion` and `live_in_period` are judged over; the fiscal quarter of
                the moment when None.
            selection: models and versions as `auditreg check` takes them; everything when empty.
            only: ids of the rules to run; all when empty.
            all_views: prepare every view of the moment, for questions asked on the connection
                afterwards; otherwise only what these rules read.

        Raises:
            NothingToAudit: the ledger holds no reading of a registry, or prompts alone are judged.
            UsageError: the selection or a rule id names nothing.
        """
        moment, period = self._moment(as_of, period)
        wanted = select_rules(self._rules, only) if only else self._rules
        rules = rules_within_reach(self._connection, wanted)
        reads = None if all_views else self._reads(rules, moment, bool(selection))
        self._prepare(moment, reads)
        chosen = select(self._connection, selection)
        # The tables of the moment hide the ledger's: of a past one, too, they say what was a prompt.
        refuse_prompts(self._connection, chosen, None, "Nothing was checked.")
        for statement in selection_statements(chosen, reads):
            self._connection.execute(statement)
        prepare_known_findings(self._connection, as_of)
        carried = carried_forward(self._connection, rules, moment, chosen, self._config)
        carried.extend_populations()
        problems = self._run(rules, moment, chosen, carried.extension)
        columns = result_columns(self._connection, [r for r in rules if r.id not in problems])
        rate_subjects(self._connection, rules)
        faults = carried.take_answers(rules, problems, columns)
        results = [
            replace(result, counts={}, error=result.error or faults[result.rule.id])
            if result.rule.id in faults
            else result
            for result in check_results(
                self._connection, rules, problems, columns, selected=chosen is not None
            )
        ]
        carried.keep_as_sealed([result.rule for result in results if result.error])
        results = with_carried(self._connection, results)
        self._judge_policy(results)
        waivers = judge_waivers(
            self._connection,
            self._waivers,
            results,
            columns,
            moment.as_of,
            self._config.calendar.timezone,
            known=self._known,
            whole=not selection and not only,
        )
        zone = calendar.zone(self._config.calendar.timezone)
        answers = Answers(self._connection, results, self._waivers, columns, zone)
        findings = tuple(_merged(_errors(results), answers.findings()))
        self._judged = _Judged(moment, chosen, answers, findings, carried, bool(only))
        return CheckResult(
            as_of=moment.as_of,
            period=(period.first_day, period.last_day),
            policy=self._policy,
            ledger=self._ledger,
            rules=with_unreached(wanted, counted(answers)),
            answers=findings,
            selection=tuple(selection),
            waivers=waivers,
            every=_Every(answers, _errors(results)),
            nothing_live=nothing_live(self._connection, results),
            no_longer_found=no_longer_found(self._connection, findings, rules if only else None)
            if as_of is not None and chosen is None
            else (),
        )

    def closings(self) -> tuple[Closing, ...]:
        """What the last `check` of the latest state found not open any more, and why.

        Its answers are to be read before: its tables may be another's afterwards.
        """
        judged = self._judged
        if judged is None:
            return ()
        return closings(
            judged.answers,
            judged.findings,
            RulesInForce(self._rules, self._known, in_force(self._config, self._rules)),
            self._open_by,
            selected=judged.chosen is not None,
            whole=judged.chosen is None and not judged.only,
        )

    def _open_by(self, settings: Mapping[str, object], rules: Sequence[RuleInfo]) -> Rejudged:
        """What the rules find open in the state of the last check by other settings."""
        judged = self._judged
        assert judged is not None  # noqa: S101 - `closings` asks
        moment = replace(judged.moment, settings=settings)
        reads = self._reads(rules, moment, judged.chosen is not None)
        self._prepare(moment, reads)
        for statement in selection_statements(judged.chosen, reads):
            self._connection.execute(statement)
        judged.carried.extend_populations({rule.scope for rule in rules})
        problems = self._run(rules, moment, judged.chosen, judged.carried.extension)
        found = set()
        for rule in rules:
            if rule.id not in problems:
                rows = self._connection.execute(
                    f"select subject from {isolation.result_table(rule)} "  # noqa: S608 - our own
                    f"where status::VARCHAR in ({listed(OPEN)})"
                ).fetchall()
                found |= {(rule.id, str(subject)) for (subject,) in rows}
        return found, set(problems)

    def _moment(self, as_of: datetime | None, period: Period | None) -> tuple[Moment, Period]:
        latest = as_of or latest_complete(self._connection, state="Nothing was checked.")
        within = period or self._config.quarter_of(latest)
        settings = in_force(self._config, self._rules) if self._config.path else None
        return (
            Moment(latest, within.start_utc, within.end_utc, past=as_of, settings=settings),
            within,
        )

    def _prepare(self, moment: Moment, reads: Reads | None) -> None:
        """Make the tables of the moment."""
        large = not is_small(self._connection)
        for statement in state_statements(moment, reads, large=large):
            self._connection.execute(statement)

    def _reads(self, rules: Sequence[RuleInfo], moment: Moment, selection: bool) -> Reads:
        """What the rules read, and what waivers, prompts and the age of things are judged by."""
        texts = [text for rule in rules for text in (rule.sql, f"population_{rule.scope}")]
        texts += ["registered_models prompt_models", READ_FOR_NAMES]
        if self._waivers:
            texts.append(waiver_givers.READ)
        if self._config.policy.effective:
            texts.append("registered_models model_versions promotions")
        if any(rule.severity_by_rating for rule in rules):
            texts.append(RATINGS)
        return reads_of(texts, moment, selection=selection)

    def _run(
        self,
        rules: Sequence[RuleInfo],
        moment: Moment,
        chosen: Selection | None,
        extension: Extension,
    ) -> dict[str, str]:
        """Every rule's answers into its own table `result_<id>`; an error hides no other rule.

        Returns:
            rule id to why it did not run.
        """
        custom = [rule for rule in rules if rule.custom]
        problems: dict[str, str] = {}
        sizes = population_sizes(self._connection, rules)
        for rule in rules:
            if rule.custom:
                continue
            start = extension.starts.get(rule.id, moment.period_start)
            with self._period_from(start, moment):
                problem = self._run_here(rule, sizes[rule.scope])
            if problem:
                problems[rule.id] = problem
        if custom:
            problems |= isolation.run(
                self._connection, custom, moment, chosen, self._limits, extension
            )
        return problems

    @contextlib.contextmanager
    def _period_from(self, start: datetime, moment: Moment) -> Iterator[None]:
        """Let rules look at the period from another beginning on."""
        if start == moment.period_start:
            yield
            return
        beginning = "set variable period_start = {}".format
        self._connection.execute(beginning(moment_literal(start)))
        yield
        self._connection.execute(beginning(moment_literal(moment.period_start)))

    def _run_here(self, rule: RuleInfo, population: int) -> str | None:
        """Run a rule over a population of that size; in words, what was wrong.

        A rule is not run over an empty population; planning its SQL would only take time.
        """
        import duckdb

        answers = wrapped(rule.sql) if population else _NO_ANSWERS
        created = f"create or replace temp table {isolation.result_table(rule)} as {answers}"
        set_params = (
            f"set variable {quoted_name(name)} = {quoted(str(value))}"
            for name, value in rule.params.items()
        )
        try:
            self._connection.execute("; ".join((*set_params, created)))
        except duckdb.Error as error:
            return first_line(error)
        finally:
            if rule.params:
                names = map(quoted_name, rule.params)
                self._connection.execute("; ".join(f"reset variable {name}" for name in names))
        return None

    def _judge_policy(self, results: Sequence[RuleResult]) -> None:
        effective = self._config.policy.effective
        since = calendar.day_start(effective, self._config.calendar.timezone) if effective else None
        rules = [
            result.rule
            for result in results
            if not result.error and any(s.is_open for s in (*result.counts, *result.carried))
        ]
        policy_overrides(self._connection, rules, since)


class _Every:
    """All answers, read anew from the connection each time they are iterated over."""

    def __init__(self, answers: Answers, errors: Sequence[Finding]) -> None:
        self._answers = answers
        self._errors = errors

    def __iter__(self) -> Iterator[Finding]:
        return iter(_merged(self._errors, self._answers.every()))


def _errors(results: Sequence[RuleResult]) -> list[Finding]:
    """One answer per rule that could not be judged; it is about the ledger, not about a model."""
    errors = [
        Finding(
            rule=result.rule,
            subject=Subject("ledger"),
            status=Status.ERROR,
            reason=result.error,
            evidence={"population": result.population, "examined": result.examined},
        )
        for result in results
        if result.error is not None
    ]
    return sorted(errors, key=worst_first)


def _merged(errors: Sequence[Finding], answers: Iterable[Finding]) -> Iterable[Finding]:
    """Both in one order; there may be very many answers, and hardly ever an error."""
    return merge(errors, answers, key=worst_first) if errors else answers
