/*
title = "The approver did not put the version live"
finding = "The approver put the version live"
severity = "medium"
scope = "promotion"
repair = "history"
reads = "history"
covered_by = "approval-precedes-live"
looks_for = """
The user the MLflow server recorded as having moved the stage or alias, compared as a person with the approver
on record at that moment; of a body, with its only member in office on the day of the approval. Needs capture on the server;
accounts are put together by `[[people]]` in auditreg.toml."""
rationale = """
Who approves a version and puts it to use alone needs nobody else for either. Two people are the control; two
accounts are not."""
remediation = """
What happened cannot be changed. Let another person or the release pipeline move stages and aliases. Where
accounts are unknown, add them to `[[people]]`."""
*/
with approving as (
    select v.*, w.persons as promoters, from_json(v.means, '["VARCHAR"]') as approvers,
           coalesce(case when v.party_kind = 'body' then list_has_all(promoters, approvers) else list_has_any(promoters, approvers) end, false) as perhaps
    from approval_verdicts v left join (select subject, list(person) as persons from promoter_persons group by subject) w on w.subject = v.subject
    where v.about = 'promotion'
),
compared as (
    select v.*, case when not v.names_approver then 'no approver'
                     when v.verdict = 'order cannot be told' then 'which approver'
                     when v.promotion_grade <> 'captured' then 'not recorded' when v.promoted_by is null then 'nobody named'
                     when v.perhaps and len(v.approvers) = 1 and len(v.promoters) = 1
                       or coalesce(v.party, lower(trim(v.approver))) = case when v.party is null then lower(trim(v.promoted_by))
                              when v.party_kind = 'body' then person_of(v.promoted_by) end then 'approver'
                     when v.promoters is null and party_kind(v.promoted_by) is null then 'unknown promoter'
                     when v.party is null then 'unknown approver' when v.perhaps then 'one of several' else 'another' end as promotion_by
    from approving v
)
select p.subject,
       case c.promotion_by when 'another' then 'pass' when 'approver' then 'fail'
            when 'no approver' then 'not_applicable' when 'not recorded' then 'undecided' when 'which approver' then 'undecided' else 'not_evidenced' end as status,
       case c.promotion_by
            when 'no approver' then 'Nobody is recorded who could have approved {subject}: see approval-precedes-live'
            when 'which approver' then 'Whose approval of {subject} stood when it went live {live} cannot be told'
            when 'not recorded' then 'Who put {subject} live {live} cannot be told: the MLflow server kept no journal of it'
            when 'nobody named' then 'The server recorded that {subject} went live {live}, but not by whom: the request bore no authenticated user'
            when 'approver' then '{promoted_by} put {subject} live {live}, and ' || case
                 when coalesce(c.party_kind, '') <> 'body' or c.party = person_of(c.promoted_by) then 'approved it' else 'was the only member of {approver}, which approved it' end
            when 'one of several' then '{promoted_by} put {subject} live {live}, and {approver} approved it; whether these are two is not known: a name means several people'
            when 'unknown promoter' then '{promoted_by}, nobody listed in auditreg.toml, put {subject} live {live}; {approver} approved it'
            when 'unknown approver' then '{promoted_by} put {subject} live {live}; the approver ''{approver}'' is nobody listed in auditreg.toml'
            else '{promoted_by} put {subject} live {live}; {approver} approved it' end
            || case when c.promotion_by <> 'no approver' and c.promoted_from = 'program'
                    then '; the program that did it named the account' else '' end as reason,
       case when c.promotion_by in ('no approver', 'not recorded') then 'none'
            when c.promoted_from = 'program' then 'asserted' else 'captured' end as grade,
       case when c.promotion_by in ('unknown promoter', 'unknown approver')
            then list_person(case c.promotion_by when 'unknown promoter' then c.promoted_by else c.approver end) end as fix,
       c.version_subject, c.live_via, c.live_not_before, c.live_not_after, c.live_not_after as condition_since, c.promoted_by, c.promoted_from, c.approver
from population_promotion p
join compared c on c.subject = p.subject
