/*
title = "A validation is recorded"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
Date, validator and result of a validation (fields `validation_date`, `reviewer`,
`validation_result`), on the version or its model. A validation recorded on the model has to be
no older than the version."""
rationale = """
An independent look at a model before and during its use is the centre of model risk management;
a date without a result, or a result without a name, shows none."""
remediation = """
Record the three together when the validation ends. They may stand on the registered model where
a validation covers all its versions until the next."""
*/
with best as (
    select subject, field, max(value) as value, max(found_in) as found_in, max(tag) as tag,
           max(grade) as grade, min(not_before) as recorded_not_before,
           max(not_after) as recorded_not_after,
           bool_or(certainty in ('uncertain', 'unknown'))
               and (count(distinct value) > 1 or count(*) = 1) as open,
           string_agg(value || ' (' || candidate || ')', ' or ' order by candidate desc, value)
               filter (where certainty in ('uncertain', 'unknown'))
               || case when count(*) = 1 then ' or no record' else '' end as candidates
    from fields
    where field in ('validation_date', 'reviewer', 'validation_result') and rank = 1
    group by subject, field
),
wide as (
    select subject,
           max(value) filter (where field = 'validation_date') as validation_date,
           max(found_in) filter (where field = 'validation_date') as date_found_in,
           max(value) filter (where field = 'reviewer') as validator,
           max(value) filter (where field = 'validation_result') as validation_result,
           bool_or(open) as open,
           string_agg(field || ': ' || candidates, '; ' order by field) filter (where open)
               as candidates
    from best group by subject
),
given as (select subject, validation_date as value from wide where validation_date is not null),
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
created as (
    select subject, min(created_at) as created_at from model_versions group by subject
),
judged as (
    select p.*, w.validation_date, w.date_found_in, w.validator, w.validation_result, w.candidates,
           c.created_at, m.starts, m.ends,
           case when w.subject is null then 'missing'
                when w.open then 'uncertain'
                when lower(trim(w.validation_result)) in ('failed', 'fail', 'rejected', 'not approved',
                     'not validated', 'unsatisfactory', 'not passed') then 'failed'
                when w.validation_date is not null and not m.readable then 'unreadable'
                when m.starts > as_of() then 'future'
                when w.date_found_in = 'model tag' and m.ends < c.created_at then 'older'
                when w.validation_date is null or w.validator is null or w.validation_result is null
                     then 'partly'
                else 'recorded' end as found
    from population_live_version p
    left join wide w on w.subject = p.subject
    left join moment m on m.subject = p.subject
    left join created c on c.subject = p.subject
)
select subject,
       case when found = 'recorded' then 'pass' when found in ('failed', 'future') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'recorded' then model || '/' || version || ' was validated on ' || trim(validation_date)
                || ' by ' || left(validator, 100) || ': ' || left(validation_result, 100)
           when 'failed' then 'The recorded validation of ' || model || '/' || version || ' has the result '''
                || left(validation_result, 80) || ''', yet the version is live'
           when 'future' then 'The validation date of ' || model || '/' || version || ' is '
                || trim(validation_date) || ', after the moment judged ('
                || strftime(as_of(), '%Y-%m-%d %H:%M') || ' UTC)'
           when 'unreadable' then 'The validation date of ' || model || '/' || version
                || ' cannot be read: ''' || left(validation_date, 80) || '''; wanted: 2026-08-12'
           when 'older' then 'The validation recorded on model ' || model || ' (' || trim(validation_date)
                || ') is older than version ' || version || ' (created '
                || strftime(created_at, '%Y-%m-%d') || '), so it does not cover it'
           when 'partly' then 'The validation of ' || model || '/' || version || ' is recorded without '
                || concat_ws(' and ', case when validation_date is null then 'a date' end,
                             case when validator is null then 'a validator' end,
                             case when validation_result is null then 'a result' end)
           when 'uncertain' then 'The validation of ' || model || '/' || version
                || ' at this moment is uncertain: ' || left(candidates, 300)
           else 'No validation recorded of ' || model || '/' || version
       end as reason,
       case when found = 'missing' then 'none' else 'asserted' end as grade,
       case when found in ('missing', 'partly', 'unreadable', 'older')
            then 'client.set_model_version_tag(' || to_json(model)::VARCHAR || ', "' || version || '", '
                 || to_json(coalesce((select arg_min(tag, rank) from governance_fields
                     where field = case when found in ('unreadable', 'older', 'missing') or validation_date is null
                                        then 'validation_date'
                                        when validator is null then 'reviewer'
                                        else 'validation_result' end
                       and applies_to = conventions_of(registry, workspace)), 'gov.validation.date'))::VARCHAR
                 || ', "<' || case when found in ('unreadable', 'older', 'missing') or validation_date is null
                                   then '2026-08-12' when validator is null then 'account of the validator'
                                   else 'result' end || '>")' end as fix,
       validation_date, validator, validation_result, candidates
from judged
