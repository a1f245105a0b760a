/*
title = "The models it depends on are there, in use and approved"
finding = "A model it depends on is gone, out of use or not approved"
severity = "high"
scope = "live_version"
repair = "registry"
covered_by = "dependencies-recorded"
looks_for = """
What the field `dependencies` names, separated by commas, in the same registry: `motor-frequency`, its stable identifier,
`motor-frequency/3` or `models:/motor-frequency/3`. A model has to have a version in use; a version must not be deleted,
archived or without an approval. One that is in use is judged by `approver-recorded`. Names that begin with `system:` or
`data:` are no models; any other name that the registry does not know is not evidenced."""
rationale = """
A model that takes the output of another is as sound as that one. Retiring a model means to know who still calls it."""
remediation = """
Move the model to a version that is in use and approved, or correct the tag; write what is no model as `system: name`."""
*/
with item as materialized (
    select subject, registry, workspace, trim(unnest(string_split_regex(value, '[,;\n]'))) as words
    from field_evidence where field = 'dependencies' and state = 'recorded' and lower(trim(value)) <> 'none'
),
named as (
    select *, regexp_replace(words, '^models:/', '') as name, null::BIGINT as version
    from item where words <> '' and not regexp_matches(lower(words), '^(system|data):')
    union all
    select *, regexp_extract(words, '^(?:models:/)?(.+)/[0-9]{1,18}$', 1), regexp_extract(words, '[0-9]{1,18}$')::BIGINT
    from item where regexp_matches(words, './[0-9]{1,18}$') and not regexp_matches(lower(words), '^(system|data):')
),
known as (
    select subject as model_subject, registry, workspace, model as name, deleted from registered_models
    union
    select e.subject, e.registry, e.workspace, trim(e.value), false from field_evidence e
    where e.field = 'model_id' and e.version is null and e.state = 'recorded'
),
-- a model of that very name first, one that is not deleted, one of the same workspace
target as (
    select n.subject, n.words, k.model_subject, k.deleted, n.version
    from named n left join known k on k.registry = n.registry and k.name = n.name
    qualify row_number() over (partition by n.subject, n.words order by k.name is null, n.version is not null, k.deleted,
                               k.workspace is distinct from n.workspace, k.model_subject) = 1
),
version as (
    select subject, bool_and(deleted) as deleted, bool_or(stage = 'Archived') as archived,
           bool_or(certainty in ('uncertain', 'unknown')) as open
    from model_versions group by subject
),
in_use as (
    select subject, split_part(subject, '/', 1) as model_subject, certainty in ('uncertain', 'unknown') as open from live_versions
    union
    select version_subject, model_subject, false from running where version_subject is not null
),
found as (
    select t.subject, t.words,
           case when t.model_subject is null or t.version is not null and v.subject is null then 'unknown'
                when t.deleted or v.deleted then 'deleted'
                when t.version is null and m.model_subject is null then 'without a version in use'
                when t.version is null then case when m.open then 'open' else 'sound' end
                when v.archived and not v.open then 'archived' when v.open or u.open then 'open'
                when u.subject is not null then 'sound' when a.verdict = 'rejected' then 'rejected'
                when not a.names_approver then 'not approved' else 'sound' end as how
    from target t
    left join version v on v.subject = t.model_subject || '/' || t.version
    left join (select subject, bool_and(open) as open from in_use group by subject) u on u.subject = t.model_subject || '/' || t.version
    left join (select model_subject, bool_and(open) as open from in_use group by model_subject) m on m.model_subject = t.model_subject
    left join approval_verdicts a on a.subject = t.model_subject || '/' || t.version
),
counted as (
    select subject, string_agg(words, ', ' order by words) filter (where how = 'sound') as sound,
           string_agg(words, ', ' order by words) filter (where how = 'unknown') as unresolved,
           string_agg(words, ', ' order by words) filter (where how = 'not approved') as not_approved,
           string_agg(words, ', ' order by words) filter (where how = 'open') as unclear,
           string_agg(words || ' (' || how || ')', ', ' order by words) filter (where how not in ('sound', 'unknown', 'not approved', 'open')) as broken
    from found group by subject
)
select p.subject,
       case when e.state in ('missing', 'placeholder') then 'not_applicable' when e.state in ('uncertain', 'ambiguous') then 'undecided'
            when c.broken is not null then 'fail' when c.not_approved is not null or c.unresolved is not null then 'not_evidenced'
            when c.unclear is not null then 'undecided' else 'pass' end as status,
       case when e.state in ('missing', 'placeholder') then 'No dependencies of {subject} are recorded: see dependencies-recorded'
            when e.state in ('uncertain', 'ambiguous') then 'What {subject} depends on changed around this moment: {candidates}'
            when c.broken is not null then '{subject} depends on {broken}'
            when c.not_approved is not null then '{subject} depends on {not_approved}, of which no approval is recorded'
            when c.unresolved is not null then '{subject} is stated to depend on what the registry does not know: {unresolved}'
            when c.unclear is not null then '{subject} depends on {unclear}, whose state at this moment cannot be told'
            when c.sound is null then '{subject} is stated to depend on no model: {dependencies}'
            else '{subject} depends on {sound}, which the registry knows as there and in use or approved' end as reason,
       coalesce(e.grade, 'none') as grade, coalesce(e.value, e.candidates) as dependencies, c.broken, c.not_approved, c.unresolved, c.unclear, c.sound,
       e.candidates
from population_live_version p
join field_evidence e on e.subject = p.subject and e.field = 'dependencies'
left join counted c on c.subject = p.subject
