"""Why a finding is not open any more, from what is on record.

A finding leaves the answers of a check because something was repaired, because what it is about is no
longer asked about, or because the yardstick is another one. Which it is follows from facts: the text
and parameters of the rule, and the settings, are compared with those of the last check that covered everything;
where the settings are others, the state of today is judged by those of then once more, and what would
still be open by them was closed by the settings. Where a rule itself is another, that is the reason given: what it would
have said is not asked, for the release that wrote it may be gone.
"""
# ruff: noqa: S608 - the names in SQL are those of our own tables; texts are quoted

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditreg.audit.answers import Answers
from auditreg.audit.isolation import result_table
from auditreg.ledger.seal import Closing
from auditreg.models import ClosedWhy, Finding, RuleInfo, Status
from auditreg.sql import listed, quoted

if TYPE_CHECKING:
    import duckdb

Rejudged = tuple[set[tuple[str, str]], set[str]]
"""Pairs of rule and subject that are open by other settings, and the rules that do not run by them."""

Rejudge = Callable[[Mapping[str, object], Sequence[RuleInfo]], Rejudged]
"""Judges the state of the check by other settings."""

_SETTLED = (Status.ANSWERED, Status.PREDATES_POLICY)
"""States of findings about events that hold when their period is over."""


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """The rules and settings of a check.

    `enabled` are the rules that are not switched off, `known` all that there are, by id; `settings`
    are as they are sealed.
    """

    enabled: Sequence[RuleInfo]
    known: Collection[str]
    settings: Mapping[str, object]


_Known = Mapping[str, tuple[str, Status]]
"""Key of a finding that is not among the answers to its rule and its state before this check."""


@dataclass(frozen=True, slots=True)
class _Left:
    """A finding that was among the answers, and what its rule says now; None where it says nothing."""

    key: str
    rule: RuleInfo
    subject: str
    was: Status
    now: Status | None
    reason: str


def closings(
    answers: Answers,
    found: Iterable[Finding],
    in_force: RulesInForce,
    rejudge: Rejudge,
    *,
    selected: bool,
    whole: bool,
) -> tuple[Closing, ...]:
    """The findings that are not open any more, and why.

    Args:
        answers: of the check, whose tables are there.
        found: its findings.
        in_force: by what was judged.
        rejudge: judges once more; the tables of the check are another's afterwards.
        selected: whether the check was limited to some models: outside of them nothing closes.
        whole: whether all rules ran over everything, so that a rule that is missing is gone.
    """
    con = answers.connection
    open_before = con.execute(
        "select key, rule, status from known_finding where status <> 'closed' order by number"
    ).fetchall()
    keys = {finding.key for finding in found}
    was = {key: (rule, Status(status)) for key, rule, status in open_before if key not in keys}
    if not was:
        return ()
    closed = list(_of_gone_rules(was, in_force)) if whole else []
    left = list(_told_otherwise(answers, was))
    if not selected:  # else what is not in the population may only be outside of the selection
        left += _no_longer_asked(answers, was)
    changed = _Changes(con, in_force, {one.rule.id for one in left})
    stricter = _open_by_former_settings(left, changed, rejudge)
    for one in left:
        closing = _closing(one, changed, stricter)
        if closing is not None:
            closed.append(closing)
    return tuple(closed)


def _told_otherwise(answers: Answers, was: _Known) -> Iterator[_Left]:
    """Those of which their rules say now that they are no findings."""
    for answer in answers.no_longer_found({rule for rule, _ in was.values()}):
        if answer.key in was:
            _, before = was[answer.key]
            yield _Left(
                answer.key, answer.rule, answer.subject.key, before, answer.status, answer.reason
            )


def _no_longer_asked(answers: Answers, was: _Known) -> Iterator[_Left]:
    """Those of which their rules say nothing now."""
    waiting = {rule for rule, _ in was.values()}
    rules = {r.rule.id: r.rule for r in answers.results if r.error is None and r.rule.id in waiting}
    asked = " union all ".join(
        f"select {quoted(rule.id)} as rule, subject::VARCHAR as subject from {result_table(rule)}"
        for rule in rules.values()
    )
    if not asked:
        return
    rows = answers.connection.execute(
        "select k.key, k.rule, k.subject, "
        "coalesce(k.model || coalesce('/' || k.version, ''), 'the ledger') "
        f"from known_finding k anti join ({asked} union all select rule, subject from carried_answer) a "
        "on a.rule = k.rule and a.subject = k.subject "
        f"where k.status <> 'closed' and k.rule in ({listed(rules)}) order by k.number"
    ).fetchall()
    for key, rule, subject, label in rows:
        if key in was:
            reason = f"{label} is no longer among what the rule asks about."
            yield _Left(key, rules[rule], subject, was[key][1], None, reason)


