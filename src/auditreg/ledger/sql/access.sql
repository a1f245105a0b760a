-- Views over LoggedModels, prompts, and who may do what; made twice like those of views.sql.

-- block: version_logged_models
-- the LoggedModel a version was registered from: its source says so, or else the one LoggedModel that
-- names it in its tag and is not younger than it. Where two name it, neither is believed
with version as (
    select subject, registry, max_by(workspace, (not_after, seq)) as workspace,
           max_by(model, (not_after, seq)) as model, version,
           min(created_at) as created_at, max(logged_model_id) as logged_model_id
    from [model_versions]
    group by subject, registry, version
),
claim as (
    select registry, model_id,
           unnest(from_json(case when json_valid(value) then value end,
                            '[{"name":"VARCHAR","version":"VARCHAR"}]')) as target
    from [logged_model_tags]
    where key = 'mlflow.modelVersions' and value like '[%'
),
logged as (
    select l.registry, l.model_id, min(l.created_at) as created_at,
           max(e.workspace) as workspace
    from [logged_models] l
    left join [experiments] e on e.registry = l.registry and e.experiment_id = l.experiment_id
    group by l.registry, l.model_id
),
claimed as (
    select v.subject, max(claim.model_id) as logged_model_id
    from claim
    join logged l on l.registry = claim.registry and l.model_id = claim.model_id
    join version v on v.registry = claim.registry and v.model = claim.target.name
     and v.version = try_cast(claim.target.version as BIGINT)
     and v.workspace = coalesce(l.workspace, v.workspace)
    where v.logged_model_id is null
      and (l.created_at is null or v.created_at is null or l.created_at <= v.created_at)
    group by v.subject
    having count(distinct claim.model_id) = 1
)
select v.subject, v.registry, v.workspace, v.model, v.version,
       coalesce(v.logged_model_id, c.logged_model_id) as logged_model_id,
       case when v.logged_model_id is not null then 'source' else 'tag' end as found_in
from version v left join claimed c using (subject)
where v.logged_model_id is not null or c.logged_model_id is not null

-- block: prompts
-- one row per prompt: MLflow keeps it as a registered model
with named as (
    select subject as model_subject, registry,
           max_by(workspace, (not_after, seq)) as workspace,
           max_by(model, (not_after, seq)) as model,
           max_by(description, (not_after, seq)) as description, min(created_at) as created_at
    from [registered_models]
    where not deleted and subject in (select model_subject from [prompt_models])
    group by subject, registry
),
version as (
    select model_subject, max(version) as latest_version, count(distinct version) as versions
    from [model_versions]
    where not deleted
    group by model_subject
),
pointed as (
    select model_subject,
           string_agg(distinct alias || ' → ' || version, ', ' order by alias || ' → ' || version)
               as aliases
    from [aliases]
    where certainty not in ('uncertain', 'unknown')
    group by model_subject
)
select p.model_subject, n.registry, n.workspace, n.model, n.description, v.latest_version,
       coalesce(v.versions, 0) as versions, a.aliases, n.created_at
from [prompt_models] p left join named n using (model_subject)
left join version v using (model_subject) left join pointed a using (model_subject)

-- block: prompt_versions
-- a value that may be one of two at the moment asked for is NULL, and certainty is uncertain
with tag_value as (
    select subject, key, bool_or(certainty in ('uncertain', 'unknown')) as open,
           case when count(distinct value) = 1 and not open then any_value(value) end as value
    from [model_version_tags]
    where model_subject in (select model_subject from [prompt_models])
    group by subject, key
),
tag as (
    select subject, any_value(value) filter (where key = 'mlflow.prompt.text') as text,
           any_value(value) filter (where key = '_mlflow_prompt_type') as type,
           bool_or(open) as open
    from tag_value
    group by subject
),
other as (
    select subject, to_json(map(list(key order by key), list(value order by key)))::VARCHAR as tags
    from tag_value
    where key not in ('mlflow.prompt.text', 'mlflow.prompt.is_prompt', '_mlflow_prompt_type')
    group by subject
),
version as (
    select subject, model_subject, registry, max_by(workspace, (not_after, seq)) as workspace,
           max_by(model, (not_after, seq)) as model, version,
           case when count(distinct coalesce(description, '')) = 1
                then any_value(description) end as commit_message,
           max_by(user_id, (not_after, seq)) as user_id, min(created_at) as created_at,
           bool_and(deleted) as deleted,
           bool_or(certainty in ('uncertain', 'unknown')) as open,
           any_value(certainty) as certainty
    from [model_versions]
    where model_subject in (select model_subject from [prompt_models])
    group by subject, model_subject, registry, version
),
pointed as (
    select subject, string_agg(distinct alias, ', ' order by alias) as aliases
    from [aliases]
    where certainty not in ('uncertain', 'unknown')
    group by subject
)
select v.subject, v.model_subject, v.registry, v.workspace, v.model, v.version,
       t.type, t.text,
       v.commit_message, a.aliases, o.tags, v.user_id, v.created_at, v.deleted,
       case when v.open or coalesce(t.open, false) then 'uncertain' else v.certainty end as certainty
