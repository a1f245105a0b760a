/*
title = "The approver is recorded"
severity = "critical"
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `approver` on the version itself. A tag on the registered
model does not say which version was approved and counts only where `accept_model_tags` is true.
A service account cannot approve; a recorded decision such as `rejected` contradicts."""
rationale = """
That a named person agreed to put this version into use is the control every framework begins
with."""
remediation = """
Have the person who approved the version recorded on it, with the date. If nobody has approved
it, it should not be live."""

[params]
accept_model_tags = false
*/
with accepting as (
    select coalesce(getvariable('accept_model_tags')::VARCHAR,
                    setting('approver-recorded.accept_model_tags'), 'false')::BOOLEAN as model_tags
),
wanted as (
    select applies_to, string_agg(tag, ', ' order by rank) as tags, arg_min(tag, rank) as tag
    from governance_fields where field = 'approver'
    group by applies_to
),
best as (
    select subject, field, max(value) as value, max(found_in) as found_in, max(tag) as tag,
           max(grade) as grade, min(not_before) as recorded_not_before,
           max(not_after) as recorded_not_after,
           bool_or(certainty in ('uncertain', 'unknown'))
               and (count(distinct value) > 1 or count(*) = 1) as open,
           string_agg(value || ' (' || candidate || ')', ' or ' order by candidate desc, value)
               filter (where certainty in ('uncertain', 'unknown'))
               || case when count(*) = 1 then ' or no record' else '' end as candidates
    from fields
    where field in ('approver', 'approval_decision') and rank = 1
    group by subject, field
),
keys as (
    select key from model_version_tags union select key from registered_model_tags
),
-- every tag key in use that resembles one that is looked for
alike as (
    select k.key,
           max(case when contains(k.plain, w.plain) and length(w.plain) >= 5 then 0.95
                    else jaro_winkler_similarity(k.plain, w.plain) end) as score
    from (select key, regexp_replace(lower(key), '[^a-z0-9]', '', 'g') as plain from keys) k,
         (select regexp_replace(lower(regexp_extract(tag, '[^.]*$')), '[^a-z0-9]', '', 'g') as plain
          from governance_fields where field = 'approver') w
    where k.key not in (select tag from governance_fields)
    group by k.key
    having max(case when contains(k.plain, w.plain) and length(w.plain) >= 5 then 0.95
                    else jaro_winkler_similarity(k.plain, w.plain) end) >= 0.85
),
near as (
    select subject, max({'score': score, 'key': key, 'value': value}) as tag
    from (
        select p.subject, s.score, t.key, t.value
        from population_live_version p
        join model_version_tags t on t.subject = p.subject
        join alike s on s.key = t.key
        union all
        select p.subject, s.score, t.key, t.value
        from population_live_version p
        join registered_model_tags t on t.model_subject = split_part(p.subject, '/', 1)
        join alike s on s.key = t.key
    )
    group by subject
),
-- the newest other version of the model that does name an approver
other as (
    select model_subject, max({'version': version, 'value': value, 'tag': tag}) as last
    from fields
    where field = 'approver' and found_in = 'version tag' and rank = 1
    group by model_subject
),
judged as (
    select p.*, a.value, a.found_in, a.tag, a.grade, a.candidates, n.tag as near_tag,
           d.value as decision, o.last as other, w.tags as wanted_tags, w.tag as first_tag,
           case when d.open or a.open then 'uncertain'
                when lower(trim(d.value)) in ('rejected', 'reject', 'declined', 'denied', 'refused', 'withdrawn', 'revoked', 'not approved', 'no', 'false')
                     and d.found_in <> 'model tag' then 'rejected'
                when a.subject is null then 'missing'
                when a.found_in = 'model tag' and not c.model_tags then 'model only'
                when regexp_matches(lower(trim(a.value)),
                                    '^(tbd|tbc|todo|n/?a|none|null|nil|unknown|unassigned|pending|true|yes|ok|approved|x+|-+|\?+|\.+|<.*>)$')
                     then 'placeholder'
                when is_service(a.value) then 'service'
                when lower(trim(d.value)) in ('pending', 'requested', 'open', 'draft', 'in review', 'submitted', 'to be approved') then 'pending'
                else 'recorded' end as found
    from population_live_version p
    left join wanted w on w.applies_to = conventions_of(p.registry, p.workspace)
    cross join accepting c
    left join best a on a.subject = p.subject and a.field = 'approver'
    left join best d on d.subject = p.subject and d.field = 'approval_decision'
    left join near n on n.subject = p.subject
    left join other o on o.model_subject = split_part(p.subject, '/', 1)
)
select subject,
       case when found = 'recorded' then 'pass' when found in ('rejected', 'service') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'recorded' then model || '/' || version || ' names its approver in ' || tag || ': '
                || left(value, 200)
           when 'rejected' then 'The approval decision recorded for ' || model || '/' || version
                || ' is ''' || left(decision, 80) || ''', yet the version is live'
           when 'service' then 'The approver of ' || model || '/' || version || ' is ''' || left(value, 80)
                || ''', a service account; only a person can approve'
           when 'pending' then 'The approval decision recorded for ' || model || '/' || version
                || ' is ''' || left(decision, 80) || ''''
           when 'placeholder' then 'The approver of ' || model || '/' || version || ' is given as '''
                || left(value, 80) || ''', which names nobody'
           when 'model only' then 'The approver ''' || left(value, 80) || ''' is recorded on model '
                || model || ', not on version ' || version
                || ': it does not say which version was approved'
           when 'uncertain' then 'The approval of ' || model || '/' || version
                || ' at this moment is uncertain: ' || coalesce(left(candidates, 300), decision)
           else 'No approver recorded on ' || model || '/' || version || '; looked for the tags '
                || coalesce(wanted_tags, '(none configured)')
                || case when near_tag is not null
                        then '; nearest tag: ''' || near_tag.key || ''' = '''
                             || left(coalesce(near_tag.value, ''), 80) || ''''
                        when other is not null
                        then '; version ' || other.version || ' has ''' || other.tag || ''' = '''
                             || left(other.value, 80) || ''''
                        else '' end
       end as reason,
       case when found = 'missing' then 'none' else grade end as grade,
       case when found in ('missing', 'model only', 'placeholder')
            then 'client.set_model_version_tag(' || to_json(model)::VARCHAR || ', "' || version || '", '
                 || to_json(coalesce(first_tag, 'gov.approval.by'))::VARCHAR
                 || ', "<account of the person who approved>")' end as fix,
       value as approver, found_in, tag, decision, candidates,
       case when found = 'missing' then near_tag.key end as nearest_tag,
       case when found = 'missing' then near_tag.value end as nearest_value
from judged
