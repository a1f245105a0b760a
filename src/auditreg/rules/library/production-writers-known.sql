/*
title = "Accounts that the server lets write to the live model are known"
finding = "The server lets an unknown, shared or departed account write to the live model"
severity = "medium"
scope = "live_version"
repair = "registry"
reads = "registry"
covered_by = "default-permission-safe"
looks_for = """
Every account that MLflow's basic-auth lets change what is live: move an alias or a stage, register a version, set a
version's tags. Each has to be an account of one person or service account of `[[people]]` in auditreg.toml who has not
left. What counts is what MLflow decides, from administrators, rights given to the account, roles and the server's default
permission. Rights to the database and to the model store are not read."""
rationale = """
Whoever may write to a live model can replace it. An account nobody can name, one that two share, or one of somebody who
has left, is a way into production that no approval sees."""
remediation = """
Take the right away where it is not needed. Name the account under `[[people]]` where it is."""
*/
with departed as (
    select distinct p.account
    from people p join (select person from people group by person
                        having bool_and(valid_until is not null) and max(valid_until) < judged_day()) g on g.person = p.person
    where in_office(p.account, judged_day()) = false
),
shared as (
    select account, string_agg(distinct person, ', ' order by person) as persons from people
    where not service and in_term(judged_day(), valid_from, valid_until)
    group by account having count(distinct person) > 1
),
writer as (
    select e.model_subject, e.account || ' (' || concat_ws(', ', coalesce(s.persons, e.person), e.how) || ')' as words, e.account, e.can_write,
           case when e.person is not null and d.account is null and s.account is null then 'known'
                when e.can_write is null then 'perhaps' when e.certainty in ('uncertain', 'unknown') then 'open'
                when d.account is not null then 'departed' when s.account is not null then 'shared' else 'stranger' end as how
    from effective_permissions e left join departed d on d.account = lower(trim(e.account)) left join shared s on s.account = lower(trim(e.account))
    where e.can_write is distinct from false
      and e.model_subject in (select split_part(subject, '/', 1) from population_live_version)
),
counted as (
    select model_subject, string_agg(account, ', ' order by account) filter (where can_write) as accounts,
           string_agg(words, ', ' order by words) filter (where how = 'departed') as departed,
           string_agg(words, ', ' order by words) filter (where how = 'shared') as shared,
           string_agg(words, ', ' order by words) filter (where how = 'stranger') as strangers, min(account) filter (where how = 'stranger') as stranger,
           string_agg(words, ', ' order by words) filter (where how = 'open') as open,
           string_agg(account, ', ' order by account) filter (where how = 'perhaps') as perhaps
    from writer group by model_subject
),
judged as (
    select p.subject, c.* exclude (model_subject),
           case when r.registry is null then 'unread' when c.departed is not null then 'departed'
                when c.shared is not null then 'shared' when c.strangers is not null then 'strangers' when c.open is not null then 'open'
                when c.perhaps is not null then 'perhaps' when c.accounts is null then 'nobody' else 'known' end as found
    from population_live_version p
    left join (select distinct registry from permissions where principal_kind = 'everyone') r on r.registry = p.registry
    left join counted c on c.model_subject = split_part(p.subject, '/', 1)
)
select subject,
       case when found in ('known', 'nobody') then 'pass' when found in ('departed', 'shared') then 'fail' when found = 'open' then 'undecided'
            when found = 'strangers' then 'not_evidenced' else 'not_applicable' end as status,
       case found
            when 'unread' then 'The users and rights of the registry of {subject} were never read: see default-permission-safe'
            when 'nobody' then 'No account may write to the model of {subject} through the server'
            when 'known' then 'Every MLflow account that may write to the model of {subject} through the server is known: {accounts}'
            when 'departed' then 'Who has left may still write to the model of {subject} through the server: {departed}'
            when 'shared' then 'Several people share an account that may write to the model of {subject}: {shared}'
            when 'strangers' then 'May write to the model of {subject} through the server, and is nobody in auditreg.toml: {strangers}'
            when 'open' then 'Whether an unknown, shared or departed account may write to the model of {subject} at this moment cannot be told: {open}'
            else 'Whether {perhaps} may write to the model of {subject} depends on a default that is not known: see default-permission-safe' end as reason,
       case when found = 'unread' then 'none' else 'observed' end as grade,
       case when found = 'strangers' then list_person(stranger) end as fix, accounts, departed, shared, strangers, perhaps, open
from judged
