/*
title = "The version was staged or validated before it went live"
severity = "medium"
scope = "promotion"
repair = "history"
looks_for = """
A time before the version went live at which it was in the stage, or bore the alias, of the parameters
`stage` and `alias` (`Staging` and `staging`); or a validation date before it. A model that goes live
by aliases only and never used that alias has no staging: there only a validation can show it, and
where none is recorded the question does not arise, unless `require_validation` is true. That a
version was never staged is certain only where the server recorded its whole life."""
rationale = """
A version that goes straight from training to production was tried on nobody but customers."""
remediation = """
What happened cannot be changed. Move versions through staging, and record the validation before
the version goes live."""

[params]
stage = "Staging"
alias = "staging"
require_validation = false
*/
with recorded_change as materialized (
    select subject, kind, item, change, before, after, changed_not_before, changed_not_after, grade
    from changes
    where kind in ('model_version', 'alias')
),
asked as (
    select coalesce(getvariable('stage')::VARCHAR,
                    setting('staged-before-production.stage'), 'Staging') as stage,
           lower(coalesce(getvariable('alias')::VARCHAR,
                          setting('staged-before-production.alias'), 'staging')) as alias,
           coalesce(getvariable('require_validation')::VARCHAR,
                    setting('staged-before-production.require_validation'),
                    'false')::BOOLEAN as require_validation
),
best as materialized (
    select subject, max(value) as value, max(grade) as grade,
           bool_or(certainty in ('uncertain', 'unknown'))
               and (count(distinct value) > 1 or count(*) = 1) as open
    from fields
    where field = 'validation_date' and rank = 1 and found_in = 'version tag'
    group by subject
),
given as (select distinct subject, value from best),
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
-- when a version was in the staging stage or bore the alias: no later than not_after
staged as materialized (
    select c.subject, c.changed_not_before as not_before, c.changed_not_after as not_after, c.grade,
           'stage ' || c.after as via
    from recorded_change c join asked a on c.after = a.stage
    where c.kind = 'model_version' and c.item = 'stage'
    union all
    select c.subject, null, c.changed_not_before, c.grade, 'stage ' || c.before
    from recorded_change c join asked a on c.before = a.stage
    where c.kind = 'model_version' and c.item = 'stage'
    union all
    select v.subject, v.not_before, v.not_after, v.grade, 'stage ' || v.stage
    from model_versions v join asked a on v.stage = a.stage
    union all
    select split_part(c.subject, ':', 1) || '/' || c.after, c.changed_not_before,
           c.changed_not_after, c.grade, 'alias ' || c.item
    from recorded_change c join asked a on lower(c.item) = a.alias
    where c.kind = 'alias' and c.after is not null
    union all
    select split_part(c.subject, ':', 1) || '/' || c.before, null, c.changed_not_before, c.grade,
           'alias ' || c.item
    from recorded_change c join asked a on lower(c.item) = a.alias
    where c.kind = 'alias' and c.before is not null
    union all
    select l.subject, l.not_before, l.not_after, l.grade, 'alias ' || l.alias
    from aliases l join asked a on lower(l.alias) = a.alias
),
-- models that use staging at all
user_of as (select distinct split_part(subject, '/', 1) as model_subject from staged),
-- versions whose whole life the server recorded
born as (
    select subject, min(changed_not_before) as created_at
    from recorded_change
    where kind = 'model_version' and item = 'version' and change = 'added' and grade = 'captured'
    group by subject
),
doubtful as (
    select distinct subject from recorded_change
    where kind = 'model_version' and item = 'stage' and grade <> 'captured'
),
went_live as materialized (
    select p.*, r.version_subject, r.model_subject, r.live_via, r.live_not_before,
           r.live_not_after, r.grade, regexp_matches(r.live_via, '(^|, )stage ') as by_stage
    from population_promotion p join promotions r on r.subject = p.subject
),
tried as (
    select p.subject,
           min_by(s.via, (s.not_after, s.via)) filter (where s.not_after <= p.live_not_before) as via,
           min(s.not_after) filter (where s.not_after <= p.live_not_before) as staged_by,
           max(s.grade) filter (where s.not_after <= p.live_not_before) as grade,
           min_by(s.via, (s.not_after, s.via)) as maybe_via
    from went_live p join staged s on s.subject = p.version_subject
    where s.not_after <= p.live_not_before
       or coalesce(s.not_before < p.live_not_after, true) and s.not_after is not null
    group by p.subject
),
joined as (
    select p.*, t.via, t.staged_by, t.grade as staged_grade, t.maybe_via, b.created_at,
           v.value as validation_date, coalesce(v.open, false) as open, coalesce(m.readable, false) as readable,
           m.starts, m.ends, u.model_subject is not null as uses_staging, a.require_validation,
           a.stage, a.alias,
           p.grade = 'captured' and b.subject is not null and d.subject is null
               and not exists (select 1 from capture_gaps g
                               where g.registry = p.registry and g.gap_start < p.live_not_after
                                 and coalesce(g.gap_end, timestamp '9999-12-31') > b.created_at)
               as whole
    from went_live p
    cross join asked a
    left join tried t on t.subject = p.subject
    left join born b on b.subject = p.version_subject
    left join doubtful d on d.subject = p.version_subject
    left join user_of u on u.model_subject = p.model_subject
    left join best v on v.subject = p.version_subject
    left join moment m on m.subject = p.version_subject
),
judged as (
    select *,
           case when via is not null then 'staged'
                when open then 'uncertain'
                when readable and ends <= live_not_before then 'validated'
                when maybe_via is not null then 'maybe staged'
                when readable and starts <= live_not_after then 'maybe validated'
                when validation_date is not null and not readable then 'unreadable'
                when readable and (whole or not by_stage) then 'validated after'
                when not by_stage and not uses_staging and not require_validation then 'no staging'
                when whole then 'neither'
                else 'unknown' end as found,
           case when live_not_before = live_not_after
                then 'at ' || strftime(live_not_after, '%Y-%m-%d %H:%M:%S.%g') || ' UTC'
                when date_trunc('second', live_not_before) = date_trunc('second', live_not_after)
                then 'at ' || strftime(live_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
                else 'between ' || coalesce(strftime(live_not_before, '%Y-%m-%d %H:%M:%S'), '(unknown)')
                     || ' and ' || strftime(live_not_after, '%Y-%m-%d %H:%M:%S') || ' UTC'
           end as live_words
    from joined
)
select subject,
       case when found in ('staged', 'validated') then 'pass'
            when found in ('validated after', 'neither') then 'fail'
            when found = 'no staging' then 'not_applicable'
            else 'not_evidenced' end as status,
       case found
           when 'staged' then model || '/' || version || ' had been in ' || via || ' by '
                || strftime(staged_by, '%Y-%m-%d %H:%M:%S') || ' UTC, before it went live ' || live_words
           when 'validated' then model || '/' || version || ' was validated on ' || left(trim(validation_date), 40)
                || ', before it went live ' || live_words
           when 'maybe staged' then 'Whether ' || model || '/' || version || ' was in ' || maybe_via
                || ' before it went live ' || live_words || ' cannot be told'
           when 'maybe validated' then 'Whether ' || model || '/' || version || ' was validated ('
                || left(trim(validation_date), 40) || ') before it went live ' || live_words || ' cannot be told'
           when 'validated after' then model || '/' || version || ' went live ' || live_words
                || ' without staging, and was validated only afterwards (' || left(trim(validation_date), 40) || ')'
           when 'unreadable' then 'The validation date of ' || model || '/' || version || ' cannot be read: '''
                || left(validation_date, 80) || '''; wanted: 2026-08-12'
           when 'uncertain' then 'The validation date of ' || model || '/' || version
                || ' at this moment is uncertain'
           when 'no staging' then model || ' goes live by aliases and uses no alias ''' || alias
                || ''': there is no staging to pass through, and no validation is recorded'
           when 'neither' then model || '/' || version || ' went live ' || live_words || ' (' || live_via
                || ') straight after it was registered: the server recorded no staging, and no validation is recorded'
           else 'Nothing shows that ' || model || '/' || version || ' was staged or validated before it went live '
                || live_words
       end as reason,
       case when found in ('no staging', 'unknown', 'uncertain') then 'none'
            when found = 'staged' then staged_grade
            when found = 'neither' then 'captured'
            when found = 'maybe staged' then 'observed' else 'asserted' end as grade,
       case when found in ('unreadable')
            then 'client.set_model_version_tag(' || to_json(model)::VARCHAR || ', "' || version || '", '
                 || to_json(coalesce((select arg_min(tag, rank) from governance_fields
                                      where field = 'validation_date'
                                        and applies_to = conventions_of(registry, workspace)), 'gov.validation.date'))::VARCHAR
                 || ', "<2026-08-12>")' end as fix,
       version_subject, live_via, live_not_before, live_not_after, coalesce(via, maybe_via) as staged_via,
       staged_by, validation_date, created_at as registered_at
from judged
