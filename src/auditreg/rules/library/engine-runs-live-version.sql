/*
title = "The engine runs the version the registry calls live"
severity = "high"
scope = "registered_model"
repair = "registry"
looks_for = """
What ran at the moment judged by the deployments imported (`auditreg import deployments`), by version or by
the digest of a file, beside the versions in a live stage or alias. Parameter `environments` names
the environments that count, such as "prod"; all where it is empty. Where no deployment was ever
imported the question does not arise."""
rationale = """
Approvals, validations and reports are about the version the registry calls live. Customers get
the price of the one the engine runs."""
remediation = """
Deploy the version that was approved, or have the one that runs approved and made live. Import the
deployments regularly; where one is missing or wrong, import it anew."""

[params]
environments = ""
*/
with asked as (
    select lower(coalesce(getvariable('environments')::VARCHAR,
                          setting('engine-runs-live-version.environments'), '')) as environments
),
counting as (
    select r.* from running r cross join asked a
    where trim(a.environments) = ''
       or list_contains(string_split(replace(a.environments, ' ', ''), ','),
                        replace(lower(r.environment), ' ', ''))
),
-- a deployment of a version the ledger does not know is about the model it names
about as (
    select c.*, coalesce(c.model_subject, p.subject) as owner,
           case when c.resolved_by = 'several versions' then 'several'
                when c.version_subject is null then 'stranger'
                when c.live then 'live'
                when c.possibly_live then 'possibly'
                else 'other' end as how,
           coalesce('version ' || c.version, 'SHA-256 ' || left(c.digest, 12) || '...') || ' in ' || left(c.system, 60)
           || coalesce(' (' || left(c.environment, 60) || ')', '') || ' since '
           || coalesce(strftime(c.running_from, '%Y-%m-%d %H:%M') || ' UTC', '(unknown)') as words
    from counting c
    left join population_registered_model p
      on c.model_subject is null and p.registry = c.registry and p.model = c.model
     and p.workspace = coalesce(c.workspace, p.workspace)
),
counted as (
    select owner, count(*) as deployments,
           count(*) filter (where how in ('other', 'stranger')) as others,
           count(*) filter (where how in ('possibly', 'several')) as open,
           string_agg(words || case how when 'stranger' then ', unknown to the registry' else '' end, '; ' order by words)
               filter (where how in ('other', 'stranger')) as other_words,
           string_agg(words, '; ' order by words) filter (where how in ('possibly', 'several')) as open_words,
           string_agg(words, '; ' order by words) as words
    from about where owner is not null group by owner
),
live as (
    select model_subject,
           string_agg(distinct version::VARCHAR, ', ' order by version::VARCHAR) as versions
    from live_versions group by model_subject
),
judged as (
    select p.*, case when contains(l.versions, ',') then 'versions ' else 'version ' end || l.versions
               as live_words, c.deployments, c.others, c.other_words, c.open_words, c.words, l.versions as live_versions,
           case when (select count(*) from deployments) = 0 then 'none imported'
                when c.others > 0 then 'another'
                when c.open > 0 then 'open'
                when c.deployments > 0 then 'same'
                when l.model_subject is not null then 'not deployed'
                else 'neither' end as found
    from population_registered_model p
    left join counted c on c.owner = p.subject
    left join live l on l.model_subject = p.subject
)
select subject,
       case found when 'same' then 'pass' when 'another' then 'fail' when 'none imported' then 'not_applicable'
                  when 'neither' then 'not_applicable' else 'not_evidenced' end as status,
       case found
           when 'same' then 'What runs of ' || model || ' is what the registry calls live ('
                || live_words || '): ' || left(words, 300)
           when 'another' then 'Of ' || model || ' runs ' || left(other_words, 300) || '; the registry calls '
                || coalesce(live_words, 'none') || ' live'
           when 'open' then 'Whether what runs of ' || model || ' is what the registry calls live cannot be told: '
                || left(open_words, 300) || '; possibly live: ' || coalesce(live_words, 'none')
           when 'not deployed' then 'The registry calls ' || live_words || ' of ' || model
                || ' live, but no deployment on record runs it'
           when 'none imported' then 'No deployment was ever imported, so what engines run is not known'
           else model || ' has no live version and no deployment on record runs it'
       end as reason,
       case when found in ('same', 'another', 'open') then 'asserted' else 'none' end as grade,
       case when found = 'not deployed' then 'auditreg import deployments <FILE>' end as fix,
       live_versions, coalesce(deployments, 0) as deployments, words as running, other_words as running_others
from judged
