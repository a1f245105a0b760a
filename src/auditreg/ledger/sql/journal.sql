-- From the server's journal (stage_journal) to entries. Blocks run in order; $-names are parameters.
-- Every row of the journal says what stood in a row of the registry before and after: images.

-- step: read both sides of every row; what is no JSON object of that shape becomes NULL
create or replace temp table journal_side as
select id as journal, side, table_name, nullif(model_created, 0) as model_created, text is not null as given,
       try(from_json(text, '{structure}')) as content
from (
    select id, 'before' as side, table_name, model_created, before_row as text from stage_journal
    where operation in ('insert', 'update', 'delete')
    union all
    select id, 'after', table_name, model_created, after_row from stage_journal
    where operation in ('insert', 'update', 'delete')
);

-- step: rows that cannot be read as what they say they are
create or replace temp table journal_problem as
select id as journal,
       case when server_time is null or moment(server_time) is null then 'its time is none'
            when operation not in ('insert', 'update', 'delete', 'journal', 'start', 'stop',
                                   'off', 'missed', 'prune')
            then 'its operation is none that is known'
            when operation in ('insert', 'update', 'delete')
             and (table_name is null
                  or table_name not in ('registered_models', 'registered_model_tags',
                                        'model_versions', 'model_version_tags',
                                        'registered_model_aliases'))
            then 'its table is none of the registry'
            when operation in ('update', 'delete') and b.journal is null
            then 'what stood there before cannot be read'
            when operation in ('insert', 'update') and a.journal is null
            then 'what stood there after cannot be read'
       end as problem
from stage_journal j
left join (select journal from journal_side where side = 'before' and {readable}) b on b.journal = j.id
left join (select journal from journal_side where side = 'after' and {readable}) a on a.journal = j.id;

-- step: what can be read
create or replace temp table journal_image as
select journal, side, table_name, coalesce(staged(content.workspace), 'default') as workspace,
       staged(content.name) as model, model_created, content
from journal_side
where {readable} and journal in (select journal from journal_problem where problem is null)
  and given;

-- step: images of registered models
create or replace temp table image_registered_models as
select journal, side, workspace, model, {image of registered_model}
from journal_image where table_name = 'registered_models';

-- step: images of their tags
create or replace temp table image_registered_model_tags as
select journal, side, workspace, model, {image of registered_model_tag}
from journal_image where table_name = 'registered_model_tags';

-- step: images of versions
create or replace temp table image_model_versions as
select journal, side, workspace, model, {image of model_version}
from journal_image where table_name = 'model_versions';

-- step: images of their tags
create or replace temp table image_model_version_tags as
select journal, side, workspace, model, {image of model_version_tag}
from journal_image where table_name = 'model_version_tags';

-- step: images of aliases
create or replace temp table image_aliases as
select journal, side, workspace, model, {image of alias}
from journal_image where table_name = 'registered_model_aliases';

-- step: the models they belong to, by name then and creation time
create or replace temp table image_name as
select distinct journal, workspace, model, moment(model_created) as created_at from journal_image;

-- step: names that are one model: known by workspace, name and creation time; else by creation time alone, where
-- that names one model that is no longer where it was: moved or renamed, which nobody recorded
create or replace temp table image_known as
with known as (
    select distinct subject, workspace, model,
           nullif(created_at, timestamp '1970-01-01') as created_at
    from ledger.log
    where kind = 'registered_model' and registry = $registry and entry is not null
),
name as (select distinct workspace, model, created_at from image_name),
exact as (
    select n.workspace, n.model, n.created_at, min(k.subject) as subject
    from name n left join known k
      on k.workspace = n.workspace and k.model = n.model
     and k.created_at is not distinct from n.created_at
    group by n.workspace, n.model, n.created_at
),
candidate as (
    select e.workspace, e.model, k.subject,
           min(case when k.model = e.model then 1 when k.workspace = e.workspace then 2 else 3 end)
               as distance
    from exact e join known k on k.created_at = e.created_at
    where e.subject is null
      and k.subject not in (
          select h.subject from known h join stage_registered_models s
            on s.workspace = h.workspace and s.model = h.model
           and moment(s.creation_time) is not distinct from h.created_at)
    group by e.workspace, e.model, k.subject
),
nearest as (
    select workspace, model, any_value(subject) as subject
    from (select * from candidate
          qualify distance = min(distance) over (partition by workspace, model))
    group by workspace, model
    having count(*) = 1
)
select e.workspace, e.model, e.created_at, coalesce(e.subject, n.subject) as subject,
       'm-' || left(sha256($registry || chr(31) || e.workspace || chr(31) || e.model || chr(31)
                           || coalesce(epoch_ms(e.created_at)::VARCHAR, '')), 16) as minted
from exact e
left join (select * from nearest
           qualify count(*) over (partition by subject) = 1) n
  on n.workspace = e.workspace and n.model = e.model and e.subject is null;
