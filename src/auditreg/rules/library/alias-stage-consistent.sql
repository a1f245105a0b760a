/*
title = "Live alias and live stage agree"
severity = "medium"
scope = "registered_model"
repair = "registry"
looks_for = """
The versions in a live stage and those with a live alias (`[live]` in auditreg.toml), where a
model uses both."""
rationale = """
While a firm moves from stages to aliases both say what is in use. Where they disagree, two
readers of the same registry name two different models."""
remediation = """
Move the alias or the stage so that both name the version in use, or leave stages empty and take
them out of `[live]`."""
*/
with staged as (
    select v.model_subject, v.version, bool_or(v.certainty in ('uncertain', 'unknown')) as open,
           max(v.stage) as name
    from model_versions v join live_names n
      on n.kind = 'stage' and n.name = v.stage
     and n.applies_to = conventions_of(v.registry, v.workspace)
    where not v.deleted
    group by v.model_subject, v.version
),
aliased as (
    select a.model_subject, a.version, bool_or(a.certainty in ('uncertain', 'unknown')) as open,
           string_agg(distinct a.alias, ', ' order by a.alias) as name
    from aliases a join live_names n
      on n.kind = 'alias' and lower(n.name) = lower(a.alias)
     and n.applies_to = conventions_of(a.registry, a.workspace)
    group by a.model_subject, a.version
),
both_ways as (
    select coalesce(s.model_subject, a.model_subject) as model_subject,
           coalesce(s.version, a.version) as version, s.name as stage, a.name as alias,
           coalesce(s.open, false) or coalesce(a.open, false) as open
    from staged s full join aliased a
      on a.model_subject = s.model_subject and a.version = s.version
),
counted as (
    select model_subject, count(stage) as by_stage, count(alias) as by_alias,
           count(*) filter (where stage is not null and alias is not null) as by_both,
           bool_or(open) as open,
           string_agg('version ' || version || ' (stage ' || stage || ')', ', ' order by version)
               filter (where alias is null) as stage_only,
           string_agg('version ' || version || ' (alias ' || alias || ')', ', ' order by version)
               filter (where stage is null) as alias_only,
           string_agg(version::VARCHAR, ', ' order by version) as versions
    from both_ways group by model_subject
),
judged as (
    select p.*, c.* exclude (model_subject),
           case when c.model_subject is null then 'not live'
                when c.open then 'uncertain'
                when c.by_stage = 0 then 'aliases only'
                when c.by_alias = 0 then 'stages only'
                when c.by_stage = c.by_both and c.by_alias = c.by_both then 'same'
                else 'different' end as found
    from population_registered_model p
    left join counted c on c.model_subject = p.subject
)
select subject,
       case when found = 'same' then 'pass' when found = 'different' then 'fail'
            when found = 'uncertain' then 'not_evidenced' else 'not_applicable' end as status,
       case found
           when 'same' then 'Live stage and live alias of ' || model || ' name the same versions: '
                || versions
           when 'different' then 'Live stage and live alias of ' || model
                || ' disagree about what is live: ' || concat_ws('; ', stage_only, alias_only)
           when 'uncertain' then 'Which versions of ' || model
                || ' were live at this moment is uncertain: ' || versions
           when 'not live' then 'No version of ' || model || ' is live'
           when 'aliases only' then model || ' uses no live stage'
           else model || ' uses no live alias'
       end as reason,
       case when found in ('same', 'different') then 'observed' else 'none' end as grade,
       case when found = 'different'
            then 'client.set_registered_model_alias(' || to_json(model)::VARCHAR
                 || ', "<alias>", "<version>")  # or transition_model_version_stage, until both agree'
       end as fix,
       versions as live_versions, stage_only, alias_only
from judged
