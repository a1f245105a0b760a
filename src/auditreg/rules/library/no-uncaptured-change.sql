/*
title = "Every change is in the server's journal"
finding = "Changes are not in the server's journal"
severity = "high"
scope = "registered_model"
repair = "history"
reads = "history"
looks_for = """
Changes of the model, its versions, tags and aliases in the period that readings show and the server's journal does not,
although the server kept its journal then; since capture began, where `period_only` is false. Possible causes are SQL on the
database, a restored backup, a migration or a fault of capture; which it was is not established. Known gaps are the matter
of `no-capture-gap`; what was changed and undone between two readings is invisible."""
rationale = """
Whoever writes to the database itself needs no account in MLflow and leaves no name. A registry is evidence only as far as
its changes went through the server."""
remediation = """
Find out where the change came from, and set right what was changed through the server. Keep database credentials to
the server; where a backup was restored, record when and why."""

[params]
period_only = true
*/
with asked as (
    select coalesce(getvariable('period_only')::VARCHAR, setting('no-uncaptured-change.period_only'), 'true')::BOOLEAN as period_only
),
capture as (select registry, min(started_at) as capture_began from captures group by registry),
field_tag as (
    select applies_to, tag, bool_or(field in ('approver', 'approval_date', 'approval_decision')) as of_approval
    from governance_fields group by applies_to, tag
),
missing as materialized (
    select split_part(split_part(c.subject, ':', 1), '/', 1) as model_subject, c.seq, c.item, c.version, c.change, c.before, c.after,
           c.changed_not_before, c.changed_not_after, c.kind in ('model_version_tag', 'registered_model_tag') as is_tag, c.kind,
           -- what matters most: what is live, that something is gone, approvals, other fields
           case when n.name is not null or c.item in ('version', 'model') and c.change = 'removed' then 1
                when is_tag then case when t.of_approval then 2 when t.tag is not null then 4 else 6 end
                when c.item in ('version', 'model', 'source', 'stage') or c.kind = 'alias' then 3 else 5 end as place
    from (select *, conventions_of(registry, workspace) as conventions from changes where uncaptured) c cross join asked a
    left join field_tag t on t.tag = c.item and t.applies_to = c.conventions
    left join (select distinct kind, lower(name) as name, applies_to from live_names) n
      on n.applies_to = c.conventions
     and (n.kind = 'alias' and c.kind = 'alias' and n.name = lower(c.item)
          or n.kind = 'stage' and c.kind = 'model_version' and c.item = 'stage' and n.name in (lower(c.before), lower(c.after)))
    where not a.period_only
       or (c.changed_not_after > period_start() or c.changed_not_before >= period_start()) and coalesce(c.changed_not_before < period_end(), true)
),
counted as (
    select model_subject, count(distinct (seq, item)) as uncaptured_changes, bool_or(changed_not_after <= as_of()) as happened
    from missing group by model_subject
),
worst as (
    select * from missing qualify row_number() over (partition by model_subject order by place, changed_not_after, seq, item) = 1
),
judged as (
    select p.subject, k.capture_began, coalesce(c.uncaptured_changes, 0) as uncaptured_changes, w.* exclude (model_subject, is_tag, seq, place),
           concat_ws(' ', case when w.version is not null then 'version {version}:' end, case when w.is_tag then 'tag' when w.kind = 'alias' then 'alias' end,
                     '{item} {change}', case when w.item in ('version', 'model') then null when w.before is not null then 'from ''{before}''' end,
                     case when w.item in ('version', 'model') then null when w.after is not null then 'to ''{after}''' end, '{changed}') as words,
           case when k.registry is null then 'no capture' when c.happened then 'missing' when c.model_subject is not null then 'open'
                else 'nothing' end as found
    from population_registered_model p left join capture k on k.registry = p.registry
    left join counted c on c.model_subject = p.subject left join worst w on w.model_subject = p.subject
)
select subject,
       case found when 'nothing' then 'pass' when 'missing' then 'fail' when 'open' then 'undecided' else 'not_applicable' end as status,
       case found
            when 'nothing' then 'Every change of {subject} that readings show is in the server''s journal, begun {capture_began}, or in a known gap'
            when 'no capture' then 'The MLflow server was never under capture, so nothing tells a change through it from another'
            when 'open' then 'By this moment {subject} may have been changed without a row in the server''s journal: ' || words
            when 'missing' then '{subject} was changed ' || case uncaptured_changes when 1 then 'once' else '{uncaptured_changes} times' end
                 || ' without a row in the server''s journal: ' || case uncaptured_changes when 1 then '' else 'among others ' end || words end as reason,
       case when found = 'no capture' then 'none' else 'observed' end as grade,
       capture_began, uncaptured_changes, item, version, change, before, after, changed_not_before, changed_not_after
from judged
