/*
title = "The approval has not run out"
finding = "The approval has run out, or a day in its conditions has passed"
severity = "high"
scope = "live_version"
repair = "tag"
covered_by = "approver-recorded"
looks_for = """
Of the approval that stands: its end (field `approval_until`), and the days named in its conditions
(`approval_conditions`) that come after it, as 2026-08-12. The note of an imported approval counts as its conditions where
its decision speaks of some. A day counts to its end in the configured time zone.
Whether conditions without a day are met is for the firm to show."""
rationale = """
An approval on condition or for a time is none when the time is over and nobody has said that the condition is
met."""
remediation = """
Have the version approved anew, or record that the conditions are met and drop them from the tag."""
*/
with approval as materialized (
    select * exclude (conditions, approved_until), stated_until(approved_until) as ends,
           -- that there is no end, or no condition, is an answer
           case when not regexp_full_match(lower(trim(approved_until)), 'n/?a|none|no end|-+|unlimited|indefinite(ly)?|permanent(ly)?|open.ended')
                then approved_until end as approved_until,
           contains(lower(decision), 'condition') and not regexp_matches(lower(decision),
               'uncondition|(without|no|free of|not subject to)( any| further)? condition') as conditional,
           -- the note of another system holds conditions only where it says that there are some
           case when source <> 'import' or conditional then conditions end as conditions,
           coalesce(local_day(coalesce(decided_not_before, recorded_not_before)), date '0001-01-01') as given
    from approval_verdicts where about = 'version'
),
named as (
    select a.subject, min(n.day) as day
    from approval a,
         lateral (select unnest(regexp_extract_all(a.conditions, '\d{4}-\d\d-\d\d')) as day) n
    where try_cast(n.day as DATE) > a.given
    group by a.subject
),
judged as (
    select a.*, n.day as condition_day,
           case when not a.names_approver then 'no approver' when a.verdict = 'order cannot be told' then 'which'
                when a.approved_until is not null and a.ends is null then 'unreadable'
                when a.ends < as_of() then 'ended' when stated_until(n.day) < as_of() then 'day passed'
                when a.conditions is null and a.conditional then 'no conditions'
                when coalesce(a.approved_until, n.day) is not null then 'to come'
                when a.conditions is not null then 'no day' else 'unconditional' end as found
    from approval a left join named n on n.subject = a.subject
)
select p.subject,
       case j.found when 'to come' then 'pass' when 'ended' then 'fail' when 'which' then 'undecided'
            when 'day passed' then 'not_evidenced' when 'unreadable' then 'not_evidenced' when 'no conditions' then 'not_evidenced'
            else 'not_applicable' end as status,
       case j.found
            when 'no approver' then 'Nobody is recorded who could have approved {subject}: see approver-recorded'
            when 'which' then 'The approval of {subject} changed around this moment; which one stands cannot be told'
            when 'unreadable' then 'The end of the approval of {subject} cannot be read: ''{approved_until}''; wanted: 2026-08-12'
            when 'ended' then 'The approval of {subject} by {approver} ran out on {approved_until}, and it is in use'
            when 'day passed' then 'The approval of {subject} by {approver} names {condition_day}, which has passed: ''{conditions}''; '
                 || 'nothing says that this is met'
            when 'no conditions' then 'The approval of {subject} is ''{decision}'', and no conditions are recorded'
            when 'to come' then 'The approval of {subject} by {approver} lasts '
                 || case when j.approved_until is null then 'on conditions: ''{conditions}''' else 'until {approved_until}' end
            when 'no day' then 'The conditions of the approval of {subject} name no day to come: ''{conditions}'''
            else 'The approval of {subject} by {approver} has neither an end nor conditions' end as reason,
       case when j.found = 'no approver' then 'none' else 'asserted' end as grade,
       case j.found when 'unreadable' then set_tag(p.model, p.version, first_tag('approval_until', p.registry, p.workspace), '2026-08-12')
            when 'no conditions' then set_tag(p.model, p.version, first_tag('approval_conditions', p.registry, p.workspace), 'conditions') end as fix,
       j.approver, j.decision, j.conditions, j.condition_day, j.approved_until, j.source
from population_live_version p
join judged j on j.subject = p.subject
