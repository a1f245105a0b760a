/*
title = "How the model's results are explained is recorded"
finding = "How the model's results are explained is not recorded"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `explainability_evidence`, on the version, then on its registered model, for models
whose risk rating is among the parameter `ratings`. Whether an explanation is understood is for the firm to show."""
rationale = """
Who answers for a model of high impact has to be able to say why it gave a result."""
remediation = """
Record where the explanation stands: an artifact of the run, a document, a method."""

[params]
ratings = "high"
*/
with asked as (
    select string_split(replace(lower(coalesce(getvariable('ratings')::VARCHAR, setting('explainability-recorded.ratings'), 'high')), ' ', ''), ',') as ratings
),
judged as (
    select e.*, r.value as risk_rating, r.candidates as possible_ratings, array_to_string(a.ratings, ', ') as ratings,
           case when list_contains(a.ratings, replace(lower(r.value), ' ', '')) then 'asked'
                when r.state in ('uncertain', 'ambiguous') then case when e.state in ('recorded', 'ambiguous') then 'asked' else 'which' end
                when r.value is null then 'not rated' else 'not asked' end as found
    from field_evidence e cross join asked a
    left join field_evidence r on r.subject = e.subject and r.field = 'risk_rating' and r.state in ('recorded', 'ambiguous', 'uncertain')
    where e.field = 'explainability_evidence'
)
select p.subject,
       case j.found when 'asked' then field_status(j.state) when 'which' then 'undecided' else 'not_applicable' end as status,
       case j.found when 'asked' then field_reason('explanation', 'explainability_evidence', j.state, j.nearest_tag)
            when 'which' then 'The rating of {subject} changed around this moment ({possible_ratings}); explanations are asked for: {ratings}'
            when 'not rated' then 'No risk rating of {subject} is recorded; explanations are asked for: {ratings}'
            else '{subject} is rated {risk_rating}; explanations are asked for: {ratings}' end as reason,
       case when j.found = 'asked' then coalesce(j.grade, 'none') else 'none' end as grade,
       case when j.found = 'asked' and j.state not in ('recorded', 'ambiguous') then j.fix end as fix,
       coalesce(j.value, j.candidates) as explainability_evidence, j.risk_rating, j.possible_ratings, j.ratings,
       j.found_in, j.tag, j.candidates, j.tags_looked_for, j.nearest_tag, j.nearest_value
from population_live_version p
join judged j on j.subject = p.subject
