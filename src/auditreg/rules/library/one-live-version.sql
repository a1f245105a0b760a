/*
title = "One version of the model is live"
finding = "Several versions of the model are live at once"
severity = "medium"
scope = "registered_model"
repair = "registry"
looks_for = """
How many versions of a model stand in a live stage, and how many bear a live alias (`[live]` in auditreg.toml). More than
the parameter `most` of either kind is a finding. That stage and alias name different versions is told by
`alias-stage-consistent`."""
rationale = """
Where two versions are live, the registry does not say which of them priced a policy."""
remediation = """
Leave the live stage or alias with the version that is used, and give a challenger another name. Where several are used on
purpose, for regions or for a test, allow as many with `most`."""

[params]
most = 1
*/
with asked as (
    select coalesce(getvariable('most')::VARCHAR, setting('one-live-version.most'), '1')::INTEGER as most
),
named as (
    select v.model_subject, 'stage' as kind, v.version, v.certainty
    from model_versions v join live_names n
      on n.kind = 'stage' and n.name = v.stage and n.applies_to = conventions_of(v.registry, v.workspace)
    where not v.deleted
    union all
    -- what it was between two readings that show different stages, nobody read
    select v.model_subject, 'stage', v.version, 'between' from model_versions v
    where not v.deleted and v.certainty in ('uncertain', 'unknown')
    union all
    select a.model_subject, 'alias', a.version, a.certainty
    from aliases a join live_names n
      on n.kind = 'alias' and lower(n.name) = lower(a.alias) and n.applies_to = conventions_of(a.registry, a.workspace)
),
counted as (
    select model_subject, kind, count(distinct version) as possible,
           count(distinct version) filter (where certainty not in ('uncertain', 'unknown', 'between')) as certain,
           string_agg(distinct version::VARCHAR, ', ' order by version::VARCHAR) as versions
    from named group by model_subject, kind having bool_or(certainty <> 'between')
),
worst as (
    select * from counted qualify row_number() over (partition by model_subject order by certain desc, possible desc, kind) = 1
)
select p.subject,
       case when w.model_subject is null then 'not_applicable' when w.certain > a.most then 'fail'
            when w.possible > a.most then 'undecided' else 'pass' end as status,
       case when w.model_subject is null then 'No version of {subject} is live'
            when w.certain > a.most then 'More than {most} version of {subject} is live by {kind}: {live_versions}'
            when w.possible > a.most then 'Whether more than {most} version of {subject} is live by {kind} at this moment cannot be told: {live_versions}'
            else 'Live by {kind} of {subject} is: {live_versions}' end as reason,
       case when w.model_subject is null then 'none' else 'observed' end as grade,
       w.kind, w.versions as live_versions, a.most
from population_registered_model p cross join asked a
left join worst w on w.model_subject = p.subject
