/*
title = "The validator was in office and entitled to validate"
finding = "The validator was not in office or not entitled to validate"
severity = "medium"
scope = "live_in_period"
repair = "tag"
covered_by = "validation-recorded"
looks_for = """
The validator on the day of the validation: whether they were in office and held a role that `[[authorities]]` of
auditreg.toml lets validate models of this rating. Where no authority to validate is configured, whoever is in office
may."""
rationale = """
A review is only as good as the reviewer's standing: those who may validate a model of high risk are named before."""
remediation = """
Have the version validated by somebody who may, and record it; or complete roles and authorities in auditreg.toml."""
*/
with validation as materialized (
    select v.subject, v.verdict, v.validator, v.party, v.stated, local_day(v.validated_not_before) as validated_on,
           case when e.state = 'recorded' then lower(trim(e.value)) end as risk_rating, e.candidates as ratings,
           coalesce(e.state in ('uncertain', 'ambiguous'), false) as which_rating, v.validator is null or v.verdict in ('none', 'placeholder') as nobody
    from validation_verdicts v left join field_evidence e on e.subject = v.subject and e.field = 'risk_rating'
    where v.about = 'version'
),
entitled as (
    select *, may_act(validator, 'validate', risk_rating, validated_on) as may, in_office(validator, validated_on) as in_office
    from (select distinct validator, risk_rating, validated_on from validation)
),
judged as (
    select v.*, w.may, w.in_office,
           case when v.nobody or v.validated_on is null then 'nobody' when v.verdict = 'order cannot be told' then 'which'
                when v.party is null then 'stranger' when w.may is null then case when v.which_rating then 'which rating' else 'rating' end
                when w.may then 'may' when w.in_office then 'role' else 'office' end as found
    from validation v left join entitled w
      on w.validator = v.validator and w.validated_on = v.validated_on and w.risk_rating is not distinct from v.risk_rating
)
select p.subject,
       case j.found when 'may' then 'pass' when 'role' then 'fail' when 'office' then 'fail' when 'which' then 'undecided' when 'which rating' then 'undecided'
            else 'not_applicable' end as status,
       case j.found
            when 'nobody' then 'No validator of {subject} with a date is recorded: see validation-recorded'
            when 'which' then 'The validation of {subject} changed around this moment; which one stands cannot be told'
            when 'stranger' then 'The validator ''{validator}'' of {subject} is nobody listed in auditreg.toml: see validator-independent'
            when 'which rating' then 'Whether {validator} may validate {subject} depends on its rating, which changed around this moment: {ratings}'
            when 'rating' then 'Whether {validator} may validate {subject} depends on its rating, which is not known: see risk-rating-recorded'
            when 'office' then '{validator}, who validated {subject} on {stated}, was not in office that day by auditreg.toml'
            when 'role' then '{validator}, who validated {subject} on {stated}, held no role that day that may validate it'
            else '{validator}, who validated {subject} on {stated}, was in office and entitled to' end as reason,
       case when j.found = 'nobody' then 'none' else 'asserted' end as grade,
       j.validator, j.stated, j.validated_on, j.risk_rating, j.ratings, j.in_office
from population_live_in_period p
join judged j on j.subject = p.subject
