/*
title = "Test data is recorded and differs from the training data"
finding = "No test data apart from the training data is recorded"
severity = "high"
severity_by_rating = { low = "medium" }
scope = "live_version"
repair = "retrain"
covered_by = "run-linked"
looks_for = """
A data set with context `test`, `eval`, `evaluation` or `holdout` logged with the training run, or named by a
metric of its logged model, whose digest differs from every training data set's. Name, source and digest of a
training set contradict; the digest alone leaves it open, as does a context `validation`, which may have steered
the training."""
rationale = """
A result measured on the data a model has learned says nothing about new business. MLflow's digest covers the
first 10,000 rows and the row count: neither do equal digests prove equal data, nor different ones that no row is
in both."""
remediation = """
Log the hold-out data in the training job with context `test`, as a data set of its own."""
*/
select p.subject,
       case when t.run_state in ('uncertain', 'not read') or t.data_uncertain then 'undecided'
            when t.run_state in ('none named', 'not in the store', 'on another server') and t.test_data is null then 'not_applicable'
            when t.same_data then 'fail'
            when t.same_digest then 'not_evidenced'
            when t.test_data is not null and t.training_data is not null then 'pass'
            else 'not_evidenced' end as status,
       case when t.run_state in ('uncertain', 'not read') or t.data_uncertain then 'What run {run_id} of {subject} had logged by this moment cannot be told'
            when t.run_state in ('none named', 'not in the store', 'on another server') and t.test_data is null
            then case when t.from_vendor and t.run_state = 'none named' then '{subject} is from a vendor; the registry names no run of its own'
                      else 'The record holds no run of {subject} that could have logged data: see run-linked' end
            when t.same_data then 'A test set of {subject} has the name, the source and the digest of a training set: {test_data} (the digest covers 10,000 rows and their number)'
            when t.same_digest then 'A test set of {subject} has the digest of a training set (10,000 rows and their number): tested on {test_data}, trained on {training_data}'
            when t.test_data is null and t.validation_data is not null
            then 'The only other data set of {subject} has the context validation, which may have steered the training: {validation_data}'
            when t.test_data is null then 'Run {run_id} of {subject} logged no test data set'
            when t.training_data is null then 'Run {run_id} of {subject} logged test data, but no training data to compare it with'
            else '{subject} was tested on {test_data}, trained on {training_data}; the digests differ, which does not show that no row is in both'
       end as reason,
       case when t.test_data is null then 'none' else 'asserted' end as grade,
       case when t.run_state in ('there', 'deleted', 'removed') and (t.test_data is null or t.training_data is null)
            then 'mlflow.log_input(dataset, context="' || case when t.test_data is null then 'test' else 'training' end
                 || '")  # in the training run' end as fix,
       t.run_id, t.training_data, t.test_data, t.validation_data
from population_live_version p
join training t on t.subject = p.subject
