/*
title = "The engine runs the version the registry calls live"
finding = "The engine does not run the version the registry calls live"
severity = "high"
scope = "registered_model"
repair = "registry"
reads = "history"
looks_for = """
Of each model that a deployment imported (`auditreg import deployments`) spoke of that had begun: what every system runs of it at
the moment judged, by version or by the digest of a file, beside the versions in a live stage or alias. Parameter
`environments` names the environments that count, such as "prod"; all where it is empty. A model that no import speaks
of is not asked about: its engine may be one that nobody imports from."""
rationale = """
Approvals, validations and reports are about the version the registry calls live. Customers get the price of the one
the engine runs."""
remediation = """
Deploy the version that was approved, or have the one that runs approved and made live. Import the deployments
regularly; where one is missing or wrong, import it anew."""

[params]
environments = ""
*/
with asked as (
    select lower(replace(coalesce(getvariable('environments')::VARCHAR, setting('engine-runs-live-version.environments'), ''), ' ', '')) as names
),
counts as (
    select * from (select distinct environment from deployments) cross join asked
    where names = '' or list_contains(string_split(names, ','), replace(lower(environment), ' ', ''))
),
-- a deployment of a version the ledger does not know is about the model it names
spoken as (
    select p.subject as owner, d.system
    from deployments d join counts c on c.environment is not distinct from d.environment
    join population_registered_model p
      on p.registry = d.registry and p.model = d.model and p.workspace = coalesce(d.workspace, p.workspace)
    where d.running_from <= as_of()
    union
    select r.model_subject, r.system
    from running r join counts c on c.environment is not distinct from r.environment where r.model_subject is not null
),
about as (
    select coalesce(r.model_subject, p.subject) as owner, r.running_from,
           case when r.possibly_live then 'open'
                when r.live then 'live' when r.resolved_by = 'nothing' then 'stranger' else 'other' end as how,
           r.system || coalesce(' (' || r.environment || ')', '') || ': '
               || coalesce('version ' || r.version, 'SHA-256 ' || left(r.digest, 12) || '...')
               || case when how = 'stranger' then ', which the registry does not know'
                       when r.resolved_by = 'several versions' then ', of several versions' else '' end as words
    from running r join counts c on c.environment is not distinct from r.environment
    left join population_registered_model p
      on r.model_subject is null and p.registry = r.registry and p.model = r.model
     and p.workspace = coalesce(r.workspace, p.workspace)
),
run as (
    select owner, bool_or(how in ('other', 'stranger')) as others, bool_or(how = 'open') as open, min(running_from) as running_since,
           string_agg(words, '; ' order by words) as running,
           string_agg(words, '; ' order by words) filter (where how in ('other', 'stranger')) as running_others
    from about where owner is not null group by owner
),
live as (
    select model_subject, string_agg(distinct version::VARCHAR, ', ' order by version::VARCHAR) as live_versions
    from live_versions group by model_subject
),
judged as (
    select p.subject, r.* exclude (owner), coalesce(l.live_versions, 'none') as live_versions, s.systems,
           case when s.owner is null then 'no import' when r.others then 'another' when r.open then 'open'
                when r.owner is not null then 'same' when l.model_subject is not null then 'not run' else 'neither' end as found
    from population_registered_model p
    left join (select owner, string_agg(system, ', ' order by system) as systems from spoken group by owner) s on s.owner = p.subject
    left join run r on r.owner = p.subject
    left join live l on l.model_subject = p.subject
)
select subject,
       case found when 'same' then 'pass' when 'another' then 'fail' when 'open' then 'undecided' when 'not run' then 'not_evidenced'
            else 'not_applicable' end as status,
       case found
            when 'no import' then 'No deployment imported speaks of {subject}, so what engines run of it is not known'
            when 'same' then 'What runs of {subject} is what the registry calls live ({live_versions}): {running}'
            when 'another' then 'Of {subject} runs what the registry does not call live: {running_others}; live: {live_versions}'
            when 'open' then 'Whether what runs of {subject} is what the registry calls live cannot be told: {running}; live or possibly: {live_versions}'
            when 'not run' then 'The registry calls {live_versions} of {subject} live, and by the deployments of {systems} none of it runs'
            else '{subject} has no live version, and by the deployments of {systems} none of it runs' end as reason,
       case when found = 'no import' then 'none' else 'asserted' end as grade,
       case when found = 'not run' then 'auditreg import deployments <FILE>' end as fix,
       live_versions, systems, running, running_others, running_since
from judged
