/*
title = "Missing versions are explained"
severity = "high"
scope = "registered_model"
repair = "tag"
looks_for = """
Version numbers below the highest one that are deleted or were never seen. Each needs the tag
`gov.version.<number>.deleted_reason` on the registered model; one that auditreg never saw also
needs `gov.version.<number>.deleted_at`, since nothing else says when it went."""
rationale = """
MLflow numbers versions without gaps, and deleting one leaves nothing for people to see.
Versions that were in use and are gone are the first thing an examiner asks for."""
remediation = """
Record why each version was deleted. Archive versions instead of deleting them."""
*/
with seen as (
    select model_subject, version, bool_and(deleted) as deleted,
           count(distinct deleted) > 1 as open, min(not_before) as not_before,
           max(not_after) as not_after
    from model_versions
    group by model_subject, version
),
hole as (
    -- numbers never seen, as ranges: a registry counts up from 1
    select model_subject, first, last, false as witnessed, false as open,
           null::TIMESTAMP as not_after
    from (select model_subject, version - 1 as last,
                 coalesce(lag(version) over (partition by model_subject order by version), 0) + 1 as first
          from seen)
    where last >= first
    union all
    select model_subject, version, version, true, open, not_after from seen where deleted or open
),
told as (
    select model_subject, regexp_extract(key, '([0-9]+)\.', 1)::BIGINT as version,
           bool_or(ends_with(key, '.deleted_reason')) as reason,
           bool_or(ends_with(key, '.deleted_at')) as time
    from registered_model_tags
    where regexp_matches(key, '^gov\.version\.[0-9]{1,9}\.deleted_(reason|at)$') and trim(value) <> ''
    group by 1, 2
),
explained as (
    select h.model_subject, h.first, h.last, h.open, h.witnessed, h.not_after,
           count(t.version) filter (where t.reason and (h.witnessed or t.time)) = h.last - h.first + 1
               as whole,
           count(t.version) filter (where t.reason) = h.last - h.first + 1 as reasons_whole,
           case when h.first = h.last then h.first::VARCHAR
                else h.first || ' to ' || h.last end as words
    from hole h
    left join told t on t.model_subject = h.model_subject and t.version between h.first and h.last
    group by h.model_subject, h.first, h.last, h.open, h.witnessed, h.not_after
),
counted as (
    select model_subject, bool_or(open) as open, bool_and(whole) as whole,
           min(first) filter (where not whole) as first_missing,
           string_agg(words, ', ' order by first) as holes,
           string_agg(words || case when witnessed then ' (deleted'
                             || coalesce(', seen by ' || strftime(not_after, '%Y-%m-%d %H:%M') || ' UTC', '') || ')'
                             when reasons_whole then ' (reason given, but not when)'
                             else ' (never seen)' end, ', ' order by first)
               filter (where not whole) as unexplained
    from explained group by model_subject
),
highest as (select model_subject, max(version) as version from seen group by model_subject),
judged as (
    select p.subject, p.registry, p.workspace, p.model, h.version as highest, c.holes,
           c.unexplained, c.first_missing,
           case when h.version is null then 'empty'
                when c.model_subject is null then 'unbroken'
                when c.open then 'uncertain'
                when c.whole then 'explained'
                else 'unexplained' end as found
    from population_registered_model p
    left join highest h on h.model_subject = p.subject
    left join counted c on c.model_subject = p.subject
)
select subject,
       case when found in ('unbroken', 'explained') then 'pass' when found = 'empty' then 'not_applicable'
            else 'not_evidenced' end as status,
       case found
           when 'unbroken' then 'Versions 1 to ' || highest || ' of ' || model || ' are all there'
           when 'explained' then 'Every missing version of ' || model || ' is explained: '
                || left(holes, 300)
           when 'empty' then model || ' has no versions'
           when 'uncertain' then 'Whether versions of ' || model
                || ' were deleted by this moment is uncertain: ' || left(holes, 300)
           else 'Versions of ' || model || ' are missing without an explanation: '
                || left(unexplained, 300)
       end as reason,
       case when found in ('unbroken', 'unexplained') then 'observed'
            when found = 'explained' then 'asserted' else 'none' end as grade,
       case when found = 'unexplained'
            then 'client.set_registered_model_tag(' || to_json(model)::VARCHAR || ', "gov.version.'
                 || first_missing || '.deleted_reason", "<why it was deleted>")' end as fix,
       highest as highest_version, holes as missing_versions, unexplained
from judged
