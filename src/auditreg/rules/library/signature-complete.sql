/*
title = "The signature covers inputs and outputs"
severity = "medium"
scope = "live_version"
repair = "retrain"
looks_for = """
Inputs and outputs in the signature of the version's MLmodel file. Where the files could not be
read, what a reading before saw counts, else what older releases of MLflow 2 wrote to a tag of the run, as
somebody's word."""
rationale = """
A description of a model's inputs and outputs is part of every inventory that supervisors ask
for; half a signature checks what goes in and not what comes out."""
remediation = """
Infer the next training's signature from inputs and predictions together."""
*/
with artifact as (
    select subject, max(state) as state, max(problem) as problem, max(grade) as grade,
           count(distinct coalesce(mlmodel_sha256, '') || coalesce(signature_inputs, '')
                 || coalesce(signature_outputs, '')) > 1 as open,
           nullif(nullif(trim(max(signature_inputs)), '[]'), 'null') as inputs,
           nullif(nullif(trim(max(signature_outputs)), '[]'), 'null') as outputs,
           nullif(nullif(trim(max(signature_params)), '[]'), 'null') as params,
           max(location) as location, max(last_read_at) as last_read_at
    from model_artifacts
    group by subject
),
-- what MLflow 2 wrote to a tag of the run: somebody's word, where the files say nothing
tagged as (
    select subject, count(distinct coalesce(inputs, '') || coalesce(outputs, '')) > 1 as open,
           nullif(nullif(trim(max(inputs)), '[]'), 'null') as inputs,
           nullif(nullif(trim(max(outputs)), '[]'), 'null') as outputs
    from signatures
    where found_in = 'run tag'
    group by subject
),
judged as (
    select p.*, a.state, a.problem, a.grade, a.inputs, a.outputs, a.location, a.last_read_at,
           case when a.open then 'uncertain'
                when a.state is distinct from 'read' and a.last_read_at is null and not t.open
                 and t.inputs is not null and t.outputs is not null then 'stated'
                when a.subject is null then 'unread'
                when a.state in ('no_mlmodel', 'unreadable', 'unreachable')
                 and a.last_read_at is null then a.state
                when a.state <> 'read' and a.last_read_at is null then 'unread'
                when a.inputs is not null and a.outputs is not null then 'both'
                when a.inputs is not null then 'inputs'
                when a.outputs is not null then 'outputs'
                else 'absent' end as found
    from population_live_version p
    left join artifact a on a.subject = p.subject
    left join tagged t on t.subject = p.subject
)
select subject,
       case when found in ('both', 'stated') then 'pass' when found in ('inputs', 'outputs', 'absent') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'both' then 'MLmodel of ' || model || '/' || version || ' declares inputs and outputs'
                || coalesce(' (last read ' || strftime(last_read_at, '%Y-%m-%d %H:%M')
                            || ' UTC; its files could not be reached since)', '')
           when 'stated' then 'The tag mlflow.log-model.history of the run states inputs and outputs of '
                || model || '/' || version || ', which whoever may write to the run can change; its '
                || 'files were not read (' || coalesce(left(problem, 200), 'not looked at') || ')'
           when 'inputs' then 'MLmodel of ' || model || '/' || version
                || ' declares inputs but no outputs'
                || coalesce(' (last read ' || strftime(last_read_at, '%Y-%m-%d %H:%M')
                            || ' UTC; its files could not be reached since)', '')
           when 'outputs' then 'MLmodel of ' || model || '/' || version
                || ' declares outputs but no inputs'
                || coalesce(' (last read ' || strftime(last_read_at, '%Y-%m-%d %H:%M')
                            || ' UTC; its files could not be reached since)', '')
           when 'absent' then 'MLmodel of ' || model || '/' || version
                || ' declares neither inputs nor outputs'
                || coalesce(' (last read ' || strftime(last_read_at, '%Y-%m-%d %H:%M')
                            || ' UTC; its files could not be reached since)', '')
           when 'uncertain' then 'The files of ' || model || '/' || version
                || ' changed around this moment; both states are possible'
           when 'no_mlmodel' then 'The files of ' || model || '/' || version
                || ' hold no MLmodel, so no signature can be read'
           when 'unreadable' then 'MLmodel of ' || model || '/' || version
                || ' cannot be read: ' || coalesce(left(problem, 200), 'no reason given')
           when 'unreachable' then 'The files of ' || model || '/' || version
                || ' could not be reached: ' || coalesce(left(problem, 200), 'no reason given')
           when 'unread' then 'The files of ' || model || '/' || version
                || ' were not looked at, so nothing is known of its signature'
       end as reason,
       case when found in ('both', 'inputs', 'outputs', 'absent') then grade
            when found = 'stated' then 'asserted' else 'none' end as grade,
       case when found in ('inputs', 'outputs', 'absent')
            then 'mlflow.<flavor>.log_model(model, signature=mlflow.models.infer_signature(X, model.predict(X)))'
       end as fix,
       coalesce(state, 'not_looked_at') as files, location,
       case when json_valid(inputs) then json_array_length(inputs) end as input_count,
       case when json_valid(outputs) then json_array_length(outputs) end as output_count,
       last_read_at
from judged
