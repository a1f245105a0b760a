-- When each state began, and what is known of a moment. Nothing here is stored: intervals follow
-- from the readings around an entry, so a backup read later narrows them by itself.
--
-- The entries of a subject stand in the order of the source: by the reading that first showed them
-- (observed_at), within it by the row of the server's journal, and after those what the journal does
-- not explain. place is that row, or a number above all rows.

-- readings() and erased_states() are macros, not views: inside a view of schema ledger, DuckDB looks
-- for extractions and erasures in the current catalog, which may be another ledger.

-- macro: ledger.readings
-- one row per reading and kind it covered completely
create macro ledger.readings() as table
select seq, registry, started_at, observed_at, recorded_at,
       unnest(string_split(kinds, ',')) as kind
from extractions
where complete;

-- macro: ledger.erased_states
-- states whose text was erased, as far as another entry still tells what they were about
create macro ledger.erased_states() as table
with recursive erased as (
    select erased_seq, observed_at, entry_recorded_at, valid_at, journal_row, same_subject
    from erasures where same_subject is not null
    union
    select t.erased_seq, t.observed_at, t.entry_recorded_at, t.valid_at, t.journal_row,
           e.same_subject
    from erased t join erasures e on e.erased_seq = t.same_subject
)
select t.erased_seq as seq, l.registry, l.kind, l.subject, t.observed_at, l.created_at,
       t.entry_recorded_at as recorded_at, t.valid_at, t.journal_row as journal
from erased t join ledger.log l on l.seq = t.same_subject
where l.kind is not null;

-- macro: ledger.placed
-- the entries of one kind (all kinds where entry_kind is NULL) in their place. A row of the journal that
-- an older reading, taken in later, showed too stands twice in the log: the earlier place counts.
-- Fingerprints of an older form are given as they would be made now
create macro ledger.placed(entry_kind, known_at) as table
select p.* replace (coalesce(renewed.fingerprint, p.fingerprint) as fingerprint)
from (
select seq, registry, kind, subject, op, observed_at, 9223372036854775807 as place, valid_at,
       created_at, changed_at, workspace, model, fingerprint, secrets
from ledger.log
where journal is null and ({of_kind})
  and (known_at is null or recorded_at <= known_at)
union all
select seq, registry, kind, subject, op, observed_at, journal, valid_at, created_at, changed_at,
       workspace, model, fingerprint, secrets
from (
    select *, row_number() over (partition by subject, source, journal
                                 order by observed_at, seq) as turn
    from ledger.log
    where journal is not null and ({of_kind})
      and (known_at is null or recorded_at <= known_at)
)
where turn = 1
union all
select seq, registry, kind, subject, 'erased', observed_at,
       coalesce(journal, 9223372036854775807), valid_at, created_at, null, null, null, null, null
from ledger.erased_states()
where ({of_kind})
  and (known_at is null or recorded_at <= known_at)
) p left join ledger.fingerprints renewed using (seq);

-- macro: ledger.states
-- the entries in their place without those that say again what the one before them said: a reading
-- made in between, but taken in later, makes such
create macro ledger.states(entry_kind, known_at) as table
select seq, registry, kind, subject, op, observed_at, place, valid_at, created_at, changed_at,
       concat_ws(' ', op, fingerprint, secrets) as content
from (
    select *, op = lag(op) over earlier
              and fingerprint is not distinct from lag(fingerprint) over earlier
              and workspace is not distinct from lag(workspace) over earlier
              and model is not distinct from lag(model) over earlier
              and (secrets is not distinct from lag(secrets) over earlier
                   or split_part(secrets, ':', 1)
                      is distinct from split_part(lag(secrets) over earlier, ':', 1)) as again
    from ledger.placed(entry_kind, known_at)
    window earlier as (partition by subject order by observed_at, place, seq)
)
where again is distinct from true;

