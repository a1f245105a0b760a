/*
title = "The version was staged before it went live"
finding = "The version went live without staging"
severity = "low"
scope = "promotion"
repair = "history"
reads = "history"
looks_for = """
A time before the version went live at which it was in the stage, or bore the alias, of the parameters `stage` and
`alias` (`Staging` and `staging`). A model that goes live by aliases only and never used that alias has no staging.
That a version was never staged is certain only where the server recorded its whole life. A control of the firm's
own: a validation is another question, `validation-precedes-live`."""
rationale = """
A version that was staged was loaded and called before it priced anything."""
remediation = """
What happened cannot be changed. Move versions through staging."""

[params]
stage = "Staging"
alias = "staging"
*/
with asked as (
    select coalesce(getvariable('stage')::VARCHAR, setting('staged-before-production.stage'), 'Staging') as stage,
           lower(coalesce(getvariable('alias')::VARCHAR, setting('staged-before-production.alias'), 'staging')) as alias
),
-- every value a stage or that alias had, with when it was so at the latest
held as (
    select c.subject, v.value, v.not_before, v.not_after, c.grade, c.item
    from (select *, case kind when 'alias' then split_part(subject, ':', 1) end as owner from changes
          where kind = 'model_version' and item = 'stage' or kind = 'alias') c,
         lateral (select c.after as value, c.changed_not_before as not_before, c.changed_not_after as not_after
                  union all select c.before, null, c.changed_not_before) v
    where v.value is not null
),
staged as (
    select case when h.item = 'stage' then h.subject else split_part(h.subject, ':', 1) || '/' || h.value end as subject,
           h.not_before, h.not_after, h.grade, case when h.item = 'stage' then 'stage ' || h.value else 'alias ' || h.item end as via
    from held h join asked a on h.item = 'stage' and h.value = a.stage or h.item <> 'stage' and lower(h.item) = a.alias
    union all
    select v.subject, v.not_before, v.not_after, v.grade, 'stage ' || v.stage
    from model_versions v join asked a on v.stage = a.stage
    union all
    select l.subject, l.not_before, l.not_after, l.grade, 'alias ' || l.alias
    from aliases l join asked a on lower(l.alias) = a.alias
),
-- versions whose life the server recorded from the start, and whose stage nothing else changed
born as (
    select subject, min(changed_not_before) filter (where item = 'version' and change = 'added' and grade = 'captured') as created_at
    from changes where kind = 'model_version' group by subject
    having count(*) filter (where item = 'stage' and grade <> 'captured') = 0
),
beside as (
    select r.version_subject, r.subject, r.model_subject, r.live_via, r.live_not_before, r.live_not_after, r.grade, b.created_at,
           min_by(s.via, (s.not_after, s.via)) filter (where s.not_after <= r.live_not_before) as via,
           min(s.not_after) filter (where s.not_after <= r.live_not_before) as staged_at,
           max(s.grade) filter (where s.not_after <= r.live_not_before) as staged_grade,
           min_by(s.via, (s.not_after, s.via)) filter (where coalesce(s.not_before < r.live_not_after, true)
                                                        and s.not_after is not null) as maybe_via,
           r.grade = 'captured' and b.created_at is not null and not exists (
               select 1 from capture_gaps g where g.registry = r.registry and g.gap_start < r.live_not_after
                  and coalesce(g.gap_end, timestamp '9999-12-31') > b.created_at) as whole,
           contains(r.live_via, 'stage ') or r.model_subject in (select split_part(subject, '/', 1) from staged) as has_staging,
           r.model_subject in (select model_subject from model_versions where stage not in ('None', 'Deleted_Internal')) as has_stages
    from promotions r left join born b on b.subject = r.version_subject
    left join staged s on s.subject = r.version_subject
    group by all
)
select p.subject,
       case when b.via is not null then 'pass' when b.maybe_via is not null then 'undecided'
            when not b.has_staging and (b.whole or not b.has_stages) then 'not_applicable' when b.whole then 'fail' else 'undecided' end as status,
       case when b.via is not null then '{subject} had been in {via} by {staged_at}, before it went live {live}'
            when b.maybe_via is not null then 'Whether {subject} was in {maybe_via} before it went live {live} cannot be told'
            when not b.has_staging and (b.whole or not b.has_stages) then 'The model of {subject} goes live by aliases and has no staging to pass through'
            when b.whole then '{subject} went live {live} ({live_via}) after it was registered {created_at}: the server recorded no staging'
            else 'Whether {subject} was staged before it went live {live} cannot be told: its whole life is not recorded' end as reason,
       case when b.via is not null then b.staged_grade when b.whole and b.has_staging then 'captured' else 'none' end as grade,
       b.version_subject, b.live_via, b.live_not_before, b.live_not_after, b.live_not_after as condition_since, b.via, b.maybe_via, b.staged_at, b.created_at
from population_promotion p
join beside b on b.subject = p.subject
