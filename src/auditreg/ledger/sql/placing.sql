-- Where the rows of the journal stand among what the ledger holds. Blocks run in order.

-- step: readings without the journal, that came between: what the server's time says was before them
-- stands before what they saw
create or replace temp table blind_reading as
select started_at, min(observed_at) as observed_at
from extractions
where registry = $registry and complete and journal is null and observed_at < $observed_at
  and observed_at > coalesce((select max(observed_at) from extractions
                              where registry = $registry and journal = $journal
                                and observed_at < $observed_at), timestamp '0001-01-01')
group by started_at;

-- step: one row per row of the journal that can be read, with both images
create or replace temp table journal_step as
with image as (
    select m.*, s.journal, s.side from imaged m join image_registered_models s
      on m.kind = 'registered_model' and s.rowid = m.place
    union all
    select m.*, s.journal, s.side from imaged m join image_registered_model_tags s
      on m.kind = 'registered_model_tag' and s.rowid = m.place
    union all
    select m.*, s.journal, s.side from imaged m join image_model_versions s
      on m.kind = 'model_version' and s.rowid = m.place
    union all
    select m.*, s.journal, s.side from imaged m join image_model_version_tags s
      on m.kind = 'model_version_tag' and s.rowid = m.place
    union all
    select m.*, s.journal, s.side from imaged m join image_aliases s
      on m.kind = 'alias' and s.rowid = m.place
)
select j.id as journal, coalesce(a.kind, b.kind) as kind, coalesce(a.subject, b.subject) as subject,
       a, b, moment(j.server_time) as valid_at,
       row_number() over (partition by coalesce(a.subject, b.subject) order by j.id) as turn,
       $observed_at::TIMESTAMP as observed_at
from stage_journal j
left join (select * from image where side = 'after') a on a.journal = j.id
left join (select * from image where side = 'before') b on b.journal = j.id
where coalesce(a.journal, b.journal) is not null;

-- step: rows that make a model or version what was erased: that it is gone would be another claim, so
-- they are kept without a state
update image_notes set info = '{"erased":true}'
where journal in (select journal from journal_step
                  where a.erased and kind in ('registered_model', 'model_version'));

-- step: what a reading without the journal saw tells how many of a subject's rows came before it:
-- as many as their times say, unless what it saw is what stood after more or fewer of them (of as
-- many more as fewer, more: their times are before it); none that was written when it had ended
update journal_step s set observed_at = before.observed_at
from (
    with written as (
        select subject, turn as rows, case when a.kind is null then 'gone' else 'put' end as op,
               a.fingerprint as fingerprint
        from journal_step
        union all
        -- a tombstone is as good as gone for a reading that shows none
        select s.subject, turn, 'gone', null
        from journal_step s join image_model_versions v
          on s.kind = 'model_version' and v.rowid = s.a.place and v.stage = 'Deleted_Internal'
        union all
        select subject, 0, case when b.kind is null then 'gone' else 'put' end, b.fingerprint
        from journal_step where turn = 1
    ),
    expected as (
        select s.subject, r.observed_at, count(*) filter (where s.valid_at <= r.started_at) as rows,
               count(*) filter (where s.valid_at <= r.observed_at) as most
        from journal_step s cross join blind_reading r
        group by s.subject, r.observed_at
    ),
    observed as (
        select p.subject, r.observed_at,
               max_by({'op': op, 'fingerprint': fingerprint}, (p.observed_at, place, seq)) as state
        from ledger.placed(null, null::TIMESTAMP) p
        join blind_reading r on p.observed_at <= r.observed_at
        where p.subject in (select subject from journal_step)
        group by p.subject, r.observed_at
    ),
    counted as (
        select e.subject, e.observed_at,
               coalesce(min_by(w.rows, (abs(w.rows - e.rows), -w.rows)) filter (
                            where w.rows <= e.most and w.op = coalesce(observed.state.op, 'gone')
                              and (w.op = 'gone' or same_state(w.fingerprint, observed.state.fingerprint))),
                        any_value(e.rows)) as rows
        from expected e join written w using (subject)
        left join observed on observed.subject = e.subject and observed.observed_at = e.observed_at
        group by e.subject, e.observed_at
    )
    select s.journal, min(c.observed_at) as observed_at
    from journal_step s join counted c on c.subject = s.subject and s.turn <= c.rows
    group by s.journal
) before
where before.journal = s.journal;

-- step: where what a row found is not what was known: something changed it that is not in the journal
create or replace temp table journal_deviation as
with line as (
    select subject, observed_at, place, seq, op, fingerprint, workspace, model,
           null::BIGINT as journal
    from ledger.placed(null, null::TIMESTAMP)
    where subject in (select subject from journal_step)
    union all
    select subject, observed_at, journal, 9223372036854775807,
           case when a.kind is null then 'gone' when a.erased then 'erased' else 'put' end,
           a.fingerprint, a.workspace, a.model, journal
    from journal_step
),
before as (
    select journal, lag(seq) over neighbours as seq, lag(op) over neighbours as op, lag(fingerprint) over neighbours as fingerprint,
           lag(workspace) over neighbours as workspace, lag(model) over neighbours as model
    from line
    window neighbours as (partition by subject order by observed_at, place, seq)
)
select s.journal, case when s.b.kind is null then 'gone' else 'put' end as op,
       case when s.b.kind is null then p.seq end as previous_seq,
       coalesce(p.op = 'put' and s.b.kind is not null and same_state(p.fingerprint, s.b.fingerprint),
                false) as same_content
from before p join journal_step s using (journal)
where case when s.b.erased then false -- what was erased is not found again
           when p.op is null or p.op = 'gone' then s.b.kind is not null
           when p.op = 'erased' then s.b.kind is null
           else s.b.kind is null or not same_state(p.fingerprint, s.b.fingerprint)
                or p.workspace is distinct from s.b.workspace
                or p.model is distinct from s.b.model end;

-- step: what is written: the found state, then what the row made of it
create or replace temp table journal_entry as
select $base::BIGINT - 1 + row_number() over (order by journal, turn) as seq, *
from (
    select s.journal, 1 as turn, s.kind, s.subject, f.op, s.observed_at,
           null::TIMESTAMP as valid_at, case when s.b.kind is null then s.a else s.b end as image,
           f.previous_seq, f.same_content
    from journal_deviation f join journal_step s using (journal)
    union all
    select journal, 2, kind, subject,
           case when a.kind is null or a.erased then 'gone' else 'put' end, observed_at, valid_at,
           case when a.kind is null or a.erased and b.kind is not null then b else a end, null,
           coalesce(same_state(a.fingerprint, b.fingerprint)
                    and not other_secrets(a.secrets, b.secrets), false) and a.kind is not null
    from journal_step
    where a.erased is distinct from true or kind not in ('registered_model', 'model_version')
);
