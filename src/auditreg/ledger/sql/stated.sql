-- What the words stand for that people write into tags. A day, or a time without a zone, is one of the
-- firm's time zone; a day reaches from its first instant to the first of the next.
-- Words that stand for something still to be written, or nobody; case, spaces, dots and dashes do not matter ("N.A.", "to be confirmed").
create macro plain_words(words) as regexp_replace(lower(words), '[^\pL\pN\p{So}?\[\]{}<>]+', '', 'g');
create macro is_placeholder(words) as regexp_matches(plain_words(words),
    '^([\[{]*(tb[acd]|todo|na|null|nil|unknown|unassigned|unspecified|undefined|undetermined|pending|placeholder|(still)?(tofollow|tobe(added|advised|agreed'
    || '|announced|appointed|assigned|completed|confirmed|decided|defined|determined|done|filledin|named|provided|recorded|set|specified|written))'
    || '|not(yet)?(applicable|available|assigned|specified|provided|known|decided|determined|defined|set|named|recorded)|x+|\?+)[\]}]*|<.*>)?$');
-- Here as in says_nothing, DuckDB makes a join of IN with many words: it would ask every row, and before any filter.
create macro names_nobody(words) as is_placeholder(words)
    or regexp_matches(plain_words(words), '^(none|nobody|noone|someone|somebody|true|false|yes|no|ok|approved|rejected)$');
-- Where the record of an origin says that the model is from: in-house, vendor, or NULL where the words say neither. A
-- tag of the vendor says by any other name that there is one.
create macro is_in_house(words) as regexp_matches(lower(trim(words)),
    '^((developed |built |made )?(in[- ]?house|internal(ly)?)([^a-z0-9]|$)|(own( development)?|home-?grown|no|false|no vendor|(vendor|third[- ]?party) ?[:=]? ?(none|no|n/a))$)')
    and not regexp_matches(lower(words), '\b(bought|purchased|acquired|supplied|licensed) (from|by)\b');
create macro origin_of(tag_key, words) as case when is_in_house(words) then 'in-house'
    when contains(lower(tag_key), 'vendor')
      or regexp_matches(lower(trim(words)), '^(vendor|third[- ]?party|bought|purchased|external)(\s*[:,;/(]|\s+[-–]|$)')
      or regexp_matches(lower(trim(words)), '^(vendor|bought|purchased) ') then 'vendor' end;
-- A person is named, not affirmed; that there are no limits or no dependencies is an answer, that there is no purpose is none.
create macro says_nothing(field_id, words) as case
    when list_contains(['owner', 'developer', 'reviewer', 'approver', 'approver_role', 'findings_owner', 'exemption_by'], field_id) then names_nobody(words)
    when field_id in ('inputs', 'outputs') then is_placeholder(words) or plain_words(words) in ('none', '[]')
    when field_id = 'vendor_name' then names_nobody(words) or is_in_house(words)
    when list_contains(['limitations', 'overlays', 'dependencies', 'assumptions', 'approval_conditions', 'validation_findings',
                        'consumer_impact', 'exemption', 'compensating_controls', 'regulatory_approvals'], field_id) then is_placeholder(words)
    else is_placeholder(words) or plain_words(words) = 'none' end;
-- Whether a field is about one version, so that a tag of the model does not answer for it.
create macro is_of_version(field_id) as coalesce(setting('fields.' || field_id || '.of'),
    case when field_id in ('approver', 'approver_role', 'approval_date', 'approval_decision', 'approval_conditions',
                           'approval_until', 'change_reason', 'change_class', 'change_ticket', 'rollback_reason', 'predecessor')
         then 'version' end, 'model') = 'version';
-- What a decision, or the result of a validation, comes to: 'approved', 'rejected', 'pending' where it is left open, else 'unreadable'. It is
-- read strictly: whatever is in doubt is unreadable. docs/fields.md says how; texts that a firm lists under [decisions] count before all else.
create macro plain_text(words) as strip_accents(lower(words)).regexp_replace('[^\pL\pN?]+', ' ', 'g').trim();
create macro replace_phrases(words, phrases, meaning) as regexp_replace(words, '\b(' || phrases || ')\b', meaning, 'g');
create macro grant_phrases() as 'approved|accepted|passed|granted|released|endorsed|signed off|authori[sz]ed|certified|ratified|cleared|validated|ok|okay|yes|satisfactory|adequate|suitable|sound'
    || '|successful(ly)?|favou?rable|fit for (use|purpose)|(conditional|full) approval|genehmigt|freigegeben|bestanden|abgenommen|erteilt|approuvee?|acceptee?|validee?|ja|oui';
