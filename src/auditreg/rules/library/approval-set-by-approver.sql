/*
title = "The approval was entered by the approver"
finding = "Somebody other than the approver entered the approval"
severity = "high"
scope = "live_in_period"
repair = "history"
reads = "history"
covered_by = "approver-recorded"
looks_for = """
The account that the MLflow server recorded as having set the approver's tag, compared as a person with the
approver named there; for a committee, with those who were its members or its secretary that day. So are those who put another decision or
date in the place of one that stood there, took one away, or entered a date before the day on which the approver was
named. Needs capture on the server. Accounts are put together by `[[people]]` in auditreg.toml. What another system
holds too needs no author."""
rationale = """
Anyone who may write a tag may write any name into it. An approval that somebody else entered is that
person's word for it."""
remediation = """
Have approvers set the tag with an account of their own, or keep the approval where it was given and import it
from there. Where accounts are unknown, add them to `[[people]]`."""
*/
with did(field, did) as (
    values (null, 'entered the approval of {subject} by {approver}'), ('approver', 'entered {approver} as approver of {subject}'),
           ('approval_decision', 'changed the decision in the approval of {subject} by {approver} to ''{decision}'''),
           ('approval_date', 'entered {stated} as the date of the approval of {subject} by {approver}'),
           ('removal', 'removed what stood beside {approver} in the approval of {subject}')
)
select p.subject,
       case when not v.names_approver or v.entered = 'imported' then 'not_applicable'
            when v.verdict = 'order cannot be told' or v.entered = 'not recorded' then 'undecided'
            when v.entered = 'approver' then 'pass'
            when v.entered in ('somebody else', 'service account') then 'fail'
            else 'not_evidenced' end as status,
       case when not v.names_approver then 'Nobody is recorded who could have approved {subject}: see approver-recorded'
            when v.verdict = 'order cannot be told'
            then 'The approver of {subject} changed around this moment; which one stands cannot be told'
            else case v.entered
                 when 'imported' then 'The approval of {subject} by {approver} is kept in {system}' || case when v.reference is null then '' else ' ({reference})' end
                 when 'not recorded' then 'Who ' || w.did || ' cannot be told: the MLflow server kept no journal of that change'
                 when 'service account' then 'The service account {entered_by} ' || w.did || ' {entered_at}'
                 when 'unknown account' then '{entered_by}, nobody listed in auditreg.toml, ' || w.did || ' {entered_at}'
                 when 'nobody named' then 'Who ' || w.did || ' {entered_at} is not known: the request bore no authenticated user'
                 else '{entered_by} ' || w.did || ' {entered_at}'
                      || case when v.entered = 'unknown approver' then '; {approver} is nobody listed in auditreg.toml'
                              when v.entered = 'one of several' then ', an account of several people; whether it was that of {approver} then is not known'
                              when v.entered = 'somebody else' and speaks_for(v.entered_by, v.approver) then ', but did not speak for {approver} that day'
                              when d.subject is not null then ', and is among its developers' else '' end end
                 || case when v.entered_from = 'program' then '; the program that did it named the account' else '' end
       end as reason,
       case when v.entered in ('imported', 'not recorded') or v.entered is null then 'none'
            when v.entered_from = 'program' then 'asserted' else 'captured' end as grade,
       case when v.names_approver and v.entered in ('unknown account', 'unknown approver')
            then list_person(case v.entered when 'unknown account' then v.entered_by else v.approver end) end as fix,
       v.approver, v.tag, v.entered, v.decision, v.stated, v.entered_field, v.entered_by, v.entered_from,
       v.entered_not_before as entered_at_not_before, v.entered_not_after as entered_at_not_after, v.system, v.reference
from population_live_in_period p
join (select *, local_day(entered_not_after) as entered_on from approval_verdicts) v on v.subject = p.subject
join did w on w.field is not distinct from v.entered_field
left join (
    select distinct d.subject, a.account, a.first_day, a.last_day from developer_persons d join party_persons a on a.person = d.person and a.part = 'holder' where d.surely
) d on d.subject = v.subject and d.account = lower(trim(v.entered_by)) and in_term(v.entered_on, d.first_day, d.last_day)
