-- What the record holds of approvals and validations, asked once: for rules, reports and auditors alike.
-- Made twice like the views of views.sql.

-- block: nearest_tags
-- of a field that no tag is found for: the tag of the version or its model that most resembles one looked for
with wanted as (
    -- a tag as a whole, and without what stands before its last dot
    select distinct field, regexp_replace(lower(unnest([tag, regexp_extract(tag, '[^.]*$')])), '[^a-z0-9]', '', 'g') as plain
    from governance_fields
),
used as (
    select key, regexp_replace(lower(key), '[^a-z0-9]', '', 'g') as plain
    from (select key from [model_version_tags] union select key from [registered_model_tags])
    where not starts_with(key, 'mlflow.') and key not in (select tag from governance_fields)
),
alike as materialized (
    select w.field, u.key,
           max(case when length(w.plain) >= 5 and contains(u.plain, w.plain) then 0.95
                    else jaro_winkler_similarity(u.plain, w.plain) end) as score
    from used u, wanted w
    group by w.field, u.key
    having max(case when length(w.plain) >= 5 and contains(u.plain, w.plain) then 0.95
                    else jaro_winkler_similarity(u.plain, w.plain) end) >= 0.85
),
near as (
    select t.subject, a.field, a.score, t.key, t.value
    from [model_version_tags] t join alike a using (key)
    union all
    select v.subject, a.field, a.score, t.key, t.value
    from [registered_model_tags] t join alike a using (key)
    join [version_identity] v on v.model_subject = t.model_subject
    union all
    select t.model_subject, a.field, a.score, t.key, t.value
    from [registered_model_tags] t join alike a using (key)
)
select subject, field, max_by(key, (score, key, value)) as tag, max_by(value, (score, key, value)) as value
from near group by subject, field

-- block: evidence_subjects
-- versions and models that are no prompts, deleted ones too, by their latest names, and whose conventions hold for them
select *, split_part(subject, '/', 1) as model_subject, conventions_of(registry, workspace) as conventions
from (
    select subject, registry, workspace, model, version from [version_identity]
    union all
    select subject, registry, workspace, model, null from [model_identity]
)
where split_part(subject, '/', 1) not in (select model_subject from [prompt_models])

-- block: field_found
-- per subject and governance field the record that counts. Of several sources the first that names
-- something counts; one before it that is perhaps there leaves two values possible. Without any that surely
-- names something, that is open. Of what is to be said of a version, a tag of the model counts where no other does
with of_version as (select distinct field from governance_fields where is_of_version(field)),
said as materialized (
    select subject, field, value, found_in, tag, grade, actor, certainty, candidate, not_before, not_after, rank
    from [fields] where {named}
    union all
    -- what stood there when the model was deleted
    select v.subject, h.field, h.value, h.found_in, h.tag, 'asserted', h.actor, 'certain', 'only', h.set_not_before, h.set_not_after,
           h.rank - case when h.version is null then 1000 else 2000 end
    from (select distinct subject, model_subject from [model_versions] where deleted) v
    join [field_history] h on h.model_subject = v.model_subject and (h.version is null or h.subject = v.subject)
    where h.ended_with_subject and {named}
),
-- versions repeat each other's words, which are judged once
words as materialized (select distinct field, value from said),
judged as materialized (
    select s.*, w.nothing, s.certainty in ('uncertain', 'unknown') as unsure, r.subject is not null as repeated
    from said s join (select field, value, says_nothing(field, value) as nothing from words) w using (field, value)
    left join (select subject, field from said group by subject, field having count(*) > 1) r using (subject, field)
),
beside as (
    select *, not nothing and not (found_in = 'model tag' and contains(subject, '/') and field in (select field from of_version)) as counts
    from judged where repeated
),
-- the first rank at which one surely counts: it is certain, or both states there name something
ranked as (
    select *, bool_or(counts) over (partition by subject, field) as named,
           min(case when counts and (not unsure or states > 1) then rank end) over (partition by subject, field) as settled
    from (select *, count(case when counts then 1 end) over (partition by subject, field, rank) as states from beside)
)
-- nearly all have one record, which is quickly told
select subject, field, nothing as placeholder, value, found_in, tag, grade, actor as entered_by,
       not_before as recorded_not_before, not_after as recorded_not_after, unsure as open,
       case when unsure then value || case candidate when 'only' then '' else ' (' || candidate || ')' end || ' or no record' end as candidates,
       case when unsure and not nothing then to_json([value, null])::VARCHAR end as possible
from judged where not repeated
union all
select subject, field,
       bool_and(nothing),
       case when count(distinct value) = 1 then any_value(value) end,
       min_by(found_in, rank), min_by(tag, rank), max(grade), any_value(actor),
       min(not_before), max(not_after),
       min(settled) is null and (bool_or(named) or count(*) = 1 and bool_or(unsure)),
       case when count(distinct value) > 1 or min(settled) is null and bool_or(unsure)
            then string_agg(value || case candidate when 'only' then '' else ' (' || candidate || ')' end, ' or '
                            order by rank, candidate desc, value)
                 || case when min(settled) is null then ' or no record' else '' end end,
       case when bool_or(named) and min(settled) is null then to_json(list_append(list(distinct value order by value), null))::VARCHAR
            when bool_or(named) and count(distinct value) > 1 then to_json(list(distinct value order by value))::VARCHAR end
from (
    select * from ranked
    qualify case when named then counts and rank <= coalesce(settled, rank)
                 else rank = coalesce(min(case when not nothing then rank end) over (partition by subject, field),
                                      min(rank) over (partition by subject, field)) end
)
group by subject, field

-- block: field_evidence
-- per version or model and governance field what the record holds of it
with wanted as (
    select applies_to, field, is_of_version(field) as of_version, string_agg(tag, ', ' order by rank) as tags,
           arg_min(tag, rank) as first_tag
    from governance_fields where {named}
    group by applies_to, field
),
-- as person_of says; asked of each row, it would hide from the planner how many rows there are
holders as (select account, min(person) as person from people group by account)
select s.subject, s.model_subject, s.registry, s.workspace, s.model, s.version, w.field,
       case when b.subject is null then 'missing'
            when b.placeholder then 'placeholder'
            when b.found_in = 'model tag' and w.of_version and s.version is not null then 'on the model only'
            when b.open then 'uncertain'
            when b.value is null then 'ambiguous'
            else 'recorded' end as state,
       case when not b.open then b.value end as value, b.candidates, b.possible, b.found_in, b.tag, h.person, b.grade,
       b.entered_by, b.recorded_not_before, b.recorded_not_after,
       n.tag as nearest_tag, n.value as nearest_value, w.tags as tags_looked_for,
       set_tag(s.model, case when w.of_version or b.found_in = 'version tag' then s.version end,
               coalesce(b.tag, w.first_tag), w.field) as fix
from [evidence_subjects] s
join wanted w on w.applies_to = s.conventions
left join [field_found] b on b.subject = s.subject and b.field = w.field
left join holders h on h.account = lower(trim(case when not b.open then b.value end))
left join [nearest_tags] n on n.subject = s.subject and n.field = w.field and b.subject is null

