/*
title = "The developer did not put the version live"
finding = "The developer put the version live"
severity = "medium"
scope = "promotion"
repair = "history"
reads = "history"
covered_by = "developer-recorded"
looks_for = """
The user the MLflow server recorded as having moved the stage or alias, compared as a person with everybody who is or
ever was recorded as a developer of the version. Needs capture on the server; accounts are put together by `[[people]]`
in auditreg.toml. A name that may mean that person among others, as a body or an account that was passed on, is not
evidenced. A pipeline is nobody's developer, whether it trains versions or moves them."""
rationale = """
Who writes a change and puts it into production alone can put there what nobody has seen. Change management keeps the
two apart."""
remediation = """
What happened cannot be changed. Let another person or the release pipeline move stages and aliases."""
*/
with met as (
    select r.subject, bool_or(d.surely and r.surely) as surely
    from promoter_persons r join developer_persons d on d.subject = r.version_subject and d.person = r.person and d.party_kind <> 'service' group by r.subject
),
compared as (
    select r.subject, r.version_subject, r.live_via, r.live_not_before, r.live_not_after, r.grade, r.actor as promoted_by, r.actor_from as promoted_from, m.surely,
           string_agg(d.developer, ', ' order by d.developer) filter (where not is_service(d.developer)) as developers,
           coalesce(bool_and(is_service(d.developer)) filter (where d.developer is not null), true) as no_person,
           bool_or(case when person_of(r.actor) is null then lower(trim(d.developer)) = lower(trim(r.actor))
                        when party_kind(r.actor) = 'body' then person_of(d.developer) = person_of(r.actor) else false end) as same,
           min(d.developer) filter (where person_of(d.developer) is null) as stranger
    from promotions r left join developers d on d.subject = r.version_subject left join met m on m.subject = r.subject
    group by all
),
judged as (
    select c.*, v.names_approver, case when c.no_person then 'no developer' when c.grade <> 'captured' then 'not recorded'
                when c.promoted_by is null then 'nobody named' when c.same or c.surely then 'same'
                when party_kind(c.promoted_by) is null then 'unknown account' when c.stranger is not null then 'unknown developer'
                when c.surely = false then 'one of several' else 'another' end as found
    from compared c join approval_verdicts v on v.subject = c.subject
)
select p.subject,
       case when j.found in ('nobody named', 'unknown account') and j.names_approver or j.found = 'no developer' then 'not_applicable'
            when j.found = 'not recorded' then 'undecided' when j.found = 'another' then 'pass' when j.found = 'same' then 'fail' else 'not_evidenced' end as status,
       case j.found
            when 'no developer' then 'No developer of {subject} is recorded: see developer-recorded'
            when 'not recorded' then 'Who put {subject} live {live} cannot be told: the server kept no journal of it'
            when 'nobody named' then 'Who put {subject} live {live} is not known: the request bore no authenticated user'
            when 'same' then '{promoted_by} put {subject} live {live}, and is among its developers ({developers})'
            when 'one of several' then '{promoted_by}, who put {subject} live {live}, may be one of its developers ({developers}): one of these names may mean several people'
            when 'unknown account' then '{promoted_by}, who put {subject} live {live}, is nobody listed in auditreg.toml'
            when 'unknown developer' then '{promoted_by} put {subject} live {live}; its developer ''{stranger}'' is nobody listed in auditreg.toml'
            else '{promoted_by} put {subject} live {live}; it was developed by {developers}' end
            || case when j.found in ('nobody named', 'unknown account') and j.names_approver then ': see approver-not-promoter'
                    when j.found in ('same', 'another') and j.promoted_from = 'program' then '; the program that did it named the account' else '' end as reason,
       case when j.found in ('no developer', 'not recorded') then 'none' when j.promoted_from = 'program' then 'asserted' else 'captured' end as grade,
       case j.found when 'unknown account' then list_person(j.promoted_by) when 'unknown developer' then list_person(j.stranger) end as fix,
       j.version_subject, j.live_via, j.live_not_before, j.live_not_after, j.live_not_after as condition_since, j.promoted_by, j.promoted_from, j.developers, j.stranger
from population_promotion p
join judged j on j.subject = p.subject
