/*
title = "The reason for the change is recorded"
finding = "No reason for the change, or no class of it that is one, is recorded"
severity = "medium"
scope = "live_in_period"
repair = "tag"
reads = "history"
looks_for = """
For a version that followed another of its model into use: the fields `change_reason` or `change_ticket`, which names
the record of the change elsewhere, on the version itself. A class (`change_class`), where one is recorded, has to be
among the parameter `classes`. That no other was in use before is known of version 1, where none was made before its use,
and of models that the record knows from their beginning."""
rationale = """
Why a model was changed, and how much, decides how deeply the change is reviewed. The version number says neither."""
remediation = """
Record on the version why it replaces the one before, and whether that is a minor or a major change."""

[params]
classes = "minor, major, emergency"
*/
with asked as (
    select coalesce(getvariable('classes')::VARCHAR, setting('change-reason-recorded.classes'), 'minor, major, emergency') as classes
),
-- when each version was first in use, as far as the record bounds it
used as (
    select version_subject as subject, model_subject, live_not_before as lo, live_not_after as hi, seq from promotions
    union all
    select version_subject, model_subject, running_from, running_from, seq from running where version_subject is not null
),
begun as (
    select subject, model_subject, lo, hi, row_number() over (partition by model_subject order by hi, seq) as turn,
           min(hi) over (partition by model_subject) as first_hi,
           min(coalesce(lo, timestamp '1900-01-01')) over (partition by model_subject order by hi, seq
                                                           rows between 1 following and unbounded following) as next_lo
    from (select * from used qualify row_number() over (partition by subject order by hi, seq) = 1)
),
-- models that were made when the registry was read or captured already
known_from_beginning as (
    select m.subject
    from registered_models m join (select registry, started_at from extractions where complete
                                   union all select registry, started_at from captures) b on b.registry = m.registry
    group by m.subject having min(m.created_at) >= min(b.started_at)
),
other as (
    select model_subject, min(created_at) as made_at from model_versions where version <> 1 group by model_subject
),
placed as (
    select u.subject,
           case when u.turn > 1 and u.first_hi <= u.lo then 'follower' when u.turn > 1 or u.next_lo < u.hi then 'unknown'
                when k.subject is not null or split_part(u.subject, '/', 2) = '1' and coalesce(o.made_at >= u.hi, true)
                then 'first' else 'unknown' end as place
    from begun u left join known_from_beginning k on k.subject = u.model_subject
    left join other o on o.model_subject = u.model_subject
),
-- of several values that are possible, each
classed as (
    select subject, bool_or(known) as some_known, bool_and(known) as all_known
    from (select f.subject, list_contains(string_split(replace(lower(a.classes), ' ', ''), ','), replace(lower(f.value), ' ', '')) as known
          from fields f cross join asked a
          where f.field = 'change_class' and not says_nothing('change_class', f.value)
            and (f.found_in <> 'model tag' or not is_of_version('change_class'))
          qualify f.rank = min(f.rank) over (partition by f.subject))
    group by subject
),
told as (
    select subject, bool_or(state in ('recorded', 'ambiguous')) filter (where field <> 'change_class') as given,
           bool_or(state = 'uncertain') filter (where field <> 'change_class') as open,
           bool_or(state = 'on the model only') filter (where field = 'change_reason') as of_model,
           max(coalesce(value, candidates)) filter (where field = 'change_reason' and state in ('recorded', 'ambiguous')) as change_reason,
           max(coalesce(value, candidates)) filter (where field = 'change_ticket' and state in ('recorded', 'ambiguous')) as change_ticket,
           max(coalesce(value, candidates)) filter (where field = 'change_class' and state in ('recorded', 'ambiguous', 'uncertain')) as change_class,
           bool_or(state = 'uncertain') filter (where field = 'change_class') as class_open,
           max(fix) filter (where field = 'change_reason') as fix,
           max(tags_looked_for) filter (where field = 'change_reason') as tags_looked_for
    from field_evidence where field in ('change_reason', 'change_ticket', 'change_class') group by subject
),
judged as (
    select p.subject, t.* exclude (subject), a.classes,
           case when u.place = 'first' then 'first' when t.given and coalesce(c.all_known, true) then 'given'
                when t.given and (c.some_known or t.class_open) then 'which class' when t.given then 'class'
                when t.open then 'open' when u.place = 'follower' then 'none' else 'unknown' end as found
    from population_live_in_period p cross join asked a
    left join placed u on u.subject = p.subject
    left join told t on t.subject = p.subject left join classed c on c.subject = p.subject
)
select subject,
       case when found = 'given' then 'pass' when found = 'first' then 'not_applicable' when found in ('none', 'class') then 'not_evidenced'
            else 'undecided' end as status,
       case found
            when 'first' then 'On record no other version of its model was in use before {subject}'
            when 'unknown' then 'No reason for {subject} is recorded; whether another version of its model was in use before it cannot be told'
            when 'open' then 'Whether a reason for {subject} is recorded at this moment cannot be told'
            when 'none' then case when of_model then 'A reason is recorded for the model only, which does not say for which version'
                 else 'No reason for the change to {subject} is recorded; looked for the tags {tags_looked_for}' end
            when 'class' then 'The class of the change to {subject} is given as ''{change_class}'', which is none of: {classes}'
            when 'which class' then 'As what change {subject} was recorded at this moment cannot be told: {change_class}; wanted is one of: {classes}'
            else 'The change to {subject} is recorded'
                 || case when change_class is null then '' else ' as {change_class}' end
                 || case when change_reason is null then ' in {change_ticket}, which is kept elsewhere' else ': {change_reason}' end
       end as reason,
       case when found in ('given', 'class', 'which class') then 'asserted' else 'none' end as grade, case when found = 'none' then fix end as fix,
       change_reason, change_ticket, change_class, classes, tags_looked_for
from judged
