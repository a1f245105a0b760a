/*
title = "Missing versions are explained"
finding = "Versions are missing without an explanation"
severity = "medium"
scope = "registered_model"
repair = "tag"
looks_for = """
Version numbers up to the highest one ever seen that are deleted or were never seen. Each needs the tag
`gov.version.<number>.deleted_reason` on the registered model, of at least `minimum_length` characters; one that auditreg
never saw also needs `gov.version.<number>.deleted_at`, since nothing else says when it went."""
rationale = """
MLflow numbers versions without gaps, and deleting one leaves nothing for people to see. Versions that were in use and are
gone are the first thing an examiner asks for."""
remediation = """
Record why each version was deleted. Archive versions instead of deleting them."""

[params]
minimum_length = 10
*/
with asked as (
    select coalesce(getvariable('minimum_length')::VARCHAR, setting('version-gap-explained.minimum_length'), '10')::INTEGER as minimum_length
),
seen as (
    select model_subject, version, bool_and(deleted) as deleted, count(distinct deleted) > 1 as open, max(not_after) as not_after
    from model_versions group by model_subject, version
),
-- numbers never seen, as ranges: a registry counts up from 1
hole as (
    select model_subject, first, last, false as witnessed, false as open, null::TIMESTAMP as not_after
    from (select model_subject, version - 1 as last,
                 coalesce(lag(version) over (partition by model_subject order by version), 0) + 1 as first from seen)
    where last >= first
    union all
    select model_subject, version, version, true, open, not_after from seen where deleted or open
),
-- what the tags say, and what they perhaps say: a tag that only one of two possible states has is not sure
tag as (
    select t.model_subject, regexp_extract(t.key, '([0-9]+)\.', 1)::BIGINT as version, ends_with(t.key, '_reason') as is_reason,
           min(length(trim(t.value))) as shortest, max(length(trim(t.value))) as longest,
           bool_or(t.certainty not in ('uncertain', 'unknown')) or count(distinct t.candidate) > 1 as sure
    from registered_model_tags t
    where regexp_matches(t.key, '^gov\.version\.[0-9]{1,9}\.deleted_(reason|at)$') and not is_placeholder(t.value) and trim(t.value) <> ''
    group by 1, 2, 3
),
told as (
    select t.model_subject, t.version, bool_or(not t.is_reason and t.sure) as dated, bool_or(not t.is_reason) as perhaps_dated,
           bool_or(t.is_reason and t.sure and t.shortest >= a.minimum_length) as reasoned,
           bool_or(t.is_reason and t.longest >= a.minimum_length) as perhaps_reasoned, bool_or(t.is_reason) as any_reason
    from tag t cross join asked a group by t.model_subject, t.version
),
explained as (
    select h.model_subject, h.first, h.open, h.not_after,
           count(*) filter (where t.reasoned and (h.witnessed or t.dated)) = h.last - h.first + 1 as whole,
           count(*) filter (where t.perhaps_reasoned and (h.witnessed or t.perhaps_dated)) = h.last - h.first + 1 as perhaps_whole,
           concat_ws(' to ', h.first, case when h.last > h.first then h.last end) as numbers,
           case when h.witnessed then 'deleted' when count(*) filter (where t.reasoned) = h.last - h.first + 1 then 'reason given, but not when'
                else 'never seen' end || case when bool_or(t.any_reason and not t.perhaps_reasoned) then ', reason too short' else '' end as how
    from hole h left join told t on t.model_subject = h.model_subject and t.version between h.first and h.last
    group by h.model_subject, h.first, h.last, h.witnessed, h.open, h.not_after
),
counted as (
    select model_subject, bool_or(not whole and (open or perhaps_whole)) as open, bool_and(whole) as whole,
           min(first) filter (where not perhaps_whole and not open) as first_missing,
           string_agg(numbers, ', ' order by first) as missing_versions, max(not_after) as last_gone_not_after,
           string_agg(numbers || ' (' || how || ')', ', ' order by first) filter (where not perhaps_whole and not open) as unexplained,
           string_agg(numbers, ', ' order by first) filter (where not whole and (open or perhaps_whole)) as unclear
    from explained group by model_subject
),
judged as (
    select p.subject, p.model, h.highest_version, c.* exclude (model_subject, open, whole), a.minimum_length,
           case when h.highest_version is null then 'empty' when c.model_subject is null then 'unbroken'
                when c.unexplained is not null then 'unexplained' when c.open then 'uncertain' else 'explained' end as found
    from population_registered_model p cross join asked a
    left join (select model_subject, max(version) as highest_version from seen group by model_subject) h on h.model_subject = p.subject
    left join counted c on c.model_subject = p.subject
)
select subject,
       case found when 'unbroken' then 'pass' when 'explained' then 'pass' when 'empty' then 'not_applicable'
            when 'uncertain' then 'undecided' else 'not_evidenced' end as status,
       case found
            when 'unbroken' then 'Versions 1 to {highest_version} of {subject} are all there'
            when 'explained' then 'Every missing version of {subject} is explained: {missing_versions}'
            when 'empty' then '{subject} has no versions'
            when 'uncertain' then 'Whether versions of {subject} were deleted by this moment, or explained, cannot be told: {unclear}'
            else 'Versions of {subject} are missing without an explanation of at least {minimum_length} characters: {unexplained}' end as reason,
       case when found in ('unbroken', 'unexplained') then 'observed' when found = 'explained' then 'asserted' else 'none' end as grade,
       case when found = 'unexplained' then set_tag(model, null, 'gov.version.' || first_missing || '.deleted_reason', 'why it was deleted') end as fix,
       highest_version, missing_versions, unexplained, unclear, last_gone_not_after, minimum_length
from judged
