/*
title = "The approver did not develop the version"
finding = "The approver developed the version"
severity = "high"
scope = "live_in_period"
repair = "tag"
covered_by = "approver-recorded"
looks_for = """
The approver of the version compared, as a person, with everybody who is or ever was recorded as its
developer: the field `developer` and the user of the training run. Accounts and spellings are put together
by `[[people]]` in auditreg.toml; a name not listed there counts as unknown and is not evidenced, and so is one that may mean
the approver among others: an account that was passed on, a body as developer. A body approves independently while one of its
members of that day developed nothing. Where no person is recorded as developer, that is told by `developer-recorded`."""
rationale = """
Approval by the person who built the model is no second pair of eyes. Comparing account names misses
exactly that case: jsmith and Jane Smith."""
remediation = """
Have another person approve the version and record it. Where accounts are unknown, add them to
`[[people]]`; where a service account trained the model, record the developer on the version."""
*/
select p.subject,
       case when not v.names_approver then 'not_applicable'
            when v.verdict = 'order cannot be told' then 'undecided'
            when v.independence = 'developed it' then 'fail'
            when v.independence = 'independent' then 'pass'
            when v.independence in ('no developer', 'service developer') then 'not_applicable'
            else 'not_evidenced' end as status,
       case when not v.names_approver then 'Nobody is recorded who could have approved {subject}: see approver-recorded'
            when v.verdict = 'order cannot be told'
            then 'The approver of {subject} changed around this moment; which one stands cannot be told'
            else case v.independence
                 when 'independent' then '{subject} was approved by {approver} and developed by {developers}'
                 when 'developed it' then '{subject} was approved by {approver}' || case v.party_kind
                      when 'body' then ', all of whose members' else ', who also' end || ' developed it ({developers})'
                 when 'approver unknown' then 'The approver ''{approver}'' of {subject} is nobody listed in auditreg.toml, '
                      || 'so independence from the developer cannot be judged'
                 when 'one of several' then case
                      when v.party_kind = 'body' then 'Whether a member of {approver}, who approved {subject}, is none of its developers ({developers}) '
                           || 'cannot be told: these names may mean several people'
                      when m.developer is null then '''{approver}'', who approved {subject}, may mean one of its developers ({developers}): the account was passed on'
                      else '''{several}'', recorded as developer of {subject}, may mean {approver}, who approved it: ' || case
                           when m.is_body then 'a body means everybody who ever sat in it' else 'the account was passed on' end end
                 when 'developer unknown' then 'A developer of {subject} ({developers}) is nobody listed in auditreg.toml, '
                      || 'so the independence of {approver} cannot be judged'
                 else 'No person is recorded as developer of {subject}, from whom {approver} would have to be independent: '
                      || 'see developer-recorded' end
       end as reason,
       case when v.approver is null then 'none' else 'asserted' end as grade,
       case when v.independence in ('approver unknown', 'developer unknown') and v.names_approver
            then list_person(case v.independence when 'approver unknown' then v.approver else s.stranger end) end as fix,
       v.approver, v.party as approver_person, v.developers, v.independence, m.developer as several
from population_live_in_period p
join approval_verdicts v on v.subject = p.subject
left join (select subject, min(developer) as stranger from developers where person_of(developer) is null group by subject) s on s.subject = p.subject
left join (
    select subject, person, min(developer) as developer, bool_or(party_kind = 'body') as is_body from developer_persons where not surely group by subject, person
) m on m.subject = v.subject and m.person = v.party
