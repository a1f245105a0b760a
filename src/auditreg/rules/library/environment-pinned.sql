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
rated as (
    select subject, any_value(shown) as risk_rating, any_value(candidates) as candidates, bool_and(is_asked) as always, bool_or(is_asked) as perhaps
    from (select subject, candidates, case when not is_absent(state) then value end as shown,
                 coalesce(list_contains(string_split(replace(lower(ratings), ' ', ''), ','), replace(lower(rating), ' ', '')), false) as is_asked
          from (select *, unnest(values_of(state, value, possible)) as rating from field_evidence where field = 'risk_rating') cross join asked)
    group by subject
),
state as (
    select *, case when json_valid(pins) then json_array_length(pins) end as pinned, certainty in ('uncertain', 'unknown') as unsure,
           case when not (coalesce(state = 'read', false) or last_read_at is not null) then 'not read'
                when unpinned > 0 then 'unpinned' when pinned > 0 then 'pinned' else 'none' end as found
    from model_artifacts
),
-- by each state of the files that is possible at the moment; one that is perhaps not yet there leaves others open
artifact as (
    select subject, max(grade) as grade, max(last_read_at) as last_read_at,
           string_agg(distinct unpinned::VARCHAR, ' or ' order by unpinned::VARCHAR) as unpinned,
           string_agg(distinct pinned::VARCHAR, ' or ' order by pinned::VARCHAR) as pinned,
           case when count(distinct found) > 1 or min(found) <> 'not read' and bool_and(unsure) and min(candidate) = max(candidate)
                then 'open' else min(found) end as found
    from state group by subject
),
judged as (
    select p.subject, r.risk_rating, k.ratings, r.candidates, a.* exclude (subject, found),
           case when not coalesce(r.perhaps, false) then 'not asked' when coalesce(a.found, 'not read') = 'not read' then 'not read'
                when not r.always and a.found <> 'pinned' then 'which' else a.found end as found
    from population_live_version p cross join asked k
    left join rated r on r.subject = p.subject left join artifact a on a.subject = p.subject
)
select subject,
       case found when 'pinned' then 'pass' when 'unpinned' then 'fail' when 'open' then 'undecided' when 'which' then 'undecided' when 'none' then 'not_evidenced'
            else 'not_applicable' end as status,
       case found
            when 'not asked' then case when risk_rating is null and candidates is null then 'No risk rating of {subject} is recorded; it is asked for: {ratings}'
                 else '{subject} is rated {risk_rating}; it is asked for: {ratings}' end
            when 'which' then 'How {subject} is rated at this moment cannot be told: {candidates}; it is asked for: {ratings}'
            when 'not read' then 'The files of {subject} were not read: see live-version-ready'
            when 'open' then 'Whether the files of {subject} named pinned requirements at this moment cannot be told'
            when 'unpinned' then '{unpinned} requirements of {subject} are not pinned to one version, {pinned} are'
            when 'none' then 'The files of {subject} name no requirements'
            else 'The {pinned} requirements of {subject} are pinned to one version each' end
            || case when last_read_at is null or found in ('not asked', 'which', 'not read') then '' else ' (last read {last_read_at})' end as reason,
       case when found in ('pinned', 'unpinned') then grade else 'none' end as grade,
       coalesce(risk_rating, candidates) as risk_rating, ratings, candidates, coalesce(pinned, '0') as pinned, coalesce(unpinned, '0') as unpinned, last_read_at
from judged
