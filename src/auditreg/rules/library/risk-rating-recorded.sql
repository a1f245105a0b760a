/*
title = "A risk rating is recorded"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
The tags configured for the field `risk_rating`, on the version, then on its registered model.
The value has to be a rating that has a review cadence (high, medium and low unless
auditreg.toml says otherwise), compared without case."""
rationale = """
How deeply and how often a model is reviewed follows from its rating. Without one the model has
no review cadence, and its share of the portfolio's risk is unknown."""
remediation = """
Set the rating on the registered model. Firms with other words for it (tier 1, tier 2) name them
with their cadence under [review] in auditreg.toml."""
*/
with wanted as (
    select applies_to, string_agg(tag, ', ' order by rank) as tags, arg_min(tag, rank) as tag
    from governance_fields where field = 'risk_rating'
    group by applies_to
),
found as (
    select subject, max(value) as value, max(found_in) as found_in, max(tag) as tag,
           max(grade) as grade,
           bool_or(certainty in ('uncertain', 'unknown'))
               and (count(distinct value) > 1 or count(*) = 1) as open,
           string_agg(value || ' (' || candidate || ')', ' or ' order by candidate desc, value)
               filter (where certainty in ('uncertain', 'unknown'))
               || case when count(*) = 1 then ' or no record' else '' end as candidates
    from fields
    where field = 'risk_rating' and rank = 1
    group by subject
),
ratings as (
    select applies_to, list(substr(name, 9)) as known, string_agg(substr(name, 9), ', ' order by name) as named
    from settings where starts_with(name, 'cadence_')
    group by applies_to
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
          from governance_fields where field = 'risk_rating') w
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
judged as (
    select p.*, f.value, f.found_in, f.tag, f.grade, f.candidates, n.tag as near_tag,
           w.tags as wanted_tags, w.tag as first_tag, r.named as ratings,
           case when f.subject is null then 'missing'
                when f.open then 'uncertain'
                when regexp_matches(lower(trim(f.value)),
                                    '^(tbd|tbc|todo|n/?a|none|null|nil|unknown|unassigned|pending|x+|-+|\?+|\.+|<.*>)$') then 'placeholder'
                when not coalesce(list_contains(r.known, lower(trim(f.value))), false) then 'unknown word'
                else 'recorded' end as found
    from population_live_version p
    left join wanted w on w.applies_to = conventions_of(p.registry, p.workspace)
    left join ratings r on r.applies_to = conventions_of(p.registry, p.workspace)
    left join found f on f.subject = p.subject
    left join near n on n.subject = p.subject
)
select p.subject,
       case found when 'recorded' then 'pass' else 'not_evidenced' end as status,
       case found
           when 'recorded' then 'Risk rating of ' || model || '/' || version || ' recorded in ' || found_in || ' '
                || tag || ': ' || left(value, 200)
           when 'uncertain' then 'The risk rating of ' || model || '/' || version
                || ' at this moment is one of: ' || left(candidates, 300)
           when 'placeholder' then 'The risk rating of ' || model || '/' || version || ' is given as '''
                || left(value, 80) || ''' in ' || found_in || ' ' || tag || ', which names nothing'
           when 'unknown word' then 'The risk rating of ' || model || '/' || version || ' is ''' || left(value, 80)
                || ''', which is none of: ' || coalesce(ratings, '(none configured)')
           else 'No risk rating recorded on ' || model || '/' || version || ' or on its model; looked for the tags '
                || coalesce(wanted_tags, '(none configured)')
                || case when near_tag is not null
                        then '; nearest tag: ''' || near_tag.key || ''' = ''' || left(coalesce(near_tag.value, ''), 80) || ''''
                        else '' end
       end as reason,
       case when found = 'missing' then 'none' else grade end as grade,
       case when found <> 'recorded'
            then case when found_in = 'version tag'
                      then 'client.set_model_version_tag(' || to_json(model)::VARCHAR || ', "' || version || '", '
                      else 'client.set_registered_model_tag(' || to_json(model)::VARCHAR || ', ' end
                 || to_json(coalesce(tag, first_tag, 'gov.risk_rating'))::VARCHAR || ', "<risk rating>")' end as fix,
       value as risk_rating, found_in, tag, candidates,
       case when found = 'missing' then near_tag.key end as nearest_tag,
       case when found = 'missing' then near_tag.value end as nearest_value
from judged p
