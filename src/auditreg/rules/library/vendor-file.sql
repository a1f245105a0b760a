/*
title = "A vendor's model has the vendor's name and file"
finding = "The vendor's name or file is not recorded"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
Of models whose origin is a vendor: the fields `vendor_name` and `vendor_file`, where the firm keeps contract, assessment
and documents. That the firm validated the model itself is asked by `validation-recorded`. A model whose origin is not
recorded is not asked about: see `origin-recorded`."""
rationale = """
A firm answers for a model it bought as for one it built. What it cannot see in the registry it has to have from the
vendor."""
remediation = """
Record the vendor's name and where its file is kept on the registered model."""
*/
with said as (
    select subject, bool_or(state = 'uncertain') as open,
           string_agg(replace(field, '_', '''s '), ' and ' order by field desc) filter (where state in ('missing', 'placeholder')) as missing,
           max(coalesce(value, candidates)) filter (where field = 'vendor_name') as vendor_name,
           max(coalesce(value, candidates)) filter (where field = 'vendor_file') as vendor_file,
           min(fix) filter (where state in ('missing', 'placeholder')) as fix,
           string_agg(tags_looked_for, ', ' order by field) filter (where state in ('missing', 'placeholder')) as tags_looked_for
    from field_evidence where field in ('vendor_name', 'vendor_file') group by subject
)
select p.subject,
       case when not t.from_vendor then 'not_applicable' when s.missing is not null then 'not_evidenced'
            when s.open then 'undecided' else 'pass' end as status,
       case when not t.from_vendor then 'Nothing recorded says that {subject} is from a vendor'
            when s.missing is not null then '{subject} is from a vendor, and nothing is recorded for the {missing}; looked for the tags {tags_looked_for}'
            when s.open then 'Whether the vendor of {subject} is recorded with a file at this moment cannot be told'
            else '{subject} is from {vendor_name}; its file is {vendor_file}' end as reason,
       case when t.from_vendor and s.missing is null then 'asserted' else 'none' end as grade,
       case when t.from_vendor then s.fix end as fix, s.vendor_name, s.vendor_file, s.missing, s.tags_looked_for
from population_live_version p
join training t on t.subject = p.subject
join said s on s.subject = p.subject
