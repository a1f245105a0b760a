/*
title = "The approver was in office and entitled to approve"
finding = "The approver was not in office or not entitled to approve"
severity = "medium"
scope = "live_in_period"
repair = "tag"
covered_by = "approver-recorded"
looks_for = """
The approver on the day of the approval: whether they were in office (`from` and `until` of `[[people]]` and
`[[bodies]]` in auditreg.toml) and held a role that `[[authorities]]` lets approve models of this rating. Where no
authority to approve is configured, whoever is in office may."""
rationale = """
An approval is worth the authority behind it. Who may approve a model of high risk is decided before, not by whoever
is asked."""
remediation = """
Have somebody approve the version who may, and record it; or complete roles and authorities in auditreg.toml."""
*/
with approval as materialized (
    select v.*, case when e.state = 'recorded' then lower(trim(e.value)) end as risk_rating, e.candidates as ratings,
           coalesce(e.state in ('uncertain', 'ambiguous'), false) as which_rating,
           -- an undated approval was given no later than it was entered: its day is known where that day is
           local_day(coalesce(v.decided_not_before,
               case when local_day(v.recorded_not_before) = local_day(v.recorded_not_after) then v.recorded_not_after end)) as approved_on
    from approval_verdicts v left join field_evidence e on e.subject = v.subject and e.field = 'risk_rating'
    where v.about = 'version'
),
answer as (
    select *, may_act(approver, 'approve', risk_rating, approved_on) as may, in_office(approver, approved_on) as in_office
    from (select distinct approver, risk_rating, approved_on from approval)
),
judged as (
    select a.*, w.in_office, case when a.approved_on is null then '' else ' on {approved_on}' end as dated,
           case when a.approved_on is null then '' else ' that day' end as that_day,
           case when not a.names_approver then 'no approver' when a.verdict = 'order cannot be told' then 'which'
                when a.party is null then 'unknown approver' when w.may then 'may'
                when w.may = false and w.in_office = false then 'not in office' when w.may = false then 'may not'
                when a.approved_on is null then 'no day' when a.which_rating then 'which rating' else 'no rating' end as found
    from approval a left join answer w
      on w.approver = a.approver and w.risk_rating is not distinct from a.risk_rating and w.approved_on is not distinct from a.approved_on
)
select p.subject,
       case when j.found = 'may' then 'pass' when j.found in ('not in office', 'may not') then 'fail'
            when j.found in ('which', 'which rating') then 'undecided' when j.found = 'no day' then 'not_evidenced' else 'not_applicable' end as status,
       case j.found
            when 'no approver' then 'Nobody is recorded who could have approved {subject}: see approver-recorded'
            when 'which' then 'The approver of {subject} changed around this moment; which one stands cannot be told'
            when 'unknown approver' then 'The approver ''{approver}'' of {subject} is nobody listed in auditreg.toml: see approver-independent'
            when 'may' then '{approver}, who approved {subject}' || j.dated || ', was in office and entitled to'
            when 'not in office' then '{approver}, who approved {subject}' || j.dated || ', was not in office' || j.that_day || ' by auditreg.toml'
            when 'may not' then '{approver}, who approved {subject}' || j.dated || ', held no role' || j.that_day || ' that may approve'
                 || case when j.risk_rating is not null then ' a model rated {risk_rating}' else ' any model' end
            when 'no day' then 'On what day {approver} approved {subject} is not known, so whether they were entitled to cannot be judged'
            when 'which rating' then 'The authority of {approver} depends on the rating of {subject}, which changed around this moment: {ratings}'
            else 'The authority of {approver} depends on the rating of {subject}, which is not known: see risk-rating-recorded' end as reason,
       case when j.found = 'no approver' then 'none' else 'asserted' end as grade,
       case when j.found = 'no day'
            then set_tag(p.model, p.version, first_tag('approval_date', p.registry, p.workspace), '2026-08-12T14:30:00Z') end as fix,
       j.approver, j.role as stated_role, j.approved_on, j.risk_rating, j.ratings, j.in_office
from population_live_in_period p
join judged j on j.subject = p.subject
