/*
title = "The risk rating was assessed again in time"
finding = "Nothing shows that the risk rating was assessed again in time"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "live_version"
repair = "tag"
covered_by = "risk-rating-recorded"
looks_for = """
The day of the rating (field `risk_rated_at`): no longer ago than the review cadence of that rating (`[review]` in
auditreg.toml), and, for a version whose `change_class` is `major`, not before the version was registered."""
rationale = """
What a model is used for, and for how much, grows. A rating from the first day then asks too little of it."""
remediation = """
Rate the model again, and record the day with the rating."""
*/
-- the cadence of the rating; of several ratings that are possible, the shortest and the longest
with cadence as (
    select f.subject, min(try_cast(k.value as INTEGER)) as shortest, max(try_cast(k.value as INTEGER)) as longest
    from (select * from fields where field = 'risk_rating' and not says_nothing(field, value)
          qualify rank = min(rank) over (partition by subject)) f
    left join settings k on k.name = 'cadence_' || lower(trim(f.value)) and k.applies_to = conventions_of(f.registry, f.workspace)
    group by f.subject having count(k.value) = count(*)
),
-- and of several days, the first and the last
day as (
    select subject, min(stated_from(value)) as from_first, max(stated_from(value)) as from_last, min(stated_until(value)) as until_first,
           max(stated_until(value)) as until_last, count(stated_until(value)) = count(*) as readable
    from (select subject, unnest(values_of(state, value, possible)) as value from field_evidence where field = 'risk_rated_at')
    group by subject
),
rated as (
    select r.subject, coalesce(r.value, r.candidates) as risk_rating, r.state, d.state as day_state, d.value as risk_rated_at, d.candidates,
           d.tags_looked_for, d.fix, d.grade, y.* exclude (subject), k.shortest, k.longest,
           c.state = 'recorded' and lower(trim(c.value)) = 'major' as major,
           c.state in ('uncertain', 'ambiguous') and contains(lower(c.candidates), 'major') as perhaps_major, v.version_created_at
    from field_evidence r
    join field_evidence d on d.subject = r.subject and d.field = 'risk_rated_at'
    join day y on y.subject = r.subject
    left join field_evidence c on c.subject = r.subject and c.field = 'change_class'
    left join cadence k on k.subject = r.subject
    left join (select subject, min(created_at) as version_created_at from model_versions group by subject) v on v.subject = r.subject
    where r.field = 'risk_rating'
),
judged as (
    select *, case when state not in ('recorded', 'ambiguous', 'uncertain') then 'no rating' when state = 'uncertain' then 'which'
                   when day_state = 'uncertain' then 'which' when day_state not in ('recorded', 'ambiguous') then 'no day'
                   when until_last is null then 'unreadable' when is_to_come(from_first) and readable then 'to come'
                   when is_to_come(from_last) or not readable then 'which'
                   when major and until_last <= version_created_at then 'before change'
                   when (major or perhaps_major) and until_first <= version_created_at then 'which'
                   when longest is null then case state when 'recorded' then 'no cadence' else 'which' end
                   when days_later(until_last, longest) < as_of() then 'old'
                   when days_later(until_first, shortest) < as_of() then 'which' else 'current' end as found
    from rated
)
select p.subject,
       case j.found when 'current' then 'pass' when 'no rating' then 'not_applicable' when 'no cadence' then 'not_applicable' when 'which' then 'undecided'
            when 'no day' then 'not_evidenced' when 'unreadable' then 'not_evidenced' else 'fail' end as status,
       case j.found
            when 'no rating' then 'No risk rating of {subject} is recorded: see risk-rating-recorded'
            when 'no cadence' then 'No review cadence is set for the rating of {subject}, {risk_rating}: see risk-rating-recorded'
            when 'no day' then case when j.day_state = 'on the model only'
                                    then 'The day of the rating is recorded for the model only, which does not say for which version'
                                    else 'On what day {subject} was rated {risk_rating} is not recorded; looked for the tags {tags_looked_for}' end
            when 'which' then 'The rating of {subject}, its day or the class of the change changed around this moment'
            when 'unreadable' then 'The day on which {subject} was rated cannot be read: ''{risk_rated_at}''; wanted: 2026-08-12'
            when 'to come' then 'The day on which {subject} was rated is {risk_rated_at}, after the moment judged'
            when 'before change' then '{subject} was rated {risk_rating} on {risk_rated_at}, before this major change was registered {version_created_at}'
            when 'old' then '{subject} was rated {risk_rating} on {risk_rated_at}, more than {cadence_days} days ago, the cadence for that rating'
            else '{subject} was rated {risk_rating} on {risk_rated_at}' end as reason,
       coalesce(j.grade, 'none') as grade, case when j.found in ('no day', 'unreadable') then j.fix end as fix,
       j.risk_rating, coalesce(j.risk_rated_at, j.candidates) as risk_rated_at, j.longest as cadence_days, j.version_created_at, j.tags_looked_for
from population_live_version p
join judged j on j.subject = p.subject
