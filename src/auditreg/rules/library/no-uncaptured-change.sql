/*
title = "Nothing changed behind the server's back"
severity = "high"
scope = "registered_model"
repair = "history"
looks_for = """
Changes of the model, its versions, tags and aliases that readings show and the server's journal does
not, although the server kept its journal then: SQL on the database, a restored backup, a gap nobody
declared. Since capture began, or in the period only (`period_only`). Known gaps are the matter of
`no-capture-gap`; what was changed and undone between two readings is invisible."""
rationale = """
Whoever writes to the database itself needs no account in MLflow and leaves no name. A
registry is evidence only as far as nobody did."""
remediation = """
Find out who had access to the database then, and set right what was changed through the server.
Keep database credentials to the server; where a backup was restored, record when and why."""

[params]
period_only = false
*/
with asked as (
    select coalesce(getvariable('period_only')::VARCHAR,
                    setting('no-uncaptured-change.period_only'), 'false')::BOOLEAN as period_only
),
capture as (select registry, min(started_at) as began from captures group by registry),
live_tag as (
    select applies_to, tag, min(case when field in ('approver', 'approval_date', 'approval_decision') then 2 else 4 end)
               as place
    from governance_fields group by applies_to, tag
),
behind as (
    select split_part(split_part(c.subject, ':', 1), '/', 1) as model_subject, c.*,
           -- what matters most: what is live, that something is gone, approvals, other fields
           case when n.name is not null or m.name is not null then 1
                when c.item in ('version', 'model') and c.change = 'removed' then 1
                when c.kind in ('model_version_tag', 'registered_model_tag') then coalesce(t.place, 6)
                when c.item in ('version', 'model', 'source', 'stage') or c.kind = 'alias' then 3
                else 5 end as place
    from (select *, conventions_of(registry, workspace) as conventions from changes) c cross join asked a
    left join live_tag t
      on t.tag = c.item and c.kind in ('model_version_tag', 'registered_model_tag')
     and t.applies_to = c.conventions
    left join (select distinct name, applies_to from live_names where kind = 'stage') n
      on c.item = 'stage' and c.kind = 'model_version' and n.name in (c.before, c.after)
     and n.applies_to = c.conventions
    left join (select distinct lower(name) as name, applies_to from live_names where kind = 'alias') m
      on c.kind = 'alias' and m.name = lower(c.item) and m.applies_to = c.conventions
    where c.uncaptured
      and (not a.period_only
           or c.changed_not_after > period_start()
              and coalesce(c.changed_not_before < period_end(), true))
),
counted as (
    select model_subject, count(distinct (seq, item)) as uncaptured_changes,
           bool_or(changed_not_after <= as_of()) as happened,
           min_by({'subject': subject, 'kind': kind, 'item': item, 'version': version,
                   'change': change, 'before': before, 'after': after,
                   'not_before': changed_not_before, 'not_after': changed_not_after},
                  (place, changed_not_after, seq, item)) as worst,
           min(changed_not_before) as first_not_before, max(changed_not_after) as last_not_after
    from behind group by model_subject
),
judged as (
    select p.*, k.began, c.uncaptured_changes, c.worst, c.first_not_before, c.last_not_after,
           case when k.registry is null then 'no capture'
                when c.happened then 'behind'
                when c.model_subject is not null then 'open'
                else 'nothing' end as found,
           coalesce('version ' || c.worst.version || ': ', '')
           || case c.worst.kind when 'alias' then 'alias ' || c.worst.item
                                when 'model_version_tag' then 'tag ' || c.worst.item
                                when 'registered_model_tag' then 'tag ' || c.worst.item
                                else c.worst.item end
           || case c.worst.change when 'added' then ' added' when 'removed' then ' removed' else ' changed' end
           || case when c.worst.item in ('version', 'model') and c.worst.kind in ('model_version', 'registered_model') then ''
                   else case when c.worst.before is not null
                             then ' from ''' || left(c.worst.before, 60) || '''' else '' end
                        || case when c.worst.after is not null
                                then ' to ''' || left(c.worst.after, 60) || '''' else '' end end
           || case when date_trunc('second', c.worst.not_before) = date_trunc('second', c.worst.not_after)
                   then ', at ' || strftime(c.worst.not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
                   else ', between ' || coalesce(strftime(c.worst.not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                        || ' and ' || strftime(c.worst.not_after, '%Y-%m-%d %H:%M:%S') || ' UTC' end
           as change_words
    from population_registered_model p
    left join capture k on k.registry = p.registry
    left join counted c on c.model_subject = p.subject
)
select subject,
       case found when 'nothing' then 'pass' when 'behind' then 'fail'
                  when 'no capture' then 'not_applicable' else 'not_evidenced' end as status,
       case found
           when 'nothing' then 'Every change of ' || model || ' seen since capture began on '
                || strftime(began, '%Y-%m-%d %H:%M') || ' UTC is in the server''s journal, or in a known gap'
           when 'no capture' then 'The MLflow server was never under capture, so nothing tells a change it made from one made behind its back'
           when 'open' then 'By this moment ' || model || ' may have been changed behind the server''s back: '
                || change_words
           else model || ' was changed ' || case uncaptured_changes when 1 then 'once'
                                                 else uncaptured_changes || ' times' end
                || ' without a row in the server''s journal: '
                || case uncaptured_changes when 1 then '' else 'among others ' end || change_words
       end as reason,
       case when found = 'no capture' then 'none' else 'observed' end as grade,
       began as capture_began, coalesce(uncaptured_changes, 0) as uncaptured_changes,
       worst.subject as changed_subject, worst.item as item, worst.change as change,
       worst.before as value_before, worst.after as value_after,
       worst.not_before as changed_not_before, worst.not_after as changed_not_after,
       first_not_before, last_not_after
from judged
