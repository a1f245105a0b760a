/*
title = "Everybody who may write to the live model is known"
severity = "medium"
scope = "live_version"
repair = "registry"
looks_for = """
Every account that MLflow's basic-auth lets change what is live: move an alias or a stage, register
a version, set a version's tags. Each has to be an account of a person or service account of
`[[people]]` in auditreg.toml who has not left. What counts is what MLflow decides, from
administrators, rights given to the account, roles and the server's default permission; where the
users of a registry were never read, the question does not arise."""
rationale = """
Whoever may write to a live model can replace it. An account nobody can name, or one of somebody who
has left, is a way into production that no approval sees."""
remediation = """
Take the right away where it is not needed. Name the account under `[[people]]` where it is. Where it
depends on the server's default permission, tell auditreg what that is (`auth_default` of its `[[source]]`)."""
*/
with read_registry as (
    select distinct registry from permissions where principal_kind = 'everyone'
),
writer as (
    select e.model_subject, e.account, e.person, e.how, e.can_write,
           e.certainty in ('uncertain', 'unknown') as open,
           g.person is not null as left_firm, g.until
    from effective_permissions e
    left join (
        select person, max(valid_until) as until
        from people
        group by person
        having bool_and(valid_until is not null) and max(valid_until) < as_of()::DATE
    ) g on g.person = e.person
    where e.can_write is distinct from false
      and e.model_subject in (select split_part(subject, '/', 1) from population_live_version)
),
counted as (
    select model_subject, count(*) filter (where can_write) as writers,
           count(*) filter (where can_write and person is null) as strangers,
           count(*) filter (where can_write and left_firm and not open) as departed,
           count(*) filter (where can_write is null and (person is null or left_firm)) as perhaps,
           string_agg(account, ', ' order by account) filter (where can_write) as accounts,
           string_agg(account || ' (' || how || ')', ', ' order by account)
               filter (where can_write and person is null) as stranger_names,
           string_agg(account || ' (' || person || ', until ' || strftime(until, '%Y-%m-%d') || ')', ', '
                      order by account) filter (where can_write and left_firm and not open)
               as departed_names,
           string_agg(account, ', ' order by account)
               filter (where can_write is null and (person is null or left_firm)) as perhaps_names,
           string_agg(account, ', ' order by account) filter (where left_firm and open) as open_names
    from writer
    group by model_subject
),
judged as (
    select p.*, c.writers, c.accounts, c.stranger_names, c.departed_names, c.perhaps_names,
           c.open_names,
           case when r.registry is null then 'unread'
                when c.departed > 0 then 'departed'
                when c.open_names is not null then 'uncertain'
                when c.strangers > 0 then 'strangers'
                when c.perhaps > 0 then 'perhaps'
                else 'known' end as found
    from population_live_version p
    left join read_registry r on r.registry = p.registry
    left join counted c on c.model_subject = split_part(p.subject, '/', 1)
)
select subject,
       case found when 'known' then 'pass' when 'departed' then 'fail'
                  when 'unread' then 'not_applicable' else 'not_evidenced' end as status,
       case found
           when 'unread' then 'The users and rights of this registry were never read, so who may write to '
                || model || ' is not on record'
           when 'known' then case coalesce(writers, 0) when 0 then 'Nobody may write to ' || model
                || ' through the server'
                else 'Everybody who may write to ' || model || ' is known: ' || left(accounts, 300) end
           when 'departed' then 'Who has left may still write to ' || model || ': '
                || left(departed_names, 300)
           when 'strangers' then 'May write to ' || model || ' and stands for nobody in auditreg.toml: '
                || left(stranger_names, 300)
           when 'uncertain' then 'Who has left may have been able to write to ' || model
                || ' at this moment: ' || left(open_names, 300)
           else 'Whether ' || left(perhaps_names, 300) || ' may write to ' || model
                || ' depends on the server''s default permission, which is not known'
       end as reason,
       case when found = 'unread' then 'none' else 'observed' end as grade,
       case found
           when 'strangers' then 'auditreg.toml: [[people]] id = "<person>", accounts = ["<account>"], for: '
                || left(stranger_names, 200)
           when 'perhaps' then 'auditreg.toml: auth_default of the [[source]] = "<default_permission of basic_auth.ini>"'
       end as fix,
       coalesce(writers, 0) as writers, accounts as writing_accounts, stranger_names as unknown_accounts,
       departed_names as departed_accounts
from judged
