/*
title = "What engines run was approved and validated before"
finding = "An engine ran the version before it was approved or validated"
severity = "critical"
scope = "live_version"
repair = "history"
covered_by = "approver-recorded"
looks_for = """
Versions that an engine runs by the deployments imported (`auditreg import deployments`): an approval and a validation
from before the first of them began. Parameter `environments` names the environments that count, such as "prod"; all
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
    select r.version_subject as subject, min(r.running_from) as since, min_by(r.system, r.running_from) as system,
           min_by(r.environment, r.running_from) as environment
    from running r cross join asked a
    where r.version_subject is not null
      and (a.names = '' or list_contains(string_split(a.names, ','), replace(lower(r.environment), ' ', '')))
    group by r.version_subject
),
named as (select version_subject as subject, min(live_not_after) as by from promotions group by version_subject),
record as materialized (
    select 'approval' as topic, subject, decided_not_before as lo, decided_not_after as hi, recorded_not_after as written
    from approvals where standing in ('holds', 'contested', 'unidentified')
    union all
    select 'validation', subject, validated_not_before, validated_not_after, recorded_not_after
    from validations where standing = 'holds'
),
owned as (
    select u.subject, u.since, r.* exclude (subject) from run u join record r on r.subject = u.subject
    union all
    select u.subject, u.since, r.* exclude (subject) from run u join record r on r.subject = split_part(u.subject, '/', 1)
),
beside as (
    select subject, bool_or(topic = 'approval' and coalesce(hi, written) <= since) as approved,
           bool_or(topic = 'validation' and coalesce(hi, written) <= since) as validated,
           coalesce(bool_and(lo > since) filter (where topic = 'approval'), false) as approved_after,
           coalesce(bool_and(lo > since) filter (where topic = 'validation'), false) as validated_after
    from owned group by subject
),
judged as (
    select p.subject, u.since, u.system, u.environment, a.approver, a.contested_by, v.validator, v.stated as validated,
           coalesce(n.by <= u.since, false) as named_before,
           case when u.subject is null then 'not stated' when not a.names_approver then 'no approval'
                when v.verdict in ('none', 'placeholder', 'incomplete', 'pending', 'failed') then 'no validation'
                when a.verdict = 'contested' then 'contested' when b.approved_after then 'approved after'
                when b.validated_after then 'validated after' when b.approved and b.validated then 'before' else 'open' end as found
    from population_live_version p
    left join run u on u.subject = p.subject left join named n on n.subject = p.subject
    left join approval_verdicts a on a.subject = p.subject left join validation_verdicts v on v.subject = p.subject
    left join beside b on b.subject = p.subject
)
select subject,
       case when found = 'before' then 'pass' when found = 'open' then 'undecided'
            when found in ('approved after', 'validated after') and not named_before then 'fail' else 'not_applicable' end as status,
       case found
            when 'not stated' then 'No import states that an engine runs {subject}'
            when 'no approval' then '{system} runs {subject}, and nobody is recorded who could have approved it: see approver-recorded'
            when 'no validation' then '{system} runs {subject}, and no whole validation of it is recorded: see validation-recorded'
            when 'contested' then '{system} runs {subject}; its approval by {approver} is contested: see {contested_by}'
            when 'before' then '{system} runs {subject} since {since}, approved by {approver} and validated by {validator} before'
            when 'open' then 'Whether {subject} was approved and validated before {system} ran it, since {since}, cannot be told'
            when 'approved after' then '{system} runs {subject} since {since}, before its approval by {approver}'
            else '{system} runs {subject} since {since}, before its validation of {validated} by {validator}' end
            || case when not named_before or found not like '% after' then ''
                    when found = 'approved after' then ': see approval-precedes-live' else ': see validation-precedes-live' end as reason,
       case when found = 'not stated' then 'none' else 'asserted' end as grade,
       system, environment, since, approver, contested_by, validator, validated
from judged
