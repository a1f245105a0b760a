/*
title = "A description is present"
finding = "No description is present"
severity = "medium"
scope = "live_version"
repair = "tag"
looks_for = """
A description of at least `minimum_length` characters anywhere, three and more signs or blanks in a row counted as one: the version's own, its description tag, or its
registered model's."""
rationale = """
A reader who did not build the model has to learn from the inventory what it predicts, from what and for whom."""
remediation = """
Describe the registered model once; describe a version where it differs."""

[params]
minimum_length = 20
*/
with asked as (
    select coalesce(getvariable('minimum_length')::VARCHAR, setting('description-present.minimum_length'), '20')::INTEGER as minimum
),
-- the longest of all, whatever its place: a short note on the version leaves the model's description standing. What
-- only one of two possible states has is not sure
described as (
    select subject, arg_max(f, (sure and shortest >= minimum, size)) as longest
    from (select *, certainty not in ('uncertain', 'unknown') or min(candidate) over states <> max(candidate) over states as sure,
                 min(size) over states as shortest
          from (select *, length(trim(regexp_replace(value, '[^\pL\pN]{3,}', ' ', 'g'))) as size from fields where field = 'description')
          window states as (partition by subject, rank)) f cross join asked
    group by subject
),
judged as (
    select p.subject, p.model, p.version, d.longest.value as description, d.longest.found_in as found_in,
           d.longest.tag as tag, d.longest.grade as grade, a.minimum, d.longest.size as length,
           not d.longest.sure or d.longest.shortest < a.minimum as open
    from population_live_version p cross join asked a
    left join described d on d.subject = p.subject
)
select subject,
       case when length >= minimum and open then 'undecided' when length >= minimum then 'pass' else 'not_evidenced' end as status,
       case when length is null then 'Neither {subject} nor its model has a description'
            when length < minimum then 'The longest description of {subject} ({tag}) has {length} characters, fewer than {minimum}: ''{description}'''
            when open then 'Whether {subject} has a description of {minimum} characters at this moment cannot be told'
            else '{subject} is described in {length} characters ({tag})' end as reason,
       coalesce(grade, 'none') as grade,
       case when length >= minimum then null
            when tag = 'version description'
            then 'client.update_model_version(' || to_json(model)::VARCHAR || ', "' || version
                 || '", description="<what it predicts, for what, from what>")'
            else 'client.update_registered_model(' || to_json(model)::VARCHAR
                 || ', description="<what it predicts, for what, from what>")' end as fix,
       left(description, 200) as description, found_in, tag, length, minimum
from judged