-- macro: ledger.timeline
-- every state of the subjects of one kind (all kinds where entry_kind is NULL), with the bounds of its beginning:
-- lo (not before) and hi (not after), and those of the states before and after it. until_lo is since when the
-- state before may have been over: an alias may have been free before the version existed that it was given to.
-- A state the server recorded began when it says so, or when the one recorded before it began if its
-- clock went back; where that lies outside of the readings around it, clocks differ, and the readings
-- bound it instead
create macro ledger.timeline(entry_kind, known_at) as table
with reading as (
    select registry, kind, max(started_at) as started_at, observed_at from ledger.readings()
    where ({of_kind}) and (known_at is null or recorded_at <= known_at)
    group by registry, kind, observed_at
),
entry as (
    select *, max(valid_at) over (partition by subject order by observed_at, place, seq
                                  rows between unbounded preceding and current row) as served_at
    from ledger.states(entry_kind, known_at)
),
looked as (
    select registry, observed_at, min(started_at) as read_from
    from extractions group by registry, observed_at
),
bounded as (
    select entry.*, reading.started_at as previous_reading,
           coalesce(looked.read_from, entry.observed_at) as read_from,
           case when served_at <= entry.observed_at
                 and (reading.started_at is null or served_at >= reading.started_at)
                then served_at end as recorded
    from entry asof left join reading
      on entry.registry = reading.registry and entry.kind = reading.kind
     and entry.observed_at > reading.observed_at
    left join looked
      on entry.registry = looked.registry and entry.observed_at = looked.observed_at
),
timed as (
    select *, case when valid_at is not null then recorded
                   when changed_at <= observed_at
                    and (previous_reading is null or changed_at >= previous_reading)
                    and (served_at is null or changed_at > served_at)
                   then changed_at end as mlflow_time,
           -- what a journal row found and the journal does not explain was there before that row
           case when place < 9223372036854775807 and valid_at is null
                then lead(recorded) over (partition by subject order by observed_at, place, seq)
                end as revealed_at
    from bounded
),
ended as (
    select *, coalesce(mlflow_time, revealed_at, observed_at) as hi from timed
),
placed as (
    -- a creation time that is later than the state says nothing of it
    select * exclude (born), case when valid_at is not null and mlflow_time is not null then mlflow_time
                when coalesce(previous_reading, born, recorded) is not null
                then least(hi, greatest(previous_reading, born,
                                        case when valid_at is null then recorded end)) end as lo,
           case when valid_at is not null and mlflow_time is not null then mlflow_time
                else least(hi, greatest(previous_reading,
                                        case when valid_at is null then recorded end)) end as until_lo
    from (select *, case when created_at <= hi then created_at end as born from ended)
)
select *, lag(hi) over neighbours as previous_hi, lag(seq) over neighbours as previous_seq,
       lead(until_lo) over neighbours as next_lo, lead(hi) over neighbours as next_hi,
       lead(seq) over neighbours as next_seq
from placed
window neighbours as (partition by subject order by observed_at, place, seq);

-- macro: ledger.states_at
-- the states that hold, or may hold, at a moment, with how sure that is
create macro ledger.states_at(entry_kind, ts, known_at) as table
with last_reading as (
    -- what a reading that took its time saw at its beginning may have changed before its end
    select registry, kind, max(started_at) as last_at,
           bool_or(started_at = ts and observed_at = ts) as read_now
    from ledger.readings()
    where ({of_kind}) and (known_at is null or recorded_at <= known_at)
    group by registry, kind
),
recorded as (
    select registry, true as recorded_now from ledger.recorded
    where ts >= begins and ts < ends
    group by registry
),
chosen as (
    select t.*, hi <= ts as before
    from ledger.timeline(entry_kind, known_at) t
    where (hi <= ts and (next_hi is null or next_hi > ts))
       -- every state that may have begun: readings that take their time overlap
       or (hi > ts and (lo is null or lo < ts or lo = ts and ts = created_at))
),
-- states that say the same (another name of the model, or gone and back) are one possibility
possible as (
    select *, min(content) over (partition by subject) <> max(content) over (partition by subject)
                  as several,
           count(*) over (partition by subject) > 1 as repeated
    from chosen
),
distinct_states as (
    select *, row_number() over (partition by subject, content order by observed_at, place, seq)
                  as turn,
           row_number() over (partition by subject, content
                              order by observed_at desc, place desc, seq desc) as turn_back
    from possible
),
counted as (
    select * from distinct_states where several and turn = 1 or not several and turn_back = 1
),
judged as (
    select seq, kind, lo as not_before, hi as not_after,
           case
             when several then 'uncertain'
             when repeated then 'seen_same'
             when not before and previous_reading is null and previous_seq is null then 'unknown'
             when not before then 'uncertain'
             when next_seq is not null and (next_lo is null or next_lo < ts) then 'uncertain'
             when next_seq is null and ts > greatest(last_at, read_from) then 'not_seen_since'
             when mlflow_time is not null and changed_at is not null
               or coalesce(recorded_now, false) and kind in ({journalled}) or coalesce(read_now, false)
               or ts = observed_at and read_from = observed_at
             then 'certain'
             else 'seen_same'
           end as certainty,
           case
             when repeated and not several then 'only'
             when not before and (several or previous_seq is not null) then 'after'
             when before and (several or next_seq is not null
                                         and (next_lo is null or next_lo < ts))
             then 'before'
             else 'only'
           end as candidate
    from counted left join last_reading using (registry, kind) left join recorded using (registry)
)
select seq, kind, certainty, candidate, not_before, not_after
from judged;

-- macro: ledger.candidates
-- the entries of these states
create macro ledger.candidates(entry_kind, ts, known_at) as table
select l.subject, l.registry, l.workspace, l.model, l.version, l.op, l.entry,
       j.seq, j.kind, l.actor, l.grade, j.certainty, j.candidate, j.not_before, j.not_after
from ledger.states_at(entry_kind, ts, known_at) j join ledger.log l using (seq)
where l.entry is not null;
