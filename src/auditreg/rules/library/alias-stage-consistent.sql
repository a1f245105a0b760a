/*
title = "Live alias and live stage agree"
finding = "Live alias and live stage name different versions"
severity = "medium"
scope = "registered_model"
repair = "registry"
looks_for = """
The versions in a live stage and those with a live alias (`[live]` in auditreg.toml), where a model uses both."""
rationale = """
While a firm moves from stages to aliases both say what is in use. Where they disagree, two readers of the same registry
name two different models."""
remediation = """
Move the alias or the stage so that both name the version in use, or leave stages empty and take them out of `[live]`."""
*/
with staged as (
    -- a version is surely live where each of its possible states is
    select v.model_subject, v.version, string_agg(distinct v.stage, ' or ' order by v.stage) as stage,
           bool_and(v.certainty in ('uncertain', 'unknown')) and not (any_value(v.states) > 1 and count(*) = any_value(v.states)) as open
    from (select *, count(*) over (partition by subject) as states from model_versions) v join live_names n
      on n.kind = 'stage' and n.name = v.stage and n.applies_to = conventions_of(v.registry, v.workspace)
    where not v.deleted group by v.model_subject, v.version
),
aliased as (
    select a.model_subject, a.version, string_agg(distinct a.alias, ', ' order by a.alias) as alias,
           bool_and(a.certainty in ('uncertain', 'unknown')) as open
    from aliases a join live_names n
      on n.kind = 'alias' and lower(n.name) = lower(a.alias) and n.applies_to = conventions_of(a.registry, a.workspace)
    group by a.model_subject, a.version
),
counted as (
    select coalesce(s.model_subject, a.model_subject) as model_subject, count(s.version) as by_stage, count(a.version) as by_alias,
           count(*) as together, bool_or(coalesce(s.open, false) or coalesce(a.open, false)) as open,
           string_agg('version ' || s.version || ' (stage ' || s.stage || ')', ', ' order by s.version)
               filter (where a.version is null) as stage_only,
           string_agg('version ' || a.version || ' (alias ' || a.alias || ')', ', ' order by a.version)
               filter (where s.version is null) as alias_only,
           string_agg(coalesce(s.version, a.version)::VARCHAR, ', ' order by coalesce(s.version, a.version)) as live_versions
    from staged s full join aliased a on a.model_subject = s.model_subject and a.version = s.version
    group by coalesce(s.model_subject, a.model_subject)
),
judged as (
    select p.subject, p.model, c.* exclude (model_subject),
           case when c.model_subject is null then 'not live' when c.open then 'uncertain' when c.by_stage = 0 then 'aliases only'
                when c.by_alias = 0 then 'stages only' when c.by_stage = c.together and c.by_alias = c.together then 'same'
                else 'different' end as found
    from population_registered_model p left join counted c on c.model_subject = p.subject
)
select subject,
       case found when 'same' then 'pass' when 'different' then 'fail' when 'uncertain' then 'undecided' else 'not_applicable' end as status,
       case found
            when 'same' then 'Live stage and live alias of {subject} name the same versions: {live_versions}'
            when 'different' then 'Live stage and live alias of {subject} disagree about what is live: '
                 || concat_ws('; ', case when stage_only is not null then '{stage_only}' end, case when alias_only is not null then '{alias_only}' end)
            when 'uncertain' then 'Which versions of {subject} were live at this moment cannot be told: {live_versions}'
            when 'not live' then 'No version of {subject} is live'
            when 'aliases only' then '{subject} uses no live stage' else '{subject} uses no live alias' end as reason,
       case when found in ('same', 'different') then 'observed' else 'none' end as grade,
       case when found = 'different' then 'client.set_registered_model_alias(' || to_json(model)::VARCHAR
                 || ', "<alias>", "<version>")  # or transition_model_version_stage, until both agree' end as fix,
       live_versions, stage_only, alias_only
from judged
