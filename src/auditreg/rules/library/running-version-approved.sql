/*
title = "What engines run was approved and validated before"
finding = "An engine ran the version before it was approved or validated"
severity = "critical"
scope = "live_in_period"
repair = "history"
reads = "history"
covered_by = "approver-recorded"
looks_for = """
Versions that an engine runs or ran by the deployments imported (`auditreg import deployments`): an approval and a
validation from before the first of them began, ended or not, that stood there then; an approval that was entered only
after it is none from before, whatever its date. Parameter `environments` names the environments that count, such as "prod"; all
where it is empty. What went live by name too is judged by `approval-precedes-live` and `validation-precedes-live`; a
version that no import speaks of is not asked about."""
rationale = """
Stage and alias say what is meant to be in use. What was priced is what the engine ran, and that is what has to have
been approved."""
remediation = """
What happened cannot be changed. Let the pipeline deploy only versions whose approval and validation are on record."""

[params]
environments = ""
*/
with asked as (
    select lower(replace(coalesce(getvariable('environments')::VARCHAR, setting('running-version-approved.environments'), ''), ' ', '')) as names
),
run as (
    select r.version_subject as subject, r.running_from as since, r.running_until as until, r.system, r.environment
    from deployed_versions r cross join asked a
    where r.matches = 1
      and (a.names = '' or list_contains(string_split(a.names, ','), replace(lower(r.environment), ' ', '')))
    qualify row_number() over (partition by r.version_subject order by r.running_from, r.system, r.environment) = 1
),
named as (select version_subject as subject, min(live_not_after) as by from promotions group by version_subject),
-- what each record says of that moment: given by then or only after it; whether it stood there then
record as materialized (
    select 'approval' as topic, subject, standing in ('holds', 'unidentified') as good, standing, decision, until_not_before, until_not_after,
           case when stated is null or decided_not_after is not null then coalesce(decided_not_after, recorded_not_after) end as given_by,
           coalesce(decided_not_before, recorded_not_before) as given_from,
           case when source <> 'import' then recorded_not_before end as entered_from, recorded_not_after as entered_by
    from approvals where source = 'import' or version is not null or not is_of_version('approver')
    union all
    select 'validation', subject, standing = 'holds', standing, result, until_not_before, until_not_after,
           coalesce(validated_not_after, case when stated is null then recorded_not_after end),
           coalesce(validated_not_before, recorded_not_before), null, recorded_not_after
    from validations
),
beside as (
    select u.subject, r.topic, coalesce(r.good and r.given_by <= u.since, false) and coalesce(r.entered_from < u.since, true) as before,
           r.until_not_after is null or coalesce(r.until_not_before >= u.since, false) as stood,
           coalesce(r.given_from > u.since, false) or coalesce(r.entered_from >= u.since, false) as after,
           r.good, case when r.standing in ('rejected', 'failed') and r.entered_by <= u.since then r.decision end as refused
    from (select *, unnest([subject, split_part(subject, '/', 1)]) as owner from run) u join record r on r.subject = u.owner
    join validation_verdicts m on m.subject = u.subject
    -- a validation of what was there before the version was about another one
    where r.topic = 'approval' or coalesce(r.given_by > case when contains(r.subject, '/') then m.trained_at
                                           else greatest(m.trained_at, m.version_created_at) end, true)
),
told as (
    select subject, topic, bool_or(before and stood) as before, bool_or(before) as once,
           coalesce(bool_and(after) filter (where good), false) as after,
           max(refused) filter (where stood) as refused
    from beside group by subject, topic
),
judged as (
    select p.subject, u.since, u.until, u.system, u.environment, a.approver, a.contested_by, a.stated as approved, a.recorded_not_before, a.recorded_not_after,
           v.validator, v.stated as validated, coalesce(b.refused, c.refused) as refused, a.decided_not_after <= u.since as dated_before,
           coalesce(n.by <= u.since, false) and not case when b.after then b.once else c.once end as named_before,
           case when u.until is null then '{system} runs {subject}' else '{system} ran {subject}' end as runs,
           case when u.until is null then ' since {since}' else ' from {since} until {until}' end as span,
           case when u.subject is null then 'not stated' when not a.names_approver then 'no approval'
                when v.verdict in ('none', 'placeholder', 'incomplete', 'pending', 'failed', 'date unreadable', 'dated in the future') then 'no validation'
                when a.verdict = 'contested' then 'contested' when v.coverage = 'older' then 'older validation'
                when b.refused is not null then 'rejected' when c.refused is not null then 'failed'
                when a.verdict = 'date unreadable' then 'unreadable' when b.after then 'approved after'
                when c.after then 'validated after' when b.before and c.before then 'before' else 'open' end as found
    from population_live_in_period p
    left join run u on u.subject = p.subject left join named n on n.subject = p.subject
    left join approval_verdicts a on a.subject = p.subject left join validation_verdicts v on v.subject = p.subject
    left join told b on b.subject = p.subject and b.topic = 'approval' left join told c on c.subject = p.subject and c.topic = 'validation'
)
select subject,
       case when found = 'before' then 'pass' when found = 'open' then 'undecided' when found = 'unreadable' then 'not_evidenced'
            when found in ('rejected', 'failed') or found like '% after' and not named_before then 'fail' else 'not_applicable' end as status,
       case found
            when 'not stated' then 'No import states that an engine ran {subject}'
            when 'no approval' then runs || ', and nobody is recorded who could have approved it: see approver-recorded'
            when 'no validation' then runs || ', and no whole validation of it is recorded: see validation-recorded'
            when 'contested' then runs || '; its approval by {approver} is contested: see {contested_by}'
            when 'older validation' then runs || '; its validation of {validated} is older than the version: see validation-covers-version'
            when 'rejected' then runs || span || ', and the approval decision recorded then was ''{refused}'''
            when 'failed' then runs || span || ', and the validation recorded then had the result ''{refused}'''
            when 'unreadable' then runs || span || '; the date of its approval by {approver} cannot be read: ''{approved}'''
            when 'before' then runs || span || ', approved by {approver} and validated by {validator} before'
            when 'open' then 'Whether {subject} was approved and validated before {system} ran it,' || span || ', cannot be told'
            when 'approved after' then runs || span || ', before its approval by {approver}'
                 || case when dated_before then ' was entered, {recorded}' else '' end
            else runs || span || ', before its validation of {validated} by {validator}' end
            || case when not named_before or found not like '% after' then ''
                    when found = 'approved after' then ': see approval-precedes-live' else ': see validation-precedes-live' end as reason,
       case when found = 'not stated' then 'none' else 'asserted' end as grade,
       system, environment, since, until, approver, approved, contested_by, recorded_not_before, recorded_not_after, refused, validator, validated
from judged
