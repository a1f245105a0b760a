/*
title = "What the model takes in or gives out is declared"
finding = "Nothing declares what the model takes in or gives out"
severity = "medium"
scope = "live_version"
repair = "retrain"
covered_by = "live-version-ready"
looks_for = """
A signature in the MLmodel file of the version, or a description in the fields `inputs` or `outputs`; one side is enough
here, `signature-complete` asks for both. Where the files cannot be reached, what a reading before saw counts, else the
signature that older releases of MLflow 2 wrote to a tag of the run, as somebody's word."""
rationale = """
Without a declaration nothing checks what the model is fed, and nobody can tell which inputs a decision rested on."""
remediation = """
Log the next training's model with a signature or with an input example, from which MLflow infers one; or describe the
inputs in a tag."""
*/
with side as (
    select subject, field, grade, found_in, tag, words is not null and trim(words) not in ('[]', 'null') as says
    from (select *, unnest(values_of(state, value, possible)) as words from field_evidence where field in ('inputs', 'outputs'))
),
-- one side is enough, whichever of its possible descriptions holds at the moment
told as (
    select subject, field, any_value(found_in) as found_in, any_value(tag) as tag, any_value(grade) as grade, bool_and(says) as declared, bool_or(says) as perhaps
    from side group by subject, field
),
declared as (
    select subject, bool_or(perhaps) and not bool_or(declared) as open, min(found_in) filter (where perhaps) as perhaps_in, max(grade) as grade,
           string_agg(field, ' and ' order by field) filter (where declared) as sides,
           min_by(found_in, (found_in = 'run tag', field)) filter (where declared) as found_in,
           min_by(tag, (found_in = 'run tag', field)) filter (where declared) as tag
    from told group by subject
),
file as (
    select subject, max(state) as files, max(problem) as problem, max(location) as location, max(last_read_at) as last_read_at,
           bool_and(coalesce(state = 'read', false) or last_read_at is not null) as was_read
    from model_artifacts group by subject
),
judged as (
    select d.*, f.* exclude (subject, was_read),
           case when d.open and not (d.perhaps_in = 'run tag' and coalesce(f.was_read, false)) then 'uncertain'
                when d.found_in = 'run tag' and coalesce(f.was_read, false) then 'none'
                when d.found_in is not null then d.found_in when coalesce(f.was_read, false) then 'none' else 'unread' end as found
    from declared d left join file f on f.subject = d.subject
)
select p.subject,
       case j.found when 'uncertain' then 'undecided' when 'none' then 'not_evidenced' when 'unread' then 'not_applicable' else 'pass' end as status,
       case j.found
            when 'MLmodel' then 'MLmodel of {subject} declares {sides}'
            when 'run tag' then 'The tag {tag} of the run states {sides} of {subject}, which whoever may write to the run can change; its files were not read'
            when 'uncertain' then 'What {subject} declares changed around this moment; both states are possible'
            when 'none' then 'MLmodel of {subject} declares no signature, and no tag describes its inputs'
            when 'unread' then 'The files of {subject} were not read, so nothing is known of its signature: see live-version-ready'
            else 'The {sides} of {subject} are described in {found_in} {tag}' end
            || case when j.found in ('MLmodel', 'none') and j.files = 'unreachable' then ' (last read {last_read_at}; its files could not be reached since)'
                    when j.found in ('run tag', 'unread') and j.problem <> '' then ' ({problem})' else '' end as reason,
       case when j.found in ('uncertain', 'none', 'unread') then 'none' else coalesce(j.grade, 'asserted') end as grade,
       case when j.found = 'none'
            then 'mlflow.<flavor>.log_model(model, signature=mlflow.models.infer_signature(X, model.predict(X)))' end as fix,
       coalesce(j.files, 'not_looked_at') as files, j.location, j.problem, j.sides, j.found_in, j.tag, j.last_read_at
from population_live_version p
join judged j on j.subject = p.subject
