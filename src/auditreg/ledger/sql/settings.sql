-- Settings as sealed, and the scalar macros that rules ask: a variable of the session first
-- (set variable as_of = ...), the sealed value otherwise. Never the clock.
create table settings (name VARCHAR NOT NULL, value VARCHAR);
create table people (person VARCHAR, name VARCHAR, account VARCHAR, role VARCHAR, valid_from DATE, valid_until DATE, service BOOLEAN);
create table live_names (kind VARCHAR, name VARCHAR);
create table governance_fields (field VARCHAR, number INTEGER, title VARCHAR, tag VARCHAR, rank INTEGER, native VARCHAR);
create table questions (id VARCHAR, title VARCHAR, sql VARCHAR);
create table dictionary (table_name VARCHAR, column_name VARCHAR, description VARCHAR);

create macro setting(wanted) as (select any_value(value) from settings where settings.name = wanted);
create macro as_of() as coalesce(getvariable('as_of')::TIMESTAMP, setting('as_of')::TIMESTAMP);
create macro period_start() as coalesce(getvariable('period_start')::TIMESTAMP, setting('period_start')::TIMESTAMP);
create macro period_end() as coalesce(getvariable('period_end')::TIMESTAMP, setting('period_end')::TIMESTAMP);
create macro person_of(spelling) as (select min(person) from people where account = lower(trim(spelling)));
create macro is_service(spelling) as coalesce((select bool_or(service) from people where account = lower(trim(spelling))), false);