-- A text with one word in capitals for all phrases of a kind. First, to find nothing wrong is to pass, a "no" by itself refuses, and
-- "not rejected", "without conditions" and "until revoked" add nothing.
create macro decision_words(words) as strip_accents(lower(replace(words, '_', ' ')))
    .replace_phrases('(no|zero|0|not a single|without( any)?|keine?)( any| material| major| significant| open| outstanding)* (findings?|objections?|issues?|concerns?|exceptions?|beanstandungen|einwande?)( outstanding| open)?'
       || '|(none|no|0)( of( the)?( \d+)?)? (tests?|checks?) failed', ' passed ')
    .regexp_replace('(^\W*|\b(approved|approval|accepted|passed|decision|status|result)\W+)(non?|nein|n|no.go|false|red|fail(ure)?|rejection)(\s*[,;:!(–—]|\s+-|[^\pL\pN]*$)', ' rejected ', 'g').plain_text()
    .replace_phrases('(not|never)( been| be)? (rejected|refused|declined|withdrawn|revoked|failed)|(no|without)( any)? (conditions?|comments?|limits?|limitations?|restrictions?)|(until|unless) (revoked|withdrawn)', '')
    .replace_phrases('pending|open|requested|required|needed|draft|submitted|planned|proposed|await(s|ing)?|waiting|on hold|deferred|postponed|outstanding|undecided|tb[acd]|to follow|follows|(under|in) (review|progress)'
       || '|(to|will|shall|should|must) be \w+|(to|please) (approve|sign off)|(no|without) (decision|approval|sign ?off)|(not( \w+){0,3} yet|noch nicht|pas encore)( \w+)?|ausstehend|en attente', 'PENDING')
    .replace_phrases('rejected|refused?|declined|denied|withdrawn|revoked|fail(ed|s)|disapproved|vetoed|withheld|turned down|returned|blocked|void|suspended|expired|cancell?ed|superseded|inadequate|non ?compli\w+'
       || '|un(approved|fit|suitable|satisfactory|acceptable)|abgelehnt|widerrufen|refusee|rejetee?'
       || '|(not|never|no longer|cannot|\w+n t|nicht|non|pas)( (been|be|fully|formally|considered|found|a|an|the))* (good|met|' || grant_phrases() || ')', 'REJECTED').replace_phrases(grant_phrases(), 'APPROVED')
    .replace_phrases('no|not|never|nobody|none|nothing|neither|nor|cannot|\w+n t|without|unless|if|kein\w*|niemand|nie|nicht|ohne|non|pas|personne|sans', 'NOT')
    .replace_phrases('only|solely|part(ly|ial|ially)?|principle|provisional(ly)?|preliminar(y|ily)|interim|temporar(y|ily)|informal(ly)?|staging|sandbox|uat|test(ing)?|pilot|trial|development|research|but|however|once|when|then'
       || '|later|subsequently|first|except(ions?)?|exclu\w+|mistake|errors?|wrong\w*|by default|still|respect|(\d+|one|some|most|few|half)( out)? of|objections?|issues?|concerns?|reservations?|defects?|deficienc(y|ies)'
       || '|fail(ures?|ing)?|lapsed|terminated|overturned|rescinded|invalid\w*|halted|stopped|disagree[ds]?|disputed|unauthori[sz]ed|material|major|critical|serious|significant|to( \w+)* (approval|validation|sign ?off|decision)'
       || '|nur|aber|vorbehalt\w*|vorlaufig|teilweise|sauf|reserves?|mais|provisoire', 'LIMITED').regexp_replace(' +', ' ', 'g').trim();
-- Granted is what says so first, and then nothing, or by whom, when, with which conditions, where it is written, with no other word in capitals.
create macro decision_of(words) as coalesce(json_extract_string(setting('decisions'), '/' || plain_text(words)), case
    when regexp_full_match(words, '[\s\pZ]*') then null when is_placeholder(words) then 'pending' else decision_words(words)
    .regexp_replace('^((the|this|it|model|version( v?\d+)?|was|is|has|been|formal|formally|final|fully|unanimously|(un)?conditionally|reviewed and|decision|result|outcome|status|approval|validation|review'
       || '|sign ?off|release|acceptance|consent|all (tests|checks)|freigabe|genehmigung|validierung) )*((APPROVED( and)?( |$))+((by|with|under|per|via|subject to|(see )?(the )?(minutes|report|memo|ticket)'
       || '|((on|at|from|since|until|as of|dated|am|le|bis) ([a-z0-9]+ ){0,4})?(\d{4}|meeting|committee)|until further notice|\d\d? \w+ \d{4}|\d+( minor| low)* findings?|(un)?conditionally|unanimously'
       || '|for (use|production)|durch|von|mit|par|avec)( [^A-Z?]*)?)?|(APPROVED )*(approve|accept|pass|go|go ahead|true|green|good|y|agreed|(with|subject to)( the)? conditions?))$', '=approved')
    .regexp_replace('^([^A-Z=]|LIMITED )*REJECTED[^A]*$', '=rejected').regexp_replace('^.*(PENDING|[?]).*$', '=pending').regexp_replace('^([^=].*)?$', '=unreadable').substr(2) end);
