/*
title = "The approver is recorded"
finding = "No approver is recorded"
severity = "critical"
scope = "live_in_period"
repair = "tag"
looks_for = """
A record that names who approved the version: the tags configured for the field `approver` on the
version itself, or an approval imported from another system. A tag of the registered model does not say
which version was approved and counts only where `[fields.approver]` has `of = "model"`. A service
account is not taken as an approver; a recorded decision such as `rejected` contradicts. A decision is read
strictly: words that leave a doubt, such as `approved in principle`, show no approval. docs/fields.md lists the
words that are read, and `[decisions]` in auditreg.toml the firm's own."""
rationale = """
That a named person or committee agreed to put this version into use is the control every framework
begins with."""
remediation = """
Have whoever approved the version recorded on it, with the date, or import the approval from where it
was given. If nobody has approved it, it should not be live."""
*/
with early as (
    -- what was imported of a moment at which its model was not registered yet is about no model
    select p.subject, max(r.happened_at) as early_at, max_by(r.system, r.happened_at) as early_system,
           max_by(coalesce(r.actor, 'somebody'), r.happened_at) as early_approver
    from population_live_in_period p join history_records r on r.registry = p.registry and r.model = p.model and r.version = p.version
    join registered_models m on m.subject = split_part(p.subject, '/', 1) and m.created_at > r.happened_at
    where r.subject is null and r.what = 'approval' and r.happened_at <= as_of() and coalesce(r.workspace = p.workspace, true) group by p.subject
)
select p.subject,
       case when v.verdict = 'rejected' or v.party_kind = 'service' then 'fail'
            when v.verdict in ('none', 'placeholder', 'pending', 'on the model only', 'dated in the future') then 'not_evidenced'
            when v.verdict = 'order cannot be told' then 'undecided'
            else 'pass' end as status,
       case when v.verdict = 'rejected' then 'The approval decision recorded for {subject} is ''{decision}'', and it was in use'
            when v.party_kind = 'service' then 'The approver of {subject} is ''{approver}'', a service account, which cannot approve'
            when v.verdict = 'dated in the future' then 'The approval of {subject} by {approver} is dated {stated}, after the moment judged'
            when v.verdict = 'pending' then 'The approval decision recorded for {subject} is ''{decision}'''
                 || case when v.words = 'unreadable' then ', which does not say whether it was approved' else '' end
            when v.verdict = 'placeholder' and v.approver is null
            then 'An approval of {subject} is recorded that names no approver'
            when v.verdict = 'placeholder' then 'The approver of {subject} is given as ''{approver}'', which names nobody'
            when v.verdict = 'on the model only' then 'The approver ''{approver}'' is recorded for the model, not for version {version}'
            when v.verdict = 'order cannot be told' then 'The approver of {subject} changed around this moment; which one stands cannot be told'
            when v.verdict = 'none' then 'No approver of {subject} is recorded; looked for the tags {tags_looked_for}'
                 || case when e.nearest_tag is null then ''
                         else '; nearest tag: ''{nearest_tag}'' = ''{nearest_value}''' end
                 || case when u.subject is null then '' else '; {early_system} says that {early_approver} approved it on {early_at}, '
                              || 'before its model was registered, which counts for nothing' end
            when v.source = 'import' then 'The approver of {subject} is {approver}, as {system}' || case when v.reference is null then '' else ' {reference}' end || ' says'
            else 'The approver of {subject} is {approver}, as the tag {tag} says' end as reason,
       coalesce(v.grade, 'none') as grade,
       case when v.verdict in ('none', 'placeholder', 'on the model only')
            then set_tag(p.model, p.version, coalesce(e.tag, first_tag('approver', p.registry, p.workspace)),
                         'account of whoever approved')
            when v.words = 'unreadable' and v.source <> 'import'
            then set_tag(p.model, p.version, first_tag('approval_decision', p.registry, p.workspace),
                         'approved, approved with conditions, rejected or pending') end as fix,
       v.approver, v.source, v.tag, v.system, v.reference, v.decision, v.stated, p.version,
       e.tags_looked_for, e.nearest_tag, e.nearest_value, u.early_system, u.early_approver, u.early_at
from population_live_in_period p
join (select *, case when verdict = 'pending' then decision_of(decision) end as words from approval_verdicts) v on v.subject = p.subject
left join field_evidence e on e.subject = p.subject and e.field = 'approver'
left join early u on u.subject = p.subject
