/*
title = "A major change was tested on the data of the version before"
finding = "A major change and the version before were tested on different data"
severity = "medium"
severity_by_rating = { low = "low" }
scope = "promotion"
repair = "history"
covered_by = "test-data-distinct"
looks_for = """
For versions whose `change_class` is `major`: a test data set, by name and digest, that the training run of the version that
went live before logged too. MLflow's digest covers the first 10,000 rows and the row count. Which results differ, and
whether that is explained, is for the firm to show."""
rationale = """
What a change does is the difference between two versions on the same data. Two tests on two data sets do not show it."""
remediation = """
Test the version before on the new test data too, or the new version on the old one, and log the data set in both runs."""
*/
with replaced as (
    select r.subject, r.version_subject, r.live_via, r.live_not_before, r.live_not_after, o.version as previous_version,
           case when o.version_subject <> r.version_subject then o.version_subject end as previous_subject
    from promotions r asof left join promotions o on o.model_subject = r.model_subject and r.live_not_after > o.live_not_after
),
judged as (
    select r.*, t.run_id, t.test_data, b.test_data as previous_test_data, e.value as change_class, e.candidates,
           case when r.previous_subject is null then 'first'
                when e.state in ('uncertain', 'ambiguous') then 'which' when coalesce(lower(trim(e.value)), '') <> 'major' then 'not major'
                when 'uncertain' in (t.run_state, b.run_state) or 'not read' in (t.run_state, b.run_state)
                  or t.data_uncertain or b.data_uncertain then 'not told'
                when t.test_data is null then 'no test' when b.test_data is null then 'not tested before'
                when list_has_any(string_split(replace(t.test_data, '[no digest]', '[?]'), ', '), string_split(b.test_data, ', ')) then 'same'
                else 'different' end as found
    from replaced r join training t on t.subject = r.version_subject
    left join training b on b.subject = r.previous_subject
    left join field_evidence e on e.subject = r.version_subject and e.field = 'change_class' and e.state in ('recorded', 'ambiguous', 'uncertain')
)
select p.subject,
       case j.found when 'same' then 'pass' when 'different' then 'not_evidenced' when 'not tested before' then 'not_evidenced'
            when 'not told' then 'undecided' when 'which' then 'undecided' else 'not_applicable' end as status,
       case j.found
            when 'first' then 'No other version of its model was live before {subject}'
            when 'not major' then '{subject} is not recorded as a major change'
                 || case when j.change_class is null then '' else ', but as {change_class}' end
            when 'which' then 'As what change {subject} was recorded at this moment cannot be told: {candidates}'
            when 'not told' then 'What the runs of {subject} and of version {previous_version} had logged by this moment cannot be told'
            when 'no test' then 'No test data of {subject} is recorded: see test-data-distinct'
            when 'not tested before' then '{subject} replaced version {previous_version}, of which no test data is recorded'
            when 'same' then '{subject} and version {previous_version}, which it replaced, were tested on common data: {test_data}'
            else '{subject} was tested on {test_data}, version {previous_version} before it on {previous_test_data}' end as reason,
       case when j.found in ('same', 'different') then 'asserted' else 'none' end as grade,
       j.version_subject, j.live_via, j.live_not_before, j.live_not_after, j.previous_version, j.change_class, j.candidates, j.test_data, j.previous_test_data
from population_promotion p
join judged j on j.subject = p.subject
