/*
title = "The training data is linked"
finding = "The training data is not linked"
covered_by = "run-linked"
severity = "high"
scope = "live_version"
repair = "retrain"
looks_for = """
A data set with context `training` (or `train`, as autologging writes) logged with the training run."""
rationale = """
Which data a model learned from is the first question after any complaint, drift or data
incident; without a link it is answered from memory."""
remediation = """
Log the training data in the training job. A data set can be added to an old run with
MlflowClient.log_inputs; it then shows when it was added."""
*/
select p.subject,
       case when t.training_data is not null and t.run_state <> 'uncertain' then 'pass'
            when t.from_vendor and t.run_state = 'none named' then 'not_applicable'
            when t.run_state in ('none named', 'not in the store', 'on another server') then 'not_applicable'
            when t.run_state in ('uncertain', 'not read') or t.data_uncertain then 'undecided'
            else 'not_evidenced' end as status,
       case when t.training_data is not null and t.run_state <> 'uncertain' then 'Run {run_id} of {subject} logged its training data: {training_data}'
            when t.from_vendor and t.run_state = 'none named' then '{subject} is from a vendor; the registry names no run of its own'
            when t.run_state in ('none named', 'not in the store', 'on another server')
            then 'The record holds no run of {subject} that could have logged data: see run-linked'
            when t.run_state in ('uncertain', 'not read') or t.data_uncertain then 'What run {run_id} of {subject} had logged by this moment cannot be told'
            when t.data_sets is not null then 'Run {run_id} of {subject} logged data sets, none of them with context ''training'': {data_sets}'
            else 'Run {run_id} of {subject} logged no data set' end as reason,
       case when t.data_sets is null then 'none' else coalesce(t.grade, 'asserted') end as grade,
       case when t.training_data is null and t.run_state in ('there', 'deleted', 'removed')
            then 'mlflow.log_input(dataset, context="training")  # in the training run' end as fix,
       t.run_id, t.training_data, t.data_sets
from population_live_version p
join training t on t.subject = p.subject
