/*
title = "The approver was in office and entitled to approve"
finding = "The approver was not in office or not entitled to approve"
severity = "medium"
scope = "live_in_period"
repair = "tag"
covered_by = "approver-recorded"
looks_for = """
The approver on the day of the approval: whether they were in office (`from` and `until` of `[[people]]` and
`[[bodies]]` in auditreg.toml) and held a role that `[[authorities]]` lets approve models of the rating that this one had
then; where none was given by then, of the first that was. Where no authority to approve is configured, whoever is in
office may."""
rationale = """
An approval is worth the authority behind it. Who may approve a model of high risk is decided before, not by whoever
is asked."""
remediation = """
Have somebody approve the version who may, and record it; or complete roles and authorities in auditreg.toml."""
*/
with approval as materialized (
    select *, coalesce(decided_not_before, recorded_not_before) as lo, coalesce(decided_not_after, recorded_not_after) as hi,
           -- an undated approval was given no later than it was entered: its day is known where that day is
           local_day(coalesce(decided_not_before,
               case when local_day(recorded_not_before) = local_day(recorded_not_after) then recorded_not_after end)) as approved_on
    from approval_verdicts where about = 'version'
),
stood as (
    select a.subject, r.rating from approval a
    join rating_history r on r.subject = a.subject and perhaps_stood(r.set_not_before, r.until_not_after, a.lo, a.hi)
    qualify r.rank <= coalesce(min(case when surely_stood(r.set_not_after, r.until_not_before, r.until_not_after, a.lo, a.hi) then r.rank end)
                                   over (partition by a.subject), r.rank)
),
-- without a rating then, what it is rated now
rated as (
    select distinct subject, rating from stood
    union all
    select subject, lower(trim(unnest(values_of(state, value, possible)))) from field_evidence
    where field = 'risk_rating' and subject not in (select subject from stood)
),
asked as (select a.subject, a.approver, a.approved_on, r.rating from approval a left join rated r on r.subject = a.subject),
answer as (
    select *, may_act(approver, 'approve', rating, approved_on) as may, in_office(approver, approved_on) as in_office
    from (select distinct approver, rating, approved_on from asked)
),
settled as (
    select a.subject, bool_or(w.in_office) as in_office, string_agg(distinct a.rating, ' or ' order by a.rating) as risk_rating,
           count(distinct coalesce(w.may::VARCHAR, '')) > 1 as which_rating, bool_or(w.may) as may
    from asked a left join answer w
      on w.approver = a.approver and w.rating is not distinct from a.rating and w.approved_on is not distinct from a.approved_on
    group by a.subject
),
judged as (
    select a.*, w.* exclude (subject), case when a.approved_on is null then '' else ' on {approved_on}' end as dated,
           case when a.approved_on is null then '' else ' that day' end as that_day,
           case when not a.names_approver then 'no approver' when a.verdict = 'order cannot be told' then 'which'
                when a.party is null then 'unknown approver' when w.may and not w.which_rating then 'may'
                when w.which_rating then case when a.approved_on is null then 'no day' else 'which rating' end
                when w.may = false then case when w.in_office = false then 'not in office' else 'may not' end
                when a.approved_on is null then 'no day' else 'no rating' end as found
    from approval a join settled w on w.subject = a.subject
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
            when 'which rating' then 'The authority of {approver} depends on the rating of {subject}, which may then have been {risk_rating}'
            else 'The authority of {approver} depends on the rating of {subject}, which is not known: see risk-rating-recorded' end as reason,
       case when j.found = 'no approver' then 'none' else 'asserted' end as grade,
       case when j.found = 'no day'
            then set_tag(p.model, p.version, first_tag('approval_date', p.registry, p.workspace), '2026-08-12T14:30:00Z') end as fix,
       j.approver, j.role as stated_role, j.approved_on, j.risk_rating, j.in_office
from population_live_in_period p
join judged j on j.subject = p.subject