def _closing(one: _Left, changed: _Changes, stricter: Rejudged) -> Closing | None:
    """Why one finding is not open any more; None where it stays as it was."""
    if one.was is Status.ERROR and one.now is None:
        return Closing(one.key, ClosedWhy.REPAIRED, "The rule can be judged again.")
    if one.now is None and one.rule.scope.is_event:
        # It did happen: the end of its period closes nothing, and undoes no answer.
        return Closing(one.key, "", "", kept=True) if one.was in _SETTLED else None
    status = "undecided" if one.now is Status.UNDECIDED else "closed"
    open_then, failed = stricter
    if changed.rule(one.rule):
        why = ClosedWhy.RULE_CHANGED
    elif (one.rule.id, one.subject) in open_then or one.rule.id in failed:
        why = ClosedWhy.POLICY_CHANGED
    elif one.now is None:
        why = ClosedWhy.OUT_OF_SCOPE
    else:
        why = ClosedWhy.UNDECIDED if status == "undecided" else ClosedWhy.REPAIRED
    return Closing(one.key, why, one.reason, status)


def _of_gone_rules(was: _Known, in_force: RulesInForce) -> Iterator[Closing]:
    """What is left of rules that are switched off, renamed or no longer there."""
    enabled = {rule.id for rule in in_force.enabled}
    renamed = {name: rule.id for rule in in_force.enabled for name in rule.aliases}
    for key, (rule, _) in was.items():
        if rule in enabled:
            continue
        if rule in renamed:
            yield Closing(key, ClosedWhy.RULE_CHANGED, f"The rule is called {renamed[rule]} now.")
        elif rule in in_force.known:
            yield Closing(key, ClosedWhy.POLICY_CHANGED, "The rule is switched off.")
        else:
            yield Closing(key, ClosedWhy.RULE_CHANGED, "There is no such rule any more.")


def _open_by_former_settings(
    left: Sequence[_Left], changed: _Changes, rejudge: Rejudge
) -> Rejudged:
    """What would still be open by the settings of the last check, where those were others."""
    by_settings: dict[str, dict[str, RuleInfo]] = {}
    for one in left:
        former = None if changed.rule(one.rule) else changed.settings(one.rule)
        if former is not None:
            by_settings.setdefault(former, {})[one.rule.id] = one.rule
    still_open: set[tuple[str, str]] = set()
    failed: set[str] = set()
    for text, rules in by_settings.items():
        more_open, more_failed = rejudge(json.loads(text), list(rules.values()))
        still_open |= more_open
        failed |= more_failed
    return still_open, failed


class _Changes:
    """What of the rules and settings is another than at the last check that covered everything."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, in_force: RulesInForce, rules: Collection[str]
    ) -> None:
        self._now: dict[str, Any] = json.loads(json.dumps(dict(in_force.settings), default=str))
        self._ids = in_force.known
        self._checked: dict[str, int] = {}
        self._texts: list[tuple[str, int, str]] = []
        self._settings: list[tuple[int, str]] = []
        if not rules:
            return
        self._checked = dict(
            con.execute(
                "select json_extract_string(rule, '$.id'), max(seq) from "
                "(select seq, unnest(from_json(rules, '[\"JSON\"]')) as rule from checks "
                "where selection = '[]') group by 1"
            ).fetchall()
        )
        self._texts = con.execute(
            "select name, seq, sha256 from policies where policy_kind = 'rule' "
            f"and name in ({listed(sorted(rules))}) order by seq"
        ).fetchall()
        self._settings = con.execute(
            "select seq, text from policies where policy_kind = 'settings' order by seq"
        ).fetchall()

    def rule(self, rule: RuleInfo) -> bool:
        """Whether the rule has another text or other parameters than it had."""
        checked = self._checked.get(rule.id, -1)
        before = [sha for name, seq, sha in self._texts if name == rule.id and seq < checked]
        if before and before[-1] != rule.digest:
            return True
        former = self._former(rule)
        return former is not None and self._params(former, rule.id) != self._params(
            self._now, rule.id
        )

    def settings(self, rule: RuleInfo) -> str | None:
        """The settings the rule was judged by, as JSON, where they are not those of now."""
        former = self._former(rule)
        if former is None or self._general(former) == self._general(self._now):
            return None
        return json.dumps(former, sort_keys=True)

    def _former(self, rule: RuleInfo) -> dict[str, Any] | None:
        checked = self._checked.get(rule.id, -1)
        before = [text for seq, text in self._settings if seq < checked]
        return json.loads(before[-1]) if before else None

    @staticmethod
    def _params(settings: Mapping[str, Any], rule: str) -> dict[str, Any]:
        return {name: value for name, value in settings.items() if name.startswith(f"{rule}.")}

    def _general(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings but the parameters of rules."""
        return {
            name: value
            for name, value in settings.items()
            if name.rpartition(".")[0] not in self._ids
        }
