/*
title = "The model declares a signature"
severity = "high"
scope = "live_version"
repair = "retrain"
looks_for = """
A signature in the MLmodel file of the version. Inputs alone are a signature; `signature-
complete` asks for both sides."""
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
           max(location) as location
    from model_artifacts
    group by subject
),
judged as (
    select p.*, a.state, a.problem, a.grade, a.inputs, a.outputs, a.params, a.location,
           case when a.subject is null then 'unread'
                when a.open then 'uncertain'
                when a.state in ('no_mlmodel', 'unreadable', 'unreachable') then a.state
                when a.state <> 'read' then 'unread'
                when coalesce(a.inputs, a.outputs, a.params) is not null then 'present'
                else 'absent' end as found
    from population_live_version p
    left join artifact a on a.subject = p.subject
)
select subject,
       case found when 'present' then 'pass' when 'absent' then 'fail'
                  else 'not_evidenced' end as status,
       case found
           when 'present' then 'MLmodel of ' || model || '/' || version || ' declares a signature ('
                || concat_ws(', ', case when inputs is not null then 'inputs' end,
                             case when outputs is not null then 'outputs' end,
                             case when params is not null then 'parameters' end) || ')'
           when 'absent' then 'MLmodel of ' || model || '/' || version || ' declares no signature'
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
       case when found in ('present', 'absent') then grade else 'none' end as grade,
       case when found = 'absent'
            then 'mlflow.<flavor>.log_model(model, signature=mlflow.models.infer_signature(X, model.predict(X)))'
       end as fix,
       coalesce(state, 'not_looked_at') as files, location,
       inputs is not null as has_inputs, outputs is not null as has_outputs
from judged
