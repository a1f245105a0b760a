/*
title = "No change of the model files since the approval was seen"
finding = "The model files changed after the approval"
severity = "medium"
scope = "live_version"
repair = "history"
reads = "history"
covered_by = "approver-recorded"
looks_for = """
The version's files in every reading since its approval: the SHA-256 of every file where they were hashed, else that
of MLmodel with the names and sizes of the others, else MLmodel alone; each answer says which. The approval counts
from when the server recorded it, else from its date, else from when a reading first showed it."""
rationale = """
A registry points at files; it does not guard them. Whoever can write to the store can put another model where the
approved one was, and nothing in MLflow changes."""
remediation = """
Confirm from the model store what changed and when. Register the changed model as a new version and have that one approved; keep model
stores write-once. Where files were not hashed, run extract with --manifest live."""
*/
with approved as materialized (
    select p.*, v.verdict, v.names_approver, v.approver, v.stated, v.source, v.system, v.given_as, v.given_not_before,
           v.given_not_after, least(v.given_not_after, as_of()) as given_by
    from population_live_version p join approval_verdicts v on v.subject = p.subject
),
moved as (
    select subject, count(*) filter (where sure) as changes,
           min_by(change, (not sure, change.changed_not_after, change.seq)) as first
    from (select a.subject, c as change,
                 coalesce(c.changed_not_before >= a.given_not_after and c.observed_at <= as_of(), false) as sure
          from approved a join file_changes c on c.subject = a.subject
          where coalesce(c.changed_not_after > a.given_not_before, true))
    group by subject
),
-- the closest comparison of what a reading found before the approval with what one found after it
kept as (
    select a.subject, min_by(k.level, k.rank) as level, min_by(k.last_read_at, k.rank) as last_read_at
    from approved a join file_knowledge k on k.subject = a.subject
     and case a.given_as when 'seen' then k.known_not_before else k.known_not_after end <= a.given_not_before
     and k.last_read_at >= a.given_by
    group by a.subject
),
known as (
    select subject, min(known_not_before) as known_not_before, min(known_not_after) as known_not_after, max(last_read_at) as last_read_at
    from file_knowledge group by subject
),
stored as (select subject, max(state) as state, max(problem) as problem, max(mlmodel_sha256) as digest from model_artifacts group by subject),
judged as (
    select a.*, m.first, s.state, coalesce(s.problem, 'not looked at') as problem, t.level, n.known_not_before,
           n.known_not_after, coalesce(t.last_read_at, n.last_read_at) as last_read_at,
           case when not a.names_approver then 'no approver'
                when a.verdict = 'dated in the future' then 'no approval yet'
                when a.verdict = 'order cannot be told' then 'which approval'
                when m.changes > 0 then 'changed'
                when m.first.observed_at > as_of() then 'perhaps changed'
                when m.subject is not null then 'changed before or after'
                when s.state in ('no_mlmodel', 'unreadable') then 'lost'
                when s.digest is null then 'not looked at'
                when t.subject is not null then 'unchanged'
                when n.last_read_at < a.given_by then 'not read since'
                else 'first read since' end as found,
           'its approval by {approver}' || case when a.given_as = 'recorded' then ', recorded {given}'
                when a.given_as = 'seen' then ', first seen {given}' when a.source = 'import' then ' {given}'
                else ' of {stated}' end as approval
    from approved a left join moved m using (subject) left join kept t using (subject)
    left join known n using (subject) left join stored s using (subject)
)
select subject,
       case found when 'unchanged' then 'pass' when 'changed' then 'fail' when 'lost' then 'not_evidenced'
            when 'no approver' then 'not_applicable' when 'no approval yet' then 'not_applicable'
            else 'undecided' end as status,
       case found
            when 'unchanged' then 'The files of {subject} do not differ from those read before ' || approval || ', compared by {level}'
                 || case when state = 'read' then '' else '; they were last read {last_read_at}' end
            when 'changed' then '{files} of {subject} changed {changed}, after ' || approval || '; compared by {level}'
            when 'perhaps changed' then '{files} of {subject} changed {changed}, perhaps by this moment, after ' || approval
            when 'changed before or after' then '{files} of {subject} changed {changed}; whether before or after ' || approval || ' cannot be told'
            when 'first read since' then 'The files of {subject} were first read {known}; whether they changed between that and ' || approval || ' cannot be told'
            when 'not read since' then 'The files of {subject} were last read {last_read_at}, before ' || approval
            when 'not looked at' then 'Whether the files of {subject} changed since ' || approval || ' cannot be told: {problem}'
            when 'lost' then 'The files of {subject} can no longer be read ({problem}), so nothing shows that they are those of ' || approval
            when 'which approval' then 'The approval of {subject} changed around this moment; which one stands cannot be told'
            when 'no approval yet' then 'The approval of {subject} by {approver} is dated {stated}, after the moment judged'
            else 'Nobody is recorded who could have approved {subject}: see approver-recorded' end as reason,
       case when found in ('unchanged', 'changed', 'perhaps changed', 'changed before or after')
            then case given_as when 'stated' then 'asserted' else 'observed' end else 'none' end as grade,
       approver, stated, system, given_as, given_not_before, given_not_after, first.files as files,
       coalesce(first.level, level) as level, first.before as before, first.after as after,
       first.changed_not_before as changed_not_before, first.changed_not_after as changed_not_after,
       known_not_before, known_not_after, last_read_at, state, problem
from judged