-- block: training
-- per version the run that made it, and what that run or the logged model says of its code and its data.
-- The run is the version's own, else that of its logged model
with named as materialized (
    select v.subject, v.registry, v.workspace, v.model, v.version, v.run_link, k.logged_model_id,
           coalesce(nullif(trim(v.run_id), ''), nullif(trim(l.source_run_id), '')) as run_id
    from [version_identity] v
    left join (select subject, max(logged_model_id) as logged_model_id from [version_logged_models] group by subject) k
      on k.subject = v.subject
    left join (select registry, model_id, max(source_run_id) as source_run_id
               from [logged_models] group by registry, model_id) l
      on l.registry = v.registry and l.model_id = k.logged_model_id
),
run as (
    -- a run that a later reading shows was there; of one that is gone by then nobody knows since when
    select registry, run_id, bool_and(deleted) as deleted,
           count(distinct deleted) > 1
               or bool_and(deleted) and bool_or(certainty in ('uncertain', 'unknown')) as open,
           bool_or(seq in (select seq from ledger.log where kind = 'run' and op = 'gone')) as gone,
           max(lifecycle_stage) as lifecycle_stage, max(grade) as grade
    from [runs] group by registry, run_id
),
-- whether the last reading looked for runs: an earlier one knows nothing of later versions
covered as (
    select registry, last(list_contains(string_split(replace(kinds, ' ', ''), ','), 'run')
                          order by observed_at, seq) as runs_read
    from extractions where observed_at <= coalesce([ts], as_of())
    group by registry
),
-- tags of the run, and of the logged model, by which of them a version is known. What only one of two possible
-- states of a run has is not sure
tagged as (
    select *, key in ('mlflow.source.git.commit', 'mlflow.git.commit') as is_commit, key in ('mlflow.source.git.dirty', 'mlflow.git.dirty') as is_mark,
           bool_or(certainty not in ('uncertain', 'unknown')) over states
               or min(candidate) over states <> max(candidate) over states as sure
    from (select registry, run_id, '' as model_id, key, value, certainty, candidate from [run_tags]
          union all
          select registry, '', model_id, key, value, certainty, candidate from [logged_model_tags])
    where key in ('mlflow.source.git.commit', 'mlflow.git.commit', 'mlflow.source.git.dirty', 'mlflow.git.dirty', 'mlflow.source.git.diff')
      and trim(value, e' \t\r\n') <> ''
    window states as (partition by registry, run_id, model_id, key)
),
code as (
    select registry, run_id, model_id,
           max(value) filter (where is_commit) as commit_id, min(value) filter (where is_commit) as other_commit_id,
           bool_or(sure) filter (where is_commit) as commit_sure,
           is_commit(max(value) filter (where is_commit)) as names_commit,
           max(lower(trim(value))) filter (where is_mark) as dirty, min(lower(trim(value))) filter (where is_mark) as other_dirty,
           bool_or(not sure) filter (where not is_commit) as dirty_unsure,
           bool_or(key = 'mlflow.source.git.diff') as difference_recorded
    from tagged group by registry, run_id, model_id
),
-- what a run had logged by then, and whether readings leave it open
data_set as materialized (
    select n.subject, d.name, d.digest, d.source, coalesce(nullif(trim(d.context), ''), 'no context') as context,
           bool_or(d.certainty not in ('uncertain', 'unknown')) or count(distinct d.candidate) > 1 as sure
    from named n join [run_datasets] d on d.registry = n.registry and d.run_id = n.run_id
    group by all
),
measured_on as materialized (
    select n.subject, m.dataset_name as name, m.dataset_digest as digest,
           bool_or(m.certainty not in ('uncertain', 'unknown')) or count(distinct m.candidate) > 1 as sure
    from named n join [logged_model_metrics] m on m.registry = n.registry and m.model_id = n.logged_model_id
    where m.dataset_name is not null group by all
),
data_uncertain as (
    select subject from data_set where not sure union select subject from measured_on where not sure
),
used as (
    select distinct subject, name, digest, source, context,
           lower(context) in ('train', 'training') as is_training,
           lower(context) in ('test', 'testing', 'eval', 'evaluation', 'holdout') as is_test,
           lower(context) = 'validation' as is_validation
    from data_set where sure
    union
    -- what metrics of the logged model were computed on, where the run does not say what it is
    select subject, name, digest, null, 'metric', false, true, false
    from measured_on
    where sure and (subject, name, coalesce(digest, '')) not in (select (subject, name, coalesce(digest, '')) from data_set where sure)
),
tested as (
    select t.subject, bool_or(t.digest = b.digest) as same_digest,
           bool_or(t.name = b.name and t.source is not distinct from b.source
                   and coalesce(t.digest = b.digest, true)) as same_data
    from used t join used b on b.subject = t.subject and b.is_training
    where t.is_test
    group by t.subject
),
listed as (
    select subject,
           string_agg(name || ' [' || coalesce(digest, 'no digest') || ']', ', ' order by name, digest) filter (where is_training) as training_data,
           string_agg(name || ' [' || coalesce(digest, 'no digest') || ']', ', ' order by name, digest) filter (where is_test) as test_data,
           string_agg(name, ', ' order by name) filter (where is_validation and not is_test) as validation_data,
           string_agg(name || ' (' || context || ')', ', ' order by name, context) as data_sets
    from used group by subject
),
-- where the model is from, by the first record that says in-house or vendor, and those before it that perhaps do;
-- of what is deleted, by what stood there then. Where it is to be said of the version, a tag of the model does not
origin as materialized (
    select subject, rank, origin_of(tag, value) as said, certainty in ('uncertain', 'unknown') as open
    from (select subject, value, found_in, tag, certainty, rank from [fields] where field = 'origin'
          union all
          select v.subject, h.value, h.found_in, h.tag, 'certain', h.rank - case when h.version is null then 1000 else 2000 end
          from (select distinct subject, model_subject from [model_versions] where deleted) v
          join [field_history] h on h.model_subject = v.model_subject and (h.version is null or h.subject = v.subject)
          where h.ended_with_subject and h.field = 'origin')
    where not says_nothing('origin', value) and not (found_in = 'model tag' and is_of_version('origin'))
),
telling as materialized (
    select *, min(case when not open or states > 1 then rank end) over (partition by subject) as settled
    from (select *, count(*) over (partition by subject, rank) as states from origin where said is not null)
),
origins as (
    select subject, case when bool_and(said = 'in-house') then 'in-house'
                         when bool_and(said = 'vendor' and settled is not null) then 'vendor' else 'uncertain' end as origin
    from telling where rank <= coalesce(settled, rank) group by subject
    union all
    select distinct subject, 'unclear' from origin where subject not in (select subject from telling)
)
select n.subject, split_part(n.subject, '/', 1) as model_subject, n.registry, n.workspace, n.model, n.version,
       n.run_id, n.run_link, n.logged_model_id,
       case when n.run_id is null then 'none named'
            when r.open then 'uncertain'
            when r.run_id is not null and not r.deleted then 'there'
            when r.gone then 'removed'
            when r.run_id is not null then 'deleted'
            when nullif(trim(n.run_link), '') is not null then 'on another server'
            when c.runs_read then 'not in the store'
            else 'not read' end as run_state,
       r.lifecycle_stage, r.grade, o.origin, coalesce(o.origin = 'vendor', false) as from_vendor,
       case when b.names_commit and not a.names_commit then b.commit_id else coalesce(a.commit_id, b.commit_id) end as commit_id,
       -- a shortened id is no other
       case when not starts_with(lower(a.commit_id), lower(a.other_commit_id)) then a.other_commit_id
            when a.names_commit and b.names_commit and not starts_with(lower(a.commit_id), lower(b.commit_id))
             and not starts_with(lower(b.commit_id), lower(a.commit_id)) then b.commit_id
            when not starts_with(lower(b.commit_id), lower(b.other_commit_id)) then b.other_commit_id end as other_commit_id,
       coalesce(a.commit_id, b.commit_id) is not null and not coalesce(a.commit_sure, false) and not coalesce(b.commit_sure, false) as commit_uncertain,
       coalesce(a.dirty, b.dirty) as dirty,
       coalesce(a.dirty <> a.other_dirty, false) or coalesce(b.dirty <> b.other_dirty, false)
           or coalesce(a.dirty <> b.dirty, false) as dirty_contradicted,
       coalesce(a.difference_recorded, false) or coalesce(b.difference_recorded, false) as difference_recorded,
       coalesce(a.dirty_unsure, false) or coalesce(b.dirty_unsure, false) as dirty_uncertain,
       d.training_data, d.test_data, d.validation_data, d.data_sets, t.same_digest, t.same_data,
       u.subject is not null as data_uncertain
