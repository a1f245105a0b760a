/*
title = "The code was committed"
finding = "The code was not committed, or nothing says so"
covered_by = "run-linked"
severity = "medium"
scope = "live_version"
repair = "retrain"
looks_for = """
The tags `mlflow.source.git.dirty` and `mlflow.source.git.diff` on the training run or the
logged model. MLflow sets them only under its Git model versioning; an ordinary run records the
commit and nothing about uncommitted changes."""
rationale = """
A commit id proves nothing about code that was changed after it: the model cannot be made again
from the repository."""
remediation = """
Train from a clean checkout and let the job say so with the tag `mlflow.source.git.dirty`."""
*/
with judged as (
    select *,
           case when dirty_contradicted then 'both'
                when dirty_uncertain and dirty in ('false', '0', 'no', 'clean') then 'not told' when dirty_uncertain then 'not sure'
                when dirty in ('true', '1', 'yes', 'dirty') or dirty is null and difference_recorded then 'dirty'
                when dirty in ('false', '0', 'no', 'clean') and difference_recorded then 'contradicted'
                when dirty in ('false', '0', 'no', 'clean') then 'clean'
                when dirty is not null then 'unreadable'
                when run_state in ('none named', 'not in the store', 'on another server')
                then case when from_vendor then 'vendor' else 'no run' end
                when run_state in ('uncertain', 'not read') then 'not told'
                else 'none' end as found
    from training
)
select p.subject,
       case when j.found = 'clean' then 'pass' when j.found in ('dirty', 'contradicted') then 'fail'
            when j.found in ('no run', 'vendor') then 'not_applicable'
            when j.found in ('both', 'not told') then 'undecided' else 'not_evidenced' end as status,
       case j.found
            when 'clean' then '{subject} was trained from a working copy without uncommitted changes'
            when 'dirty' then '{subject} was trained from a working copy with uncommitted changes; '
                 || case when j.difference_recorded then 'the difference is recorded with it' else 'what they were is not recorded' end
            when 'contradicted' then 'The working copy of {subject} is recorded as clean, and a difference is recorded with it'
            when 'both' then 'The record says both that the working copy of {subject} was clean and that it was not'
            when 'not sure' then 'Nothing says that {subject} was trained from a working copy without uncommitted changes; whether the record already said that it was not,'
                 || ' cannot be told'
            when 'unreadable' then 'The record of the working copy of {subject} is neither true nor false: ''{dirty}'''
            when 'vendor' then '{subject} is from a vendor; the registry names no run of its own'
            when 'no run' then 'The record holds no run of {subject} that could say so: see run-linked'
            when 'not told' then 'What ' || case when j.run_id is null then 'the logged model' else 'run {run_id}' end || ' of {subject} had logged by this moment cannot be told'
            else 'Run {run_id} of {subject} does not say whether its code had uncommitted changes; MLflow records the commit, not the changes'
       end as reason,
       case when j.found in ('clean', 'dirty', 'contradicted', 'both', 'unreadable') then 'asserted' else 'none' end as grade,
       case when j.found in ('none', 'unreadable')
            then 'mlflow.set_tag("mlflow.source.git.dirty", "false")  # in the training job, from git status --porcelain'
       end as fix,
       j.run_id, j.logged_model_id, j.dirty, j.difference_recorded
from population_live_version p
join judged j on j.subject = p.subject
