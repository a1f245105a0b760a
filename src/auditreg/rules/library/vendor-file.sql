/*
title = "A vendor's model has the vendor's name and file"
finding = "The vendor's name or file is not recorded"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
Of models whose origin is a vendor (`vendor`, `third party`, `bought`, `purchased`, `external`, or a tag that names the vendor): the
fields `vendor_name` and `vendor_file`, where the firm keeps contract, assessment and documents. An origin that says neither
that nor in-house is not evidenced, nor is one that says in-house beside a vendor's name; a model whose origin is not recorded is not asked about: see `origin-recorded`. That the
firm validated the model itself is asked by `validation-recorded`."""
rationale = """
A firm answers for a model it bought as for one it built. What it cannot see in the registry it has to have from the
vendor."""
remediation = """
Record the vendor's name and where its file is kept on the registered model; of an origin that is unclear, `in-house` or `vendor`."""
*/
with said as (
    select subject, bool_or(field = 'vendor_name' and state in ('recorded', 'ambiguous')) as names_vendor,
           bool_or(state = 'uncertain' and field <> 'origin') as open, max(coalesce(value, candidates)) filter (where field = 'origin') as origin,
           nullif(concat_ws(' and ', max(lacks) filter (where field = 'vendor_name'), max(lacks) filter (where field = 'vendor_file')), '') as missing,
           max(coalesce(value, candidates)) filter (where field = 'vendor_name') as vendor_name,
           max(coalesce(value, candidates)) filter (where field = 'vendor_file') as vendor_file,
           min(fix) filter (where field <> 'origin' and absent) as fix, max(fix) filter (where field = 'origin') as origin_fix,
           nullif(concat_ws(', ', max(tags_looked_for) filter (where field = 'vendor_file' and absent),
                            max(tags_looked_for) filter (where field = 'vendor_name' and absent)), '') as tags_looked_for
    from (select *, is_absent(state) as absent,
                 case when absent then replace(field, '_', '''s ')
                      || case when state = 'on the model only' then ' (the model''s does not say for which version)' else '' end end as lacks
          from field_evidence where field in ('origin', 'vendor_name', 'vendor_file'))
    group by subject
)
select p.subject,
       case when t.origin = 'in-house' and s.names_vendor then 'not_evidenced'
            else case t.origin when 'vendor' then case when s.missing is not null then 'not_evidenced' when s.open then 'undecided' else 'pass' end
            when 'uncertain' then 'undecided' when 'unclear' then 'not_evidenced' else 'not_applicable' end end as status,
       case t.origin
            when 'vendor' then
                case when s.missing is not null then '{subject} is from a vendor, and nothing is recorded for the {missing}; looked for the tags {tags_looked_for}'
                     when s.open then 'Whether the vendor of {subject} is recorded with a file at this moment cannot be told'
                     else '{subject} is from {vendor_name}; its file is {vendor_file}' end
            when 'uncertain' then 'Whether {subject} is from a vendor changed around this moment: {origin}'
            when 'unclear' then 'The origin of {subject} is recorded as ''{origin}'', which says neither in-house nor vendor'
            when 'in-house' then case when s.names_vendor then 'The record says that {subject} was developed in-house ({origin}), and names a vendor: {vendor_name}'
                 else 'The record says that {subject} was developed in-house' end
            else 'Nothing recorded says that {subject} is from a vendor: see origin-recorded' end as reason,
       case when t.origin is null or t.from_vendor and s.missing is not null then 'none' else 'asserted' end as grade,
       case t.origin when 'vendor' then s.fix when 'unclear' then s.origin_fix when 'in-house' then case when s.names_vendor then s.origin_fix end end as fix,
       s.vendor_name, s.vendor_file, s.missing, s.tags_looked_for, s.origin
from population_live_version p
join training t on t.subject = p.subject
join said s on s.subject = p.subject
