/*
title = "The code version is recorded"
finding = "The code version is not recorded"
covered_by = "run-linked"
severity = "high"
scope = "live_version"
repair = "retrain"
looks_for = """
The tag `mlflow.source.git.commit` on the training run or the logged model, holding a commit id (not zeros);
else a full commit id in the field `code_reference`."""
rationale = """
A model in use has to be reproducible from the code that made it. MLflow records the commit only
when the training script lies in a Git working copy and GitPython is installed, which is rarely
so in containers."""
remediation = """
Let the training job hand the commit to MLflow: set the tag from the variable your CI provides."""
*/
-- the tag that counts, as everywhere: the first that names something
with reference as (
    select subject, tag, coalesce(value, candidates) as value, state <> 'recorded' as open,
           regexp_matches(regexp_replace(lower(coalesce(value, candidates)), '0{40}', '-', 'g'), '(^|[^0-9a-f])[0-9a-f]{40}([^0-9a-f]|$)') as names_commit
    from field_evidence
    where field = 'code_reference' and found_in <> 'run' and state in ('recorded', 'ambiguous', 'uncertain')
),
judged as (
    select t.*, r.value as code_reference, r.tag,
           case when t.other_commit_id is not null then 'two'
                when is_commit(t.commit_id) and not t.commit_uncertain then 'recorded'
                when r.names_commit and not r.open then 'stated'
                when is_commit(t.commit_id) then 'perhaps' when r.names_commit then 'which reference'
                when t.commit_id is not null then 'no commit' when r.value is not null then 'reference'
                when t.run_state in ('none named', 'not in the store', 'on another server')
                then case when t.from_vendor then 'vendor' else 'no run' end
                when t.run_state in ('uncertain', 'not read') then 'not told' else 'none' end as found
    from training t left join reference r using (subject)
)
select p.subject,
       case when j.found in ('recorded', 'stated') then 'pass' when j.found in ('two', 'perhaps', 'which reference', 'not told') then 'undecided'
            when j.found in ('no run', 'vendor') then 'not_applicable' else 'not_evidenced' end as status,
       case j.found
            when 'recorded' then '{subject} was trained from commit {commit_id}'
            when 'stated' then 'The commit of {subject} is stated in {tag}: {code_reference}'
            when 'two' then 'The commit of {subject} is {commit_id} or {other_commit_id}; which of them cannot be told'
            when 'perhaps' then 'Whether commit {commit_id} of {subject} was recorded by this moment cannot be told'
            when 'which reference' then 'Which commit of {subject} is stated at this moment in {tag} cannot be told: {code_reference}'
            when 'no commit' then 'The recorded commit of {subject} is no commit id: ''{commit_id}'''
            when 'reference' then 'The code reference of {subject} in {tag} names no full commit id: ''{code_reference}'''
            when 'vendor' then '{subject} is from a vendor; the registry names no run of its own'
            when 'no run' then 'The record holds no run of {subject} that could name a commit: see run-linked'
            when 'not told' then 'What run {run_id} of {subject} had logged by this moment cannot be told'
            else 'Run {run_id} of {subject} has no tag mlflow.source.git.commit' end as reason,
       case when j.found in ('recorded', 'stated', 'perhaps', 'which reference', 'no commit', 'reference') then 'asserted' else 'none' end as grade,
       case when j.found in ('none', 'no commit', 'reference')
            then 'mlflow.set_tag("mlflow.source.git.commit", commit)  # in the training job, with GitPython or git in its image' end as fix,
       j.run_id, j.commit_id, j.other_commit_id, j.code_reference, j.tag
from population_live_version p
join judged j on j.subject = p.subject
