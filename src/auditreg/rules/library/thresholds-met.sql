/*
title = "The metrics keep the limits that were declared"
finding = "A metric does not keep its limit, or no limit is declared"
severity = "high"
severity_by_rating = { low = "medium" }
scope = "live_version"
repair = "retrain"
covered_by = "run-linked"
looks_for = """
The field `thresholds`, a list such as `gini>=0.30, rmse<=120`, compared with the latest value of each metric of the
training run, else of the logged model, by its exact name. The comparisons >=, <=, >, < and = are read; a decimal comma or a comma in
thousands is not. Whether the
limits are the right ones, and how the model does since, is for the firm to show."""
rationale = """
A test without a limit that was set before cannot be failed."""
remediation = """
Declare the limits on the registered model before the next training, and have a version that keeps them put into use."""
*/
with declared as (
    -- a comma divides only where another limit follows: 0,05 and 1,200 are numbers that other people would read otherwise
    select e.subject, e.registry, trim(unnest(string_split(regexp_replace(e.value, '[,;]([^,;<>=]+[<>=])', chr(10) || '\1', 'g'), chr(10))), ' ,;') as words
    from field_evidence e where e.field = 'thresholds' and e.state = 'recorded'
),
bound as (
    select subject, words, part.metric as metric, part.comparison as comparison, try_cast(part.bound as DOUBLE) as bound
    from (select *, regexp_extract(words, '^(.+?)\s*(>=|<=|>|<|=)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)$',
                                   ['metric', 'comparison', 'bound']) as part from declared where words <> '')
),
measured as (
    select t.subject, m.key, m.value, 1 as place, m.certainty, m.candidate
    from training t join run_metrics m on m.registry = t.registry and m.run_id = t.run_id
    where t.subject in (select subject from bound)
    union all
    select t.subject, m.key, m.value, 2, m.certainty, m.candidate
    from training t join logged_model_metrics m on m.registry = t.registry and m.model_id = t.logged_model_id
    where t.subject in (select subject from bound)
),
-- the run's value, else the logged model's; where only one of two possible states of a run has it, either
known as (
    select *, min(case when sure then place end) over (partition by subject, key) as settled
    from (select *, bool_or(certainty not in ('uncertain', 'unknown')) over states or min(candidate) over states <> max(candidate) over states as sure
          from measured window states as (partition by subject, key, place))
),
compared as (
    select b.subject, b.words, k.value, k.settled,
           case when b.bound is null then 'unreadable' when k.key is null or isnan(k.value) then 'not measured'
                when case b.comparison when '>=' then k.value >= b.bound when '<=' then k.value <= b.bound when '>' then k.value > b.bound
                          when '<' then k.value < b.bound else k.value = b.bound end then 'kept' else 'missed' end as how
    from bound b left join known k on k.subject = b.subject and k.key = b.metric and k.place <= coalesce(k.settled, k.place)
),
-- a limit that no possible value keeps is not kept; one that some keep is open
told as (
    select subject, words, case when count(distinct how) > 1 and bool_or(how = 'kept') then 'several'
                                when count(distinct how) > 1 then 'not measured'
                                when min(how) = 'kept' and min(settled) is null then 'perhaps'
                                when min(how) = 'missed' and min(settled) is null then 'not measured' else min(how) end as how,
           words || ' (' || string_agg(distinct printf('%g', value), ' or ' order by printf('%g', value)) || ')' as with_value
    from compared group by subject, words
),
counted as (
    select subject, string_agg(with_value, ', ' order by words) filter (where how = 'missed') as missed,
           string_agg(words, ', ' order by words) filter (where how = 'unreadable') as unreadable,
           string_agg(words, ', ' order by words) filter (where how = 'not measured') as not_measured,
           string_agg(with_value, ', ' order by words) filter (where how in ('several', 'perhaps')) as several,
           string_agg(with_value, ', ' order by words) filter (where how = 'kept') as kept
    from told group by subject
),
judged as (
    select e.*, c.* exclude (subject), t.run_id, t.origin,
           case when e.state = 'ambiguous' then 'which' when e.state <> 'recorded' then 'field' when c.missed is not null then 'missed'
                when c.unreadable is not null or c.subject is null then 'unreadable'
                when c.not_measured is not null and t.run_state in ('none named', 'not in the store', 'on another server')
                then case when t.from_vendor then 'not measured' when t.origin = 'uncertain' then 'vendor' else 'no run' end
                when c.not_measured is not null and t.run_state in ('uncertain', 'not read') then 'run not told'
                when c.not_measured is not null then 'not measured' when c.several is not null then 'several' else 'kept' end as found
    from field_evidence e left join counted c on c.subject = e.subject left join training t on t.subject = e.subject
    where e.field = 'thresholds'
)
select p.subject,
       case j.found when 'field' then field_status(j.state) when 'kept' then 'pass' when 'missed' then 'fail' when 'no run' then 'not_applicable'
            when 'unreadable' then 'not_evidenced' when 'not measured' then 'not_evidenced' else 'undecided' end as status,
       case j.found
            when 'field' then field_reason('limits', 'thresholds', j.state, j.nearest_tag)
            when 'which' then 'The limits of {subject} changed around this moment: {candidates}'
            when 'missed' then 'The metrics of {subject} do not keep its limits: {missed}'
            when 'unreadable' then 'Limits of {subject} cannot be read: ''{unreadable}''; wanted: gini>=0.30, rmse<=120'
            when 'vendor' then 'Nothing was measured of {subject}, and whether it is from a vendor changed around this moment'
            when 'no run' then 'The record holds no run of {subject} whose metrics could be compared: see run-linked'
            when 'run not told' then 'What run {run_id} of {subject} had measured by this moment cannot be told'
            when 'not measured' then 'Nothing was measured of {subject} that could be compared with {not_measured}'
            when 'several' then 'Whether the metrics of {subject} keep {several} at this moment cannot be told'
            else 'The metrics of {subject} keep its limits: {kept}' end as reason,
       case when j.found = 'field' then coalesce(j.grade, 'none') else 'asserted' end as grade,
       case when j.found in ('field', 'unreadable') and j.state <> 'uncertain' then j.fix end as fix, coalesce(j.value, j.candidates) as thresholds,
       j.missed, coalesce(j.unreadable, j.value) as unreadable, j.not_measured, j.several, j.kept, j.run_id, j.found_in, j.tag, j.candidates, j.tags_looked_for,
       j.nearest_tag, j.nearest_value
from population_live_version p
join judged j on j.subject = p.subject
