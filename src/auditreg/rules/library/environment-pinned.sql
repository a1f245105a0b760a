/*
title = "The libraries of a model are pinned to one version each"
finding = "Libraries of the model are not pinned to one version each"
severity = "low"
scope = "live_version"
repair = "retrain"
covered_by = "live-version-ready"
looks_for = """
The requirements beside the MLmodel file of models whose risk rating is among the parameter `ratings`: each pinned with
`==`. Files that could not be read are the matter of `live-version-ready`."""
rationale = """
With another release of a library the same model may give other numbers. To make it again, each has to be known."""
remediation = """
Let MLflow infer the requirements in the training environment, or give `pip_requirements` with `==` for each."""

[params]
ratings = "high"
*/
with asked as (
    select coalesce(getvariable('ratings')::VARCHAR, setting('environment-pinned.ratings'), 'high') as ratings
),
artifact as (
    select subject, max(grade) as grade, max(last_read_at) as last_read_at, max(unpinned) as unpinned,
           max(case when json_valid(pins) then json_array_length(pins) end) as pinned,
           bool_and(coalesce(state = 'read', false) or last_read_at is not null) as was_read,
           count(distinct coalesce(pins, '') || coalesce(unpinned::VARCHAR, '')) > 1 as open
    from model_artifacts group by subject
),
judged as (
    select p.subject, e.value as risk_rating, k.ratings, e.candidates, a.* exclude (subject),
           case when e.state in ('uncertain', 'ambiguous') then 'which'
                when not coalesce(list_contains(string_split(replace(lower(k.ratings), ' ', ''), ','), replace(lower(e.value), ' ', '')), false)
                then 'not asked' when not coalesce(a.was_read, false) then 'not read' when a.open then 'open'
                when a.unpinned > 0 then 'unpinned' when a.pinned > 0 then 'pinned' else 'none' end as found
    from population_live_version p cross join asked k
    left join field_evidence e on e.subject = p.subject and e.field = 'risk_rating' and e.state in ('recorded', 'ambiguous', 'uncertain')
    left join artifact a on a.subject = p.subject
)
select subject,
       case found when 'pinned' then 'pass' when 'unpinned' then 'fail' when 'open' then 'undecided' when 'which' then 'undecided' when 'none' then 'not_evidenced'
            else 'not_applicable' end as status,
       case found
            when 'not asked' then case when risk_rating is null then 'No risk rating of {subject} is recorded; it is asked for: {ratings}'
                 else '{subject} is rated {risk_rating}; it is asked for: {ratings}' end
            when 'which' then 'How {subject} is rated at this moment cannot be told: {candidates}; it is asked for: {ratings}'
            when 'not read' then 'The files of {subject} were not read: see live-version-ready'
            when 'open' then 'The files of {subject} changed around this moment'
            when 'unpinned' then '{unpinned} requirements of {subject} are not pinned to one version, {pinned} are'
            when 'none' then 'The files of {subject} name no requirements'
            else 'The {pinned} requirements of {subject} are pinned to one version each' end
            || case when last_read_at is null or found in ('not asked', 'which', 'not read') then '' else ' (last read {last_read_at})' end as reason,
       case when found in ('pinned', 'unpinned') then grade else 'none' end as grade,
       risk_rating, ratings, candidates, coalesce(pinned, 0) as pinned, coalesce(unpinned, 0) as unpinned, last_read_at
from judged
