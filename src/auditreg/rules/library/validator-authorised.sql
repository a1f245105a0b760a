/*
title = "The validator was in office and entitled to validate"
finding = "The validator was not in office or not entitled to validate"
severity = "medium"
scope = "live_in_period"
repair = "tag"
covered_by = "validation-recorded"
looks_for = """
The validator on the day of the validation: whether they were in office and held a role that `[[authorities]]` of
auditreg.toml lets validate models of the rating that this one had then; where none was given by then, of the first that
was. Where no authority to validate is configured, whoever is in office may."""
rationale = """
A review is only as good as the reviewer's standing: those who may validate a model of high risk are named before."""
remediation = """
Have the version validated by somebody who may, and record it; or complete roles and authorities in auditreg.toml."""
*/
with validation as materialized (
    select subject, verdict, validator, party, stated, validated_not_before, validated_not_after, local_day(validated_not_before) as validated_on,
           validator is null or verdict in ('none', 'placeholder') as nobody
    from validation_verdicts where about = 'version'
),
perhaps as (
    select v.subject, h.rating, h.rank,
           surely_stood(h.set_not_after, h.until_not_before, h.until_not_after, v.validated_not_before, v.validated_not_after) as surely
    from validation v join rating_history h on h.subject = v.subject
    where perhaps_stood(h.set_not_before, h.until_not_after, v.validated_not_before, v.validated_not_after)
),
-- without a rating then, what it is rated now
rating as (
    select distinct subject, rating from (from perhaps qualify rank <= coalesce(min(case when surely then rank end) over (partition by subject), rank))
    union all
    select subject, lower(trim(unnest(values_of(state, value, possible)))) from field_evidence
    where field = 'risk_rating' and subject not in (select subject from perhaps)
),
entitled as (
    select *, may_act(validator, 'validate', rating, validated_on) as may, in_office(validator, validated_on) as in_office
    from (select distinct v.validator, v.validated_on, r.rating from validation v left join rating r on r.subject = v.subject)
),
allowed as (
    select v.subject, count(distinct coalesce(w.may::VARCHAR, '')) > 1 as depends, bool_or(w.may) as may, bool_or(w.in_office) as in_office,
           string_agg(distinct r.rating, ' or ' order by r.rating) as risk_rating
    from validation v left join rating r on r.subject = v.subject left join entitled w
      on w.validator = v.validator and w.validated_on = v.validated_on and w.rating is not distinct from r.rating
    group by v.subject
),
judged as (
    select v.*, w.* exclude (subject),
           case when v.nobody or v.validated_on is null then 'nobody' when v.verdict = 'order cannot be told' then 'which'
                when v.party is null then 'stranger' when w.depends then 'which rating' when w.may is null then 'rating'
                when w.may then 'may' when w.in_office then 'role' else 'office' end as found
    from validation v join allowed w on w.subject = v.subject
)
select p.subject,
       case j.found when 'may' then 'pass' when 'role' then 'fail' when 'office' then 'fail' when 'which' then 'undecided' when 'which rating' then 'undecided'
            else 'not_applicable' end as status,
       case j.found
            when 'nobody' then 'No validator of {subject} with a date is recorded: see validation-recorded'
            when 'which' then 'The validation of {subject} changed around this moment; which one stands cannot be told'
            when 'stranger' then 'The validator ''{validator}'' of {subject} is nobody listed in auditreg.toml: see validator-independent'
            when 'which rating' then 'Whether {validator} may validate {subject} depends on its rating, which may then have been {risk_rating}'
            when 'rating' then 'Whether {validator} may validate {subject} depends on its rating, which is not known: see risk-rating-recorded'
            when 'office' then '{validator}, who validated {subject} on {stated}, was not in office that day by auditreg.toml'
            when 'role' then '{validator}, who validated {subject} on {stated}, held no role that day that may validate it'
            else '{validator}, who validated {subject} on {stated}, was in office and entitled to' end as reason,
       case when j.found = 'nobody' then 'none' else 'asserted' end as grade,
       j.validator, j.stated, j.validated_on, j.risk_rating, j.in_office
from population_live_in_period p
join judged j on j.subject = p.subject
