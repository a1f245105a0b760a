"""Compares what auditreg answers with what the reference judge says, subject by subject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditreg.audit import Auditor
from auditreg.config import Config
from auditreg.ledger.store import Ledger
from auditreg.models import RuleInfo
from auditreg.rules.parse import builtin_rules
from auditreg.sources import open_source
from auditreg.workflows.policy import PolicySet
from tests.judge import judge
from tests.judge.judge import Case
from tests.judge.words import Firm
from tests.judge.world import Model, Span, Version, World
from tests.servers.truth import Truth

if TYPE_CHECKING:
    import duckdb

OURS = {"pass": "pass", "fail": "bad", "not_evidenced": "bad", "not_applicable": "n/a"}
RULES: Mapping[str, Callable[[Case, Any], str]] = {
    **judge.VERSION_RULES, **judge.PERIOD_RULES, **judge.PROMOTION_RULES,
    **judge.MODEL_RULES, **judge.RETIRED_RULES,
}  # fmt: skip


def naive(ms: int) -> datetime:
    """A moment as the ledger has it."""
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)


def in_ms(moment: datetime) -> int:
    """A moment of the ledger in milliseconds."""
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True)
class Difference:
    """An answer that is not the judge's, with all that is needed to see who is right."""

    kind: str
    rule: str
    subject: str
    at: datetime
    answer: str
    truth: str
    reason: str
    events: str

    def __str__(self) -> str:
        return (
            f"{self.kind}: {self.rule}, {self.subject} at {self.at:%Y-%m-%d}: auditreg says "
            f"{self.answer}, the judge {self.truth}\n    {self.reason}\n{self.events}"
        )


@dataclass
class Told:
    """What came of comparisons.

    `unknown` counts what began and ended between two readings, `overwritten` answers that are those of
    a judge who read the registry as often as auditreg did, and that what was overwritten unread belies;
    `outside` answers about what was not, or not yet, so at the moment.
    """

    counted: dict[str, Counter[str]] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    overwritten: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)

    def of(self, *kinds: str) -> list[Difference]:
        """The differences of some kinds."""
        return [difference for difference in self.differences if difference.kind in kinds]

    @property
    def total(self) -> Counter[str]:
        """All rules together."""
        return sum(self.counted.values(), Counter())

    def shares(self) -> Iterator[str]:
        """Per rule how many answers were compared, and the share undecided."""
        for rule, counts in sorted(self.counted.items()):
            yield f"{rule:36} {counts.total():6} answers, {counts['undecided'] / counts.total():6.1%} undecided"


@dataclass
class Court:
    """A ledger that grows by readings, and the events that really happened."""

    ledger: Ledger
    config: Config
    truth: Truth
    firm: Firm
    readings: list[int] = field(default_factory=list)

    def read(self, store: Path, at: int) -> None:
        """Take in what the store was at a moment."""
        with open_source(str(store), artifacts="none").read() as reading:
            self.ledger.ingest(
                reading,
                registry="default",
                policies=PolicySet.load(self.config).policies(),
                observed_at=naive(at),
            )
        self.readings.append(at)

    def compare(self, told: Told, *, past: int | None = None) -> None:
        """Judge the latest state, or a past moment, twice, and compare."""
        rules = [rule for rule in builtin_rules() if rule.id in RULES]
        with self.ledger.reader() as con:
            born = dict(
                con.execute(
                    "select subject, min(created_at) from ledger.log "
                    "where kind in ('registered_model', 'model_version') group by subject"
                ).fetchall()
            )
            at = None if past is None else naive(past)
            result = Auditor(con, self.config, rules).check(at)
            assert not [r.error for r in result.rules if r.error]
            promotions = _promotions(con)
            period = self.config.quarter_of(result.as_of)
            case = Case(
                World.of(self.truth.events, in_ms(result.as_of)), self.firm,
                in_ms(period.start_utc), in_ms(period.end_utc), self.readings,
            )  # fmt: skip
            thin = World.of(self.truth.events, max(self.readings))
            thin.forget(self.readings, case.now)
            thin.now = case.now
            as_read = replace(case, world=thin)
            _Comparison(case, told, born, promotions, rules, as_read).run(result.every)


def _promotions(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, int | None, int]]:
    rows = con.execute(
        "select subject, version_subject, live_not_before, live_not_after from promotions"
    ).fetchall()
    return {
        subject: (version, None if low is None else in_ms(low), in_ms(high))
        for subject, version, low, high in rows
    }


