/*
title = "Test data is recorded and differs from the training data"
finding = "Nothing shows that the model was tested on other data than it was trained on"
severity = "high"
severity_by_rating = { low = "medium" }
scope = "live_version"
repair = "retrain"
covered_by = "run-linked"
looks_for = """
A data set with context `test`, `eval`, `evaluation` or `holdout` logged with the training run, or named by a
metric of its logged model, whose digest differs from every training data set's. Name, source and digest of a
training set contradict, and so do name and source where neither has a digest; the digest alone leaves it open, as
does a context `validation`, which may have steered the training, and a digest that is missing on one side."""
rationale = """
A result measured on the data a model has learned says nothing about new business. MLflow's digest covers the
first 10,000 rows and the row count: neither do equal digests prove equal data, nor different ones that no row is
in both."""
remediation = """
Log the hold-out data in the training job with context `test`, as a data set of its own."""
*/
with named as (
    -- each data set as name and digest
    select *, string_split(replace(test_data, '], ', ']' || chr(10)), chr(10)) as tests,
           string_split(replace(training_data, '], ', ']' || chr(10)), chr(10)) as trainings,
           len(string_split(test_data, '[no digest]')) - 1 as tests_without
    from training
),
judged as (
    select *, case when run_state in ('uncertain', 'not read') or data_uncertain then 'not told'
                   when run_state in ('none named', 'not in the store', 'on another server') and test_data is null
                   then case when from_vendor and run_state = 'none named' then 'vendor' else 'no run' end
                   when same_data and list_has_any(tests, trainings) then 'same' when same_digest then 'same digest'
                   when test_data is null then case when validation_data is null then 'no test' else 'validation' end
                   when training_data is null then 'no training'
                   when contains(training_data, '[no digest]') or tests_without >= len(tests) then 'no digest' else 'distinct' end as found
    from named
)
select p.subject,
       case when j.found = 'distinct' then 'pass' when j.found = 'same' then 'fail' when j.found = 'not told' then 'undecided'
            when j.found in ('vendor', 'no run') then 'not_applicable' else 'not_evidenced' end as status,
       case j.found
            when 'not told' then 'What run {run_id} of {subject} had logged by this moment cannot be told'
            when 'vendor' then '{subject} is from a vendor; the registry names no run of its own'
            when 'no run' then 'The record holds no run of {subject} that could have logged data: see run-linked'
            when 'same' then 'A test set of {subject} has the name and the source of a training set'
                 || case when j.same_digest then ', and its digest: {test_data} (the digest covers 10,000 rows and their number)'
                         else ', and neither has a digest: {test_data}' end
            when 'same digest' then 'A test set of {subject} has the digest of a training set (10,000 rows and their number): tested on {test_data}, trained on {training_data}'
            when 'validation' then 'The only other data set of {subject} has the context validation, which may have steered the training: {validation_data}'
            when 'no test' then 'Run {run_id} of {subject} logged no test data set'
            when 'no training' then 'Run {run_id} of {subject} logged test data, but no training data to compare it with'
            when 'no digest' then 'For want of digests nothing shows that the test data of {subject} is other data: tested on {test_data}, trained on {training_data}'
            else '{subject} was tested on {test_data}, trained on {training_data}; the digests differ, which does not show that no row is in both' end as reason,
       case when j.test_data is null then 'none' else 'asserted' end as grade,
       case when j.run_state in ('there', 'deleted', 'removed') and (j.test_data is null or j.training_data is null)
            then 'mlflow.log_input(dataset, context="' || case when j.test_data is null then 'test' else 'training' end
                 || '")  # in the training run' end as fix,
       j.run_id, j.training_data, j.test_data, j.validation_data
from population_live_version p
join judged j on j.subject = p.subject