from named n
left join run r on r.registry = n.registry and r.run_id = n.run_id
left join covered c on c.registry = n.registry
left join code a on a.registry = n.registry and a.run_id = n.run_id and a.model_id = ''
left join code b on b.registry = n.registry and b.run_id = '' and b.model_id = n.logged_model_id
left join listed d on d.subject = n.subject
left join tested t on t.subject = n.subject
left join origins o on o.subject = n.subject
left join data_uncertain u on u.subject = n.subject

-- block: field_history
-- every value that a tag of a governance field had, and between which moments it was set and ceased to
-- stand there. A tag that goes because its version or model is deleted did not cease: its subject did
with deletion as (
    select t.subject, t.observed_at, t.lo, t.hi
    from ledger.timeline('model_version', [known]) t join ledger.log l using (seq)
    where t.op = 'gone' or json_extract_string(l.entry, '$.body.stage') = 'Deleted_Internal'
    union all
    select subject, observed_at, lo, hi
    from ledger.timeline('registered_model', [known]) where op = 'gone'
),
state as (
    from ledger.timeline('model_version_tag', [known])
    union all
    from ledger.timeline('registered_model_tag', [known])
),
value as materialized (
    select split_part(t.subject, ':tag:', 1) as subject, t.seq, t.lo, t.hi, t.next_lo, t.next_hi, t.next_seq,
           l.registry, l.workspace, l.model, l.version, l.actor, l.grade, g.field, g.tag, g.rank,
           json_extract_string(l.entry, ['$.body.value', '$.body.journal.actor_from']) as said
    from state t join ledger.log l using (seq)
    join governance_fields g
      on g.tag = substr(t.subject, strpos(t.subject, ':tag:') + 5)
     and g.applies_to = conventions_of(l.registry, l.workspace)
    where t.op = 'put' and ([ts] is null or t.lo is null or t.lo < [ts] or t.hi <= [ts])
),
-- what ended with its subject
ended as (
    select distinct v.seq
    from (select seq, next_seq, subject from value
          union all
          select seq, next_seq, split_part(subject, '/', 1) from value) v
    join state n on n.seq = v.next_seq and n.op = 'gone'
    join deletion d
      on d.subject = v.subject and d.observed_at = n.observed_at
     and (d.lo is null or d.lo <= n.hi + interval 1 second)
     and (n.lo is null or n.lo <= d.hi + interval 1 second)
)
select v.subject, split_part(v.subject, '/', 1) as model_subject, v.registry, v.workspace, v.model, v.version,
       v.field, v.said[1] as value, case when v.version is null then 'model tag' else 'version tag' end as found_in,
       v.tag, v.rank, v.lo as set_not_before, v.hi as set_not_after,
       case when v.over then v.next_lo end as until_not_before, case when v.over then v.next_hi end as until_not_after,
       v.ended_with_subject, v.actor, v.said[2] as actor_from, v.grade,
       u.actor as until_actor, json_extract_string(u.entry, '$.body.journal.actor_from') as until_actor_from,
       u.grade as until_grade, v.seq
from (select v.*, e.seq is not null as ended_with_subject, e.seq is null and ([ts] is null or v.next_lo < [ts]) as over
      from value v left join ended e using (seq)) v
left join (select seq, actor, grade, entry from ledger.log where seq in (select next_seq from value)) u
  on u.seq = case when v.over then v.next_seq end
where trim(v.said[1], e' \t\r\n') <> ''

-- block: rating_history
-- what each version was rated by its own tags, else by those of its model, and between which moments. The first rating
-- that was given is taken for what the version was before
with given as materialized (
    select * from [field_history] where field = 'risk_rating' and not says_nothing('risk_rating', value)
),
rated as (
    select *, set_not_after = min(set_not_after) over (partition by subject) as first
    from (select subject, model_subject, registry, workspace, model, version, value, found_in, tag, rank,
                 set_not_before, set_not_after, until_not_before, until_not_after from given where version is not null
          union all
          select v.subject, v.model_subject, v.registry, v.workspace, v.model, v.version, g.value, g.found_in, g.tag, 1000 + g.rank,
                 g.set_not_before, g.set_not_after, g.until_not_before, g.until_not_after
          from given g join [version_identity] v on v.model_subject = g.subject where g.version is null)
)
select subject, model_subject, registry, workspace, model, version, lower(trim(value)) as rating, found_in, tag,
       dense_rank() over (partition by subject order by rank) as rank,
       case when not first then set_not_before end as set_not_before, case when not first then set_not_after end as set_not_after,
       until_not_before, until_not_after
from rated

