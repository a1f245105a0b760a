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
)
select p.subject,
       case when list_contains(a.ratings, replace(lower(r.value), ' ', '')) then field_status(e.state) else 'not_applicable' end as status,
       case when list_contains(a.ratings, replace(lower(r.value), ' ', ''))
            then field_reason('explanation', 'explainability_evidence', e.state, e.nearest_tag)
            when r.value is null then 'No risk rating of {subject} is recorded; explanations are asked for: {ratings}'
            else '{subject} is rated {risk_rating}; explanations are asked for: {ratings}' end as reason,
       case when list_contains(a.ratings, replace(lower(r.value), ' ', '')) then coalesce(e.grade, 'none') else 'none' end as grade,
       case when list_contains(a.ratings, replace(lower(r.value), ' ', '')) and e.state <> 'recorded' then e.fix end as fix,
       coalesce(e.value, e.candidates) as explainability_evidence, r.value as risk_rating, array_to_string(a.ratings, ', ') as ratings,
       e.found_in, e.tag, e.candidates, e.tags_looked_for, e.nearest_tag, e.nearest_value
from population_live_version p cross join asked a
join field_evidence e on e.subject = p.subject and e.field = 'explainability_evidence'
left join field_evidence r on r.subject = p.subject and r.field = 'risk_rating' and r.state = 'recorded'
