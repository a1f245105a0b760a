/*
title = "The next review is recorded or follows from the rating"
finding = "Nothing says when the next review is due"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `next_review`, on the version, then on its registered model; else a risk rating
that has a review cadence (`[review]` in auditreg.toml). Whether the review is overdue is asked by
`validation-current`."""
rationale = """
A review that nobody has set a day for is not held."""
remediation = """
Record the next review on the registered model, or a risk rating that has a cadence."""
*/
with cadence as (
    select substr(name, 9) as rating, value as days, applies_to from settings where starts_with(name, 'cadence_')
)
select p.subject,
       case when k.days is not null and n.state in ('missing', 'placeholder') then 'pass'
            when r.open and n.state in ('missing', 'placeholder') then 'undecided' else field_status(n.state) end as status,
       case when r.open and k.days is null and n.state in ('missing', 'placeholder')
            then 'No next review of {subject} is recorded, and whether it follows from its rating at this moment cannot be told'
            when k.days is not null and n.state in ('missing', 'placeholder')
            then 'The next review of {subject} follows from its rating {risk_rating}: {cadence_days} days after its validation'
            else field_reason('next review', 'next_review', n.state, n.nearest_tag) end as reason,
       coalesce(n.grade, r.grade, 'none') as grade,
       case when n.state not in ('recorded', 'ambiguous') and k.days is null
            then set_tag(p.model, null, first_tag('next_review', p.registry, p.workspace), 'date, as 2026-08-12 without brackets') end as fix,
       coalesce(n.value, n.candidates) as next_review, n.found_in, n.tag, r.value as risk_rating, k.days as cadence_days,
       n.candidates, n.tags_looked_for, n.nearest_tag, n.nearest_value
from population_live_version p
join field_evidence n on n.subject = p.subject and n.field = 'next_review'
left join (select *, state in ('uncertain', 'ambiguous') as open, conventions_of(registry, workspace) as conventions,
                  case when state = 'recorded' then lower(trim(value)) end as rated
           from field_evidence where field = 'risk_rating' and state in ('recorded', 'ambiguous', 'uncertain')) r on r.subject = p.subject
left join cadence k on k.rating = r.rated and k.applies_to = r.conventions