-- block: field_records
-- the fields of an approval or a validation as they stood together, record by record. What one reading showed at
-- once, or the server recorded within an hour of the one before, was written in one act; a decision that refuses, or is
-- left open, within a minute, since what stood there before it stood without it. An act that overwrites or removes
-- something begins another record, and so does one that adds such a decision; one that only adds what was missing completes it. What a record rests on (core) may be older than the
-- record: a role or an end that is overwritten leaves the approval what it was
with topic(field, topic, core) as (
    values ('approver', 'approval', true), ('approver_role', 'approval', false), ('approval_date', 'approval', true),
           ('approval_decision', 'approval', true), ('approval_conditions', 'approval', false), ('approval_until', 'approval', false),
           ('reviewer', 'validation', true), ('validation_date', 'validation', true),
           ('validation_result', 'validation', true), ('next_review', 'validation', false), ('valid_until', 'validation', false)
),
value as materialized (
    select h.*, t.topic, t.core,
           case when field in ('approval_decision', 'validation_result') then decision_of(value) end as decided,
           field not in ('approval_decision', 'validation_result') and says_nothing(field, value) as nothing
    from [field_history] h join topic t using (field)
),
event as (
    select topic, subject, tag, lo, hi, bool_or(withheld) as withheld
    from (select topic, subject, tag, set_not_before as lo, set_not_after as hi, coalesce(decided in ('rejected', 'pending'), false) as withheld from value
          union all
          select topic, subject, tag, until_not_before, until_not_after, false from value where until_not_after is not null)
    group by topic, subject, tag, lo, hi
),
sitting as (
    select *, sum(fresh::INTEGER) over (partition by topic, subject order by hi, lo, tag
                                        rows unbounded preceding) as number
    from (
        select *, coalesce(hi > lag(hi) over earlier
                           and not (lo = hi and hi <= lag(hi) over earlier + case when withheld then interval 1 minute else interval 1 hour end),
                           true) as fresh
        from event
        window earlier as (partition by topic, subject order by hi, lo, tag)
    )
),
-- to write the same tag again within the hour is another act
turn as (
    select *, max(again) over (partition by topic, subject, number order by hi, lo, tag
                               rows unbounded preceding) as round
    from (select *, row_number() over (partition by topic, subject, number, tag order by hi, lo) as again
          from sitting)
),
act as materialized (
    select topic, subject, min(lo) as lo, max(hi) as hi,
           row_number() over (partition by topic, subject order by max(hi), min(lo), round) as act
    from turn group by topic, subject, number, round
),
-- of several tags of a field one that refuses, else the first that says something
standing as materialized (
    select a.topic, a.subject, a.act, v.field, v.core,
           min_by(struct_pack(value := v.value, tag := v.tag, found_in := v.found_in, lo := v.set_not_before,
                              hi := v.set_not_after, actor := v.actor, actor_from := v.actor_from, grade := v.grade,
                              until_actor := v.until_actor, until_actor_from := v.until_actor_from,
                              until_grade := v.until_grade, seq := v.seq), (v.nothing, v.decided is distinct from 'rejected', v.rank, -v.seq)) as held
    from act a join value v
      on v.topic = a.topic and v.subject = a.subject and v.set_not_after <= a.hi
     and (v.until_not_after is null or v.until_not_after > a.hi)
    group by a.topic, a.subject, a.act, v.field, v.core
),
-- each value that an act overwrote or removed, and who did it: whoever wrote the new one, else whoever took the old away
overwriting as materialized (
    select topic, subject, act, field, core, seq, not coalesce(fresh, false) as removed,
           case when fresh then now.actor else past.until_actor end as actor,
           case when fresh then now.actor_from else past.until_actor_from end as actor_from,
           case when fresh then now.grade else past.until_grade end as grade
    from (select p.topic, p.subject, p.act + 1 as act, p.field, p.core, p.held as past, n.held as now, n.held.seq as seq, n.held.hi > a.hi as fresh
          from standing p join act a on a.topic = p.topic and a.subject = p.subject and a.act = p.act
          left join standing n on n.topic = p.topic and n.subject = p.subject and n.field = p.field and n.act = p.act + 1
          where n.held.value is distinct from p.held.value)
    union all
    select n.topic, n.subject, n.act, n.field, true, null, false, n.held.actor, n.held.actor_from, n.held.grade
    from standing n join (select distinct topic, subject, act from standing) e
      on e.topic = n.topic and e.subject = n.subject and e.act = n.act - 1
    left join standing p on p.topic = n.topic and p.subject = n.subject and p.field = n.field and p.act = n.act - 1
    where n.field in ('approval_decision', 'validation_result') and decision_of(n.held.value) <> 'approved' and p.act is null
),
begun as (
    select topic, subject, act, bool_or(core) as core, string_agg(distinct actor, ', ' order by actor) as actor, min(grade) as grade,
           min_by(struct_pack(actor := actor, actor_from := actor_from, grade := grade), field) filter (where core and removed) as removal
    from overwriting group by topic, subject, act
),
numbered as materialized (
    select a.*, b.actor as begun_by, b.grade as begun_grade, b.removal, count(b.act) over acts as number,
           count(case when b.core then 1 end) over acts as core_number
    from act a left join begun b using (topic, subject, act)
    window acts as (partition by a.topic, a.subject order by a.act rows unbounded preceding)
),
record as (
    select *, lead(lo) over records as until_lo, lead(hi) over records as until_hi, lead(begun_by) over records as until_by,
           lead(begun_grade) over records as until_grade,
           first_value(lo) over cores as core_lo, first_value(hi) over cores as core_hi, first_value(removal) over cores as core_removal
    from (select topic, subject, number, any_value(core_number) as core_number, arg_min(lo, act) as lo, min(hi) as hi,
                 max(begun_by) as begun_by, max(begun_grade) as begun_grade, any_value(removal) as removal
          from numbered group by topic, subject, number)
    window records as (partition by topic, subject order by number),
           cores as (partition by topic, subject, core_number order by number)
),
held as (
    select topic, subject, number, field, core, min_by(s.held, act) as held
    from standing s join numbered using (topic, subject, act)
    group by topic, subject, number, field, core
),
identity as (
    select subject, max_by(registry, seq) as registry, max_by(workspace, seq) as workspace,
           max_by(model, seq) as model, max(version) as version
    from value group by subject
)
select r.topic, r.subject, i.registry, i.workspace, i.model, i.version, r.number, h.field, h.held.value as value,
       h.held.tag as tag, h.held.found_in as found_in,
       -- what began with an overwriting was not there before it
       case when r.core_number > 0 and h.held.hi < r.core_hi then r.core_lo else h.held.lo end as recorded_not_before,
       case when r.core_number > 0 and h.held.hi < r.core_hi then r.core_hi else h.held.hi end as recorded_not_after,
       case when r.number > 0 then r.lo end as begun_not_before, case when r.number > 0 then r.hi end as begun_not_after,
       r.until_lo as until_not_before, r.until_hi as until_not_after, r.until_by, r.until_grade,
       h.held.actor as entered_by, h.held.actor_from as entered_from, h.held.lo as entered_not_before, h.held.hi as entered_not_after,
       h.core, o.seq is not null as overwrote, r.core_removal.grade is not null as removed, r.core_removal.actor as removed_by,
       r.core_removal.actor_from as removed_from, r.core_removal.grade as removed_grade, r.core_lo, r.core_hi,
       h.held.grade as grade, h.held.seq as seq
from record r join held h using (topic, subject, number) join identity i using (subject)
left join (select distinct topic, subject, field, seq from overwriting where seq is not null and not removed) o
  on o.topic = h.topic and o.subject = h.subject and o.field = h.field and o.seq = h.held.seq

-- block: developers
-- everybody who is or ever was recorded as having developed a version
select subject, value as developer
from [fields] where field = 'developer' and version is not null and not says_nothing('developer', value)
union
select subject, value from [field_history] where field = 'developer' and version is not null and not says_nothing('developer', value)

-- block: party_persons
-- whom a name or an account means: who holds it, and of a body the members and the secretary. From the first to the last
-- day on which account, seat and person stand in the settings; those that never did together end before they begin
select distinct account, person as party, kind as party_kind, 'holder' as part, person, valid_from as first_day, valid_until as last_day
from people where kind <> 'body'
union
select b.account, b.person, b.kind, m.part, m.member, greatest(b.valid_from, m.valid_from, t.valid_from),
       least(b.valid_until, m.valid_until, t.valid_until)
from people b join body_members m on m.body = b.person
join (select distinct person, valid_from, valid_until from people) t on t.person = m.member
where b.kind = 'body'

-- block: developer_persons
-- the persons whom the recorded developers of a version may mean; of an account that was passed on, and of a body,
-- each is one of several
select d.subject, d.developer, t.party, t.party_kind, t.person,
       coalesce(min(t.person) over named = max(t.person) over named, false) as surely
from [developers] d
left join (select distinct account, party, party_kind, person from [party_persons] where part <> 'secretary') t
  on t.account = lower(trim(d.developer))
window named as (partition by d.subject, d.developer)

-- block: promoter_persons
-- of every promotion that the server recorded the persons whom the account meant that day, else whom it ever did
select subject, version_subject, person, count(*) over (partition by subject) = 1 as surely
from (select r.subject, r.version_subject, t.person
      from [promotions] r join [party_persons] t on t.account = lower(trim(r.actor)) and t.part <> 'secretary'
      group by r.subject, r.version_subject, t.person
      qualify bool_or(in_term(local_day(r.live_not_after), t.first_day, t.last_day))
           or not bool_or(bool_or(in_term(local_day(r.live_not_after), t.first_day, t.last_day))) over (partition by r.subject))