class _Comparison:
    """One check beside one judgement."""

    def __init__(
        self,
        case: Case,
        told: Told,
        born: Mapping[str, datetime],
        promotions: Mapping[str, tuple[str, int | None, int]],
        rules: Sequence[RuleInfo],
        as_read: Case,
    ) -> None:
        self.case, self.told, self.born, self.promotions = case, told, born, promotions
        self.scopes = {rule.id: str(rule.scope) for rule in rules}
        self.versions = {version.made: version for version in case.world.versions}
        self.models = {model.made: model for model in case.world.models}
        self.answered: dict[str, list[object]] = {rule.id: [] for rule in rules}
        self.as_read = as_read

    def run(self, every: Iterable[Any]) -> None:
        """Compare every answer, and the populations."""
        scopes = self.scopes_of(self.case)
        for finding in every:
            rule = finding.rule.id
            subjects = self.subjects(finding.subject.key)
            asked = [one for one in subjects if one in scopes[self.scopes[rule]]]
            if not asked:
                # At a past moment the ledger may only know that it may have been so.
                self.told.outside[rule] += 1
                continue
            self.answered[rule] += asked
            self.note(finding, asked, {RULES[rule](self.case, subject) for subject in asked})
        self.left_out(scopes)

    def subjects(self, key: str, world: World | None = None) -> list[Version | Model | Span]:
        """What an answer may be about; of a promotion that readings bound, several may be meant."""
        versions, models = self.versions, self.models
        if world is not None:
            versions = {version.made: version for version in world.versions}
            models = {model.made: model for model in world.models}
        if key in self.promotions:
            version, low, high = self.promotions[key]
            held = versions.get(in_ms(self.born[version]))
            spans = held.lives if held else []
            return [s for s in spans if (low is None or low <= s.start) and s.start <= high]
        made = in_ms(self.born[key])
        found = versions.get(made) or models.get(made)
        return [] if found is None else [found]

    def seen(self, rule: str, key: str) -> set[str]:
        """What the judge answers who knows nothing of what was overwritten before anybody read it."""
        case = self.as_read
        answers = {RULES[rule](case, subject) for subject in self.subjects(key, case.world)}
        return {answer for one in answers for answer in one.split("|")}

    def note(self, finding: Any, subjects: Sequence[object], answers: set[str]) -> None:
        """Count an answer, and keep it where it is not the judge's."""
        rule, status = finding.rule.id, str(finding.status)
        self.told.counted.setdefault(rule, Counter())[status] += 1
        said = OURS.get(status)
        answers = {answer for one in answers for answer in one.split("|")}
        if said is None or said in answers:
            return
        if said in self.seen(rule, finding.subject.key):
            self.told.overwritten[rule] += 1
            self.differ(
                "overwritten", rule, subjects, status, "/".join(sorted(answers)), finding.reason
            )
            return
        if said == "pass":
            kind = "false pass" if "bad" in answers or "open" in answers else "pass where not asked"
        elif said == "bad":
            kind = "false failure"
        else:
            kind = "not asked"
        self.differ(kind, rule, subjects, status, "/".join(sorted(answers)), finding.reason)

    def scopes_of(self, case: Case) -> dict[str, Sequence[Any]]:
        """Whom rules ask about, by their scope."""
        return {
            "live_version": case.live_versions(),
            "live_in_period": case.live_in_period(),
            "promotion": case.promotions(),
            "registered_model": case.models(),
            "retired_version": case.retired(),
        }

    def left_out(self, scopes: Mapping[str, Sequence[Any]]) -> None:
        """Whom rules should have asked about and did not."""
        for rule, answered in self.answered.items():
            for one in scopes[self.scopes[rule]]:
                if one in answered:
                    continue
                if not self.could_know(rule, one):
                    self.told.unknown[rule] += 1
                    continue
                self.differ("left out", rule, [one], "-", RULES[rule](self.case, one), "")

    def could_know(self, rule: str, about: Version | Model | Span) -> bool:
        """Whether readings show it: what began and ended between two of them nobody saw."""
        if isinstance(about, Model):
            return self.read_in(about.made, about.deleted)
        if isinstance(about, Span):
            earlier = [one for one in about.version.lives if one.start < about.start]
            apart = not earlier or self.read_in(earlier[-1].end or 0, about.start)
            return apart and self.read_in(about.start, about.end)
        lives = about.lives
        if self.scopes[rule] == "live_in_period":
            lives = [one for one in lives if one.meets(self.case.start, self.case.end)]
        return any(self.read_in(one.start, one.end) for one in lives)

    def read_in(self, start: int, end: int | None) -> bool:
        """Whether a reading was in [start, end)."""
        return any(start <= at and (end is None or at < end) for at in self.case.readings)

    def differ(
        self, kind: str, rule: str, subjects: Sequence[Any], answer: str, truth: str, reason: str
    ) -> None:
        """Keep a difference."""
        about = subjects[0] if subjects else None
        thing = about.version if isinstance(about, Span) else about
        label, lines = "?", []
        if isinstance(thing, Version):
            label = f"{thing.model.name}/{thing.number}"
            lines = [(at, f"{key}={value}") for at, key, value in thing.written]
            lines += [(at, f"stage {stage}") for at, stage in thing.stages]
            lines += [(at, f"alias {alias}") for at, alias in thing.aliased]
            lines += [(thing.made, "created")]
            lines += [] if thing.deleted is None else [(thing.deleted, "deleted")]
            lines += [(one.start, "went live") for one in thing.lives]
            lines += [(one.end, "ceased to be live") for one in thing.spans if one.end is not None]
            if thing.model.deleted is not None:
                lines.append((thing.model.deleted, "model deleted"))
            if thing.run:
                run = thing.run
                lines += [
                    (
                        run.start,
                        f"run of {run.user} {run.tags} {run.datasets} ends {naive(run.end or 0)}",
                    )
                ]
            lines += [(at, f"model: {key}={value}") for at, key, value in thing.model.written]
        elif isinstance(thing, Model):
            label = thing.name
            lines = [(at, f"{key}={value}") for at, key, value in thing.written]
            lines += [
                (at, f"{v.number} {what}")
                for v in thing.versions.values()
                for at, what in [
                    *v.stages,
                    *v.aliased,
                    *([] if v.deleted is None else [(v.deleted, "deleted")]),
                ]
            ]
        events = "\n".join(f"      {naive(at)} {what}" for at, what in sorted(lines))
        self.told.differences.append(
            Difference(kind, rule, label, naive(self.case.now), answer, truth, reason, events)
        )
