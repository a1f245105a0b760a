-- What somebody gave the ledger to keep: records of other systems, and what ran where. All of it is
-- asserted: the ledger proves that it was given, not that it is true. {log} as in events.sql.

-- event: imports of import
select seq, recorded_at, body.what as what, body.file as file, body.sha256 as sha256,
       body.lines as lines, body.added as added, body.known as known,
       body.tool_version as tool_version, body.tree_size as tree_size, body.root as root
from (select *, from_json(entry, '{"body":{"what":"VARCHAR","file":"VARCHAR","sha256":"VARCHAR","lines":"BIGINT","added":"BIGINT","known":"BIGINT","tool_version":"VARCHAR","tree_size":"BIGINT","root":"VARCHAR"}}').body as body
      from {log} where kind = 'import')

-- event: history_records of history_record
select seq, valid_at as happened_at, registry, workspace, model, version, body.about as subject,
       split_part(body.about, '/', 1) as model_subject, body.what as what, body.item as item,
       body.before as before, body.after as after, actor, body.system as system,
       body.reference as reference, body.note as note, body.file as file, recorded_at, grade
from (select *, from_json(entry, '{"body":{"about":"VARCHAR","what":"VARCHAR","item":"VARCHAR","before":"VARCHAR","after":"VARCHAR","system":"VARCHAR","reference":"VARCHAR","note":"VARCHAR","file":"VARCHAR"}}').body as body
      from {log} where kind = 'history_record')

-- last: deployments of deployment
select subject, registry, workspace, model, version, body.digest as digest, body.system as system,
       body.environment as environment, valid_at as running_from,
       ledger.moment(body.until_ms) as running_until, body.reference as reference,
       body.file as file, recorded_at, grade, seq
from (select *, from_json(entry, '{"body":{"digest":"VARCHAR","system":"VARCHAR","environment":"VARCHAR","until_ms":"BIGINT","reference":"VARCHAR","file":"VARCHAR"}}').body as body
      from {log} where kind = 'deployment')

-- block: deployed_versions
-- every deployment that had begun by the moment asked for, beside each version that it may have been; by the name
-- the version has in the registry. A digest is that of MLmodel or of a file of the model; a model of the given name
-- comes first.
with deployed as (
    select * from [deployments] where coalesce(running_from <= coalesce([ts], as_of()), true)
),
wanted as (
    select distinct lower(digest) as digest from deployed where version is null
),
artifact as (
    select distinct subject, registry, workspace, model, mlmodel_sha256, files
    from [model_artifacts]
    where (select count(*) from wanted) > 0
),
hashed as (
    select subject, registry, workspace, model, lower(mlmodel_sha256) as digest from artifact
    union
    select subject, registry, workspace, model,
           lower(unnest(from_json(files, '[{"sha256":"VARCHAR"}]')).sha256)
    from artifact where contains(files, '"sha256"')
),
by_digest as (
    select d.subject, h.subject as version_subject, h.registry, h.workspace, h.model,
           case when h.model = d.model and h.registry = d.registry
                 and h.workspace = coalesce(d.workspace, h.workspace) then 1 else 2 end as place
    from deployed d join wanted w on w.digest = lower(d.digest)
    join hashed h on h.digest = w.digest
    where d.version is null
),
found as (
    select d.subject, v.subject as version_subject, v.registry, v.workspace, v.model
    from deployed d join [model_versions] v
      on v.registry = d.registry and v.model = d.model and v.version = d.version
     and v.workspace = coalesce(d.workspace, v.workspace)
    union all
    select subject, version_subject, registry, workspace, model
    from (from by_digest qualify place = min(place) over (partition by subject))
)
select d.subject, f.version_subject, split_part(f.version_subject, '/', 1) as model_subject,
       min(f.registry) as registry, min(f.workspace) as workspace, min(f.model) as model,
       split_part(f.version_subject, '/', 2)::BIGINT as version,
       count(*) over (partition by d.subject) as matches, d.system, d.environment, d.running_from,
       case when d.running_until <= coalesce([ts], as_of()) then d.running_until end as running_until,
       d.reference, d.grade, d.seq
from deployed d join found f using (subject)
group by d.subject, f.version_subject, d.system, d.environment, d.running_from, d.running_until,
         d.reference, d.grade, d.seq

-- block: running
-- what ran at the moment asked for: the latest state is what has begun and not ended by the last reading, if there is one.
with deployed as (
    select *
    from [deployments]
    where coalesce(running_from <= coalesce([ts], as_of()), true)
      and (running_until is null or running_until > coalesce([ts], as_of()))
),
found as (
    select subject, version_subject from [deployed_versions]
),
named_live as (
    select subject, bool_or(certainty not in ('uncertain', 'unknown')) as sure from [live_versions] group by subject
),
-- of several versions that the digest fits, one of which runs, only what holds for all of them is told
resolved as (
    select f.subject, count(distinct f.version_subject) as matches,
           case when count(distinct f.version_subject) = 1 then any_value(f.version_subject) end as version_subject,
           case when count(distinct split_part(f.version_subject, '/', 1)) = 1
                then any_value(split_part(f.version_subject, '/', 1)) end as model_subject,
           bool_and(coalesce(n.sure, false)) as live, bool_or(n.subject is not null) as possibly_live
    from found f left join named_live n on n.subject = f.version_subject
    group by f.subject
),
live as (
    select model_subject,
           string_agg(distinct version::VARCHAR, ', ' order by version::VARCHAR)
               filter (where certainty not in ('uncertain', 'unknown')) as live_versions,
           string_agg(distinct version::VARCHAR, ', ' order by version::VARCHAR)
               filter (where certainty in ('uncertain', 'unknown')) as possibly_live_versions
    from [live_versions]
    group by model_subject
)
select d.subject, d.system, d.environment, d.registry, d.workspace, d.model,
       coalesce(d.version, split_part(r.version_subject, '/', 2)::BIGINT) as version, d.digest,
       case when r.matches = 1 then case when d.version is null then 'digest' else 'version' end
            when r.matches > 1 then 'several versions'
            else 'nothing' end as resolved_by,
       r.version_subject, r.model_subject,
       d.running_from, d.running_until,
       r.live, r.possibly_live and not r.live as possibly_live,
       o.live_versions, o.possibly_live_versions, d.reference, d.grade, d.seq
from deployed d
left join resolved r using (subject)
left join live o on o.model_subject = r.model_subject
