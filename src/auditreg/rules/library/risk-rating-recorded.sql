/*
title = "A risk rating is recorded"
finding = "No risk rating is recorded"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `risk_rating`, on the version, then on its registered model. The value has
to be a rating that has a review cadence (high, medium and low unless auditreg.toml says otherwise), compared
without case."""
rationale = """
How deeply and how often a model is reviewed follows from its rating. Without one the model has no review
cadence, and its share of the portfolio's risk is unknown."""
remediation = """
Set the rating on the registered model. Firms with other words for it (tier 1, tier 2) name them with their
cadence under [review] in auditreg.toml."""
*/
with rating as (
    select e.*, (select string_agg(substr(name, 9), ', ' order by name) from settings s
                 where starts_with(name, 'cadence_') and s.applies_to = conventions_of(e.registry, e.workspace)) as ratings
    from field_evidence e where e.field = 'risk_rating'
)
select p.subject,
       case when e.state = 'recorded' and not list_contains(string_split(e.ratings, ', '), lower(trim(e.value)))
            then 'not_evidenced'
            when e.state = 'ambiguous' then 'undecided' else field_status(e.state) end as status,
       case when e.state = 'recorded' and not list_contains(string_split(e.ratings, ', '), lower(trim(e.value)))
            then 'The risk rating of {subject} is given as ''{risk_rating}'', which is none of: {ratings}'
            when e.state = 'ambiguous'
            then 'The risk rating of {subject} changed around this moment: {candidates}'
            else field_reason('risk rating', 'risk_rating', e.state, e.nearest_tag) end as reason,
       coalesce(e.grade, 'none') as grade, e.fix,
       coalesce(e.value, e.candidates) as risk_rating, e.found_in, e.tag, e.candidates, e.ratings, e.tags_looked_for,
       e.nearest_tag, e.nearest_value
from population_live_version p
join rating e on e.subject = p.subject
