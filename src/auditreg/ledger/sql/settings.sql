-- Settings as sealed, and the scalar macros that rules ask: a variable of the session first
-- (set variable as_of = ...), the sealed value otherwise. Never the clock.
create table settings (name VARCHAR NOT NULL, value VARCHAR, applies_to VARCHAR DEFAULT '');
create table people (person VARCHAR, name VARCHAR, account VARCHAR, role VARCHAR, valid_from DATE, valid_until DATE, service BOOLEAN, kind VARCHAR, minutes VARCHAR);
create table body_members (body VARCHAR, member VARCHAR, part VARCHAR, valid_from DATE, valid_until DATE);
create table authorities (role VARCHAR, act VARCHAR, rating VARCHAR);
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
-- What follows is NULL where nobody claims a spelling: an unknown name is no evidence either way. A day is
-- a DATE in the configured time zone. Where an account was passed on, whoever ever held it counts: the view party_persons
-- tells them apart, where person_of names but one.
create macro in_term(day, first_day, last_day) as
    (first_day is null or first_day <= day::DATE) and (last_day is null or last_day >= day::DATE);
-- Whether what was set and ended between such bounds stood from lo until before hi, or at lo where both are one moment:
-- perhaps for a part of it, and surely throughout. NULL bounds are open; where lo is not known, everything may have stood.
create macro perhaps_stood(set_not_before, until_not_after, lo, hi) as
    coalesce(set_not_before < hi or set_not_before = lo, true) and coalesce(until_not_after > lo, true);
create macro surely_stood(set_not_after, until_not_before, until_not_after, lo, hi) as
    lo is not null and coalesce(set_not_after <= lo, true) and coalesce(until_not_before >= hi, until_not_after is null);
-- 'service' comes last and so wins, as in is_service: a service account is never taken for a person.
create macro party_kind(spelling) as (select max(kind) from people where account = lower(trim(spelling)));
create macro in_office(spelling, day) as (
    select bool_or(in_term(day, valid_from, valid_until)) from people where account = lower(trim(spelling)));
create macro holds_role(spelling, wanted, day) as (
    select bool_or(coalesce(lower(trim(role)) = lower(trim(wanted)), false) and in_term(day, valid_from, valid_until))
    from people where account = lower(trim(spelling)));
-- Whether somebody may approve or validate (the act) a model of a rating that day. An act that no authority
-- names is open to everybody known and in office; one that is named is closed to whoever holds no role of it.
-- A service account never may. Each row says no (0), yes (2), or that it cannot be told (1): no day is given, or the
-- model has no rating and the role is for some. NULL then, unless another row says yes.
create macro may_act(spelling, act_wanted, rating_wanted, day) as (
    select case when bool_or(p.service) then false else
           case max(least(
               case when in_term(day, p.valid_from, p.valid_until) then 2
                    when not in_term(day, p.valid_from, p.valid_until) then 0 else 1 end,
               case when not coalesce(list_contains((select list(distinct act) from authorities),
                                                    lower(trim(act_wanted))), false) then 2
                    when coalesce(a.act <> lower(trim(act_wanted)), true) then 0
                    when a.rating in ('', lower(trim(rating_wanted))) then 2
                    when coalesce(trim(rating_wanted), '') = '' then 1 else 0 end))
           when 2 then true when 0 then false end end
    from people p left join authorities a on lower(trim(a.role)) = lower(trim(p.role))
    where p.account = lower(trim(spelling)));
-- Whether what an account records is the party's own word: it is that person's account, or that of a member or
-- the secretary of that body. With day := ... of whoever holds the account and has the seat that day, and NULL
-- where nobody holds it then. Whether the party was in office is another question: in_office.
create macro speaks_for(spelling, party, day := null) as case
    when lower(trim(spelling)) = lower(trim(party)) then true
    else (select bool_or(a.person = p.person or m.member is not null
                         and (day is null or in_term(day, m.valid_from, m.valid_until)))
          from (select distinct person from people where account = lower(trim(spelling))
                  and (day is null or in_term(day, valid_from, valid_until))) a
          cross join (select distinct person from people where account = lower(trim(party))) p
          left join body_members m on m.body = p.person and m.member = a.person) end;
-- Whether the server vouches for the name in actor, by actor_from of journal, changes, promotions or fields.
-- A program names itself: the change is recorded by the server then, and the name is the program's word.
create macro is_vouched(known_from) as coalesce(known_from in ('basic-auth', 'plugin', 'proxy'), false);
