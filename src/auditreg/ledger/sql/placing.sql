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
),
step as (
    select j.id as journal, coalesce(a.kind, b.kind) as kind,
           coalesce(a.subject, b.subject) as subject, a, b,
           moment(j.server_time) as valid_at
    from stage_journal j
    left join (select * from image where side = 'after') a on a.journal = j.id
    left join (select * from image where side = 'before') b on b.journal = j.id
    where coalesce(a.journal, b.journal) is not null
),
-- a reading that took its time may have seen what was changed while it went on
saw as (
    select l.subject, l.observed_at, l.op, l.fingerprint
    from ledger.log l join blind_reading r using (observed_at)
    where l.registry = $registry and l.journal is null
),
seen as (
    select s.journal, min(r.observed_at) as observed_at
    from step s join blind_reading r on r.started_at >= s.valid_at
    group by s.journal
    union all
    select s.journal, min(saw.observed_at)
    from step s join saw on saw.subject = s.subject and saw.observed_at >= s.valid_at
     and case when s.a.kind is null then saw.op = 'gone'
              else saw.op = 'put' and saw.fingerprint = s.a.fingerprint end
    group by s.journal
)
-- what stands before a row of the same thing that was seen was there to be seen, too
select s.*, min(coalesce(seen.observed_at, $observed_at::TIMESTAMP))
                over (partition by s.subject order by s.journal
                      rows between current row and unbounded following) as observed_at
from step s left join (select journal, min(observed_at) as observed_at from seen group by journal)
    seen using (journal);

-- step: where what a row found is not what was known: something changed it that is not in the journal
create or replace temp table journal_found as
with line as (
    select subject, observed_at, place, seq, op, fingerprint, workspace, model,
           null::BIGINT as journal
    from ledger.placed(null, null::TIMESTAMP)
    where subject in (select subject from journal_step)
    union all
    select subject, observed_at, journal, 9223372036854775807,
           case when a.kind is null then 'gone' else 'put' end,
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
       case when s.b.kind is null then p.seq end as previous_seq
from before p join journal_step s using (journal)
where case when p.op is null or p.op = 'gone' then s.b.kind is not null
           when p.op = 'erased' then s.b.kind is null
           else s.b.kind is null or p.fingerprint is distinct from s.b.fingerprint
                or p.workspace is distinct from s.b.workspace
                or p.model is distinct from s.b.model end;

-- step: what is written: the found state, then what the row made of it
create or replace temp table journal_entry as
select $base::BIGINT - 1 + row_number() over (order by journal, turn) as seq, *
from (
    select s.journal, 1 as turn, s.kind, s.subject, f.op, s.observed_at,
           null::TIMESTAMP as valid_at, case when s.b.kind is null then s.a else s.b end as image, f.previous_seq
    from journal_found f join journal_step s using (journal)
    union all
    select journal, 2, kind, subject, case when a.kind is null then 'gone' else 'put' end,
           observed_at, valid_at, case when a.kind is null then b else a end, null
    from journal_step
);
