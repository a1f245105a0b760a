/*
title = "A model that affects consumers was tested for fairness"
finding = "No fairness test is recorded for a model that affects consumers"
severity = "high"
scope = "live_version"
repair = "tag"
looks_for = """
Of models whose field `consumer_impact` says that they affect consumers (anything but words such as `none`,
`internal`, `no consumer impact` or `does not affect consumers`), else
whose purpose speaks of consumers, customers or policyholders: the field `fairness_evidence`, a run, a result or where
it stands; that there was none (`not tested`, `planned`, `to be done in Q4`) is no test, and one that `failed` is none that was passed.
What was tested and found is for the firm to show."""
rationale = """
Unfair discrimination is found by looking for it. Where a model decides on prices, cover or claims of consumers,
supervisors ask for the test."""
remediation = """
Record the test's run or result on the version or its registered model; or, in the field of the impact, `none`."""
*/
with said as materialized (
    select subject, field, state, coalesce(value, candidates) as words,
           -- that the model affects consumers is asked about, also where the firm wants it said of each version
           unnest(case when state = 'on the model only' then [value] else values_of(state, value, possible) end) as value
    from field_evidence where field in ('consumer_impact', 'purpose')
),
-- by each impact and each purpose that may stand there at the moment
judged as (
    select i.subject,
           case when says_none(i.value, '((consumer|customer|policyholder) )?(effects?|impacts?)( on (consumers?|customers?|policyholders?))?')
                  or regexp_matches(bare_words(i.value), '^(internal( use)?( only)?|not (consumer|customer)[- ]facing)$'
                     || '|^(it )?does not (directly )?(affect|impact|concern|reach)( any)? (consumers?|customers?|policyholders?)$')
                then 'stated none' when i.value is not null then 'stated'
                when regexp_matches(lower(p.value), '\b(consumer|customer|policyholder)s?\b') then 'by purpose' else 'not said' end as found
    from said i join said p on p.subject = i.subject and p.field = 'purpose' where i.field = 'consumer_impact'
),
settled as (
    select subject, case when count(distinct found) = 1 then min(found) when bool_and(found in ('stated', 'by purpose')) then 'stated'
                         when bool_or(found in ('stated', 'by purpose')) then 'which' else 'not said' end as affects
    from judged group by subject
),
shown as (
    select subject, max(words) filter (where field = 'consumer_impact') as consumer_impact, max(words) filter (where field = 'purpose') as purpose,
           bool_or(field = 'consumer_impact' and state = 'on the model only') as of_model
    from said group by subject
),
-- by each record of a test that may stand there at the moment
outcome as (
    select subject, settle(case when value is null then 'none'
                                when says_not_done(value) or regexp_matches(bare_words(value), '^(in progress|open|ongoing|none)$') then 'not tested'
                                when regexp_matches(lower(trim(value)), '^(test )?(failed|fail|not passed|unfair|biased)( ?[,.:;(–-].*)?$') then 'failed'
                                else 'tested' end, ['tested']) as outcome
    from (select subject, unnest(values_of(state, value, possible)) as value from field_evidence where field = 'fairness_evidence')
    group by subject
),
tested as (
    select e.*, s.*  exclude (subject), j.affects,
           case when j.affects in ('stated none', 'not said') then 'not asked'
                when o.outcome in ('not tested', 'unsound') then 'not tested' when o.outcome = 'failed' then 'failed'
                when o.outcome = 'open' and e.state = 'ambiguous' then 'which test'
                when j.affects = 'which' and e.state not in ('recorded', 'ambiguous') then 'which' else 'asked' end as found
    from field_evidence e join settled j on j.subject = e.subject join shown s on s.subject = e.subject
    join outcome o on o.subject = e.subject where e.field = 'fairness_evidence'
)
select p.subject,
       case j.found when 'which' then 'undecided' when 'which test' then 'undecided' when 'not asked' then 'not_applicable'
            when 'failed' then case when j.affects = 'which' then 'undecided' else 'fail' end
            when 'not tested' then case when j.affects = 'which' then 'undecided' else 'not_evidenced' end else field_status(j.state) end as status,
       case when j.affects = 'stated none' then '{subject} is stated to have no effect on consumers: {consumer_impact}'
            when j.affects = 'not said' then 'Nothing recorded says that {subject} affects consumers'
            when j.affects = 'which' and j.found <> 'asked' then 'Whether {subject} affects consumers changed around this moment'
            else case when j.affects = 'which' then 'Whether {subject} affects consumers changed around this moment: '
                      when j.affects = 'by purpose' then 'The purpose of {subject} speaks of consumers: '
                      when j.of_model then 'The effect on consumers is recorded for the model only ({consumer_impact}): '
                      else 'The effect of {subject} on consumers is recorded: ' end
                 || case when j.found in ('not tested', 'failed', 'which test') then 'Of a fairness test of {subject} is recorded in {found_in} {tag}: ''{fairness_evidence}'''
                         else field_reason('fairness test', 'fairness_evidence', j.state, j.nearest_tag) end end as reason,
       case when j.found in ('asked', 'not tested', 'failed', 'which test') then coalesce(j.grade, 'none') else 'none' end as grade,
       case when j.found = 'not tested' and j.affects <> 'which' or j.found = 'asked' and j.state not in ('recorded', 'ambiguous') then j.fix end as fix,
       coalesce(j.value, j.candidates) as fairness_evidence, j.consumer_impact, j.purpose, j.found_in, j.tag, j.candidates,
       j.tags_looked_for, j.nearest_tag, j.nearest_value
from population_live_version p
join tested j on j.subject = p.subject