-- block: approvals
-- one row per record of an approval: the tags of a version or model as they stood together, and what
-- other systems were said to hold
with noted as materialized (select *, subject || ':approval:' || number as approval from [field_records] where topic = 'approval'),
record as materialized (
    select approval, subject, registry, workspace, model, version,
           case when version is null then 'model tag' else 'version tag' end as source,
           null as system, null as reference,
           max(value) filter (where field = 'approver') as approver,
           max(value) filter (where field = 'approver_role') as role,
           max(value) filter (where field = 'approval_decision') as decision,
           max(value) filter (where field = 'approval_conditions') as conditions,
           max(value) filter (where field = 'approval_until') as approved_until,
           max(value) filter (where field = 'approval_date') as stated,
           stated_from(max(value) filter (where field = 'approval_date')) as decided_not_before,
           stated_until(max(value) filter (where field = 'approval_date')) as decided_not_after,
           -- when the approver was named; where nobody is, when the rest was written
           coalesce(max(recorded_not_before) filter (where field = 'approver'),
                    case when count(*) filter (where field = 'approver') = 0 then min(recorded_not_before) end)
               as recorded_not_before,
           coalesce(max(recorded_not_after) filter (where field = 'approver'), min(recorded_not_after)) as recorded_not_after,
           any_value(begun_not_before) as begun_not_before, any_value(begun_not_after) as begun_not_after,
           any_value(until_not_before) as until_not_before, any_value(until_not_after) as until_not_after,
           any_value(until_by) as until_by, any_value(until_grade) as until_grade,
           max(tag) filter (where field = 'approver') as tag,
           max(grade) filter (where field = 'approver') as grade, max(seq) as seq
    from noted
    group by approval, subject, number, registry, workspace, model, version
    having bool_or(core)
    union all
    select coalesce(subject, registry || '/' || model) || ':approval:import-' || seq,
           coalesce(subject, registry || '/' || model), registry, workspace, model, version,
           'import', system, reference, actor, null, after, note, null, null, happened_at, happened_at,
           null, recorded_at, null, null, null, null, null, null, null, grade, seq
    from history_records
    where what = 'approval' and ([ts] is null or happened_at <= [ts])
      and ([known] is null or recorded_at <= [known])
),
-- who wrote what the approval rests on: the name of the approver; a decision or a date in the place of another, or a
-- date before the day on which the approver was named; and who took away what stood there before it
written as materialized (
    select n.approval, n.field, n.entered_by, n.entered_from, n.grade, n.entered_not_before, n.entered_not_after
    from noted n join record r using (approval)
    where n.field = 'approver' or n.core and n.overwrote or n.field = 'approval_date' and r.decided_not_after <= r.recorded_not_before
    union all
    select distinct approval, 'removal', removed_by, removed_from, removed_grade, core_lo, core_hi from noted where removed
),
spelling as materialized (
    select words, lower(trim(words)) as plain, min(p.person) as party, max(p.kind) as party_kind
    from (select approver as words from record union select entered_by from written)
    left join people p on p.account = lower(trim(words))
    where words is not null group by words
),
-- whom the approver's name means: who held it, or had a seat in the body, on the day of the approval; else whoever did
acting as materialized (
    select approval, subject, party_kind, person, count(*) over (partition by approval) as persons
    from (select r.approval, r.subject, t.party_kind, t.person,
                 bool_or(coalesce(t.first_day <= r.last_on, true) and coalesce(t.last_day >= r.first_on, true)
                         and coalesce(t.first_day <= t.last_day, true)) as in_office
          from (select approval, subject, lower(trim(approver)) as plain, local_day(coalesce(decided_not_before, recorded_not_before)) as first_on,
                       local_day(coalesce(decided_not_before, recorded_not_after)) as last_on from record) r
          join [party_persons] t on t.account = r.plain and t.part <> 'secretary'
          group by r.approval, r.subject, t.party_kind, t.person
          qualify in_office or not bool_or(in_office) over (partition by r.approval))
),
-- the persons who held the account on the day on which something was entered, else whoever did
entering_person as materialized (
    select w.approval, w.field, w.entered_by, w.entered_on, t.person
    from (select distinct approval, field, entered_by, local_day(entered_not_after) as entered_on from written where grade = 'captured') w
    join [party_persons] t on t.account = lower(trim(w.entered_by)) and t.part <> 'secretary'
    group by w.approval, w.field, w.entered_by, w.entered_on, t.person
    qualify bool_or(in_term(w.entered_on, t.first_day, t.last_day))
         or not bool_or(bool_or(in_term(w.entered_on, t.first_day, t.last_day))) over (partition by w.approval, w.field, w.entered_by)
),
-- whether each of them, or some, is the approver, or had a seat in the body that day
own_word as (
    select e.approval, e.field, e.entered_by,
           bool_and(coalesce(s.seated, a.person is not null and a.persons = 1)) as own, bool_or(coalesce(s.seated, a.person is not null)) as perhaps
    from entering_person e
    left join acting a on a.approval = e.approval and a.person = e.person and a.party_kind <> 'body'
    left join (
        select e.approval, e.field, e.entered_by, e.person, bool_or(coalesce(in_term(e.entered_on, t.first_day, t.last_day), false)) as seated
        from entering_person e join record r on r.approval = e.approval
        join [party_persons] t on t.account = lower(trim(r.approver)) and t.party_kind = 'body' and t.person = e.person
        group by all
    ) s on s.approval = e.approval and s.field = e.field and s.entered_by = e.entered_by and s.person = e.person
    group by all
),
entering as (
    select w.*, case when w.grade is distinct from 'captured' then 'not recorded'
                     when w.entered_by is null then 'nobody named'
                     when o.own or a.party_kind = 'body' and e.party = a.party or a.party is null and e.plain = a.plain then 'approver'
                     when e.party_kind = 'service' then 'service account'
                     when e.party is null then 'unknown account'
                     when a.party is null then 'unknown approver'
                     when o.perhaps then 'one of several'
                     else 'somebody else' end as entered
    from written w join record r using (approval)
    left join spelling a on a.words = r.approver
    left join spelling e on e.words = w.entered_by
    left join own_word o on o.approval = w.approval and o.field = w.field and o.entered_by = w.entered_by
    -- what contradicts the approver's own word counts
    qualify row_number() over (partition by w.approval order by list_position(
        ['somebody else', 'service account', 'unknown account', 'unknown approver', 'one of several', 'nobody named', 'not recorded', 'approver'], entered),
        list_position(['approver', 'approval_decision', 'approval_date', 'removal'], w.field)) = 1
),
developing as materialized (select * from [developer_persons]),
developed as (
    select subject, list(distinct lower(trim(developer))) as plain, list(distinct party) as parties,
           count(*) filter (where party is null) as strangers,
           count(*) filter (where party_kind is distinct from 'service') as persons,
           string_agg(distinct developer, ', ' order by developer) as developers
    from developing group by subject
),
-- a body is independent while one of its members is; a name that may mean several only where each of them is
compared as (
    select a.approval, bool_and(coalesce(d.surely, false)) as same,
           case when any_value(a.party_kind) = 'body' then bool_and(d.person is not null) else bool_or(d.person is not null) end as perhaps,
           case when any_value(a.party_kind) <> 'body' then min(a.person) end as party, to_json(list(a.person order by a.person))::VARCHAR as means
    from acting a left join (
        select subject, person, bool_or(surely) as surely from developing where person is not null group by subject, person
    ) d on d.subject = a.subject and d.person = a.person
    group by a.approval
),
known as (
    select r.*, coalesce(c.party, a.party) as party, a.party_kind, c.means, d.developers,
           case when c.same or list_contains(case when a.party is null then d.plain when a.party_kind = 'body' then d.parties end,
                                             coalesce(a.party, a.plain)) then 'developed it'
                when a.party is null then 'approver unknown'
                when c.perhaps then 'one of several'
                when d.subject is null then 'no developer'
                when d.persons = 0 then 'service developer'
                when d.strangers > 0 then 'developer unknown'
                else 'independent' end as independence,
           case when r.source = 'import' then 'imported' else coalesce(e.entered, 'not recorded') end as entered,
           e.field as entered_field, e.entered_by, e.entered_from, e.entered_not_before, e.entered_not_after,
           decision_of(r.decision) as decided,
           r.version is null and (r.source = 'import' or is_of_version('approver')) as of_model
    from record r
    left join spelling a on a.words = r.approver
    left join entering e using (approval)
    left join compared c using (approval)
    left join developed d on d.subject = r.subject
)
select approval, subject, split_part(subject, '/', 1) as model_subject,
       registry, workspace, model, version, source, system, reference, approver, party, party_kind, means, role,
       decision, conditions, approved_until, stated, decided_not_before, decided_not_after,
       recorded_not_before, recorded_not_after, begun_not_before, begun_not_after, until_not_before, until_not_after,
       until_by, until_grade,
       -- when it was given: when the server recorded it, unless it is dated before that day; else what was written goes
       -- before what readings saw; what was written down by a moment of its day was given by that moment
       case when source <> 'import' and grade = 'captured' and not coalesce(decided_not_after <= recorded_not_before, false) then 'recorded'
            when decided_not_after is not null then 'stated' else 'seen' end as given_as,
       case given_as when 'stated' then decided_not_before else recorded_not_before end as given_not_before,
       case when given_as <> 'stated' then recorded_not_after
            when recorded_not_after > decided_not_before then least(decided_not_after, recorded_not_after)
            else decided_not_after end as given_not_after,
       entered, entered_field, entered_by, entered_from, entered_not_before, entered_not_after, developers, independence,
       -- what was decided of a model does not say of which version, that it was rejected neither
       case when decided = 'rejected' and not of_model then 'rejected'
            when approver is null or names_nobody(approver) then 'placeholder'
            when decided in ('pending', 'unreadable') then 'pending'
            when of_model then 'on the model only'
            when party_kind = 'service' or independence = 'developed it'
              or entered in ('somebody else', 'service account') then 'contested'
            when party is null then 'unidentified'
            else 'holds' end as standing,
       case when standing <> 'contested' then null
            when party_kind = 'service' then 'approver-recorded'
            when independence = 'developed it' then 'approver-independent'
            else 'approval-set-by-approver' end as contested_by,
       tag, grade, seq
