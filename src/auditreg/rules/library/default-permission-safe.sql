/*
title = "Nobody may write by the server's default permission"
finding = "Every account may write by the server's default permission"
severity = "medium"
scope = "ledger"
repair = "registry"
looks_for = """
What MLflow's basic-auth gives every account (`default_permission`), in each registry whose users and rights were read:
READ, USE or nothing. Where it was not read and auditreg.toml does not tell it (`auth_default` of the `[[source]]`), that
is said, as it is where the users of a registry were never read: without basic-auth, who may write is decided elsewhere."""
rationale = """
A default of EDIT lets every account replace every model. Rights given one by one then restrict nobody."""
remediation = """
Set `default_permission = READ` in basic_auth.ini, and give rights to those who need them."""
*/
with everyone as (
    select r.registry, max(p.permission) as permission, count(p.registry) > 0 as was_read,
           coalesce(bool_or(p.certainty in ('uncertain', 'unknown')), false) or count(distinct p.permission) > 1 as open
    from (select distinct registry from extractions where complete and observed_at <= as_of()) r
    left join permissions p on p.registry = r.registry and p.principal_kind = 'everyone'
    group by r.registry
),
counted as (
    select string_agg(registry || ' (' || coalesce(permission, 'not known') || ')', ', ' order by registry) as defaults, bool_or(open) as open,
           string_agg(registry || ' (' || permission || ')', ', ' order by registry) filter (where permission in ('EDIT', 'MANAGE') and not open) as writable,
           string_agg(registry, ', ' order by registry) filter (where permission is null and was_read) as unknown,
           string_agg(registry, ', ' order by registry) filter (where not was_read) as unread
    from everyone
)
select p.subject,
       case when c.writable is not null then 'fail' when c.open then 'undecided'
            when c.unknown is not null or c.unread is not null then 'not_evidenced' when c.defaults is null then 'not_applicable' else 'pass' end as status,
       case when c.writable is not null then 'By the server''s default permission every account may write: {writable}'
            when c.open then 'The server''s default permission changed around this moment: {defaults}'
            when c.unknown is not null then 'The server''s default permission is not known: {unknown}'
            when c.unread is not null then 'The users and rights of a registry were never read, so who may write there is not on record: {unread}'
            when c.defaults is null then 'No registry was read completely by this moment'
            else 'The server''s default permission lets nobody write: {defaults}' end as reason,
       case when c.writable is null and coalesce(c.unknown, c.unread) is not null or c.defaults is null then 'none' else 'observed' end as grade,
       case when c.writable is not null or c.open then null
            when c.unknown is not null then 'auditreg.toml: auth_default of the [[source]] = "<default_permission of basic_auth.ini>"'
            when c.unread is not null then 'auditreg.toml: auth_uri of the [[source]] = "<database of basic-auth>"' end as fix,
       c.defaults, c.writable, c.unknown, c.unread
from population_ledger p cross join counted c
