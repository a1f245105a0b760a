/*
title = "Approval came before the version went live"
severity = "critical"
scope = "promotion"
repair = "history"
looks_for = """
For each time a version became live in the period: an approval of that version with a date (ISO
8601, as 2026-08-12 or 2026-08-12T14:30:00Z; a day means the whole local day), compared with the
moments between which it went live. An undated approval counts when it was itself on record
before."""
rationale = """
An approval given after a model was put into use approved nothing. Where the record bounds the
two moments too loosely to order them, that is said and not decided."""
remediation = """
What happened cannot be changed; record the approval's date where it was given in time. Capture
on the MLflow server narrows the moment of going live to the millisecond."""

[params]
accept_model_tags = false
*/
with accepting as (
    select coalesce(getvariable('accept_model_tags')::VARCHAR,
                    setting('approval-precedes-live.accept_model_tags'), 'false')::BOOLEAN as model_tags
),
best as (
    select subject, field, max(value) as value, max(found_in) as found_in, max(tag) as tag,
           max(grade) as grade, min(not_before) as recorded_not_before,
           max(not_after) as recorded_not_after,
           bool_or(certainty in ('uncertain', 'unknown'))
               and (count(distinct value) > 1 or count(*) = 1) as open,
           string_agg(value || ' (' || candidate || ')', ' or ' order by candidate desc, value)
               filter (where certainty in ('uncertain', 'unknown'))
               || case when count(*) = 1 then ' or no record' else '' end as candidates
    from fields
    where field in ('approver', 'approval_date', 'approval_decision') and rank = 1
    group by subject, field
),
given as (select distinct subject, value from best where field = 'approval_date'),
split as (
    -- a day, or a day with a time; nothing else is read
    select subject, value,
           regexp_extract(trim(value),
               '^(\d\d\d\d-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?)?$',
               ['day', 'clock', 'zone']) as part
    from given
),
walled as (
    select subject, value, part.clock as clock, part.zone as zone, try_cast(part.day as DATE) as day,
           try_cast(part.day || ' ' || case length(part.clock) when 0 then '00:00:00'
                                            when 5 then part.clock || ':00'
                                            else part.clock end as TIMESTAMP) as wall
    from split
),
-- a day is the whole local day: from its first instant to the first of the next
moment as (
    select subject, value, day, wall is not null as readable,
           case when zone = 'Z' then wall
                when zone <> '' then wall - to_minutes((left(zone, 1) || '1')::INTEGER
                     * (substr(zone, 2, 2)::INTEGER * 60 + right(zone, 2)::INTEGER))
                else timezone('UTC', timezone(coalesce(setting('timezone'), 'UTC'), wall))
           end as starts,
           case when clock = ''
                then timezone('UTC', timezone(coalesce(setting('timezone'), 'UTC'),
                                              (day + 1)::TIMESTAMP))
                when zone = 'Z' then wall
                when zone <> '' then wall - to_minutes((left(zone, 1) || '1')::INTEGER
                     * (substr(zone, 2, 2)::INTEGER * 60 + right(zone, 2)::INTEGER))
                else timezone('UTC', timezone(coalesce(setting('timezone'), 'UTC'), wall))
           end as ends
    from walled
),
joined as (
    select p.*, r.version_subject, r.live_via, r.live_not_before, r.live_not_after,
           a.value as approver, a.recorded_not_before, a.recorded_not_after, a.found_in,
           a.candidates, d.value as approval_date, d.found_in as date_found_in,
           m.readable, m.starts, m.ends,
           coalesce(a.open, false) or coalesce(d.open, false) or coalesce(s.open, false) as open,
           coalesce(lower(trim(s.value)) in ('rejected', 'reject', 'declined', 'denied', 'refused', 'withdrawn', 'revoked', 'not approved', 'no', 'false')
                    and s.found_in <> 'model tag', false) as rejected,
           s.value as decision, c.model_tags
    from population_promotion p
    join promotions r on r.subject = p.subject
    cross join accepting c
    left join best a on a.subject = r.version_subject and a.field = 'approver'
    left join best d on d.subject = r.version_subject and d.field = 'approval_date'
    left join best s on s.subject = r.version_subject and s.field = 'approval_decision'
    left join moment m on m.subject = r.version_subject
),
judged as (
    select *,
           case when open then 'uncertain'
                when rejected then 'rejected'
                when approver is null then 'unapproved'
                when found_in = 'model tag' and not model_tags then 'model only'
                when date_found_in = 'model tag' and not model_tags then 'date on model'
                when approval_date is not null and not readable then 'unreadable'
                when approval_date is not null and ends <= live_not_before then 'before'
                when approval_date is not null and starts > live_not_after then 'after'
                when approval_date is not null then 'inside'
                when recorded_not_after <= live_not_before then 'recorded before'
                else 'undated' end as found,
           case when date_trunc('second', live_not_before) = date_trunc('second', live_not_after) then 'at '
                else 'between '
                     || coalesce(strftime(live_not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                     || ' and ' end
               || strftime(live_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC' as live_words
    from joined
)
select subject,
       case when found in ('before', 'recorded before') then 'pass'
            when found in ('after', 'rejected') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'before' then model || '/' || version || ' was approved on ' || trim(approval_date) || ' by '
                || left(approver, 100) || ' and went live ' || live_words
                || case when recorded_not_before >= live_not_after
                        then '; the record of the approval was written only after that' else '' end
           when 'recorded before' then 'The approval of ' || model || '/' || version || ' by '
                || left(approver, 100) || ' was in the record before the version went live '
                || live_words
           when 'after' then model || '/' || version || ' went live ' || live_words
                || ', before its approval on ' || trim(approval_date) || ' by ' || left(approver, 100)
           when 'inside' then 'Whether ' || model || '/' || version || ' was approved ('
                || trim(approval_date) || ') before it went live cannot be told: it went live '
                || live_words
           when 'undated' then 'The approval of ' || model || '/' || version || ' by '
                || left(approver, 100) || ' has no date, and was not in the record before the version went live '
                || live_words
           when 'unreadable' then 'The approval date of ' || model || '/' || version || ' cannot be read: '''
                || left(approval_date, 80) || '''; wanted: 2026-08-12 or 2026-08-12T14:30:00Z'
           when 'date on model' then 'The approval date of ' || model || '/' || version
                || ' is recorded on the model, not on the version: '
                || left(approval_date, 80)
           when 'model only' then 'Unapproved: ' || model || '/' || version || ' went live '
                || live_words || '; an approver is recorded on the model only'
           when 'rejected' then model || '/' || version || ' went live ' || live_words
                || ' although its recorded approval decision is ''' || left(decision, 80) || ''''
           when 'uncertain' then 'The approval of ' || model || '/' || version
                || ' at this moment is uncertain: '
                || coalesce(left(candidates, 300), approval_date, decision)
           else 'Unapproved: ' || model || '/' || version || ' went live ' || live_words
                || ' (' || live_via || ') and no approval of it is recorded'
       end as reason,
       case when found in ('unapproved', 'model only') then 'none' else 'asserted' end as grade,
       case when found in ('undated', 'unreadable', 'date on model')
            then 'client.set_model_version_tag(' || to_json(model)::VARCHAR || ', "' || version || '", '
                 || to_json(coalesce((select arg_min(tag, rank) from governance_fields
                                      where field = 'approval_date'
                                        and applies_to = conventions_of(registry, workspace)), 'gov.approval.at'))::VARCHAR
                 || ', "<2026-08-12T14:30:00Z>")' end as fix,
       version_subject, live_via, live_not_before, live_not_after, approver, approval_date,
       starts as approved_not_before, ends as approved_not_after,
       recorded_not_before, recorded_not_after, decision, candidates
from judged
