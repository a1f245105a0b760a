/*
title = "Nobody may write by the server's default permission"
finding = "Every account may write by the server's default permission"
severity = "medium"
scope = "ledger"
repair = "registry"
reads = "registry"
looks_for = """
What MLflow's basic-auth gives every account (`default_permission`), in each registry whose users and rights were read:
READ, USE or nothing. Where auditreg.toml does not tell it (`auth_default` of the `[[source]]`), or the users and rights
of a registry were never read, that leaves it open: without basic-auth, who may write is decided elsewhere."""
rationale = """
A default of EDIT lets every account replace every model. Rights given one by one then restrict nobody."""
remediation = """
Set `default_permission = READ` in basic_auth.ini, and give rights to those who need them."""
*/
with everyone as (
    select r.registry, string_agg(distinct coalesce(p.permission, 'not known'), ' or ' order by coalesce(p.permission, 'not known')) as permission,
           case when count(p.registry) = 0 then 'unread'
                when count(*) = 1 and bool_or(p.certainty in ('uncertain', 'unknown')) then 'open'
                when bool_and(coalesce(p.permission in ('EDIT', 'MANAGE'), false)) then 'writable'
                when bool_or(p.permission in ('EDIT', 'MANAGE')) then 'open'
                when bool_or(p.permission is null) then 'unknown' else 'safe' end as found
    from (select distinct registry from extractions where observed_at <= as_of()) r
    left join permissions p on p.registry = r.registry and p.principal_kind = 'everyone'
    group by r.registry
),
counted as (
    select string_agg(registry || ' (' || permission || ')', ', ' order by registry) as defaults,
           string_agg(registry || ' (' || permission || ')', ', ' order by registry) filter (where found = 'writable') as writable,
           string_agg(registry || ' (' || permission || ')', ', ' order by registry) filter (where found = 'open') as open,
           string_agg(registry, ', ' order by registry) filter (where found = 'unknown') as unknown,
           string_agg(registry, ', ' order by registry) filter (where found = 'unread') as unread
    from everyone
)
select p.subject,
       case when c.writable is not null then 'fail' when c.defaults is null then 'not_applicable'
            when coalesce(c.open, c.unknown, c.unread) is not null then 'undecided' else 'pass' end as status,
       case when c.writable is not null then 'By the server''s default permission every account may write: {writable}'
            when c.defaults is null then 'No registry was read by this moment'
            when coalesce(c.open, c.unknown, c.unread) is not null
            then concat_ws('; ', case when c.open is not null then 'The server''s default permission changed around this moment: {open}' end,
                           case when c.unknown is not null then 'The server''s default permission is not known: {unknown}' end,
                           case when c.unread is not null
                                then 'The users and rights of a registry were never read, so who may write there is not on record: {unread}' end)
            else 'The server''s default permission lets nobody write: {defaults}' end as reason,
       case when c.writable is not null or c.defaults is not null and coalesce(c.open, c.unknown, c.unread) is null then 'observed' else 'none' end as grade,
       case when c.writable is not null then null
            when c.unknown is not null then 'auditreg.toml: auth_default of the [[source]] = "<default_permission of basic_auth.ini>"'
            when c.unread is not null then 'auditreg.toml: auth_uri of the [[source]] = "<database of basic-auth>"' end as fix,
       c.defaults, c.writable, c.open, c.unknown, c.unread
from population_ledger p cross join counted c
