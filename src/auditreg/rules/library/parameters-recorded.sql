/*
title = "The parameters of the training are recorded"
finding = "No parameter of the training is recorded"
severity = "low"
scope = "live_version"
repair = "retrain"
covered_by = "run-linked"
looks_for = """
Parameters logged with the training run or with the logged model, for models whose risk rating is among the parameter
`ratings`. Whether they are all, and whether a seed is among them where one was drawn, is for the firm to show."""
rationale = """
Code and data alone do not make a model again: its parameters belong to both."""
remediation = """
Log the parameters in the training job, the seed of every random draw among them."""

[params]
ratings = "high"
*/
with asked as (
    select coalesce(getvariable('ratings')::VARCHAR, setting('parameters-recorded.ratings'), 'high') as ratings
),
logged as (
    select t.subject, m.key from training t join run_params m on m.registry = t.registry and m.run_id = t.run_id
    union
    select t.subject, m.key from training t join logged_model_params m on m.registry = t.registry and m.model_id = t.logged_model_id
),
counted as (select subject, count(*) as parameters from logged group by subject),
judged as (
    select t.subject, t.run_id, t.run_state, e.value as risk_rating, e.candidates as possible_ratings, a.ratings, coalesce(c.parameters, 0) as parameters,
           case when e.state is null or e.state = 'recorded'
                     and not list_contains(string_split(replace(lower(a.ratings), ' ', ''), ','), replace(lower(e.value), ' ', ''))
                then 'not asked' when c.parameters > 0 then 'logged'
                when t.run_state in ('none named', 'not in the store', 'on another server') then 'no run' when e.state <> 'recorded' then 'which'
                when t.run_state in ('uncertain', 'not read') then 'not told' else 'none' end as found
    from training t cross join asked a
    left join field_evidence e on e.subject = t.subject and e.field = 'risk_rating' and e.state in ('recorded', 'ambiguous', 'uncertain')
    left join counted c on c.subject = t.subject
)
select p.subject,
       case j.found when 'logged' then 'pass' when 'none' then 'not_evidenced' when 'not told' then 'undecided' when 'which' then 'undecided' else 'not_applicable' end as status,
       case j.found
            when 'not asked' then 'The rating of {subject} is '
                 || case when j.risk_rating is null then 'not recorded' else '{risk_rating}' end || '; it is asked for: {ratings}'
            when 'which' then 'The rating of {subject} changed around this moment ({possible_ratings}); parameters are asked for: {ratings}'
            when 'no run' then 'The record holds no run of {subject} that could have logged parameters: see run-linked'
            when 'not told' then 'What run {run_id} of {subject} had logged by this moment cannot be told'
            when 'none' then 'Run {run_id} of {subject} logged no parameter'
            else '{parameters} parameters of the training of {subject} are recorded' end as reason,
       case when j.found = 'logged' then 'asserted' else 'none' end as grade,
       case when j.found = 'none' then 'mlflow.log_params({"seed": seed})  # in the training job, with all others' end as fix,
       j.risk_rating, j.possible_ratings, j.ratings, j.run_id, j.parameters
from population_live_version p
join judged j on j.subject = p.subject