from known

-- block: validations
-- one row per record of a validation: the tags of a version or model as they stood together. What is recorded
-- for the model is about each of its versions
with record as materialized (
    select subject || ':validation:' || number as validation, subject, registry, workspace, model, version,
           case when version is null then 'model tag' else 'version tag' end as source,
           max(value) filter (where field = 'reviewer') as validator,
           max(value) filter (where field = 'validation_result') as result,
           max(value) filter (where field = 'validation_date') as stated,
           max(value) filter (where field = 'next_review') as next_review,
           max(value) filter (where field = 'valid_until') as valid_until,
           -- when it was whole
           max(recorded_not_before) filter (where field in ('reviewer', 'validation_result', 'validation_date')) as recorded_not_before,
           max(recorded_not_after) filter (where field in ('reviewer', 'validation_result', 'validation_date')) as recorded_not_after,
           any_value(begun_not_before) as begun_not_before, any_value(begun_not_after) as begun_not_after,
           any_value(until_not_before) as until_not_before, any_value(until_not_after) as until_not_after,
           max(entered_by) as entered_by, max(entered_from) as entered_from,
           max(tag) filter (where field = 'validation_date') as tag, min(grade) as grade, max(seq) as seq
    from [field_records] where topic = 'validation'
    group by subject, number, registry, workspace, model, version
    having bool_or(core)
),
spelling as (
    select words, lower(trim(words)) as plain, min(p.person) as party, max(p.kind) as party_kind
    from (select distinct validator as words from record) left join people p on p.account = lower(trim(words))
    where words is not null group by words
),
acting as materialized (
    select r.validation, r.subject, t.party_kind, t.person,
           coalesce(bool_or(in_term(local_day(stated_from(r.stated)), t.first_day, t.last_day)), false) as in_office
    from record r join [party_persons] t on t.account = lower(trim(r.validator)) and t.part <> 'secretary'
    group by r.validation, r.subject, t.party_kind, t.person
    qualify in_office or not bool_or(in_office) over (partition by r.validation)
),
-- a validation recorded for the model is compared with the developers of all its versions
each_developing as materialized (select * from [developer_persons]),
developing as (
    select * from each_developing
    union all
    select * replace (split_part(subject, '/', 1) as subject) from each_developing
),
developed as (
    select subject, list(distinct lower(trim(developer))) as plain, list(distinct party) as parties,
           count(*) filter (where party is null) as strangers,
           count(*) filter (where party_kind is distinct from 'service') as persons,
           string_agg(distinct developer, ', ' order by developer) as developers
    from developing group by subject
),
compared as (
    select a.validation, bool_and(coalesce(d.surely, false)) as same,
           case when any_value(a.party_kind) = 'body' then bool_and(d.person is not null) else bool_or(d.person is not null) end as perhaps,
           case when any_value(a.party_kind) <> 'body' then min(a.person) end as party, to_json(list(a.person order by a.person))::VARCHAR as means
    from acting a left join (
        select subject, person, bool_or(surely) as surely from developing where person is not null group by subject, person
    ) d on d.subject = a.subject and d.person = a.person
    group by a.validation
)
select r.validation, r.subject, split_part(r.subject, '/', 1) as model_subject, r.registry, r.workspace, r.model, r.version,
       r.source, r.validator, coalesce(c.party, a.party) as party, a.party_kind, c.means, r.result, r.stated,
       stated_from(r.stated) as validated_not_before, stated_until(r.stated) as validated_not_after,
       r.next_review, stated_until(r.next_review) as next_review_ends,
       r.valid_until, stated_until(r.valid_until) as valid_until_ends,
       r.recorded_not_before, r.recorded_not_after, r.begun_not_before, r.begun_not_after, r.until_not_before, r.until_not_after,
       r.entered_by, r.entered_from, d.developers,
       case when c.same or list_contains(case when a.party is null then d.plain when a.party_kind = 'body' then d.parties end,
                                         coalesce(a.party, a.plain)) then 'developed it'
            when r.validator is null or a.party is null then 'validator unknown'
            when c.perhaps then 'one of several'
            when d.subject is null then 'no developer'
            when d.persons = 0 then 'service developer'
            when d.strangers > 0 then 'developer unknown'
            else 'independent' end as independence,
       case when decision_of(r.result) = 'rejected' then 'failed'
            when decision_of(r.result) in ('pending', 'unreadable') then 'pending'
            when r.stated is null or r.result is null or r.validator is null then 'incomplete'
            when names_nobody(r.validator) or a.party_kind = 'service' then 'placeholder'
            else 'holds' end as standing,
       r.tag, r.grade, r.seq
