-- What readings know of the files of versions: what they were, since when, and when they changed. A registry
-- names a place; that other files stand there, nothing in it tells. Made twice like the views of views.sql.

-- block: file_states
-- what readings showed a version's files to be: a row per state in which MLmodel could be read, and the last
-- reading that saw it. A reading names versions whose files it did not look at, and digests that it did not
-- take again: only of a version that was live in it, or has an entry from it, is it known that it looked
with entry as (
    select *, lead(observed_at) over (partition by subject order by observed_at, place, seq) as next_at
    from ledger.placed('model_artifact', [known])
),
decoded as (
    select split_part(e.subject, ':', 1) as subject, l.registry, l.workspace, l.model, l.version, l.grade, l.source, e.seq,
           e.observed_at, e.place, e.next_at, l.recorded_at,
           json_extract_string(l.entry, ['$.body.state', '$.body.mlmodel_sha256', '$.body.files', '$.body.files_size_bytes',
                                         '$.body.manifest_sha256', '$.body.location']) as part
    from entry e join ledger.log l using (seq)
    where e.op = 'put' and l.kind = 'model_artifact'
),
reading as (
    select registry, observed_at, min(started_at) as started_at, bool_and(coalesce(restored, false)) as restored
    from extractions group by registry, observed_at
),
state as materialized (
    select d.* exclude (part), part[2] as mlmodel_sha256, part[3] as files, part[4]::BIGINT as size, part[5] as manifest_sha256,
           contains(part[3], '"sha256":"') as digests,
           regexp_extract(part[6], '^([A-Za-z][A-Za-z0-9+.-]+):', 1) in ('', 'file') as is_local,
           coalesce(r.started_at, d.observed_at) as first_from,
           -- files are read after the registry is: what a reading says of them is of the time until it wrote that down
           case when r.restored then d.observed_at else greatest(d.observed_at, d.recorded_at) end as first_until
    from decoded d left join reading r on r.registry = d.registry and r.observed_at = d.observed_at
    where part[1] = 'read' and part[2] is not null
),
-- in which readings a version was live as a reading takes it: with any alias, or in a stage that is in use
shown as (
    select t.subject, t.subject as about, t.observed_at, t.place, t.seq,
           t.op = 'put' and json_extract_string(l.entry, '$.body.stage') not in ('', 'None', 'Archived', 'Deleted_Internal') as live
    from ledger.placed('model_version', [known]) t join ledger.log l using (seq)
    where t.subject in (select subject from state)
    union all
    select t.subject, split_part(t.subject, ':', 1) || '/' || l.version, t.observed_at, t.place, t.seq, t.op = 'put'
    from ledger.placed('alias', [known]) t join ledger.log l using (seq)
),
spell as (
    select about as subject, observed_at as from_at, coalesce(next_at, timestamp '9999-12-31') as to_at
    from (select *, lead(observed_at) over (partition by subject order by observed_at, place, seq) as next_at from shown)
    where live and next_at is distinct from observed_at
),
looking as (
    select registry, observed_at, started_at, up_to,
           unnest(case when manifest in ('yes', 'all', 'live') then ['read', 'hashed']
                       when manifest = 'local' then ['read', 'hashed here'] else ['read'] end) as deed
    from (
        select registry, observed_at, started_at, json_extract_string(asked, '$.manifest') as manifest,
               try_cast(json_extract_string(asked, '$."hashed up to"') as BIGINT) as up_to
        from extractions
        where complete and list_contains(string_split(kinds, ','), 'model_artifact')
          and json_extract_string(asked, '$.artifacts') in ('all', 'live')
          and ([known] is null or recorded_at <= [known])
    )
),
wanted as (
    select s.seq, s.registry, s.size, greatest(s.observed_at, p.from_at) as from_at,
           least(coalesce(s.next_at, timestamp '9999-12-31'), p.to_at) as to_at,
           unnest(case when not s.digests then ['read'] when s.is_local then ['read', 'hashed', 'hashed here']
                       else ['read', 'hashed'] end) as deed
    from state s join spell p on p.subject = s.subject
    where p.from_at < coalesce(s.next_at, timestamp '9999-12-31') and p.to_at > s.observed_at
),
looked as (
    select w.seq, max(case when w.deed = 'read' then l.started_at end) as read_from,
           max(case when w.deed = 'read' then l.observed_at end) as read_at,
           max(case when w.deed <> 'read' then l.started_at end) as hashed_from,
           max(case when w.deed <> 'read' then l.observed_at end) as hashed_at
    from wanted w asof join looking l
      on l.registry = w.registry and l.deed = w.deed and w.to_at > l.observed_at
    where l.observed_at >= w.from_at and (w.deed <> 'hashed here' or w.size <= l.up_to)
    group by w.seq
),
-- digests of an earlier state stay while the list does: whoever wrote another list down has taken them
fresh as (
    select s.*, greatest(s.first_from, k.read_from) as read_from, greatest(s.observed_at, k.read_at) as read_at,
           case when s.digests and s.files is distinct from
                     last_value(case when s.digests then s.files end ignore nulls) over earlier then s.first_from end as taken_from,
           case when taken_from is not null then s.observed_at end as taken_at,
           k.hashed_from as again_from, k.hashed_at as again_at
    from state s left join looked k using (seq)
    window earlier as (partition by subject order by observed_at, place, seq rows between unbounded preceding and 1 preceding)
)
select subject, split_part(subject, '/', 1) as model_subject, registry, workspace, model, version,
       row_number() over states as number, mlmodel_sha256, files, size is not null as whole, manifest_sha256,
       lag(read_from) over states as began_not_before, first_until as began_not_after, observed_at, first_from, read_from, read_at,
       case when digests then last_value(coalesce(again_from, taken_from) ignore nulls) over states end as hashed_from,
       case when digests then last_value(coalesce(again_at, taken_at) ignore nulls) over states end as hashed_at,
       grade, source, seq
