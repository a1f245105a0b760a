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
    select t.subject, m.key, m.certainty, m.candidate from training t join run_params m on m.registry = t.registry and m.run_id = t.run_id
    union all
    select t.subject, m.key, m.certainty, m.candidate
    from training t join logged_model_params m on m.registry = t.registry and m.model_id = t.logged_model_id
),
-- what only one of two possible states of a run has is not sure
counted as (
    select subject, count(*) as parameters, count(case when sure then 1 end) as sure
    from (select subject, key, bool_or(certainty not in ('uncertain', 'unknown')) or coalesce(min(candidate) <> max(candidate), false) as sure
          from logged group by subject, key)
    group by subject
),
rated as (
    select subject, any_value(candidates) as possible_ratings, any_value(case when not is_absent(state) then value end) as risk_rating,
           bool_and(is_asked) as always, bool_or(is_asked) as perhaps
    from (select e.subject, e.candidates, e.value, e.state,
                 coalesce(list_contains(string_split(replace(lower(a.ratings), ' ', ''), ','), replace(lower(e.rating), ' ', '')), false) as is_asked
          from (select *, unnest(values_of(state, value, possible)) as rating from field_evidence where field = 'risk_rating') e cross join asked a)
    group by subject
),
judged as (
    select t.subject, t.run_id, t.run_state, r.risk_rating, r.possible_ratings, a.ratings, coalesce(c.parameters, 0) as parameters,
           case when not coalesce(r.perhaps, false) then 'not asked' when c.sure > 0 then 'logged'
                when c.parameters is null and t.run_state in ('none named', 'not in the store', 'on another server') then 'no run'
                when not r.always then 'which' when c.parameters > 0 or t.run_state in ('uncertain', 'not read') then 'not told' else 'none' end as found
    from training t cross join asked a
    left join rated r on r.subject = t.subject
    left join counted c on c.subject = t.subject
)
select p.subject,
       case j.found when 'logged' then 'pass' when 'none' then 'not_evidenced' when 'not told' then 'undecided' when 'which' then 'undecided' else 'not_applicable' end as status,
       case j.found
            when 'not asked' then 'The rating of {subject} is '
                 || case when j.risk_rating is null and j.possible_ratings is null then 'not recorded' else '{risk_rating}' end || '; it is asked for: {ratings}'
            when 'which' then 'The rating of {subject} changed around this moment ({possible_ratings}); parameters are asked for: {ratings}'
            when 'no run' then 'The record holds no run of {subject} that could have logged parameters: see run-linked'
            when 'not told' then 'What ' || case when j.run_id is null then 'the logged model' else 'run {run_id}' end || ' of {subject} had logged by this moment cannot be told'
            when 'none' then 'Run {run_id} of {subject} logged no parameter'
            else '{parameters} parameters of the training of {subject} are recorded' end as reason,
       case when j.found = 'logged' then 'asserted' else 'none' end as grade,
       case when j.found = 'none' then 'mlflow.log_params({"seed": seed})  # in the training job, with all others' end as fix,
       coalesce(j.risk_rating, j.possible_ratings) as risk_rating, j.possible_ratings, j.ratings, j.run_id, j.parameters
from population_live_version p
join judged j on j.subject = p.subject
