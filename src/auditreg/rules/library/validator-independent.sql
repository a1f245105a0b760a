/*
title = "The validator did not develop the version"
finding = "The validator developed the version"
severity = "high"
scope = "live_in_period"
repair = "tag"
covered_by = "validation-recorded"
looks_for = """
The validator of the version compared, as a person, with everybody who is or ever was recorded as its developer:
the field `developer` and the user of the training run. Accounts and spellings are put together by `[[people]]` in
auditreg.toml; a name not listed there counts as unknown and is not evidenced, and so is one that may mean the validator among
others: an account that was passed on, a body as developer. A body validates independently while one of its members of that day
developed nothing. Where no person is recorded as developer, that is told by `developer-recorded`."""
rationale = """
A validation by whoever built the model finds what the builder already knows. Every text on model risk asks that
the reviewer be somebody else."""
remediation = """
Have somebody else validate the version and record it. Where accounts are unknown, add them to `[[people]]`; where a
service account trained the model, record the developer on the version."""
*/
select p.subject,
       case when v.verdict in ('none', 'placeholder') or v.validator is null then 'not_applicable'
            when v.verdict = 'order cannot be told' then 'undecided'
            when v.independence = 'independent' then 'pass' when v.independence = 'developed it' then 'fail'
            when v.independence in ('no developer', 'service developer') then 'not_applicable'
            else 'not_evidenced' end as status,
       case when v.verdict in ('none', 'placeholder') or v.validator is null
            then 'No validator of {subject} is recorded: see validation-recorded'
            when v.verdict = 'order cannot be told'
            then 'The validation of {subject} changed around this moment; which one stands cannot be told'
            else case v.independence
                 when 'independent' then '{subject} was validated by {validator} and developed by {developers}'
                 when 'developed it' then '{subject} was validated by {validator}' || case v.party_kind
                      when 'body' then ', all of whose members' else ', who also' end || ' developed it ({developers})'
                 when 'validator unknown' then 'The validator ''{validator}'' of {subject} is nobody listed in auditreg.toml, '
                      || 'so independence from the developer cannot be judged'
                 when 'one of several' then case
                      when v.party_kind = 'body' then 'Whether a member of {validator}, who validated {subject}, is none of its developers ({developers}) '
                           || 'cannot be told: these names may mean several people'
                      when m.developer is null then '''{validator}'', who validated {subject}, may mean one of its developers ({developers}): the account was passed on'
                      else '''{several}'', recorded as developer of {subject}, may mean {validator}, who validated it: ' || case
                           when m.is_body then 'a body means everybody who ever sat in it' else 'the account was passed on' end end
                 when 'developer unknown' then 'A developer of {subject} ({developers}) is nobody listed in auditreg.toml, '
                      || 'so the independence of {validator} cannot be judged'
                 else 'Nobody but perhaps a service account is recorded as developer of {subject}, so that {validator} '
                      || 'cannot be compared: see developer-recorded' end
       end as reason,
       case when v.validator is null then 'none' else 'asserted' end as grade,
       case when v.validator is not null and v.independence in ('validator unknown', 'developer unknown')
            then list_person(case v.independence when 'validator unknown' then v.validator else s.stranger end) end as fix,
       v.validator, v.party as validator_person, v.developers, v.independence, m.developer as several
from population_live_in_period p
join validation_verdicts v on v.subject = p.subject
left join (select subject, min(developer) as stranger from developers where person_of(developer) is null group by subject) s on s.subject = p.subject
left join (
    select subject, person, min(developer) as developer, bool_or(party_kind = 'body') as is_body from developer_persons where not surely group by subject, person
) m on m.subject = v.subject and m.person = v.party
