"""What ran when: versions that became live, what engines ran, and what other systems stated.

The last two were given to the ledger in files: they are stated, never seen.
"""
# ruff: noqa: S608 - the names in SQL are those of our own tables

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from auditreg.models import Grade
from auditreg.queries.approval_verdicts import (
    PROMOTION_VERDICTS,
    ApprovalVerdict,
    approval_verdict,
)
from auditreg.queries.live_versions import LiveVersion
from auditreg.queries.reader import Reader, Row, interval
from auditreg.queries.record_models import record_models_sql
from auditreg.queries.records import Deployment, Interval, Statement, Stretch
from auditreg.report.model import Lane, LivePeriod, Promotion
from auditreg.report.wording import how_known

_LANES = 26

_PROMOTIONS = """
select subject, version_subject, model_subject, registry, model, version, live_via,
       live_not_before, live_not_after, ended_not_before, ended_not_after, actor, actor_from, grade
from promotions_as_of({t})
order by coalesce(live_not_after, live_not_before), model, version, subject
"""
_STATED = f"""
with about as ({record_models_sql("history_records", "happened_at")})
select coalesce(r.model_subject, a.model_subject) as model_subject, version, happened_at, what,
       item, before, after, actor, system, reference, note
from history_records r left join about a using (seq)
where happened_at is null or happened_at < {{t}}
order by happened_at desc, seq desc
"""
_RUNNING = """
select subject, model_subject, version, resolved_by, live, possibly_live, live_versions,
       possibly_live_versions
from running_as_of({t}) order by subject
"""
_DEPLOYED = f"""
with about as ({record_models_sql("deployments", "running_from")})
select subject, model_subject, model, version, system, environment, running_from, running_until
from deployments left join about using (seq)
where running_from is null or running_from < {{t}}
order by system, environment, running_from, subject
"""


def read_promotions(
    reader: Reader,
    names: Mapping[str, str],
    live: Iterable[LiveVersion],
    first_reading: Mapping[str, Stretch],
) -> list[Promotion]:
    """Every time a version became live, with what became of its approval.

    Args:
        reader: the ledger at the report's moment.
        names: the models' names at that moment, by key: a model has one name in a report.
        live: what is live, or possibly so, at that moment.
        first_reading: of each registry, when its first reading began and ended.
    """
    verdicts = {
        row["subject"]: approval_verdict(row)
        for row in reader.rows(
            "approval_verdicts", "What became of each approval", PROMOTION_VERDICTS
        )
    }
    sure = {version.subject: version.sure for version in live}
    rows = reader.rows("promotions", "Every time a version became live", _PROMOTIONS)
    return [
        _promotion(
            row,
            verdicts.get(row["subject"]),
            names.get(row["model_subject"], row["model"]),
            sure=sure.get(row["version_subject"], True),
            first_reading=first_reading.get(row["registry"]),
        )
        for row in rows
    ]


def _promotion(
    row: Row,
    approval: ApprovalVerdict | None,
    model: str,
    *,
    sure: bool,
    first_reading: Stretch | None,
) -> Promotion:
    over = row["ended_not_before"] is not None or row["ended_not_after"] is not None
    live = interval(row, "live_")
    return Promotion(
        subject=row["subject"],
        model_subject=row["model_subject"],
        model=model,
        version=row["version"],
        via=row["live_via"],
        live=live,
        ended=interval(row, "ended_") if over else None,
        actor=row["actor"],
        actor_from=row["actor_from"],
        grade=Grade(row["grade"]),
        approval=approval,
        known=how_known(Grade(row["grade"]), live, _shown_by(live, first_reading)),
        lasts="" if over else "in use" if sure else "possibly in use",
    )


def _shown_by(when: Interval, first_reading: Stretch | None) -> datetime | None:
    """The end of the registry's first reading, if that reading was the first to show it; else None."""
    if first_reading is None:
        return None
    started, ended = first_reading
    return ended if when.not_before is None or when.not_before < started else None


