"""States found by the first reading of a registry: nobody saw them change, and they are older than it."""

from __future__ import annotations

_KINDS = ("registered_model", "model_version")
"""Kinds of which MLflow keeps times of its own."""

_FIRST_SEEN = """
with first as (
    select t.kind, t.subject, t.seq, t.lo, t.hi, t.observed_at, l.registry, l.workspace, l.model, l.version, l.source, l.entry
    from ([timeline]) t join ledger.log l using (seq)
    where t.previous_seq is null and t.previous_reading is null and t.valid_at is null
      and t.op = 'put' and l.grade = 'observed' and [condition]
),
state as (
    select kind, subject, seq, lo as changed_not_before, coalesce(lo, hi) as changed_not_after,
           case kind when 'model_version' then 'version' else 'model' end as item,
           'present' as after, registry, workspace, model, version, source, observed_at
    from first where kind in ('registered_model', 'model_version')
    union all
    select kind, subject, seq, lo, hi,
           case when json_extract_string(entry, '$.body.stage') = 'Deleted_Internal'
                then 'version' else 'stage' end,
           json_extract_string(entry, '$.body.stage'),
           registry, workspace, model, version, source, observed_at
    from first where kind = 'model_version' and json_extract_string(entry, '$.body.stage') <> 'None'
    union all
    select kind, subject, seq, lo, hi, json_extract_string(entry, '$.body.key'),
           json_extract_string(entry, '$.body.value'),
           registry, workspace, model, version, source, observed_at
    from first where kind in ('registered_model_tag', 'model_version_tag')
    union all
    select kind, subject, seq, lo, hi, json_extract_string(entry, '$.body.alias'),
           version::VARCHAR, registry, workspace, model, version, source, observed_at
    from first where kind = 'alias'
)
select seq, changed_not_before, changed_not_after, observed_at, registry, workspace, model, version,
       subject, kind, item,
       case when after = 'Deleted_Internal' then 'removed' else 'added' end as change,
       case when after = 'Deleted_Internal' then 'present' end as before,
       case when after <> 'Deleted_Internal' then after end as after,
       null::VARCHAR as actor, null::VARCHAR as actor_from, null::VARCHAR as request,
       'observed' as grade, source, false as uncaptured
from state
"""


def first_seen_sql(condition: str, known: str = "null") -> str:
    """The query for everything first readings found, in the columns of the view `changes`.

    Args:
        condition: what is said of `t`, a row of the timeline.
        known: the moment by which it was recorded, as SQL.
    """
    return _text(f"from ledger.timeline(null, {known})", condition)


def dated_sql() -> str:
    """The query for what first readings found and MLflow's own times date before them."""
    timeline = " union all ".join(f"from ledger.timeline('{kind}', null)" for kind in _KINDS)
    return f"from ({_text(timeline, 'true')}) where changed_not_after < observed_at"


def _text(timeline: str, condition: str) -> str:
    return _FIRST_SEEN.replace("[timeline]", timeline).replace("[condition]", condition)
