/*
title = "Inputs and outputs are both declared"
finding = "Only the inputs or only the outputs are declared"
severity = "low"
scope = "live_version"
repair = "retrain"
covered_by = "signature-present"
looks_for = """
Inputs and outputs in the signature of the version's MLmodel file, or a description in the fields `inputs` and `outputs`.
Where neither is declared that is told by `signature-present`. Where the files cannot be reached, what a reading before saw
counts, else what older releases of MLflow 2 wrote to a tag of the run, as somebody's word."""
rationale = """
A description of a model's inputs and outputs is part of every inventory that supervisors ask for; half a signature checks
what goes in and not what comes out."""
remediation = """
Infer the next training's signature from inputs and predictions together, or describe the missing side in a tag."""
*/
with side as (
    select e.subject, e.field, e.grade, e.found_in, e.tag, e.value, e.possible, f.last_read_at,
           -- a tag of the run counts only where no file was read
           e.found_in = 'run tag' and f.subject is not null as idle, unnest(values_of(e.state, e.value, e.possible)) as words
    from field_evidence e
    left join (select subject, max(last_read_at) filter (where state = 'unreachable') as last_read_at from model_artifacts
               where state = 'read' or last_read_at is not null group by subject) f on f.subject = e.subject
    where e.field in ('inputs', 'outputs')
),
-- whichever of the possible descriptions holds at the moment
told as (
    select subject, field, any_value(grade) as grade, any_value(found_in) as found_in, any_value(tag) as tag, max(last_read_at) as last_read_at,
           bool_and(coalesce(trim(words) not in ('[]', 'null') and not idle, false)) as declared,
           bool_or(coalesce(trim(words) not in ('[]', 'null') and not idle, false)) as perhaps,
           max(case when json_valid(words) then json_array_length(words) end) as number
    from side group by subject, field
),
judged as (
    select subject, bool_or(declared and field = 'inputs') as inputs, bool_or(declared and field = 'outputs') as outputs,
           bool_or(perhaps and field = 'inputs') as perhaps_inputs, bool_or(perhaps and field = 'outputs') as perhaps_outputs,
           min(grade) filter (where declared) as grade,
           string_agg(field || ' in ' || found_in || ' ' || tag, ', ' order by field) filter (where declared) as places,
           max(number) filter (where declared and field = 'inputs') as input_count, max(number) filter (where declared and field = 'outputs') as output_count,
           bool_or(declared and found_in = 'run tag') as by_run_tag, max(last_read_at) filter (where declared) as last_read_at,
           case when inputs and outputs then 'both' when perhaps_inputs and perhaps_outputs then 'open'
                when inputs then 'inputs' when outputs then 'outputs' when perhaps_inputs or perhaps_outputs then 'one at most' else 'neither' end as found
    from told group by subject
)
select p.subject,
       case j.found when 'both' then 'pass' when 'open' then 'undecided' when 'one at most' then 'undecided' when 'neither' then 'not_applicable'
            else 'not_evidenced' end as status,
       case j.found when 'both' then 'Of {subject} are declared {places}'
                 || case when j.by_run_tag then ', which whoever may write to the run can change' else '' end
            when 'inputs' then 'Of {subject} no outputs are declared; declared are {places}'
            when 'outputs' then 'Of {subject} no inputs are declared; declared are {places}'
            when 'neither' then 'Neither inputs nor outputs of {subject} are known to be declared: see signature-present'
            else 'What {subject} declares changed around this moment; both states are possible' end
            || case when j.last_read_at is null or j.found in ('open', 'one at most') then ''
                    else ' (last read {last_read_at}; its files could not be reached since)' end as reason,
       case when j.inputs or j.outputs then coalesce(j.grade, 'asserted') else 'none' end as grade,
       case when j.found in ('inputs', 'outputs')
            then 'mlflow.<flavor>.log_model(model, signature=mlflow.models.infer_signature(X, model.predict(X)))' end as fix,
       j.places, j.input_count, j.output_count, j.last_read_at
from population_live_version p
join judged j on j.subject = p.subject
