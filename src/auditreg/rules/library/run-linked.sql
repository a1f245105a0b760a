/*
title = "The version leads back to its training run"
finding = "The version leads back to no active training run in its store"
severity = "high"
scope = "live_version"
repair = "retrain"
looks_for = """
The run that the version, or the logged model behind it, names; and that this run still exists. A model
of a vendor has none here."""
rationale = """
Data, code, parameters and metrics hang on the run. Where it is deleted, only what was read of it before
shows how the model in use was made."""
remediation = """
Restore a deleted run before `mlflow gc` removes it for good. A run removed for good cannot come
back: the next training makes one, as for a version registered without a run."""
*/
select p.subject,
       case when t.run_state = 'there' then 'pass'
            when t.run_state = 'none named' and t.from_vendor then 'not_applicable'
            when t.run_state in ('deleted', 'removed', 'not in the store') then 'fail'
            when t.run_state in ('uncertain', 'not read') or t.run_state = 'none named' and t.origin = 'uncertain' then 'undecided'
            else 'not_evidenced' end as status,
       case t.run_state
            when 'there' then '{subject} was made by run {run_id}'
            when 'deleted' then 'Run {run_id}, which made {subject}, is deleted'
            when 'removed' then 'Run {run_id}, which made {subject}, was removed for good (mlflow gc); the ledger keeps what was read of it'
            when 'not in the store' then 'Run {run_id}, which the registry names for {subject}, does not exist in the tracking store'
            when 'on another server' then 'The run of {subject} is on another tracking server: {run_link}'
            when 'not read' then 'Run {run_id} of {subject} was not read: the source does not show runs'
            when 'uncertain' then 'Whether run {run_id} of {subject} was deleted by this moment cannot be told'
            else case when t.from_vendor then '{subject} is from a vendor; the registry names no run of its own'
                      when t.origin = 'uncertain' then 'The registry names no run for {subject}, and whether it is from a vendor at this moment cannot be told'
                      when t.logged_model_id is null then 'The registry names no run for {subject}'
                      else 'The registry names no run for {subject}, and its logged model {logged_model_id} names none either' end
       end as reason,
       case when t.run_state in ('there', 'deleted', 'removed', 'not in the store') then coalesce(t.grade, 'observed')
            else 'none' end as grade,
       case when t.run_state = 'deleted' and t.lifecycle_stage = 'deleted'
            then 'client.restore_run(' || to_json(t.run_id)::VARCHAR || ')' end as fix,
       t.run_id, t.run_link, t.logged_model_id, t.run_state
from population_live_version p
join training t on t.subject = p.subject
