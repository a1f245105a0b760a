"""Which model a record of another system is about: the one that had the name at that moment."""

from __future__ import annotations


def record_models_sql(records: str, happened: str) -> str:
    """SELECT of `seq` and `model_subject` of records; what may be about several models is left out.

    A name that was one model's only is that model's at every moment. Seconds count, because other
    systems keep no finer times.

    Args:
        records: a relation with `seq`, `registry`, `workspace` and `model`.
        happened: its column of the moment, which may be NULL.
    """
    held = f"{happened} >= begun and (ended is null or {happened} < ended)"
    return f"""
select seq, case when count(distinct subject) filter ({held}) = 1
                 then any_value(subject) filter ({held}) else any_value(subject) end as model_subject
from (select r.seq, r.{happened}, t.subject,
             date_trunc('second', coalesce(t.lo, t.created_at, t.hi)) as begun, t.next_hi as ended
      from {records} r join ledger.log l on l.model = r.model and l.registry = r.registry
       and l.workspace = coalesce(r.workspace, l.workspace)
      join ledger.timeline('registered_model', null::TIMESTAMP) t on t.seq = l.seq
      where t.op = 'put')
group by seq
having count(distinct subject) = 1 or count(distinct subject) filter ({held}) = 1
"""