from fresh
window states as (partition by subject order by observed_at, place, seq)
qualify [ts] is null or began_not_before is null or began_not_before < [ts] or observed_at <= [ts]

-- block: file_changes
-- every change of a version's files seen between readings, file by file, at the best level at which both states
-- are known. What could not be read in between is skipped, and widens the bounds: they begin with the last
-- reading that saw what was there before; for another content of the same size, with the last that hashed it
with state as materialized (
    select * from [file_states] qualify count(*) over (partition by subject) > 1
),
file as (
    select subject, number, file.path as path, file.size as size, file.sha256 as sha256
    from (select subject, number, unnest(from_json(files, '[{"path":"VARCHAR","size":"BIGINT","sha256":"VARCHAR"}]')) as file
          from state)
    where file.path <> 'MLmodel'
    union all
    select subject, number, 'MLmodel', null, mlmodel_sha256 from state
),
-- a file beside what it was before; its last digest may be older than its last size
beside as (
    select f.*, before.whole as before_whole, after.whole as after_whole,
           lag(f.number) over paths as last_number, lead(f.number) over paths as next_number,
           lag(f.size) over paths as last_size,
           last_value(case when f.sha256 is not null
                           then struct_pack(sha256 := f.sha256, size := f.size, number := f.number) end ignore nulls)
               over (partition by f.subject, f.path order by f.number
                     rows between unbounded preceding and 1 preceding) as digest
    from file f
    left join (select subject, number, whole from state) before on before.subject = f.subject and before.number = f.number - 1
    left join (select subject, number, whole from state) after on after.subject = f.subject and after.number = f.number + 1
    window paths as (partition by f.subject, f.path order by f.number)
),
compared as (
    select *, last_number = number - 1 or not before_whole as was_there, coalesce(size <> last_size, false) as resized,
           coalesce(digest.sha256 <> sha256 and (digest.size is not distinct from size or digest.number = last_number),
                    false) as rewritten
    from beside
),
difference as (
    select subject, number, path, case when resized then last_number else digest.number end as since,
           rewritten and not resized and path <> 'MLmodel' as by_digest,
           case when rewritten then 'SHA-256 ' || digest.sha256 else last_size || ' bytes' end as was,
           case when rewritten then 'SHA-256 ' || sha256 else size || ' bytes' end as is_now
    from compared where was_there and (resized or rewritten)
    union all
    select subject, number, path, number - 1, false, 'not there', coalesce('SHA-256 ' || sha256, size || ' bytes')
    from beside where before_whole and last_number is distinct from number - 1
    union all
    select subject, number + 1, path, number, false, coalesce('SHA-256 ' || sha256, size || ' bytes'), 'not there'
    from beside where after_whole and next_number is distinct from number + 1
),
placed as (
    select s.* exclude (files), d.path, d.was, d.is_now, case when d.by_digest then b.hashed_from else b.read_from end as not_before,
           case when d.by_digest or b.manifest_sha256 is not null and s.manifest_sha256 is not null then 1
                when d.path <> 'MLmodel' or b.whole and s.whole then 2 else 3 end as rank
    from difference d
    join state s on s.subject = d.subject and s.number = d.number
    join state b on b.subject = d.subject and b.number = d.since
)
select subject, model_subject, registry, workspace, model, version,
       file_level(min(rank)) as level, a_few(list(path order by path)) as files,
       a_few(list(path || ' ' || was order by path)) as before, a_few(list(path || ' ' || is_now order by path)) as after,
       not_before as changed_not_before, began_not_after as changed_not_after, observed_at, grade, source, seq
from placed
where [ts] is null or not_before < [ts] or observed_at <= [ts]
group by subject, model_subject, registry, workspace, model, version, not_before, began_not_after, observed_at,
         grade, source, seq

-- block: file_knowledge
-- what is known of the files that stand there now: at each level which reading first showed it since they last
-- changed, and which last looked
with changed as (
    select subject, max(observed_at) as changed_at from [file_changes]
    where [ts] is null or observed_at <= [ts]
    group by subject
),
level as (select unnest([1, 2, 3]) as rank)
select s.subject, s.model_subject, s.registry, max_by(s.workspace, s.number) as workspace,
       max_by(s.model, s.number) as model, s.version, file_level(l.rank) as level, l.rank,
       min(s.first_from) as known_not_before, min(s.began_not_after) as known_not_after,
       max(case when l.rank = 1 then s.hashed_at else s.read_at end) as last_read_at
from [file_states] s
join level l on case l.rank when 1 then s.manifest_sha256 is not null when 2 then s.whole else true end
left join changed c on c.subject = s.subject
where ([ts] is null or s.observed_at <= [ts]) and (c.changed_at is null or s.observed_at >= c.changed_at)
group by s.subject, s.model_subject, s.registry, s.version, l.rank
