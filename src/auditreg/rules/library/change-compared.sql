/*
title = "A major change was tested on the data of the version before"
finding = "A major change was not tested on data that the version before was tested on"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "promotion"
repair = "history"
reads = "history"
covered_by = "test-data-distinct"
looks_for = """
For versions whose `change_class` is `major`: a test data set, by name and digest, that the training run of the other
version of the model that last went live before logged too. That none did is known of version 1, where no other was made
by then, and of models that the record knows from their beginning. MLflow's digest covers the first 10,000 rows and the row count. Which results differ, and
whether that is explained, is for the firm to show."""
rationale = """
What a change does is the difference between two versions on the same data. Two tests on two data sets do not show it."""
remediation = """
Test the version before on the new test data too, or the new version on the old one, and log the data set in both runs."""
*/
-- other versions of the model that surely or perhaps went live before
with earlier as (
    select r.subject, o.version_subject as previous_subject, o.version, o.live_not_before, o.live_not_after,
           coalesce(o.live_not_after < r.live_not_before or o.live_not_after = r.live_not_before and o.seq < r.seq, false) as sure
    from population_promotion p join promotions r on r.subject = p.subject
    join promotions o on o.model_subject = r.model_subject and o.version_subject <> r.version_subject
    where sure or o.live_not_before is null or o.live_not_before < r.live_not_after
),
-- of these the last, or those that may be it
last_before as (
    select subject, max(previous_subject) as previous_subject, max(version) as previous_version,
           string_agg(distinct version::VARCHAR, ' or ' order by version::VARCHAR) as candidates,
           count(distinct previous_subject) = 1 and bool_or(sure) as known
    from (select *, max(case when sure then live_not_before end) over (partition by subject) as last_from from earlier)
    where last_from is null or live_not_after >= last_from
    group by subject
),
-- since when the record knows a model's registry, and when another version than the first was made
reach as (
    select m.subject, min(m.created_at) as model_made_at, min(b.started_at) as record_began_at, min(o.made_at) as other_made_at
    from registered_models m
    left join (select registry, started_at from captures union all select registry, started_at from extractions where complete) b
      on b.registry = m.registry
    left join (select model_subject, min(created_at) as made_at from model_versions where version > 1 group by model_subject) o
      on o.model_subject = m.subject
    group by m.subject
),
judged as (
    select r.subject, r.version_subject, r.live_via, r.live_not_before, r.live_not_after, l.previous_version,
           l.candidates as previous_candidates, t.test_data, b.test_data as previous_test_data, e.value as change_class, e.candidates,
           case when l.subject is null and (h.model_made_at >= h.record_began_at
                                            or r.version = 1 and coalesce(h.other_made_at >= r.live_not_after, true)) then 'first'
                when e.state in ('uncertain', 'ambiguous') and contains(lower(e.candidates), 'major') then 'which'
                when coalesce(lower(trim(e.value)), '') <> 'major' then 'not major'
                when t.run_state in ('uncertain', 'not read') or t.data_uncertain then 'not told' when t.test_data is null then 'no test'
                when coalesce(not l.known, true) then 'order'
                when b.run_state in ('uncertain', 'not read') or b.data_uncertain then 'not told before'
                when b.test_data is null then 'not tested before'
                when list_has_any(string_split(replace(replace(t.test_data, ' [no digest]', ' [?]'), '], ', ']' || chr(10)), chr(10)),
                                  string_split(replace(b.test_data, '], ', ']' || chr(10)), chr(10))) then 'same'
                else 'different' end as found
    from population_promotion p join promotions r on r.subject = p.subject
    join training t on t.subject = r.version_subject
    left join last_before l on l.subject = r.subject
    left join training b on b.subject = l.previous_subject
    left join reach h on h.subject = r.model_subject
    left join field_evidence e on e.subject = r.version_subject and e.field = 'change_class' and e.state in ('recorded', 'ambiguous', 'uncertain')
)
select subject,
       case when found = 'same' then 'pass' when found in ('different', 'not tested before') then 'not_evidenced'
            when found in ('which', 'order', 'not told', 'not told before') then 'undecided' else 'not_applicable' end as status,
       case found
            when 'first' then 'On record no other version of its model went live before {subject}'
            when 'not major' then '{subject} is not recorded as a major change'
                 || case when coalesce(change_class, candidates) is null then '' else ', but as {change_class}' end
            when 'which' then 'As what change {subject} was recorded at this moment cannot be told: {candidates}'
            when 'not told' then 'What the run of {subject} had logged by this moment cannot be told'
            when 'not told before' then 'What the run of version {previous_version}, which went live before {subject}, had logged by this moment cannot be told'
            when 'order' then 'Which other version of its model last went live before {subject} cannot be told'
                 || case when previous_candidates is null then '' else '; perhaps version {previous_candidates}' end
            when 'no test' then 'No test data of {subject} is recorded: see test-data-distinct'
            when 'not tested before' then 'Before {subject} version {previous_version} went live, of which no test data is recorded'
            when 'same' then '{subject} and version {previous_version}, which went live before it, were tested on common data: {test_data}'
            else '{subject} was tested on {test_data}, version {previous_version} before it on {previous_test_data}' end as reason,
       case when found in ('same', 'different') then 'asserted' else 'none' end as grade,
       version_subject, live_via, live_not_before, live_not_after, live_not_after as condition_since, previous_version, previous_candidates,
       coalesce(change_class, candidates) as change_class, candidates, test_data, previous_test_data
from judged