create macro overwrites(before, after) as coalesce(before <> after, before is not null);
create macro stated_part(words, part) as regexp_extract(words,
    '^\s*(\d\d\d\d-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-](?:0\d|1[0-5]):?\d\d)?)?\s*$', part);
create macro stated_day(words) as try_cast(stated_part(words, 1) as DATE);
-- Where clocks are put back an hour comes twice: of a time in it DuckDB takes the later moment.
create macro last_of_local(wall) as timezone('UTC', timezone(coalesce(setting('timezone'), 'UTC'), wall));
create macro local_to_utc(wall) as least(last_of_local(wall), last_of_local(wall - interval 1 hour) + interval 1 hour);
create macro local_day(at_moment) as timezone(coalesce(setting('timezone'), 'UTC'), timezone('UTC', at_moment::TIMESTAMP))::DATE;
create macro stated_wall(words) as try_cast(stated_part(words, 1) || ' ' || coalesce(nullif(stated_part(words, 2), ''), '00:00') as TIMESTAMP);
-- DuckDB before 2.0 reads a time with a zone only with its seconds.
create macro stated_zoned(words) as try_cast(try_cast(
    stated_part(words, 1) || ' ' || stated_part(words, 2) || case when length(stated_part(words, 2)) = 5 then ':00' else '' end
    || stated_part(words, 3) as TIMESTAMPTZ) at time zone 'UTC' as TIMESTAMP);
create macro stated_from(words) as case
    when stated_part(words, 3) = '' then local_to_utc(stated_wall(words)) else stated_zoned(words) end;
-- A time without seconds reaches to the end of its minute.
create macro stated_until(words) as case
    when stated_part(words, 2) = '' then local_to_utc((stated_day(words) + 1)::TIMESTAMP)
    else case when stated_part(words, 3) = '' then last_of_local(stated_wall(words)) else stated_zoned(words) end
         + case when length(stated_part(words, 2)) = 5 then interval 1 minute else interval 0 minute end end;
create macro first_tag(wanted, of_registry, of_workspace) as (select arg_min(tag, rank) from governance_fields where governance_fields.field = wanted and applies_to = conventions_of(of_registry, of_workspace));
create macro set_tag(of_model, of_version, tag_key, hint) as case when of_version is null
    then 'client.set_registered_model_tag(' || to_json(of_model)::VARCHAR || ', '
    else 'client.set_model_version_tag(' || to_json(of_model)::VARCHAR || ', "' || of_version || '", ' end
    || to_json(tag_key)::VARCHAR || ', "<' || hint || '>")';
create macro list_person(spelling) as 'auditreg.toml: [[people]] id = "<person>", accounts = [' || to_json(spelling)::VARCHAR || ']';
-- What a rule answers that asks whether a field is recorded, by the state that field_evidence gives. In the
-- sentence, names in braces are columns of the rule.
-- Whichever of several values holds at the moment, one is recorded; a rule that asks which says that it is open.
create macro field_status(state) as case when state in ('recorded', 'ambiguous') then 'pass' when state = 'uncertain' then 'undecided' else 'not_evidenced' end;
create macro field_reason(label, field_id, state, nearest_tag) as case state
    when 'recorded' then 'The ' || label || ' of {subject} is recorded in {found_in} {tag}: {' || field_id || '}'
    when 'ambiguous' then 'The ' || label || ' of {subject} is recorded in {found_in} {tag} and changed around this moment: {' || field_id || '}'
    when 'placeholder' then 'The ' || label || ' of {subject} is given as ''{' || field_id || '}'' in {found_in} {tag}, which says nothing'
    when 'on the model only' then 'The ' || label || ' is recorded for the model only, which does not say for which version: {' || field_id || '}'
    when 'uncertain' then 'Whether the ' || label || ' of {subject} is recorded at this moment cannot be told: {candidates}'
    else 'No ' || label || ' of {subject} is recorded; looked for the tags {tags_looked_for}'
         || case when nearest_tag is null then '' else '; nearest tag: ''{nearest_tag}'' = ''{nearest_value}''' end end;
