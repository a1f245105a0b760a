/*
title = "How the model's results are explained is recorded"
finding = "How the model's results are explained is not recorded"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `explainability_evidence`, on the version, then on its registered model, for models
whose risk rating is among the parameter `ratings`; that there is none yet (`not done`, `planned`) is none. Whether an explanation is understood is for the firm to show."""
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
rated as (
    select r.subject, any_value(case when not is_absent(r.state) then r.value end) as risk_rating, any_value(r.candidates) as possible_ratings,
           bool_and(coalesce(list_contains(a.ratings, replace(lower(r.rating), ' ', '')), false)) as always,
           bool_or(coalesce(list_contains(a.ratings, replace(lower(r.rating), ' ', '')), false)) as perhaps
    from (select *, unnest(values_of(state, value, possible)) as rating from field_evidence where field = 'risk_rating') r cross join asked a
    group by r.subject
),
-- whether each explanation that may be recorded at the moment is one
given as (
    select subject, bool_and(coalesce(says_not_done(value), false)) as not_done, bool_or(says_not_done(value)) as perhaps_not
    from (select subject, unnest(values_of(state, value, possible)) as value from field_evidence where field = 'explainability_evidence') group by subject
),
judged as (
    select e.*, g.not_done, coalesce(r.risk_rating, r.possible_ratings) as risk_rating, r.possible_ratings, array_to_string(a.ratings, ', ') as ratings,
           case when r.always or r.perhaps and e.state in ('recorded', 'ambiguous') then 'asked' when r.perhaps then 'which'
                when r.risk_rating is null and r.possible_ratings is null then 'not rated' else 'not asked' end as asked_for,
           case when asked_for = 'asked' and g.not_done then case when r.always then 'not done' else 'which' end
                when asked_for = 'asked' and g.perhaps_not and e.state = 'ambiguous' then 'which one' else asked_for end as found
    from field_evidence e cross join asked a left join rated r on r.subject = e.subject left join given g on g.subject = e.subject
    where e.field = 'explainability_evidence'
)
select p.subject,
       case j.found when 'asked' then field_status(j.state) when 'which' then 'undecided' when 'which one' then 'undecided' when 'not done' then 'not_evidenced'
            else 'not_applicable' end as status,
       case j.found when 'asked' then field_reason('explanation', 'explainability_evidence', j.state, j.nearest_tag)
            when 'not done' then 'Of an explanation of {subject} is recorded in {found_in} {tag}: ''{explainability_evidence}'''
            when 'which one' then 'Whether an explanation of {subject} is recorded at this moment cannot be told: {candidates}'
            when 'which' then 'The rating of {subject} changed around this moment ({possible_ratings}); explanations are asked for: {ratings}'
            when 'not rated' then 'No risk rating of {subject} is recorded; explanations are asked for: {ratings}'
            else '{subject} is rated {risk_rating}; explanations are asked for: {ratings}' end as reason,
       case when j.found in ('asked', 'not done') then coalesce(j.grade, 'none') else 'none' end as grade,
       case when j.found = 'asked' and j.state not in ('recorded', 'ambiguous') or j.found = 'not done' then j.fix end as fix,
       coalesce(j.value, j.candidates) as explainability_evidence, j.risk_rating, j.possible_ratings, j.ratings,
       j.found_in, j.tag, j.candidates, j.tags_looked_for, j.nearest_tag, j.nearest_value
from population_live_version p
join judged j on j.subject = p.subject
