/*
title = "A model that affects consumers was tested for fairness"
finding = "No fairness test is recorded for a model that affects consumers"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
Of models whose field `consumer_impact` says that they affect consumers (anything but `none`, `no` or `internal`), else
whose purpose speaks of consumers, customers or policyholders: the field `fairness_evidence`, a run, a result or where
it stands. What was tested and found is for the firm to show."""
rationale = """
Unfair discrimination is found by looking for it. Where a model decides on prices, cover or claims of consumers,
supervisors ask for the test."""
remediation = """
Record the test's run or result on the version or its registered model; or that the model has no effect on consumers."""
*/
with said as (
    select subject, max(value) filter (where field = 'consumer_impact' and state = 'recorded') as consumer_impact,
           bool_or(field = 'consumer_impact' and state in ('uncertain', 'ambiguous')) as open,
           max(words) filter (where field = 'purpose') as purpose,
           max(state) filter (where field = 'purpose' and state in ('recorded', 'ambiguous', 'uncertain')
                              and regexp_matches(lower(words), '\b(consumer|customer|policyholder)s?\b')) as of_consumers
    from (select *, coalesce(value, candidates) as words from field_evidence where field in ('consumer_impact', 'purpose'))
    group by subject
),
judged as (
    select e.*, s.consumer_impact, s.purpose,
           case when s.open then 'which'
                when lower(trim(s.consumer_impact)) in ('none', 'no', 'false', 'internal', 'not consumer facing') then 'stated none'
                when s.consumer_impact is not null or s.of_consumers = 'recorded' then 'affects'
                when s.of_consumers is null then 'not said' else 'which' end as found
    from field_evidence e join said s on s.subject = e.subject where e.field = 'fairness_evidence'
)
select p.subject,
       case when j.found = 'which' then 'undecided' when j.found = 'affects' then field_status(j.state) else 'not_applicable' end as status,
       case when j.found = 'which' then 'Whether {subject} affects consumers changed around this moment'
            when j.found = 'stated none' then '{subject} is stated to have no effect on consumers: {consumer_impact}'
            when j.found = 'not said' then 'Nothing recorded says that {subject} affects consumers'
            else case when j.consumer_impact is null then 'The purpose of {subject} speaks of consumers: '
                      else 'The effect of {subject} on consumers is recorded: ' end
                 || field_reason('fairness test', 'fairness_evidence', j.state, j.nearest_tag) end as reason,
       case when j.found = 'affects' then coalesce(j.grade, 'none') else 'none' end as grade,
       case when j.found = 'affects' and j.state not in ('recorded', 'ambiguous') then j.fix end as fix,
       coalesce(j.value, j.candidates) as fairness_evidence, j.consumer_impact, j.purpose, j.found_in, j.tag, j.candidates,
       j.tags_looked_for, j.nearest_tag, j.nearest_value
from population_live_version p
join judged j on j.subject = p.subject
