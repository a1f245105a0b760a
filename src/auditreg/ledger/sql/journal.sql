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

-- step: identities known from the log
{known models};

-- step: models that are where they were, with what this reading shows
create or replace temp table image_unmoved as
select k.subject from known_model k join stage_registered_models s
  on s.workspace = k.workspace and s.model = k.model
 and moment(s.creation_time) is not distinct from k.created_at;

-- step: names that are one model
create or replace temp table image_known as
with name as (select distinct workspace, model, created_at from image_name),
{models of name without image_unmoved}
select workspace, model, created_at, subject,
       'm-' || left(sha256($registry || chr(31) || workspace || chr(31) || model || chr(31)
                           || coalesce(epoch_ms(created_at)::VARCHAR, '')), 16) as minted
from identified;
