/*
title = "The reason for the change is recorded"
finding = "No reason for the change is recorded"
severity = "medium"
scope = "live_in_period"
repair = "tag"
looks_for = """
For a version that followed another of its model into use: the fields `change_reason` or `change_ticket`, which names
the record of the change elsewhere, on the version itself. A class (`change_class`), where one is recorded, has to be
among the parameter `classes`."""
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
-- versions before which another of the model was in use
follower as (
    select distinct r.version_subject as subject
    from promotions r
    join (select model_subject, min(live_not_after) as first_live, min_by(version_subject, (live_not_after, seq)) as first_subject
          from promotions group by model_subject) f
      on f.model_subject = r.model_subject and f.first_subject <> r.version_subject
),
told as (
    select subject, bool_or(state in ('recorded', 'ambiguous')) filter (where field <> 'change_class') as given,
           bool_or(state = 'uncertain') filter (where field <> 'change_class') as open,
           bool_or(state = 'on the model only') filter (where field = 'change_reason') as of_model,
           max(coalesce(value, candidates)) filter (where field = 'change_reason' and state in ('recorded', 'ambiguous')) as change_reason,
           max(coalesce(value, candidates)) filter (where field = 'change_ticket' and state in ('recorded', 'ambiguous')) as change_ticket,
           max(coalesce(value, candidates)) filter (where field = 'change_class' and state in ('recorded', 'ambiguous')) as change_class,
           max(value) filter (where field = 'change_class' and state = 'recorded') as one_class,
           max(fix) filter (where field = 'change_reason') as fix,
           max(tags_looked_for) filter (where field = 'change_reason') as tags_looked_for
    from field_evidence where field in ('change_reason', 'change_ticket', 'change_class') group by subject
),
judged as (
    select p.subject, t.* exclude (subject), a.classes,
           case when f.subject is null then 'first' when not t.given and t.open then 'open' when not t.given then 'none'
                when not list_contains(string_split(replace(lower(a.classes), ' ', ''), ','), replace(lower(t.one_class), ' ', ''))
                then 'class' else 'given' end as found
    from population_live_in_period p cross join asked a
    left join follower f on f.subject = p.subject
    left join told t on t.subject = p.subject
)
select subject,
       case found when 'given' then 'pass' when 'first' then 'not_applicable' when 'open' then 'undecided' else 'not_evidenced' end as status,
       case found
            when 'first' then 'No other version of its model was in use before {subject}'
            when 'open' then 'Whether a reason for {subject} is recorded at this moment cannot be told'
            when 'none' then case when of_model then 'A reason is recorded for the model only, which does not say for which version'
                 else 'No reason for the change to {subject} is recorded; looked for the tags {tags_looked_for}' end
            when 'class' then 'The class of the change to {subject} is given as ''{change_class}'', which is none of: {classes}'
            else 'The change to {subject} is recorded'
                 || case when change_class is null then '' else ' as {change_class}' end
                 || case when change_reason is null then ' in {change_ticket}, which is kept elsewhere' else ': {change_reason}' end
       end as reason,
       case when found in ('given', 'class') then 'asserted' else 'none' end as grade, case when found = 'none' then fix end as fix,
       change_reason, change_ticket, change_class, classes, tags_looked_for
from judged