def began_within(when: Interval, start: datetime, end: datetime) -> bool:
    """Whether something happened, or may have happened, in the half-open span."""
    after = when.not_after is None or when.not_after > start or when.not_before == start
    # A first sight (nothing bounds it from below) is no sign that it happened in the period.
    return when.not_before is not None and after and when.not_before < end


def overlaps(promotion: Promotion, start: datetime, end: datetime) -> bool:
    """Whether a version was, or may have been, in use at some time of the half-open span."""
    began = promotion.live.not_before
    ended = promotion.ended.not_after if promotion.ended else None
    return (began is None or began < end) and (ended is None or ended > start)


def lanes(
    promotions: Sequence[Promotion], start: datetime, end: datetime, seen: datetime | None
) -> tuple[Lane, ...]:
    """A lane per model that has a version in use in the period, those that moved first.

    `seen` is when the registry was last read: nothing is certain after it.
    """
    by_model: dict[str, list[Promotion]] = defaultdict(list)
    for promotion in promotions:
        if overlaps(promotion, start, end):
            by_model[promotion.model_subject].append(promotion)
    ordered = sorted(
        by_model.values(),
        key=lambda group: (
            not any(began_within(promotion.live, start, end) for promotion in group),
            group[0].model,
            group[0].model_subject,
        ),
    )
    return tuple(
        Lane(group[0].model, tuple(_period(promotion, seen) for promotion in group))
        for group in ordered[:_LANES]
    )


def _period(promotion: Promotion, seen: datetime | None) -> LivePeriod:
    ended = promotion.ended or (Interval(seen, None) if seen else None)
    return LivePeriod(promotion.version, promotion.live, ended)


def read_statements(reader: Reader) -> dict[str, list[Statement]]:
    """Changes that other systems stated, latest first, by model; `""` holds those of no model."""
    statements: dict[str, list[Statement]] = defaultdict(list)
    if not reader.has("history_records"):
        return statements
    for row in reader.rows("history_records", "Changes that other systems stated", _STATED):
        what = " ".join(part for part in (row["what"], row["item"]) if part)
        statements[row["model_subject"] or ""].append(
            Statement(
                row["happened_at"], row["version"], what, row["before"], row["after"],
                row["actor"], row["system"], row["reference"], row["note"],
            )
        )  # fmt: skip
    return statements


def read_deployments(reader: Reader) -> tuple[Deployment, ...]:
    """What engines ran by the report's moment, compared with what the registry calls live."""
    if not reader.has("deployments"):
        return ()
    rows = reader.rows("deployments", "What engines are said to have run", _DEPLOYED)
    running = {
        row["subject"]: row
        for row in reader.rows("running", "What of it ran at the moment", _RUNNING)
    }
    return tuple(_deployment(row, running.get(row["subject"])) for row in rows)


def _deployment(row: Row, running: Row | None) -> Deployment:
    resolved = running or {}
    return Deployment(
        model_subject=resolved.get("model_subject") or row["model_subject"],
        model=row["model"],
        system=row["system"],
        environment=row["environment"],
        version=row["version"] if row["version"] is not None else resolved.get("version"),
        deployed_at=row["running_from"],
        ended_at=row["running_until"],
        running=running is not None,
        agrees=_agrees(running) if running is not None else None,
        registry_says=_registry_in_words(running) if running is not None else "",
    )


def _agrees(row: Row) -> bool | None:
    """Whether the registry calls the same version live; None where that cannot be told."""
    if row["live"]:
        return True
    if row["live"] is None or row["possibly_live"] or row["possibly_live_versions"]:
        return None
    return False


def _registry_in_words(row: Row) -> str:
    if row["resolved_by"] == "nothing":
        return "no such version is in the registry"
    if row["resolved_by"] == "several versions":
        live = None if row["possibly_live"] else row["live"]
        words = {True: "all of them live", False: "none of them live", None: "not all of them live"}
        return f"several versions with this digest, {words[live]}"
    sure, maybe = row["live_versions"], row["possibly_live_versions"]
    parts = [f"version {sure} live"] if sure else []
    parts += [f"version {maybe} possibly live"] if maybe else []
    return ", ".join(parts) or "no version live"
