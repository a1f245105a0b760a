"""Which version was live at a moment, since when, put there and approved by whom, and how sure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from auditreg.models import Certainty
from auditreg.queries.approval_verdicts import ApprovalVerdict, approval_verdict
from auditreg.queries.model_refs import Selection
from auditreg.queries.reader import Row, as_of, fetch_rows
from auditreg.queries.records import Interval
from auditreg.sql import moment_literal

if TYPE_CHECKING:
    import duckdb

COLUMNS = (
    *("registry", "workspace", "model", "version", "live", "live_via", "live_not_before"),
    *("live_not_after", "put_live_by", "put_live_by_from", "approver", "approval_date"),
    *("approval", "contested_by"),
    *("certainty", "grade", "at", "last_reading", "model_subject", "version_subject"),
)
"""Columns of the rows of `live_rows`."""

_OPEN = (Certainty.UNCERTAIN, Certainty.UNKNOWN)


@dataclass(frozen=True, slots=True)
class LiveVersion:
    """A version that was live, or may have been; bounds as the record has them, UTC.

    `approval` is what became of its approval when it went live; None where that was not asked for.
    """

    subject: str
    version: int
    via: str
    certainty: Certainty
    not_before: datetime | None
    not_after: datetime | None
    ended_not_before: datetime | None
    ended_not_after: datetime | None
    actor: str | None
    actor_from: str | None
    grade: str | None
    approval: ApprovalVerdict | None = None

    @property
    def sure(self) -> bool:
        """Whether it was live, rather than possibly so."""
        return self.certainty not in _OPEN

    @property
    def since(self) -> Interval:
        """When it became live."""
        return Interval(self.not_before, self.not_after)


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """What was live of one model.

    `at` is None for the latest reading; `certainty` is that of nothing being live.
    """

    subject: str
    registry: str
    workspace: str
    model: str
    at: datetime | None
    first_reading: datetime | None
    last_reading: datetime | None
    existed: bool
    versions: tuple[LiveVersion, ...]

    @property
    def certainty(self) -> Certainty:
        """How sure it is that nothing was live, where nothing was."""
        if self.at is None:
            return Certainty.CERTAIN
        if self.first_reading is None or self.at < self.first_reading:
            return Certainty.UNKNOWN
        if self.last_reading is None or self.at > self.last_reading:
            return Certainty.NOT_SEEN_SINCE
        return Certainty.SEEN_SAME

    @property
    def handed_over(self) -> bool:
        """Whether the possible versions followed one another, so that one of them was live."""
        chain = sorted(
            (v for v in self.versions if not v.sure),
            key=lambda v: (v.not_after is not None, str(v.not_after), v.version),
        )
        return len(chain) > 1 and all(map(_hands_over, chain, chain[1:]))


def _hands_over(before: LiveVersion, after: LiveVersion) -> bool:
    """Whether one ceased to be live by the change that made the other live.

    The other's bounds may be the closer ones: it cannot have been live before it was created.
    """
    if before.ended_not_after != after.not_after:
        return False
    last, first = before.ended_not_before, after.not_before
    return last is None or first is None or last <= first


def live_answers(
    connection: duckdb.DuckDBPyConnection,
    at: datetime | None = None,
    selection: Selection | None = None,
) -> list[LiveAnswer]:
    """What was live at a moment, one answer per model.

    Args:
        connection: a reader of the ledger.
        at: the moment, UTC; None for the latest reading.
        selection: the models and versions to answer for; every model when None.
    """
    by_model = _versions(connection, at, selection)
    answers = []
    for model in _models(connection, at, selection):
        versions = by_model[model["subject"]]
        if selection is None and not (model["existed"] or versions):
            continue
        first = model["first_reading"]
        if at is not None and (first is None or at < first):
            versions = [version if version.sure else _unknown(version) for version in versions]
        answers.append(LiveAnswer(**model, at=at, versions=tuple(versions)))
    # Of several that had the name, those that did not exist then have no answer.
    existing = [answer for answer in answers if answer.existed or answer.versions]
    return existing or answers


def _unknown(version: LiveVersion) -> LiveVersion:
    return replace(version, certainty=Certainty.UNKNOWN)


def live_rows(answers: Sequence[LiveAnswer]) -> list[tuple[object, ...]]:
    """One row per version that was or may have been live, one per model where none was."""
    return [row for answer in answers for row in _rows(answer)]


def _rows(answer: LiveAnswer) -> list[tuple[object, ...]]:
    place = (answer.registry, answer.workspace, answer.model)
    end = (answer.at, answer.last_reading, answer.subject)
    if not answer.versions:
        unknown = (None,) * 9
        return [(*place, None, "no", *unknown, answer.certainty.value, None, *end, None)]
    return [
        (
            *place,
            version.version,
            "yes" if version.sure else "possibly",
            version.via,
            version.not_before,
            version.not_after,
            version.actor,
            version.actor_from,
            *_approval_values(version.approval),
            version.certainty.value,
            version.grade,
            *end,
            version.subject,
        )
        for version in answer.versions
    ]


def _approval_values(approval: ApprovalVerdict | None) -> tuple[str | None, ...]:
    """Approver, date as stated, verdict, and the rule by whose finding it is contested."""
    if approval is None:
        return (None, None, None, None)
    return (approval.approver, approval.stated, approval.verdict, approval.contested_by)


def live_versions_sql(at: datetime | None) -> str:
    """The query for every version that was or may have been live, with the promotion that made it so.

    A version is live since its promotion, where one is on record, and else since what its stage and
    aliases show. `at` is the moment, None for the latest state.
    """
    lasting = "" if at is None else f"or ended_not_after > {moment_literal(at)}"
    return f"""
        with promotion as (
            select * from {as_of("promotions", at)}
            where ended_not_after is null {lasting}
            qualify row_number() over (partition by version_subject
                                       order by live_not_after desc, seq desc) = 1
        )
        select l.subject, l.model_subject, l.version, l.live_via as via, l.certainty,
               case when p.seq is null then l.live_not_before else p.live_not_before end
                   as not_before,
               case when p.seq is null then l.live_not_after else p.live_not_after end
                   as not_after,
               p.ended_not_before, p.ended_not_after, p.actor, p.actor_from, p.grade
        from {as_of("live_versions", at)} l
        left join promotion p on p.version_subject = l.subject
        order by l.model_subject, not_after nulls last, l.version
    """


def live_models(connection: duckdb.DuckDBPyConnection, at: datetime) -> frozenset[str]:
    """The subjects of the models of which a version was, or may have been, live at a moment."""
    rows = connection.execute(
        f"select distinct model_subject from {as_of('live_versions', at)}"
    ).fetchall()
    return frozenset(str(subject) for (subject,) in rows)


def _models(
    connection: duckdb.DuckDBPyConnection, at: datetime | None, selection: Selection | None
) -> list[Row]:
    """The models, under the name they had then, and the readings around the moment.

    Before it was created, a model is none; its latest name stands for it then.
    """
    return fetch_rows(
        connection,
        f"""
        with latest as (
            select subject, registry, workspace, model, deleted
            from registered_models
        ),
        then_named as (
            select subject, max_by(workspace, (not_after, seq)) as workspace,
                   max_by(model, (not_after, seq)) as model, not bool_and(deleted) as existed
            from {as_of("registered_models", at)}
            group by subject
        ),
        reading as (
            select registry, min(observed_at) as first_reading, max(observed_at) as last_reading
            from extractions where complete group by registry
        )
        select l.subject, l.registry, coalesce(t.workspace, l.workspace) as workspace,
               coalesce(t.model, l.model) as model, r.first_reading, r.last_reading,
               coalesce(t.existed, false) as existed
        from latest l left join then_named t using (subject) left join reading r using (registry)
        where ($all or list_contains($models::VARCHAR[], l.subject))
          and (not $all or l.subject not in (select model_subject from {as_of("prompts", at)}))
        order by l.registry, 4, 3, l.subject
        """,
        {"all": selection is None, "models": list(selection.owners) if selection else []},
    )


def _versions(
    connection: duckdb.DuckDBPyConnection, at: datetime | None, selection: Selection | None
) -> Mapping[str, list[LiveVersion]]:
    rows = [
        row
        for row in fetch_rows(connection, live_versions_sql(at))
        if selection is None or selection.covers(row["subject"])
    ]
    approvals = _approvals(connection, at, [row["subject"] for row in rows])
    versions: dict[str, list[LiveVersion]] = defaultdict(list)
    for row in rows:
        versions[row["model_subject"]].append(live_version(row, approvals.get(row["subject"])))
    return versions


def live_version(row: Row, approval: ApprovalVerdict | None = None) -> LiveVersion:
    """A row of `live_versions_sql` as what it is."""
    values = {name: value for name, value in row.items() if name != "model_subject"}
    return LiveVersion(**{**values, "certainty": Certainty(row["certainty"])}, approval=approval)


def _approvals(
    connection: duckdb.DuckDBPyConnection, at: datetime | None, subjects: Sequence[str]
) -> dict[str, ApprovalVerdict]:
    """What became of the approval of versions, by subject.

    Of a version with a promotion on record it is the verdict of the last one, else the version's own.
    """
    if not subjects:
        return {}
    rows = fetch_rows(
        connection,
        f"""
        select v.version_subject as subject, verdict, contested_by, approver, party_kind, entered,
               system, stated
        from {as_of("approval_verdicts", at)} v
        where list_contains($subjects::VARCHAR[], v.version_subject)
        qualify row_number() over (partition by v.version_subject
                                   order by about, live_not_after desc, v.subject) = 1
        """,
        {"subjects": list(subjects)},
    )
    return {row["subject"]: approval_verdict(row) for row in rows}
