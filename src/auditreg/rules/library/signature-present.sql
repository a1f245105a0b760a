/*
title = "The model declares a signature"
severity = "high"
scope = "live_version"
repair = "retrain"
looks_for = """
A signature in the MLmodel file of the version. Inputs alone are a signature; `signature-
complete` asks for both sides. Where the files could not be read, what a reading before saw counts,
else the signature that older releases of MLflow 2 wrote to a tag of the run, as somebody's word."""
rationale = """
Without a declared signature nothing checks what the model is fed, and nobody can tell which
inputs a decision rested on."""
remediation = """
Log the next training's model with a signature or with an input example, from which MLflow
infers one."""
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
           nullif(nullif(trim(max(outputs)), '[]'), 'null') as outputs,
           nullif(nullif(trim(max(params)), '[]'), 'null') as params
    from signatures
    where found_in = 'run tag'
    group by subject
),
judged as (
    select p.*, a.state, a.problem, a.grade, a.inputs, a.outputs, a.params, a.location,
           a.last_read_at, t.inputs as tag_inputs, t.outputs as tag_outputs, t.params as tag_params,
           case when a.open then 'uncertain'
                when a.state = 'unreachable' and a.last_read_at is not null
                then case when coalesce(a.inputs, a.outputs, a.params) is not null then 'present'
                          else 'absent' end
                when a.state is distinct from 'read' and not t.open
                 and coalesce(t.inputs, t.outputs, t.params) is not null then 'stated'
                when a.subject is null then 'unread'
                when a.state in ('no_mlmodel', 'unreadable', 'unreachable') then a.state
                when a.state <> 'read' then 'unread'
                when coalesce(a.inputs, a.outputs, a.params) is not null then 'present'
                else 'absent' end as found
    from population_live_version p
    left join artifact a on a.subject = p.subject
    left join tagged t on t.subject = p.subject
)
select subject,
       case when found in ('present', 'stated') then 'pass' when found = 'absent' then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'present' then 'MLmodel of ' || model || '/' || version || ' declares a signature ('
                || concat_ws(', ', case when inputs is not null then 'inputs' end,
                             case when outputs is not null then 'outputs' end,
                             case when params is not null then 'parameters' end) || ')'
                || coalesce(' (last read ' || strftime(last_read_at, '%Y-%m-%d %H:%M')
                            || ' UTC; its files could not be reached since)', '')
           when 'stated' then 'The tag mlflow.log-model.history of the run states a signature of '
                || model || '/' || version || ' ('
                || concat_ws(', ', case when tag_inputs is not null then 'inputs' end,
                             case when tag_outputs is not null then 'outputs' end,
                             case when tag_params is not null then 'parameters' end)
                || '), which whoever may write to the run can change; its files were not read ('
                || coalesce(left(problem, 200), 'not looked at') || ')'
           when 'absent' then 'MLmodel of ' || model || '/' || version || ' declares no signature'
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
       case when found in ('present', 'absent') then grade when found = 'stated' then 'asserted'
            else 'none' end as grade,
       case when found = 'absent'
            then 'mlflow.<flavor>.log_model(model, signature=mlflow.models.infer_signature(X, model.predict(X)))'
       end as fix,
       coalesce(state, 'not_looked_at') as files, location,
       coalesce(inputs, case when found = 'stated' then tag_inputs end) is not null as has_inputs,
       coalesce(outputs, case when found = 'stated' then tag_outputs end) is not null as has_outputs,
       last_read_at
from judged