from version v left join tag t using (subject) left join other o using (subject)
left join pointed a using (subject)

-- block: effective_permissions
-- What MLflow decides for each account and model. With roles (the row of everyone is a floor)
-- everything a user holds in the model's workspace adds up, DENY before all of it and an administrator
-- of the workspace before that; without roles, what was given for the model decides alone, before what
-- was given for the workspace. Ranks: DENY -1, NO_PERMISSIONS 0, READ 1, USE 2, EDIT 3, MANAGE 4.
with account as (
    select registry, principal, any_value(person_of(principal)) as person,
           bool_or(coalesce(admin, false)) as admin,
           bool_or(certainty in ('uncertain', 'unknown')) as open
    from [principals]
    where kind = 'user'
    group by registry, principal
),
ranked as (
    select registry, coalesce(workspace, 'default') as workspace, resource_type, resource,
           principal_kind, principal, via, permission,
           certainty in ('uncertain', 'unknown') as open,
           case permission when 'MANAGE' then 4 when 'EDIT' then 3 when 'USE' then 2
                when 'READ' then 1 when 'NO_PERMISSIONS' then 0 when 'DENY' then -1 end as rank
    from [permissions]
),
everyone as (
    select registry, bool_or(via = 'floor') as roles, max(rank) as rank,
           bool_or(open) as open
    from ranked
    where principal_kind = 'everyone'
    group by registry
),
-- what each user holds, by itself or through a role
held as (
    select registry, principal, workspace, resource_type, resource, rank, via,
           null::VARCHAR as role, open
    from ranked
    where principal_kind = 'user' and via in ('direct', 'workspace')
    union all
    select m.registry, m.principal, p.workspace, p.resource_type, p.resource, p.rank, 'role',
           m.resource, p.open or m.open
    from ranked m join ranked p
      on p.registry = m.registry and p.workspace = m.workspace and p.principal_kind = 'role'
     and p.principal = m.resource
    where m.via = 'member'
),
item as (
    select subject as model_subject, registry, max_by(workspace, (not_after, seq)) as workspace,
           max_by(model, (not_after, seq)) as model,
           case when subject in (select model_subject from [prompt_models])
                then 'prompt' else 'model' end as kind
    from [registered_models]
    where not deleted
    group by subject, registry
),
placed as (
    -- workspaces are in use where anything stands in another one than default
    select registry, bool_or(workspace <> 'default') as several
    from (select registry, workspace from item
          union all select registry, workspace from ranked where via <> 'default')
    group by registry
),
in_workspace as (
    select registry, principal, workspace, max(rank) as rank,
           bool_or(rank = 4 and via <> 'workspace') as admin, bool_or(open) as open
    from held
    where resource_type = 'workspace' and resource = '*'
    group by registry, principal, workspace
),
-- grants on the model, or on every model of the workspace; and on versions of any of them
wanted as (
    select i.*, case when e.roles and i.kind = 'prompt' then 'prompt'
                     else 'registered_model' end as resource_type
    from item i join everyone e using (registry)
),
-- two joins by equality: nearly every model has a grant of its own, to whoever made it
matched as (
    select w.model_subject, h.principal, h.rank, h.via, h.role, h.open
    from held h join wanted w
      on w.registry = h.registry and w.workspace = h.workspace
     and w.resource_type = h.resource_type and w.model = h.resource
    union all
    select w.model_subject, h.principal, h.rank, h.via, h.role, h.open
    from held h join wanted w
      on w.registry = h.registry and w.workspace = h.workspace
     and w.resource_type = h.resource_type
    where h.resource = '*'
),
model_right as (
    select model_subject, principal, max(rank) as rank, bool_or(rank = -1) as denied,
           max_by(via, (rank, via)) as via,
           max_by(role, (rank, role)) filter (where role is not null) as role,
           bool_or(open) as open
    from matched
    group by model_subject, principal
),
tier as (
    select registry, workspace, principal, resource_type, max(rank) as rank,
           bool_or(rank = -1) as denied, bool_or(open) as open
    from held
    where resource_type in ('registered_model_version', 'prompt_version') and resource = '*'
    group by registry, workspace, principal, resource_type
),
decision as (
    select a.registry, i.workspace, i.model, i.model_subject, i.kind, a.principal, a.person,
           e.roles, e.rank as floor, o.role,
           -- whether the default reaches this model at all: where workspaces are in use it does not,
           -- except perhaps in the workspace default
           case when not coalesce(p.several, false) then 'applies'
                when i.workspace <> 'default' then 'no' else 'unknown' end as reach,
           case when a.admin then 'admin'
                when e.roles and w.admin then 'workspace admin'
                when o.denied then 'denied'
                when e.roles and o.rank between 1 and e.rank - 1 and reach = 'applies'
                then 'default'
                when o.rank is not null then o.via
                when w.rank is not null and not e.roles then 'workspace'
                when reach = 'no' then 'none'
                when reach = 'unknown' or e.rank is null then 'default unknown'
                else 'default' end as how,
           case how when 'admin' then 4 when 'workspace admin' then 4 when 'denied' then 0
                when 'workspace' then w.rank when 'none' then 0 when 'default' then e.rank
                when 'default unknown' then null
                else case when e.roles and o.rank > 0 then greatest(o.rank, coalesce(e.rank, 0))
                          else o.rank end end as level,
           t.denied as versions_denied,
           case when how in ('admin', 'workspace admin') then 4 when t.denied then 0
                when t.rank > 0 then greatest(t.rank, coalesce(e.rank, 0))
                else coalesce(t.rank, level) end as version_level,
           a.open or e.open or coalesce(w.open, false) or coalesce(o.open, false)
               or coalesce(t.open, false) as open
    from account a
    join everyone e using (registry)
    join item i on i.registry = a.registry
    left join placed p on p.registry = a.registry
    left join model_right o on o.model_subject = i.model_subject and o.principal = a.principal
    left join in_workspace w on w.registry = a.registry and w.workspace = i.workspace
                            and w.principal = a.principal
    left join tier t on e.roles and t.registry = a.registry and t.workspace = i.workspace
                    and t.principal = a.principal and t.resource_type =
                        case i.kind when 'prompt' then 'prompt_version'
                             else 'registered_model_version' end
)
select model_subject, registry, workspace, model, kind, person,
       principal as account,
       case level when 4 then 'MANAGE' when 3 then 'EDIT' when 2 then 'USE' when 1 then 'READ'
            when 0 then 'NO_PERMISSIONS' end as permission,
       case when level is null then null when level < 1 then 'NO_PERMISSIONS'
            else case version_level when 4 then 'MANAGE' when 3 then 'EDIT' when 2 then 'USE'
                      when 1 then 'READ' when 0 then 'NO_PERMISSIONS' end
            end as version_permission,
       how, case when how = 'role' then role end as role,
       case when level >= 1 and version_level >= 3 then true
            when level >= 3 and not coalesce(versions_denied, false) then true
            when level is null and not coalesce(versions_denied, false) then null
            when level between 1 and 2 and roles and floor is null
                 and not coalesce(versions_denied, false) then null
            else false end as can_write,
       floor is null and roles and how in ('direct', 'role') and level between 1 and 3
           or how = 'default unknown' as may_be_more,
       case when open then 'uncertain' else 'certain' end as certainty
from decision
