/*
title = "Nobody may write by the server's default permission"
finding = "Every account may write by the server's default permission"
severity = "medium"
scope = "ledger"
repair = "registry"
looks_for = """
What MLflow's basic-auth gives every account (`default_permission`), in each registry whose users and rights were read:
READ, USE or nothing. Where it was not read and auditreg.toml does not tell it (`auth_default` of the `[[source]]`), that
is said. Servers without basic-auth are not seen here: who may write there is decided elsewhere."""
rationale = """
A default of EDIT lets every account replace every model. Rights given one by one then restrict nobody."""
remediation = """
Set `default_permission = READ` in basic_auth.ini, and give rights to those who need them."""
*/
with everyone as (
    select registry, max(permission) as permission, bool_or(certainty in ('uncertain', 'unknown')) or count(distinct permission) > 1 as open
    from permissions where principal_kind = 'everyone' group by registry
),
counted as (
    select count(*) as registries, bool_or(open) as open, string_agg(registry || ' (' || coalesce(permission, 'not known') || ')', ', ' order by registry) as defaults,
           string_agg(registry || ' (' || permission || ')', ', ' order by registry) filter (where permission in ('EDIT', 'MANAGE') and not open) as writable,
           string_agg(registry, ', ' order by registry) filter (where permission is null and not open) as unknown
    from everyone
)
select p.subject,
       case when c.registries = 0 then 'not_applicable' when c.writable is not null then 'fail' when c.open then 'undecided'
            when c.unknown is not null then 'not_evidenced' else 'pass' end as status,
       case when c.registries = 0 then 'The users and rights of no registry were read'
            when c.writable is not null then 'By the server''s default permission every account may write: {writable}'
            when c.open then 'The server''s default permission changed around this moment: {defaults}'
            when c.unknown is not null then 'The server''s default permission is not known: {unknown}'
            else 'The server''s default permission lets nobody write: {defaults}' end as reason,
       case when c.registries = 0 or c.unknown is not null then 'none' else 'observed' end as grade,
       case when c.unknown is not null
            then 'auditreg.toml: auth_default of the [[source]] = "<default_permission of basic_auth.ini>"' end as fix,
       c.defaults, c.writable, c.unknown
from population_ledger p cross join counted c
