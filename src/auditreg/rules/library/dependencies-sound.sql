/*
title = "The models it depends on are there, in use and approved"
finding = "A model it depends on is gone, out of use or not approved"
severity = "high"
scope = "live_version"
repair = "registry"
reads = "registry"
covered_by = "dependencies-recorded"
looks_for = """
What the field `dependencies` names, separated by commas, in the same registry: `motor-frequency`, its stable identifier,
`motor-frequency/3`, `models:/motor-frequency/3`, `models:/motor-frequency/Production` or `models:/motor-frequency@champion`.
A model has to have a version in use; a version must not be deleted, archived or without an approval, nor with one that is
contested or has run out. One that is in use is judged by `approver-recorded`. None depends on itself. `none` and the like
name no model. Prompts, and names that begin with `system:` or `data:`, are no models; any other name that the registry does
not know is not evidenced."""
rationale = """
A model that takes the output of another is as sound as that one. Retiring a model means to know who still calls it."""
remediation = """
Move the model to a version that is in use and approved, or correct the tag; write what is no model as `system: name`."""
*/
with item as materialized (
    select subject, registry, workspace, world, trim(unnest(string_split_regex(coalesce(world, ''), '[,;\n]'))) as words
    from (select *, unnest(values_of(state, value, possible)) as world from field_evidence where field = 'dependencies')
),
asked as (select * from item where words <> '' and not names_no_model(world) and not regexp_matches(lower(words), '^(system|data):')),
named as (
    select *, regexp_replace(words, '^models:/', '') as name, null::BIGINT as version, null as alias from asked
    union all select * exclude (part), part.name, try_cast(part.version as BIGINT), nullif(lower(part.alias || part.stage), '')
    from (select *, regexp_extract(words, '^(?:models:/)?(.+)(?:/([0-9]{1,18})|@([^@]+)|(/(?i:production|staging|archived|latest)))$',
                                   ['name', 'version', 'alias', 'stage']) as part from asked) where part.name <> ''
),
known as (
    select subject as model_subject, registry, workspace, model as name, bool_and(deleted) as deleted, count(distinct deleted) > 1 as open
    from registered_models group by subject, registry, workspace, model
    union select subject, registry, workspace, trim(value), false, false from field_evidence where field = 'model_id' and version is null and state = 'recorded'
),
-- a model of that very name first, one that is not deleted, one of the same workspace; of a stage, its newest version
target as (
    select n.subject, n.world, n.words, k.model_subject, k.deleted, k.open, n.alias is not null as by_alias,
           coalesce(n.version, a.version) as version, coalesce(a.open, false) as alias_open
    from named n left join known k on k.registry = n.registry and lower(k.name) = lower(n.name)
    left join (select model_subject, lower(alias) as alias, min(version) as version,
                      min(version) < max(version) or count(*) = 1 and bool_or(certainty in ('uncertain', 'unknown')) as open from aliases group by model_subject, lower(alias)
               union all select model_subject, stage, max(version), max_by(unsure, version) from (select split_part(subject, '/', 1) as model_subject, version,
                         unnest(['/' || lower(stage), '/latest']) as stage, certainty in ('uncertain', 'unknown') as unsure from model_versions where not deleted)
               group by model_subject, stage) a on a.model_subject = k.model_subject and a.alias = n.alias
    qualify row_number() over (partition by n.subject, n.world, n.words order by k.name is null, k.name <> n.name, n.version is not null,
                               n.alias is not null, k.deleted, k.workspace is distinct from n.workspace, k.model_subject) = 1
),
version as (
    select subject, bool_and(deleted) as deleted, bool_and(gone) as gone, bool_or(gone) <> bool_and(gone) or count(*) = 1 and bool_or(unsure) as open
    from (select subject, deleted, deleted or coalesce(stage = 'Archived', false) as gone, certainty in ('uncertain', 'unknown') as unsure from model_versions)
    group by subject
),
-- versions in use, and their models
in_use as (
    select key, bool_and(open) as open
    from (select unnest([subject, model_subject]) as key, certainty in ('uncertain', 'unknown') as open from live_versions
          union all select unnest([version_subject, model_subject]), false from running where version_subject is not null) group by key
),
found as materialized (
    select t.subject, t.world, t.words,
           case when p.model_subject is not null then 'prompt' when t.alias_open then 'open'
                when t.model_subject || coalesce('/' || t.version, '') in (t.subject, split_part(t.subject, '/', 1)) then 'itself'
                when t.model_subject is null or v.subject is null and (t.version is not null or t.by_alias) then 'unknown'
                when t.deleted or v.deleted then 'deleted' when v.gone then 'archived' when t.open then 'open'
                when t.version is null and u.key is null then 'without a version in use'
                when v.open or u.open then 'open' when u.key is not null then 'sound'
                when a.verdict = 'order cannot be told' then 'open' when a.verdict = 'rejected' then 'rejected'
                when a.verdict = 'contested' then 'approval contested' when stated_until(a.approved_until) < as_of() then 'approval run out'
                when a.names_approver and a.verdict <> 'dated in the future' then 'sound' else 'not approved' end as how
    from target t left join version v on v.subject = t.model_subject || '/' || t.version
    left join in_use u on u.key = t.model_subject || coalesce('/' || t.version, '')
    left join approval_verdicts a on a.subject = t.model_subject || '/' || t.version left join prompt_models p on p.model_subject = t.model_subject
),
-- for each record that may stand there at the moment; one without a name of a model depends on none
settled as (
    select subject, case when count(distinct found) > 1 then 'which' else min(found) end as found
    from (select i.subject, case when i.world is null then 'none' when bool_or(f.how not in ('sound', 'unknown', 'not approved', 'open', 'prompt')) then 'broken'
                                 when bool_or(f.how = 'not approved') then 'not approved' when bool_or(f.how = 'unknown') then 'unknown'
                                 when bool_or(f.how = 'open') then 'open' else 'sound' end as found
          from item i left join found f on f.subject = i.subject and f.world = i.world group by i.subject, i.world)
    group by subject
),
told as (
    select subject, string_agg(distinct words, ', ' order by words) filter (where how = 'sound') as sound,
           string_agg(distinct words, ', ' order by words) filter (where how = 'unknown') as unresolved,
           string_agg(distinct words, ', ' order by words) filter (where how = 'not approved') as not_approved,
           string_agg(distinct words, ', ' order by words) filter (where how = 'open') as unclear,
           string_agg(distinct words || ' (' || how || ')', ', ' order by words || ' (' || how || ')')
               filter (where how not in ('sound', 'unknown', 'not approved', 'open', 'prompt')) as broken
    from found group by subject
)
select p.subject,
       case j.found when 'none' then 'not_applicable' when 'broken' then 'fail' when 'sound' then 'pass'
            when 'not approved' then 'not_evidenced' when 'unknown' then 'not_evidenced' else 'undecided' end as status,
       case j.found when 'none' then 'No dependencies of {subject} are recorded: see dependencies-recorded'
            when 'which' then 'What {subject} depends on changed around this moment: {candidates}'
            when 'broken' then '{subject} depends on {broken}'
            when 'not approved' then '{subject} depends on {not_approved}, of which no approval is recorded'
            when 'unknown' then '{subject} is stated to depend on what the registry does not know: {unresolved}'
            when 'open' then '{subject} depends on {unclear}, whose state at this moment cannot be told'
            else case when c.sound is null then '{subject} is stated to depend on no model: {dependencies}'
                      else '{subject} depends on {sound}, which the registry knows as there and in use or approved' end end
            || case when e.state = 'recorded' or j.found in ('none', 'which') or c.sound is null and j.found = 'sound' then ''
                    else ', by one or the other record: {candidates}' end as reason,
       coalesce(e.grade, 'none') as grade, coalesce(e.value, e.candidates) as dependencies, c.* exclude (subject), e.candidates
from population_live_version p
join settled j on j.subject = p.subject join field_evidence e on e.subject = p.subject and e.field = 'dependencies'
left join told c on c.subject = p.subject