from record r
left join spelling a on a.words = r.validator
left join compared c using (validation)
left join developed d on d.subject = r.subject

-- block: record_verdicts
-- for every promotion the approval and the validation that stood when the version went live, and for every
-- version those that stand now. A contradiction outweighs a record that holds, and that one whatever is
-- missing elsewhere. Of a version that is in use no more: what was withdrawn or taken away since did not stand
-- while it was in use; what was added since that holds repairs the record
with lived as materialized (
    select subject, version_subject, live_not_before, live_not_after, ended_not_after from [promotions]
),
retired as (
    select version_subject, max(ended) as ended
    from (select version_subject, ended_not_after as ended from lived
          union all
          select version_subject, running_until from [deployed_versions] where matches = 1)
    group by version_subject having bool_and(ended is not null)
),
question as (
    select subject, version_subject, 'promotion' as about, live_not_before as lo, live_not_after as hi, null::TIMESTAMP as ended
    from lived
    union all
    select i.subject, i.subject, 'version', coalesce([ts], as_of()), coalesce([ts], as_of()), r.ended
    from [version_identity] i left join retired r on r.version_subject = i.subject
    where model_subject not in (select model_subject from [prompt_models])
),
-- when it stood there as it is: since it was written, or since what was beside it was overwritten
record as (
    select topic, record, subject, model_subject, version, imported, system, party, standing, unnamed, contested_by, stated,
           decided_not_before, decided_not_after, given_not_after, recorded_not_after, until_not_before, until_not_after, seq,
           case when begun_not_after > recorded_not_after then begun_not_before else recorded_not_before end as stood_not_before,
           case when begun_not_after > recorded_not_after then begun_not_after else recorded_not_after end as stood_not_after
    from (
        select 'approval' as topic, approval as record, *, source = 'import' as imported, approver is null and standing = 'placeholder' as unnamed
        from [approvals]
        union all by name
        select 'validation' as topic, validation as record, *, false as imported, false as unnamed,
               validated_not_before as decided_not_before, validated_not_after as decided_not_after
        from [validations]
    )
),
owned as (
    select *, subject as owner from record where version is not null
    union all
    select r.*, v.subject from record r join [version_identity] v on v.model_subject = r.subject
    where r.version is null
),
beside_each as materialized (
    select q.subject as asked, q.about, q.lo, q.hi, q.ended is null as in_use, r.*, coalesce(r.until_not_before >= q.ended, false) as since,
           -- where a day ends, what is dated the next one is to come
           q.about = 'version' and coalesce(local_day(r.decided_not_before) > local_day(q.hi - interval 1 microsecond), false) as to_come
    from question q join owned r on r.owner = q.version_subject
    where q.ended is null or r.standing in ('holds', 'unidentified')
       or not coalesce(case when r.imported then r.decided_not_before else r.stood_not_before end >= q.ended, false)
),
asked as materialized (
    select * exclude (in_use, since) from beside_each where in_use
    union all by name
    select * exclude (in_use, until_not_before, until_not_after, since),
           case when since then lead(stood_not_before) over records else until_not_before end as until_not_before,
           case when since then lead(stood_not_after) over records else until_not_after end as until_not_after
    from beside_each where not in_use
    window records as (partition by asked, about, topic, subject, imported order by stood_not_after, seq)
),
beside as materialized (
    select *, version is null as of_model,
           coalesce(stood_not_after <= lo, false) as written_before,
           coalesce(stood_not_before >= hi and stood_not_after > lo, false) and about = 'promotion' as written_after,
           coalesce(until_not_after <= lo, false) as replaced_before,
           until_not_after is not null and not replaced_before and coalesce(until_not_before < hi, true) as perhaps_replaced,
           coalesce(decided_not_before > hi, false)
               or about = 'promotion' and coalesce(decided_not_before = hi, false)
               or to_come as decided_after,
           -- what was written down by a moment of its day was decided by that moment
           case about when 'version' then not decided_after
                else coalesce(decided_not_after <= lo, false)
                     or coalesce(recorded_not_after <= lo and decided_not_before < recorded_not_after, false) end as decided_before
    from asked
),
-- approvals after which other files surely came: by now, or before the version went live
outdated as (
    select distinct b.asked, b.record
    from beside b join [file_changes] c on c.subject = b.owner
    where b.topic = 'approval' and c.changed_not_before >= b.given_not_after
      and case b.about when 'version' then c.observed_at else c.changed_not_after end <= b.lo
),
-- of the tags, those that stood there then (1), else those that came later (2), else what named nobody (3); the
-- version's own come before the model's, unless they give no name at all
weighed as (
    select *,
           case when unnamed and not of_model then 7 when written_after then 2 when standing in ('placeholder', 'pending') then 3 else 1 end
               + case when of_model then 3 else 0 end as class,
           case when standing in ('placeholder', 'pending', 'on the model only') then standing
                when perhaps_replaced then 'order cannot be told'
                when standing in ('rejected', 'failed')
                then case when unplaced and not coalesce(decided_not_before is not null and decided_before, false)
                          then 'order cannot be told' else standing end
                when stated is not null and decided_not_before is null
                then case when unplaced then 'order cannot be told' else 'date unreadable' end
                when decided_after and about = 'version' and (written_before or imported) then 'dated in the future'
                when outdated and standing in ('holds', 'unidentified') then 'contested'
                when about = 'version' and not written_before and not imported then 'order cannot be told'
                when unplaced and decided_after then 'order cannot be told'
                when decided_after or decided_not_before is null and written_after then 'after going live'
                when written_after and decided_before and not imported and topic = 'approval' then 'contested'
                when decided_before or decided_not_before is null and written_before then standing
                else 'order cannot be told' end as verdict,
           case when verdict = standing then contested_by
                when verdict = 'contested' and outdated then 'model-unchanged-after-approval'
                when verdict = 'contested' then 'approval-recorded-at-promotion' end as verdict_contested_by
    from (select b.*, o.record is not null as outdated,
                 -- written between the readings around the promotion or around the moment asked for: what stood
                 -- there then may have been overwritten, and nobody read it
                 not imported and (about = 'promotion' and not (written_before or written_after)
                                   or coalesce(stood_not_after > coalesce([ts], as_of()), false)) as unplaced
          from beside b left join outdated o using (asked, record))
    where imported or not replaced_before
),
-- of each other system the last decision before, else its first after
chosen as (
    select w.* from weighed w
    join (select topic, asked, min(class) as class, min(stood_not_after) filter (where class = 2) as own_after,
                 min(stood_not_after) filter (where class = 5) as after
          from weighed where not imported group by topic, asked) b using (topic, asked, class)
    where not w.imported and case class when 2 then w.stood_not_after = b.own_after when 5 then w.stood_not_after = b.after else true end
    union all
    select * from weighed where imported
    qualify row_number() over (partition by topic, asked, system
                               order by decided_after,
                                        case when decided_after then -1 else 1 end * epoch_ms(decided_not_before) desc,
                                        -- of one moment that one which weighs more, whichever came first
                                        list_position(['rejected', 'contested', 'holds', 'unidentified', 'pending', 'on the model only', 'placeholder'], standing),
                                        seq desc) = 1
),
-- two records that may both have stood there then leave it open
sourced as (
    select topic, asked, imported, system,
           case when count(*) > 1 then 'order cannot be told' else min(verdict) end as verdict,
           case when count(*) = 1 then min(verdict_contested_by) end as contested_by,
           min(record) as record, min(party) as party,
           case when bool_and(written_before) then 'before' when bool_and(written_after) then 'after'
                else 'open' end as written
    from chosen group by topic, asked, imported, system
),
-- who entered it, and when, does not matter where another system holds the approval of the same person; nor
-- what files came after it, where that one came after them
answered as (
    select s.topic, s.asked, s.imported, s.written,
           case when h.record is not null then 'holds' else s.verdict end as verdict,
           case when h.record is null then s.contested_by end as contested_by,
           coalesce(h.record, s.record) as record
    from sourced s left join (
        select asked, party, min(record) as record from sourced
        where imported and verdict = 'holds' group by asked, party
    ) h on h.asked = s.asked and h.party = s.party and not s.imported
       and s.contested_by in ('approval-set-by-approver', 'approval-recorded-at-promotion',
                              'model-unchanged-after-approval')
)
select topic, asked as subject, verdict, contested_by, record, written
from answered
qualify row_number() over (
    partition by topic, asked
    order by list_position(['rejected', 'failed', 'contested', 'holds', 'order cannot be told', 'after going live',
                            'date unreadable', 'dated in the future', 'unidentified', 'incomplete', 'pending',
                            'on the model only', 'placeholder'], verdict), imported, record) = 1