-- No record, or one that does not answer for this version; then the value is that of the placeholder or of the model.
create macro is_absent(state) as state in ('missing', 'placeholder', 'on the model only');
-- The values that a field may have at the moment, to be unnested; NULL among them where it may have none.
create macro values_of(state, value, possible) as case when state = 'recorded' then [value]
    when is_absent(state) or possible is null then [null::VARCHAR] else from_json(possible, '["VARCHAR"]') end;
-- What each possible value of a subject comes to, as one answer: the one they share, 'open' where one of them is sound, else
-- 'unsound'. An aggregate.
create macro settle(found, sound) as case when count(distinct found) = 1 then min(found)
    when bool_or(list_contains(sound, found)) then 'open' else 'unsound' end;
-- How closely the files of a version were compared, and a list of names short enough to be read.
create macro file_level(rank) as case rank when 1 then 'SHA-256 of every file'
    when 2 then 'SHA-256 of MLmodel, names and sizes of the others' when 3 then 'SHA-256 of MLmodel alone' end;
create macro a_few(names) as array_to_string(names[1:3], ', ')
    || case when len(names) > 3 then ' and ' || (len(names) - 3) || ' more' else '' end;
-- The local day judged, and whether something that begins at a moment is still to come. as_of() is exclusive: at the first
-- instant of October the day judged is 30 September, what lasts until that day still holds (its end is not before
-- as_of()), and what begins on 1 October is to come.
create macro judged_day() as local_day(as_of() - interval 1 microsecond);
create macro is_to_come(moment) as moment > as_of() or local_day(moment) > judged_day();
-- So many days after a moment, by the firm's clock: a day is 23 or 25 hours long where summer time begins or ends.
create macro days_later(moment, days) as local_to_utc(
    timezone(coalesce(setting('timezone'), 'UTC'), timezone('UTC', moment::TIMESTAMP)) + to_seconds(days * 86400));
-- Words without case, quotes, brackets and the stop at their end. Whether they say that there is none of the things named
-- ('overlays?|adjustments?'), and whether they say that something was not done, or only is to be.
create macro bare_words(words) as trim(regexp_replace(lower(words), '[\s_"''()\[\]{}]+', ' ', 'g'), ' .,:;!');
create macro says_none(words, things) as regexp_matches(bare_words(words),
    '^(|none|no|nil|null|nothing|zero|[-+]?0+([.,]0+)? ?%?|false|off|n/?a|n\.a|not (applicable|any)|-+)$'
    || '|^((there (is|are|were) )?(no|none|zero|0)|without)( (known|current|open|other|further|any|outstanding|remaining|such|direct))* ('
    || things || ')( (is|are|was|were))?( (known|recorded|applied|used|needed|required|open|outstanding|granted|remaining|left|found|in place|currently))*$'
    || '|^(no|none|zero|0)( (is|are))?( (known|recorded|applied|used|needed|required|open|outstanding|granted|remaining|left))+$');
create macro says_not_done(words) as regexp_matches(bare_words(words),
    '^(no|false|off|n/?a|n\.a|disabled|inactive|stopped|paused|suspended|deactivated|switched off|turned off|pending|planned|scheduled|outstanding|missing|skipped|awaited)'
    || '( ?[,:;/–-].*| (since|until|for|in|at|by) .*)?$'
    || '|^(was |were |has |have |is |are )?(not|never)( yet)?( been)?( (tested|done|performed|available|applicable|monitored|started|run|carried out|conducted'
    || '|assessed|evaluated|complete|completed|finished|required|needed|documented|recorded|provided|in place|active|enabled|yet))\b'
    || '|^(still |yet )?to (be (done|performed|tested|run|carried out|conducted|assessed|evaluated|completed|started|provided|set up|monitored|defined)|do|come|follow)\b'
    || '|^will (be|follow)\b|^no (tests?|testing|monitoring|analysis|assessment|evidence|results?|review)( (yet|available|done|performed|so far|recorded|in place))*$');
create macro names_no_model(words) as says_none(words, '(model )?dependenc(y|ies)|(upstream )?models?')
    or regexp_matches(bare_words(words), '^(independent|stand-? ?alone|self-? ?contained)$|^(it )?does not depend on( any| other)* models?$');
-- An id that a commit can have: Git writes zeros where there is none.
create macro is_commit(words) as regexp_matches(lower(trim(words)), '^[0-9a-f]{7,64}$') and not regexp_matches(trim(words), '^0+$');
