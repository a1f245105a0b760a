/*
title = "The lifecycle status says what stage and alias say"
finding = "A version in use has a lifecycle status that says it is not"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
A status of the firm's own in the tags of the field `lifecycle_status`, on the version, then on its registered model. A
word of the parameter `out_of_use` contradicts that the version is live, however it is hyphenated; any other word does not."""
rationale = """
An inventory that takes the status from a tag shows a model in use as retired, and leaves it out."""
remediation = """
Correct the tag, or move the live stage or alias to the version that is used."""

[params]
out_of_use = "retired, decommissioned, archived, withdrawn, inactive, closed, draft, in development, development"
*/
with asked as (
    select coalesce(getvariable('out_of_use')::VARCHAR, setting('lifecycle-status-consistent.out_of_use'),
                    'retired, decommissioned, archived, withdrawn, inactive, closed, draft, in development, development') as words
),
said as (
    select subject, unnest(values_of(state, value, possible)) as value, found_in in ('version tag', 'model tag') as of_the_firm
    from field_evidence where field = 'lifecycle_status'
),
-- by each word that may stand there at the moment
judged as (
    select s.subject, case when not coalesce(s.of_the_firm, false) or s.value is null then 'none'
                           when list_contains(string_split(regexp_replace(lower(a.words), '[\s_-]+', '', 'g'), ','), regexp_replace(lower(s.value), '[\s_-]+', '', 'g'))
                           then 'out of use' else 'other' end as found
    from said s cross join asked a
),
settled as (
    select subject, case when count(distinct found) = 1 then min(found) when bool_or(found = 'out of use') then 'which' else 'other' end as found
    from judged group by subject
)
select p.subject,
       case j.found when 'other' then 'pass' when 'out of use' then 'fail' when 'which' then 'undecided' else 'not_applicable' end as status,
       case j.found
            when 'none' then case when e.state = 'on the model only'
                                  then 'No lifecycle status of {subject} itself is recorded besides stage and alias; that of its model in {tag} is ''{lifecycle_status}'''
                                  else 'No lifecycle status of {subject} is recorded besides stage and alias' end
            when 'which' then 'The lifecycle status of {subject} changed around this moment: {candidates}'
            when 'out of use' then '{subject} is in use, and its lifecycle status in {found_in} {tag} is ''{lifecycle_status}'''
            else 'The lifecycle status of {subject} in {found_in} {tag} is ''{lifecycle_status}''' end as reason,
       case when j.found = 'none' then 'none' else coalesce(e.grade, 'none') end as grade, case when j.found = 'out of use' then e.fix end as fix,
       coalesce(e.value, e.candidates) as lifecycle_status, e.found_in, e.tag, e.candidates
from population_live_version p
join settled j on j.subject = p.subject
join field_evidence e on e.subject = p.subject and e.field = 'lifecycle_status'
