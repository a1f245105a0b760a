/*
title = "The signature covers inputs and outputs"
severity = "medium"
scope = "live_version"
repair = "retrain"
looks_for = """
Inputs and outputs in the signature of the version's MLmodel file."""
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
           max(location) as location
    from model_artifacts
    group by subject
),
judged as (
    select p.*, a.state, a.problem, a.grade, a.inputs, a.outputs, a.location,
           case when a.subject is null then 'unread'
                when a.open then 'uncertain'
                when a.state in ('no_mlmodel', 'unreadable', 'unreachable') then a.state
                when a.state <> 'read' then 'unread'
                when a.inputs is not null and a.outputs is not null then 'both'
                when a.inputs is not null then 'inputs'
                when a.outputs is not null then 'outputs'
                else 'absent' end as found
    from population_live_version p
    left join artifact a on a.subject = p.subject
)
select subject,
       case when found = 'both' then 'pass' when found in ('inputs', 'outputs', 'absent') then 'fail'
            else 'not_evidenced' end as status,
       case found
           when 'both' then 'MLmodel of ' || model || '/' || version || ' declares inputs and outputs'
           when 'inputs' then 'MLmodel of ' || model || '/' || version
                || ' declares inputs but no outputs'
           when 'outputs' then 'MLmodel of ' || model || '/' || version
                || ' declares outputs but no inputs'
           when 'absent' then 'MLmodel of ' || model || '/' || version
                || ' declares neither inputs nor outputs'
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
       case when found in ('both', 'inputs', 'outputs', 'absent') then grade else 'none' end as grade,
       case when found in ('inputs', 'outputs', 'absent')
            then 'mlflow.<flavor>.log_model(model, signature=mlflow.models.infer_signature(X, model.predict(X)))'
       end as fix,
       coalesce(state, 'not_looked_at') as files, location,
       case when json_valid(inputs) then json_array_length(inputs) end as input_count,
       case when json_valid(outputs) then json_array_length(outputs) end as output_count
from judged
