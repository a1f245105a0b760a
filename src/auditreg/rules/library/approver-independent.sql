/*
title = "The approver did not develop the version"
severity = "critical"
scope = "live_version"
repair = "tag"
looks_for = """
The approver of the version compared, as a person, with everybody recorded as its developer: the
field `developer` and the user of the training run. Accounts and spellings are put together by
`[[people]]` in auditreg.toml; an account nobody claims is not evidenced, never a pass."""
rationale = """
Approval by the person who built the model is no second pair of eyes. Comparing account names
misses exactly that case: jsmith and Jane Smith."""
remediation = """
Have another person approve the version and record it. Where accounts are unknown, add them to
`[[people]]`; where a service account trained the model, record the developer on the version."""

[params]
accept_model_tags = false
*/
with accepting as (
    select coalesce(getvariable('accept_model_tags')::VARCHAR,
                    setting('approver-independent.accept_model_tags'), 'false')::BOOLEAN as model_tags
),
approver as (
    select subject, max(value) as value, max(found_in) as found_in, max(tag) as tag,
           bool_or(certainty in ('uncertain', 'unknown'))
               and (count(distinct value) > 1 or count(*) = 1) as open,
           string_agg(value || ' (' || candidate || ')', ' or ' order by candidate desc, value)
               filter (where certainty in ('uncertain', 'unknown')) as candidates
    from fields
    where field = 'approver' and rank = 1
    group by subject
),
developer as (
    select distinct subject, value from fields where field = 'developer'
),
-- every spelling once: whom it stands for
spelling as (
    select value, lower(trim(value)) as plain, person_of(value) as person,
           is_service(value) as service
    from (select distinct value from fields where field in ('approver', 'developer'))
),
compared as (
    select p.*, a.value as approver, a.found_in, a.tag, a.open, a.candidates,
           s.person as approver_person, s.service as approver_service,
           count(d.value) as developers,
           count(d.value) filter (where t.service) as services,
           count(d.value) filter (where t.person is null and not t.service) as strangers,
           coalesce(bool_or(t.plain = s.plain), false) as same_spelling,
           coalesce(bool_or(t.person = s.person), false) as same_person,
           string_agg(d.value, ', ' order by d.value) as developed_by,
           string_agg(d.value, ', ' order by d.value)
               filter (where t.person is null and not t.service) as unknown_developers
    from population_live_version p
    left join approver a on a.subject = p.subject
    left join spelling s on s.value = a.value
    left join developer d on d.subject = p.subject
    left join spelling t on t.value = d.value
    group by all
),
judged as (
    select k.*,
           case when approver is null then 'missing'
                when open then 'uncertain'
                when found_in = 'model tag' and not c.model_tags then 'model only'
                when approver_service then 'service'
                when same_person or same_spelling then 'same'
                when approver_person is null then 'unknown approver'
                when strangers > 0 then 'unknown developer'
                when developers = 0 then 'no developer'
                when developers = services then 'service developer'
                else 'independent' end as found
    from compared k cross join accepting c
)
select subject,
       case when found = 'independent' then 'pass' when found in ('same', 'service') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'independent' then model || '/' || version || ' was approved by ' || approver
                || ' and developed by ' || left(developed_by, 200)
           when 'same' then model || '/' || version || ' was approved by ' || approver
                || ', who also developed it (' || left(developed_by, 200) || ')'
           when 'service' then 'The approver of ' || model || '/' || version || ' is ''' || left(approver, 80)
                || ''', a service account, which never approves'
           when 'unknown approver' then 'The approver ''' || left(approver, 80) || ''' of ' || model || '/'
                || version || ' is no person listed in auditreg.toml, so independence from '
                || coalesce(left(developed_by, 200), 'the developer') || ' cannot be judged'
           when 'unknown developer' then 'The developer ''' || left(unknown_developers, 200) || ''' of ' || model
                || '/' || version || ' is no person listed in auditreg.toml, so independence from approver '
                || approver || ' cannot be judged'
           when 'no developer' then 'Nobody is recorded as developer of ' || model || '/' || version
                || ', so the independence of approver ' || approver || ' cannot be judged'
           when 'service developer' then 'The only recorded developer of ' || model || '/' || version
                || ' is a service account (' || left(developed_by, 200) || '), so nobody knows from whom approver '
                || approver || ' has to be independent'
           when 'model only' then 'The approver ''' || left(approver, 80) || ''' is recorded on model ' || model
                || ', not on version ' || version || ', so nothing shows who approved this version'
           when 'uncertain' then 'The approver of ' || model || '/' || version
                || ' at this moment is uncertain: ' || left(candidates, 300)
           else 'No approver recorded on ' || model || '/' || version
                || ', so independence cannot be judged'
       end as reason,
       case when found = 'missing' then 'none' else 'asserted' end as grade,
       case when found in ('no developer', 'service developer')
            then 'client.set_model_version_tag(' || to_json(model)::VARCHAR || ', "' || version || '", '
                 || to_json(coalesce((select arg_min(tag, rank) from governance_fields where field = 'developer'
                                        and applies_to = conventions_of(registry, workspace)),
                                     'gov.developer'))::VARCHAR || ', "<account of the developer>")'
            when found in ('unknown approver', 'unknown developer')
            then 'auditreg.toml: [[people]] id = "<person>", accounts = ['
                 || to_json(case found when 'unknown approver' then approver
                                       else unknown_developers end)::VARCHAR || ']'
       end as fix,
       approver, approver_person, developed_by as developer, candidates
from judged