-- block: approval_verdicts
-- the approval of every promotion when the version went live, and of every version now
with question as (
    select subject, version_subject, registry, workspace, model, version, 'promotion' as about, live_not_before,
           live_not_after, live_via, actor as promoted_by, actor_from as promoted_from, grade as promotion_grade
    from [promotions]
    union all
    select subject, subject, registry, workspace, model, version, 'version', null, null, null, null, null, null
    from [version_identity]
    where model_subject not in (select model_subject from [prompt_models])
)
select q.subject, q.about, q.version_subject, split_part(q.version_subject, '/', 1) as model_subject,
       q.registry, q.workspace, q.model, q.version, q.live_not_before, q.live_not_after, q.live_via,
       q.promoted_by, q.promoted_from, q.promotion_grade,
       coalesce(r.verdict, 'none') as verdict, r.contested_by,
       coalesce(r.verdict not in ('placeholder', 'pending', 'rejected', 'on the model only')
                and a.party_kind is distinct from 'service', false) as names_approver,
       case q.about when 'promotion' then r.written end as written,
       a.approval, a.source, a.system, a.reference, a.approver, a.party, a.party_kind, a.means, a.role, a.decision,
       a.conditions, a.approved_until, a.stated, a.decided_not_before, a.decided_not_after, a.given_as, a.given_not_before,
       a.given_not_after, a.recorded_not_before, a.recorded_not_after, a.until_not_before, a.until_not_after,
       a.entered, a.entered_field, a.entered_by, a.entered_from, a.entered_not_before, a.entered_not_after,
       a.developers, a.independence, a.tag, a.grade
from question q
left join [record_verdicts] r on r.topic = 'approval' and r.subject = q.subject
left join [approvals] a on a.approval = r.record

-- block: validation_verdicts
-- the validation of every promotion when the version went live, and of every version now; whether it covers
-- the version: it came after the version was made, and after the training had ended
with made as (
    select v.subject, max(v.created_at) as created_at,
           -- a run that is taken up again after the registration trains nothing that was registered
           case when max(r.ended_at) > max(v.created_at) then max(v.created_at) else max(r.ended_at) end as trained_at
    from [model_versions] v
    left join [training] t on t.subject = v.subject
    left join [runs] r on r.registry = v.registry and r.run_id = t.run_id
    where v.model_subject not in (select model_subject from [prompt_models])
    group by v.subject
),
question as (
    select subject, version_subject, registry, workspace, model, version, 'promotion' as about, live_not_before, live_not_after, live_via
    from [promotions]
    union all
    select subject, subject, registry, workspace, model, version, 'version', null, null, null
    from [version_identity]
    where model_subject not in (select model_subject from [prompt_models])
),
-- a validation recorded for the model, compared with the developers of this version
of_model as materialized (
    select r.subject, q.version_subject, v.validator, v.party, v.party_kind, v.means
    from question q join [record_verdicts] r on r.topic = 'validation' and r.subject = q.subject
    join [validations] v on v.validation = r.record and v.version is null
),
developing as materialized (select * from [developer_persons] where subject in (select version_subject from of_model)),
compared as (
    select a.subject, bool_and(coalesce(d.surely, false)) as same,
           case when any_value(a.party_kind) = 'body' then bool_and(d.person is not null) else bool_or(d.person is not null) end as perhaps
    from (select *, unnest(from_json(means, '["VARCHAR"]')) as person from of_model) a left join (
        select subject, person, bool_or(surely) as surely from developing where person is not null group by subject, person
    ) d on d.subject = a.version_subject and d.person = a.person
    group by a.subject
),
developed as (
    select o.subject, bool_or(o.party is null and lower(trim(d.developer)) = lower(trim(o.validator)) or o.party_kind = 'body' and d.party = o.party)
               or any_value(c.same) as same, any_value(c.perhaps) as perhaps,
           count(*) filter (where d.party is null) as strangers,
           count(*) filter (where d.party_kind is distinct from 'service') as persons,
           string_agg(distinct d.developer, ', ' order by d.developer) as developers
    from of_model o join developing d on d.subject = o.version_subject
    left join compared c on c.subject = o.subject
    group by o.subject
)
select q.subject, q.about, q.version_subject, split_part(q.version_subject, '/', 1) as model_subject,
       q.registry, q.workspace, q.model, q.version, q.live_not_before, q.live_not_after, q.live_via,
       coalesce(r.verdict, 'none') as verdict, case q.about when 'promotion' then r.written end as written,
       m.created_at as version_created_at, m.trained_at,
       case when v.validated_not_after is null then 'no date'
            when v.source = 'model tag' and v.validated_not_after <= m.created_at then 'older'
            when v.validated_not_after <= m.trained_at then 'older'
            when v.validated_not_before >= coalesce(m.trained_at, m.created_at) then 'covers'
            -- a training that nobody recorded may have been long before the registration
            when m.trained_at is null and (m.created_at is null or v.validated_not_after <= m.created_at) then 'not known'
            else 'same day' end as coverage,
       v.validation, v.source, v.validator, v.party, v.party_kind, v.result, v.stated, v.validated_not_before,
       v.validated_not_after, v.next_review, v.next_review_ends, v.valid_until, v.valid_until_ends,
       v.recorded_not_before, v.recorded_not_after, v.until_not_before, v.until_not_after, v.entered_by,
       v.entered_from, case when v.source = 'model tag' then d.developers else v.developers end as developers,
       case when v.source is distinct from 'model tag' then v.independence
            when d.same then 'developed it'
            when v.independence = 'validator unknown' then 'validator unknown'
            when d.perhaps then 'one of several'
            when d.subject is null then 'no developer' when d.persons = 0 then 'service developer'
            when d.strangers > 0 then 'developer unknown' else 'independent' end as independence, v.tag, v.grade
from question q
left join made m on m.subject = q.version_subject
left join [record_verdicts] r on r.topic = 'validation' and r.subject = q.subject
left join [validations] v on v.validation = r.record
left join developed d on d.subject = q.subject
