/*
title = "The next review is recorded or follows from the rating"
finding = "Nothing says when the next review is due"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `next_review`, on the version, then on its registered model, as a day; else a risk
rating that has a review cadence (`[review]` in auditreg.toml). Whether the review is overdue is asked by
`validation-current`."""
rationale = """
A review that nobody has set a day for is not held."""
remediation = """
Record the next review on the registered model, or a risk rating that has a cadence."""
*/
-- of several values that are possible, each: whether it is a day, and whether it is a rating with a cadence
with said as materialized (
    select subject, field, value, conventions_of(registry, workspace) as conventions
    from fields where field in ('next_review', 'risk_rating') and not says_nothing(field, value)
    qualify rank = min(rank) over (partition by subject, field)
),
-- judged once: versions share them
judged_value as materialized (
    select w.*, coalesce(stated_until(w.value)::VARCHAR, k.value) is not null as tells, k.value as days
    from (select distinct field, value, conventions from said) w
    left join settings k on k.name = case when w.field = 'risk_rating' then 'cadence_' || lower(trim(w.value)) end and k.applies_to = w.conventions
),
value as (
    select subject, field, bool_and(tells) as each_tells, bool_or(tells) as some_tell, min(days) as cadence_days
    from said join judged_value using (field, value, conventions) group by subject, field
),
told as (
    select e.*, case when e.state in ('recorded', 'ambiguous') and v.each_tells then 'yes'
                     when e.state in ('recorded', 'ambiguous', 'uncertain') and v.some_tell then 'perhaps'
                     when e.state in ('recorded', 'ambiguous', 'uncertain') then 'unreadable' else 'no' end as tells, v.cadence_days
    from field_evidence e left join value v on v.subject = e.subject and v.field = e.field
    where e.field in ('next_review', 'risk_rating')
),
judged as (
    select n.*, r.tells as rating_tells, r.state as rating_state, coalesce(r.value, r.candidates) as risk_rating, r.cadence_days as days,
           coalesce(n.grade, r.grade, 'none') as either_grade,
           case when n.tells = 'yes' then 'day' when r.tells = 'yes' then 'rating'
                when n.tells = 'perhaps' then 'perhaps a day' when r.tells = 'perhaps' then 'perhaps a rating'
                when n.tells = 'unreadable' then 'unreadable' else 'nothing' end as found
    from told n left join told r on r.subject = n.subject and r.field = 'risk_rating'
    where n.field = 'next_review'
)
select p.subject,
       case when j.found in ('day', 'rating') then 'pass' when j.found in ('perhaps a day', 'perhaps a rating') then 'undecided'
            else 'not_evidenced' end as status,
       case j.found
            when 'rating' then case when j.rating_state = 'ambiguous'
                                    then 'The next review of {subject} follows from its rating, which changed around this moment: {risk_rating}'
                                    else 'The next review of {subject} follows from its rating {risk_rating}: {cadence_days} days after its validation' end
                 || case when j.tells = 'unreadable' then '; what is recorded of it, ''{next_review}'', is no day' else '' end
            when 'perhaps a day' then 'Whether the next review of {subject} is recorded at this moment cannot be told: {candidates}'
            when 'perhaps a rating' then 'No next review of {subject} is recorded, and whether it follows from its rating at this moment cannot be told'
            when 'unreadable' then 'The next review of {subject} is given in {found_in} {tag} as ''{next_review}'', which is no day; wanted: 2026-08-12'
            else field_reason('next review', 'next_review', j.state, j.nearest_tag) end as reason,
       j.either_grade as grade,
       case when j.found not in ('day', 'rating')
            then set_tag(p.model, null, first_tag('next_review', p.registry, p.workspace), 'date, as 2026-08-12 without brackets') end as fix,
       coalesce(j.value, j.candidates) as next_review, j.found_in, j.tag, j.risk_rating, j.days as cadence_days,
       j.candidates, j.tags_looked_for, j.nearest_tag, j.nearest_value
from population_live_version p
join judged j on j.subject = p.subject
