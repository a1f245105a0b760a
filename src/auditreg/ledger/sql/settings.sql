-- Settings as sealed, and the scalar macros that rules ask: a variable of the session first
-- (set variable as_of = ...), the sealed value otherwise. Never the clock.
create table settings (name VARCHAR NOT NULL, value VARCHAR, applies_to VARCHAR DEFAULT '');
create table people (person VARCHAR, name VARCHAR, account VARCHAR, role VARCHAR, valid_from DATE, valid_until DATE, service BOOLEAN);
create table live_names (kind VARCHAR, name VARCHAR, applies_to VARCHAR DEFAULT '');
create table governance_fields (field VARCHAR, number INTEGER, title VARCHAR, tag VARCHAR, rank INTEGER, native VARCHAR, applies_to VARCHAR DEFAULT '');
create table questions (id VARCHAR, title VARCHAR, sql VARCHAR);
create table dictionary (table_name VARCHAR, column_name VARCHAR, description VARCHAR);

create macro setting(wanted) as (select any_value(value) from settings where settings.name = wanted and applies_to = '');
-- Whose conventions hold in a workspace: its own ('pricing/claims'), else its registry's ('pricing'), else
-- the general ones (''). Rows of settings, live_names and governance_fields under that applies_to are
-- all that hold there: what differs stands in the place of the general, and the rest is repeated.
-- Without functions like list_intersect: to a DuckDB before 1.5 they are lambdas, which hold no subquery.
create macro conventions_of(of_registry, of_workspace) as case
    when list_contains((select list(distinct applies_to) from settings),
                       coalesce(of_registry, '') || '/' || coalesce(of_workspace, ''))
    then coalesce(of_registry, '') || '/' || coalesce(of_workspace, '')
    when list_contains((select list(distinct applies_to) from settings), coalesce(of_registry, ''))
    then coalesce(of_registry, '') else '' end;
create macro as_of() as coalesce(getvariable('as_of')::TIMESTAMP, setting('as_of')::TIMESTAMP);
create macro period_start() as coalesce(getvariable('period_start')::TIMESTAMP, setting('period_start')::TIMESTAMP);
create macro period_end() as coalesce(getvariable('period_end')::TIMESTAMP, setting('period_end')::TIMESTAMP);
create macro person_of(spelling) as (select min(person) from people where account = lower(trim(spelling)));
create macro is_service(spelling) as coalesce((select bool_or(service) from people where account = lower(trim(spelling))), false);
