/*
title = "Open validation findings have an owner and a day"
finding = "An open validation finding has no owner or no day, or the day has passed"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
The field `validation_findings`: a number or words; `none`, `0` and `closed` say that none is open. Where one is, the
fields `findings_owner` and `findings_due`, a day that has not passed. Where nothing says whether a finding is open, the
question does not arise."""
rationale = """
A finding without an owner and a day stays open until the next validation finds it again."""
remediation = """
Record who closes the findings and by when, or that they are closed."""
*/
with said as (
    select subject, max(state) filter (where field = 'validation_findings') as state,
           max(value) filter (where field = 'validation_findings' and state = 'recorded') as open_findings,
           max(value) filter (where field = 'findings_owner' and state = 'recorded') as findings_owner,
           max(value) filter (where field = 'findings_due' and state = 'recorded') as findings_due,
           bool_or(state in ('uncertain', 'ambiguous')) as open,
           min(fix) filter (where field <> 'validation_findings' and state in ('missing', 'placeholder')) as fix
    from field_evidence where field in ('validation_findings', 'findings_owner', 'findings_due') group by subject
),
dated as (select *, stated_until(findings_due) as due_ends from said),
judged as (
    select *, case when state in ('missing', 'placeholder') then 'not said'
                   when lower(trim(open_findings)) in ('none', 'no', '0', 'closed', 'all closed', 'none open') then 'closed'
                   when open then 'open' when findings_owner is null or findings_due is null then 'incomplete'
                   when is_service(findings_owner) or in_office(findings_owner, local_day(as_of())) = false then 'nobody'
                   when due_ends is null then 'unreadable' when due_ends <= as_of() then 'overdue' else 'owned' end as found
    from dated
)
select p.subject,
       case j.found when 'closed' then 'pass' when 'owned' then 'pass' when 'overdue' then 'fail' when 'nobody' then 'fail'
            when 'open' then 'undecided' when 'not said' then 'not_applicable' else 'not_evidenced' end as status,
       case j.found
            when 'not said' then 'Nothing is recorded of open validation findings of {subject}'
            when 'closed' then 'Of the validation of {subject} no finding is recorded as open: {open_findings}'
            when 'open' then 'What is recorded of open validation findings of {subject} changed around this moment'
            when 'incomplete' then 'Of {subject} validation findings are open ({open_findings}), without '
                 || concat_ws(' and ', case when j.findings_owner is null then 'an owner' end,
                              case when j.findings_due is null then 'a day by which they are to be closed' end)
            when 'nobody' then 'The owner of open validation findings of {subject} is ''{findings_owner}'', a service account or out of office'
            when 'unreadable' then 'The day for open validation findings of {subject} cannot be read: ''{findings_due}''; wanted: 2026-08-12'
            when 'overdue' then 'Open validation findings of {subject} ({open_findings}) were to be closed by {findings_due} by {findings_owner}'
            else 'Open validation findings of {subject} ({open_findings}) are to be closed by {findings_due} by {findings_owner}' end as reason,
       case when j.found = 'not said' then 'none' else 'asserted' end as grade,
       case when j.found = 'incomplete' then j.fix end as fix, j.open_findings, j.findings_owner, j.findings_due
from population_live_version p
join judged j on j.subject = p.subject
