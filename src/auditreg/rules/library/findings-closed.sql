/*
title = "Open validation findings have an owner and a day"
finding = "An open validation finding has no owner or no day, or the day has passed"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
The field `validation_findings`: a number or words; words such as `none`, `0`, `all closed`, `resolved` and `no open findings` say that none is open. Where one is, the
fields `findings_owner` and `findings_due`, a day that has not passed. Where nothing says whether a finding is open, the
question does not arise."""
rationale = """
A finding without an owner and a day stays open until the next validation finds it again."""
remediation = """
Record who closes the findings and by when, or that they are closed."""
*/
with said as materialized (
    select subject, field, coalesce(value, candidates) as words, fix, is_absent(state) as absent, unnest(values_of(state, value, possible)) as value
    from field_evidence where field in ('validation_findings', 'findings_owner', 'findings_due')
),
-- each combination of what may stand there at the moment
world as (
    select f.subject, f.value as findings, o.value as owner, d.value as due, stated_until(d.value) as due_ends
    from said f join said o on o.subject = f.subject and o.field = 'findings_owner'
    join said d on d.subject = f.subject and d.field = 'findings_due'
    where f.field = 'validation_findings'
),
judged as (
    select *, case when findings is null then 'not said'
                   when says_none(findings, '(validation )?(open )?(findings?|issues?)')
                     or regexp_matches(bare_words(findings), '^((all|the) )*((validation )?(findings?|issues?) )?((is|are|were|was|have been|has been|now) )*'
                                       || '(closed|resolved|remediated|fixed|addressed|cleared)$') then 'closed'
                   when due_ends < as_of() then 'overdue'
                   when is_service(owner) or in_office(owner, judged_day()) = false then 'nobody'
                   when owner is null or due is null then 'incomplete' when due_ends is null then 'unreadable' else 'owned' end as found
    from world
),
settled as (
    select subject, settle(found, ['not said', 'closed', 'owned']) as found,
           bool_and(owner is null) as no_owner, bool_and(due is null) as no_due
    from judged group by subject
),
shown as (
    select subject, max(words) filter (where field = 'validation_findings') as open_findings,
           bool_or(absent and words is not null and field = 'validation_findings') as says_little,
           coalesce(max(words) filter (where field = 'findings_owner'), 'none recorded') as findings_owner,
           coalesce(max(words) filter (where field = 'findings_due'), 'none recorded') as findings_due,
           min(fix) filter (where field <> 'validation_findings' and absent) as fix
    from said group by subject
)
select p.subject,
       case j.found when 'closed' then 'pass' when 'owned' then 'pass' when 'overdue' then 'fail' when 'nobody' then 'fail'
            when 'open' then 'undecided' when 'not said' then 'not_applicable' else 'not_evidenced' end as status,
       case j.found
            when 'not said' then case when s.says_little then 'Nothing is recorded of open validation findings of {subject} itself; there is: ''{open_findings}'''
                                      else 'Nothing is recorded of open validation findings of {subject}' end
            when 'closed' then 'Of the validation of {subject} no finding is recorded as open: {open_findings}'
            when 'open' then 'What is recorded of open validation findings of {subject} changed around this moment'
            when 'incomplete' then 'Of {subject} validation findings are open ({open_findings}), without '
                 || concat_ws(' and ', case when j.no_owner then 'an owner' end,
                              case when j.no_due then 'a day by which they are to be closed' end)
            when 'nobody' then 'The owner of open validation findings of {subject} is ''{findings_owner}'', a service account or out of office'
            when 'unreadable' then 'The day for open validation findings of {subject} cannot be read: ''{findings_due}''; wanted: 2026-08-12'
            when 'overdue' then 'Open validation findings of {subject} ({open_findings}) were to be closed by {findings_due}'
                 || case when j.no_owner then ', without an owner' else ' by {findings_owner}' end
            when 'unsound' then 'Open validation findings of {subject} ({open_findings}) lack an owner in office or a day to come, whichever record holds '
                 || 'at this moment: {findings_owner}; {findings_due}'
            else 'Open validation findings of {subject} ({open_findings}) are to be closed by {findings_due} by {findings_owner}' end as reason,
       case when j.found = 'not said' then 'none' else 'asserted' end as grade,
       case when j.found in ('incomplete', 'unsound') then s.fix end as fix, s.open_findings, s.findings_owner, s.findings_due
from population_live_version p
join settled j on j.subject = p.subject join shown s on s.subject = p.subject
