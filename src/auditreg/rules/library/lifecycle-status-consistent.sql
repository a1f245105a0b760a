/*
title = "The lifecycle status says what stage and alias say"
finding = "A version in use has a lifecycle status that says it is not"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
A status of the firm's own in the tags of the field `lifecycle_status`, on the version, then on its registered model. A
word of the parameter `out_of_use` contradicts that the version is live; any other word does not."""
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
judged as (
    select e.*, case when e.found_in not in ('version tag', 'model tag') or e.state in ('missing', 'placeholder') then 'none'
                     when e.state in ('uncertain', 'ambiguous') then 'which'
                     when list_contains(string_split(replace(lower(a.words), ' ', ''), ','), replace(lower(trim(e.value)), ' ', '')) then 'out of use'
                     else 'other' end as found
    from field_evidence e cross join asked a where e.field = 'lifecycle_status'
)
select p.subject,
       case j.found when 'other' then 'pass' when 'out of use' then 'fail' when 'which' then 'undecided' else 'not_applicable' end as status,
       case j.found
            when 'none' then 'No lifecycle status of {subject} is recorded besides stage and alias'
            when 'which' then 'The lifecycle status of {subject} changed around this moment: {candidates}'
            when 'out of use' then '{subject} is in use, and its lifecycle status in {found_in} {tag} is ''{lifecycle_status}'''
            else 'The lifecycle status of {subject} in {found_in} {tag} is ''{lifecycle_status}''' end as reason,
       case when j.found = 'none' then 'none' else coalesce(j.grade, 'none') end as grade, case when j.found = 'out of use' then j.fix end as fix,
       coalesce(j.value, j.candidates) as lifecycle_status, j.found_in, j.tag, j.candidates
from population_live_version p
join judged j on j.subject = p.subject
