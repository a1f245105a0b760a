"""A reference judge: what each rule should answer, by somebody who saw everything that happened.

It is written from the headers of the rules (title, looks_for, rationale), docs/fields.md and
docs/configuration.md, in plain Python, and judges played events. It reads no SQL and no ledger, and
imports nothing of auditreg. Whoever changes it gives a reason in the words of a header.

An answer is `pass`, `bad` (fail or not evidenced), `n/a`, or `open` where no record says: a day that
is the very day on which a version went live, entered only afterwards, leaves the order of both open
to everybody. Where two answers say the same in
the words of the rule, both are right: `bad|n/a` is a finding of this rule or of the one it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tests.judge.words import (
    CADENCES,
    Firm,
    Stated,
    days_in,
    first,
    outcome,
    rating_of,
    says_nothing,
)
from tests.judge.world import Model, Run, Span, Tagged, Version, World

PASS, BAD, NA, OPEN = "pass", "bad", "n/a", "open"
BAD_OR_NA, PASS_OR_NA = "bad|n/a", "pass|n/a"
DAY = 86_400_000
ACT = 3_600_000
"""What is recorded within an hour is one act (ADR 0024)."""
REFUSING = 60_000
"""A decision that refuses, or is left open, belongs to an act within a minute (ADR 0024)."""
APPROVAL = (
    "approver",
    "approver_role",
    "approval_date",
    "approval_decision",
    "approval_conditions",
)
TEST_CONTEXTS = ("test", "eval", "evaluation", "holdout")
TRAINING_CONTEXTS = ("training", "train")


def either(good: bool) -> str:
    """Pass or bad."""
    return PASS if good else BAD


@dataclass(frozen=True)
class Case:
    """What is judged: everything up to a moment, in a period, with the settings and the readings."""

    world: World
    firm: Firm
    start: int
    end: int
    readings: Sequence[int]

    @property
    def now(self) -> int:
        """The moment judged."""
        return self.world.now

    # Populations

    def live_versions(self) -> list[Version]:
        """Versions that are live."""
        return [version for version in self.world.versions if version.live]

    def live_in_period(self) -> list[Version]:
        """Versions live at any time in the period."""
        return [
            version
            for version in self.world.versions
            if any(span.meets(self.start, self.end) for span in version.lives)
        ]

    def promotions(self) -> list[Span]:
        """The times a version became live in the period."""
        return [
            span
            for version in self.world.versions
            for span in version.lives
            if self.start <= span.start < self.end
        ]

    def retired(self) -> list[Version]:
        """Versions that were live and are in use no more, deleted ones too."""
        return [version for version in self.world.versions if version.spans and not version.live]

    def models(self) -> list[Model]:
        """The registered models."""
        return list(self.world.named.values())

    # Fields

    def end_of(self, thing: Version | Model) -> int:
        """When its record is looked at: now, or when it was deleted."""
        model = thing if isinstance(thing, Model) else thing.model
        ends = [self.now, thing.deleted, model.deleted]
        return min(end for end in ends if end is not None)

    def value(self, version: Version, field: str, *, own: bool = False) -> str | None:
        """A field of a version: on the version, then on its model; a placeholder where nothing else is."""
        at = self.end_of(version)
        places = [version.tags(at)] if own else [version.tags(at), version.model.tags(at)]
        named = [{k: v for k, v in tags.items() if not says_nothing(v)} for tags in places]
        return first(field, *named) or first(field, *places)

    def recorded(self, version: Version, field: str, *, own: bool = False) -> str | None:
        """The value of a field, unless it stands for nothing."""
        value = self.value(version, field, own=own)
        return None if value is None or says_nothing(value) else value

    def person(self, spelling: str | None) -> str | None:
        """A name that is no placeholder and no service account."""
        return spelling if self.firm.names_somebody(spelling) else None

    def ratings_then(self, version: Version, then: Stated) -> set[str | None]:
        """What a version was rated at some time: where it had no rating by then, the first it was given."""
        until = self.end_of(version)
        places = (version, version.model)
        written = sorted(
            {when for place in places for when, _, _ in place.written if when <= until}
        )

        def at(moment: int) -> str | None:
            tags = [place.tags(moment) for place in places]
            return first(
                "risk_rating",
                *({k: v for k, v in one.items() if not says_nothing(v)} for one in tags),
            )

        standing = {at(then.start), *(at(when) for when in written if then.start < when < then.end)}
        since = (rating for when in written if (rating := at(when)) is not None)
        return (standing - {None}) or {next(since, None)}

    def rating(self, version: Version) -> str | None:
        """The risk rating of a version."""
        return rating_of(self.value(version, "risk_rating"))

    def day_value(self, version: Version, field: str) -> Stated | None:
        """A field that holds a date, as a date."""
        value = self.value(version, field)
        return None if value is None else self.firm.stated(value)

    def not_passed(self, version: Version, field: str) -> bool:
        """Whether a field names a day that has not passed."""
        stated = self.day_value(version, field)
        return stated is not None and stated.end >= self.now

    def from_vendor(self, version: Version) -> bool:
        """Whether the model was bought."""
        origin = self.recorded(version, "origin")
        return origin is not None and origin.strip().lower() not in (
            "in-house",
            "internal",
            "no",
            "none",
        )

    def developers(self, version: Version) -> set[str]:
        """Everybody who is or ever was recorded as developer, service accounts and placeholders aside."""
        until = self.end_of(version)
        named = {
            value
            for place in (version, version.model)
            for when, key, value in place.written
            if value is not None
            and when <= until
            and key in ("gov.developer", "developer", "author")
        }
        if version.run:
            named.add(version.run.user)
        return {name for name in named if self.firm.names_somebody(name)}


# Records


@dataclass(frozen=True)
class Record:
    """What stood together on a version or a model, from one act to the next that overwrote it."""

    since: int
    until: int | None
    fields: dict[str, str]
    on: Tagged

    def get(self, field: str) -> str | None:
        """The value of a field."""
        return self.fields.get(field)


DECISIONS = ("approval_decision", "validation_result")


def told(field: str, tags: Mapping[str, str]) -> str | None:
    """The value of a field: of the first tag that says something, else of the first that is set."""
    if field not in DECISIONS:
        named = {key: value for key, value in tags.items() if not says_nothing(value)}
        if (value := first(field, named)) is not None:
            return value
    return first(field, tags)


def _refused(values: Mapping[str, str], last: Record) -> bool:
    """Whether a decision that was not there refuses, or says that none was made."""
    return any(_withholds(values.get(field)) for field in DECISIONS if not last.get(field))


def _withholds(decision: str | None) -> bool:
    """Whether a decision refuses, or says that none was made."""
    return outcome((decision or "").strip().lower()) not in ("", "grants")


def records(thing: Tagged, fields: Sequence[str], until: int) -> list[Record]:
    """The records of some fields in order of time.

    An act that overwrites or removes something begins another record, and so does one that adds a
    refusal or leaves the decision open; one that adds what was missing completes it. `since` is when the
    first of its fields was written. Of several tags the first that says something counts.
    """
    found: list[Record] = []
    before: dict[str, str] = {}
    moments = sorted({when for when, _, _ in thing.written if when <= until})
    acts: list[list[int]] = []
    for when in moments:
        tags = thing.tags(when)
        values = {field: value for field in fields if (value := told(field, tags)) is not None}
        if values == before:
            continue
        withheld = any(
            values.get(field) != before.get(field) and _withholds(values.get(field))
            for field in DECISIONS
        )
        before = values
        if acts and when - acts[-1][-1] <= (REFUSING if withheld else ACT):
            acts[-1].append(when)
        else:
            acts.append([when])
    for act in acts:
        tags = thing.tags(act[-1])
        values = {field: value for field in fields if (value := told(field, tags)) is not None}
        if found:
            last = found[-1]
            kept = all(values.get(field) == value for field, value in last.fields.items())
            if kept and not _refused(values, last):
                found[-1] = Record(last.since, None, values, thing)
                continue
            found[-1] = Record(last.since, act[0], last.fields, thing)
        if values:
            found.append(Record(act[0], None, values, thing))
    return found


def approvals(case: Case, version: Version) -> list[Record]:
    """The records of approvals on a version; a tag of the model says not which version."""
    return records(version, (*APPROVAL, "approval_until"), case.end_of(version))


def in_use(
    version: Version, found: Sequence[Record], good: Callable[[Record], bool]
) -> list[Record]:
    """The records that count for a version today.

    Of one that is in use no more, what was withdrawn or taken away since did not stand while it was in
    use; what was added since that is good repairs the record.
    """
    if version.live or not version.spans:
        return list(found)
    ended = max(span.end or 0 for span in version.spans)
    kept = [record for record in found if record.since < ended or good(record)]
    follows = [*(record.since for record in kept), None][1:]
    return [
        record if record.until is None or record.until < ended else replace(record, until=follow)
        for record, follow in zip(kept, follows, strict=True)
    ]


def standing(found: Sequence[Record], at: int) -> Record | None:
    """The record that stood at a moment."""
    for record in found:
        if record.since <= at and (record.until is None or record.until > at):
            return record
    return None


def approved_by(case: Case, record: Record | None) -> str | None:
    """Who could have approved by a record: a person or body, and no decision against it."""
    if record is None:
        return None
    if outcome(record.get("approval_decision")) not in ("", "grants"):
        return None
    return case.person(record.get("approver"))


def rejected(record: Record | None) -> bool:
    """Whether a record says that the version was not approved."""
    return record is not None and outcome(record.get("approval_decision")) == "refuses"


def in_time(case: Case, stated: Stated, at: int) -> str:
    """Whether something dated so came before a moment."""
    if stated.start == stated.end:
        return either(stated.end <= at)
    return PASS if stated.end <= at else BAD if stated.start > at else OPEN


def approval_precedes_live(case: Case, span: Span) -> str:
    found = approvals(case, span.version)
    stood = standing(found, span.start)
    if rejected(stood):
        return BAD
    candidates = [r for r in found if approved_by(case, r)]
    now = current(case, span.version)
    if stood is not None and stood != now and not _stands(case, span.version, stood):
        return BAD  # what was wrong then, and the record of today no longer shows
    if not candidates and any(rejected(record) for record in found):
        return BAD_OR_NA  # rejected only afterwards: `approver-recorded` says so too
    if approved_by(case, stood):
        candidates = [r for r in candidates if r is stood]
    answers = [
        _dated_before(case, record, span, "approval_date", "approver") for record in candidates
    ]
    answer = best(answers, NA)
    # An approval by a developer is contested: whether it came before, nobody needs to know then.
    own = any(_independent(case, span.version, approved_by(case, r)) == BAD for r in candidates)
    return f"{answer}|{NA}" if own and answer != NA else answer


def best(answers: Sequence[str], none: str) -> str:
    """The mildest of some answers."""
    for answer in (PASS, OPEN, BAD):
        if answer in answers:
            return answer
    return none


def _dated_before(case: Case, record: Record, span: Span, field: str, who: str) -> str:
    """Whether a record says it was made before a version went live."""
    date = record.get(field)
    entered = written(case, record, who)
    if date is None:
        return either(entered <= span.start)
    stated = case.firm.stated(date)
    if stated is None:
        return BAD
    answer = in_time(case, stated, span.start)
    if answer == OPEN and entered <= span.start:
        return PASS
    return answer


def written(case: Case, record: Record, field: str) -> int:
    """When the value of a field in a record was written."""
    value = record.get(field)
    for when, _, _ in record.on.written:
        if when >= record.since and told(field, record.on.tags(when)) == value:
            return when
    raise AssertionError(field)


def approval_recorded_at_promotion(case: Case, span: Span) -> str:
    before = approval_precedes_live(case, span)
    if before in (NA, BAD, BAD_OR_NA):
        return NA
    found = approvals(case, span.version)
    return either(approved_by(case, standing(found, span.start)) is not None)


def current(case: Case, version: Version) -> Record | None:
    """The record of an approval that stands now."""
    found = in_use(version, approvals(case, version), lambda one: _stands(case, version, one))
    return standing(found, case.end_of(version))


def _stands(case: Case, version: Version, record: Record) -> bool:
    """Whether a record holds by itself: of somebody else's than the developers' approval."""
    who = approved_by(case, record)
    return who is not None and not _own(case, version, who)


def _own(case: Case, version: Version, who: str) -> bool:
    """Whether somebody is one of the developers of a version."""
    party = case.firm.party(who)
    named = case.developers(version)
    return who.lower() in {name.lower() for name in named} or (
        party is not None and party in [case.firm.party(name) for name in named]
    )


def approver_recorded(case: Case, version: Version) -> str:
    record = current(case, version)
    if record is None or approved_by(case, record) is None:
        return BAD
    # Nobody has agreed yet by a date that is still to come.
    stated = case.firm.stated(record.get("approval_date") or "")
    return either(stated is None or stated.start <= case.now)


def approval_unchanged_after_promotion(case: Case, version: Version) -> str:
    until = case.end_of(version)
    for span in version.lives:
        end = min(until, span.end if span.end is not None else until)
        for field in APPROVAL:
            seen = first(field, version.tags(span.start))
            for when in sorted({w for w, _, _ in version.written if span.start < w <= end}):
                value = first(field, version.tags(when))
                if seen is not None and value != seen:
                    return BAD
                seen = value
    found = approvals(case, version)
    stood = any(standing(found, span.start) for span in version.lives)
    return PASS if stood else PASS_OR_NA if found else NA


def approver_authorised(case: Case, version: Version) -> str:
    record = current(case, version)
    who = approved_by(case, record)
    if who is None or record is None:
        return NA
    stated = case.firm.stated(record.get("approval_date") or "")
    at = stated.start if stated else written(case, record, "approver")
    then = stated or Stated(at, at)
    answer = _authorised(case, version, who, "approve", then)
    if record.get("approval_date") and stated is None:
        # On which day is not known, only that it was by when it was entered.
        early = _authorised(case, version, who, "approve", Stated(version.made, version.made))
        return answer if answer == early else BAD
    return answer


def _authorised(case: Case, version: Version, who: str, act: str, then: Stated) -> str:
    """Whether somebody was in office and held the role for the rating the model had then.

    Who a name nobody claims is tells the rule about independence ("never a pass"), and which rating
    a model has that of the rating: one cause is one finding (ADR 0024).
    """
    party, day = case.firm.party(who), case.firm.day(then.start)
    if party is None:
        return NA
    if not party.in_office(day):
        return BAD
    ratings = case.ratings_then(version, then)
    rated = [rating.strip().lower() for rating in ratings if rating is not None]
    answers = {case.firm.may(party, act, rating, day) for rating in rated or CADENCES}
    if len(answers) > 1:
        return OPEN if rated else NA
    return either(answers == {True})


def _independent(case: Case, version: Version, who: str | None) -> str:
    """Whether somebody is none of the developers of a version."""
    if who is None:
        return NA
    party = case.firm.party(who)
    developers = case.developers(version)
    if not developers:
        return NA if party else BAD_OR_NA
    if party is None:
        return BAD
    found = [case.firm.party(name) for name in developers]
    return either(None not in found and party not in found)


def approver_independent(case: Case, version: Version) -> str:
    return _independent(case, version, approved_by(case, current(case, version)))


VALIDATION = ("validation_date", "reviewer", "validation_result")


def validations(case: Case, version: Version) -> list[Record]:
    """The records of validations: those of the version, else those of its model (docs/fields.md)."""
    until = case.end_of(version)
    return records(version, VALIDATION, until) or records(version.model, VALIDATION, until)


def _complete(case: Case, record: Record) -> bool:
    """Whether date, validator and result stand together, and name a day and somebody."""
    return (
        all(record.get(field) for field in VALIDATION)
        and case.firm.stated(record.fields["validation_date"]) is not None
        and case.person(record.get("reviewer")) is not None
        and not _failed(record)
        and outcome(record.fields["validation_result"]) == "grants"
    )


def _failed(record: Record) -> bool:
    return outcome(record.get("validation_result")) == "refuses"


def _validation(case: Case, version: Version) -> Record | None:
    """The record of a validation that stands now."""
    found = in_use(version, validations(case, version), lambda one: _complete(case, one))
    return standing(found, case.end_of(version))


def _date(case: Case, record: Record) -> Stated:
    """The date of a validation that is complete."""
    stated = case.firm.stated(record.fields["validation_date"])
    assert stated is not None
    return stated


def validation_now(case: Case, version: Version) -> tuple[Record, Stated] | None:
    """The validation that stands now and its date, where it is one."""
    record = _validation(case, version)
    if record is None or not _complete(case, record):
        return None
    stated = case.firm.stated(record.fields["validation_date"])
    return None if stated is None or stated.start > case.now else (record, stated)


def validation_recorded(case: Case, version: Version) -> str:
    return either(validation_now(case, version) is not None)


def _trained(version: Version) -> int | None:
    """When the training ended: a run that goes on after the registration trains nothing registered."""
    return min(version.run.end, version.made) if version.run and version.run.end else None


def _covers(version: Version, record: Record, stated: Stated) -> bool | None:
    """Whether a validation is of this version: not older than its training, or than its registration.

    None where no training is recorded and it is older than the registration: nothing shows it then. A day means the whole local day: one that reaches beyond the training's end is not older than it.
    """
    after = [trained] if (trained := _trained(version)) else []
    if record.on is version.model:
        after.append(version.made)
    if after:
        return stated.end > max(after)
    return True if stated.end > version.made else None


def validation_precedes_live(case: Case, span: Span) -> str:
    found = validations(case, span.version)
    stood = standing(found, span.start)
    if stood and _failed(stood):
        return BAD
    now = _validation(case, span.version)
    if stood and stood != now and not _complete(case, stood):
        return BAD  # what was wrong then, and the record of today no longer shows
    if stood and stood != now and _covers(span.version, stood, _date(case, stood)) is False:
        return BAD
    candidates = [stood] if stood and _complete(case, stood) else found
    answers = []
    for record in candidates:
        stated = case.firm.stated(record.get("validation_date") or "")
        whole = stated is not None and _complete(case, record)
        # What is recorded on the version itself is of the version, unless a time says otherwise.
        if stated and whole and _covers(span.version, record, stated) is not False:
            answers.append(_dated_before(case, record, span, "validation_date", "reviewer"))
    return best(answers, NA)


def validation_covers_version(case: Case, version: Version) -> str:
    now = validation_now(case, version)
    if now is None:
        return NA
    covers = _covers(version, *now)
    return either(covers is True)


def validation_current(case: Case, version: Version) -> str:
    now = validation_now(case, version)
    due = []
    for field in ("next_review", "valid_until"):
        text = case.recorded(version, field)
        stated = case.firm.stated(text or "")
        if text is None:
            continue
        # What was set for the model before this validation was met by it.
        beside = now is not None and first(field, now[0].on.tags(case.now)) == text
        if stated is None:
            if beside:
                return BAD
        elif now is None or beside or stated.end > now[1].start:
            due.append((field, stated.end))
    if any(end < case.now for _, end in due):
        return BAD
    if now is None:
        return NA
    rating = case.rating(version)
    if rating is None:
        return PASS if due else NA
    last = case.firm.day(now[1].start) + timedelta(days=CADENCES[rating] + 1)
    tolerated = case.firm.first_of(last + timedelta(days=7))
    if any(field == "next_review" and end > tolerated for field, end in due):
        return BAD
    return either(case.firm.first_of(last) >= case.now)


def _validator(case: Case, version: Version) -> tuple[str | None, Record | None]:
    """Who validated by the record that stands, whatever came of it."""
    record = _validation(case, version)
    return (case.person(record.get("reviewer")) if record else None), record


def validator_authorised(case: Case, version: Version) -> str:
    who, record = _validator(case, version)
    stated = case.firm.stated((record and record.get("validation_date")) or "")
    if who is None or stated is None:
        return NA
    return _authorised(case, version, who, "validate", stated)


def validator_independent(case: Case, version: Version) -> str:
    return _independent(case, version, _validator(case, version)[0])


def sequence_kept(case: Case, version: Version) -> str:
    record = current(case, version)
    if record is None or approved_by(case, record) is None:
        return NA
    stated = case.firm.stated(record.get("approval_date") or "")
    if stated is None:
        return BAD
    if (trained := _trained(version)) and stated.end <= trained:
        return BAD
    early = not trained and stated.end <= version.made  # when it was trained is not on record
    until = case.end_of(version)
    validated = [
        when
        for place in (version, version.model)
        for one in records(place, VALIDATION, until)
        if _complete(case, one)
        and (when := case.firm.stated(one.fields["validation_date"]))
        and _covers(version, one, when) is not False
    ]
    if not validated:
        return OPEN if early else NA
    earliest = min(validated, key=lambda one: one.start)
    if earliest.start < stated.end or earliest.start == stated.start:
        return OPEN if early else PASS
    return BAD


def conditional_approval_current(case: Case, version: Version) -> str:
    record = current(case, version)
    if record is None or approved_by(case, record) is None:
        return NA
    until, conditions = record.get("approval_until"), record.get("approval_conditions")
    given = case.firm.stated(record.get("approval_date") or "")
    ends = []
    if until is not None:
        stated = case.firm.stated(until)
        if stated is None:
            return BAD
        ends.append(stated.end)
    ends += [
        case.firm.first_of(day + timedelta(days=1))
        for day in days_in(conditions or "")
        if given is None or day > case.firm.day(given.start)
    ]
    return either(min(ends) >= case.now) if ends else NA


def change_reason_recorded(case: Case, version: Version) -> str:
    began = min((span.start for span in version.lives), default=case.now)
    if not any(_before(version, span, began) for span in _lives(version.model)):
        return NA
    reason = case.recorded(version, "change_reason", own=True) or case.recorded(
        version, "change_ticket", own=True
    )
    kind = case.value(version, "change_class", own=True)
    return either(reason is not None and (kind or "minor") in ("minor", "major", "emergency"))


def _lives(model: Model) -> Iterator[Span]:
    for version in model.versions.values():
        yield from version.lives


def _before(version: Version, span: Span, at: int) -> bool:
    return span.version is not version and span.start < at


def _sets(run: Run, contexts: Sequence[str]) -> set[tuple[str, str]]:
    return {(one["name"], one["digest"]) for one in run.datasets if one["context"] in contexts}


def change_compared(case: Case, span: Span) -> str:
    version = span.version
    if case.value(version, "change_class", own=True) != "major":
        return NA
    earlier = [other for other in _lives(version.model) if _before(version, other, span.start)]
    if not earlier:
        return NA
    tested = _sets(version.run, TEST_CONTEXTS) if version.run else set()
    if not tested:
        return NA
    previous = max(earlier, key=lambda other: other.start).version
    return either(bool(previous.run and tested & _sets(previous.run, TEST_CONTEXTS)))


def test_data_distinct(case: Case, version: Version) -> str:
    run = version.run
    if run is None:
        return NA
    training = [one for one in run.datasets if one["context"] in TRAINING_CONTEXTS]
    tests = [one for one in run.datasets if one["context"] in TEST_CONTEXTS]
    if not training:
        return BAD
    return either(any(one["digest"] not in {t["digest"] for t in training} for one in tests))


def training_data_linked(case: Case, version: Version) -> str:
    if version.run is None:
        return NA
    return either(bool(_sets(version.run, TRAINING_CONTEXTS)))


def run_linked(case: Case, version: Version) -> str:
    if version.run is None and case.from_vendor(version):
        return NA
    return either(version.run is not None and version.run.deleted is None)


def _run_tag(version: Version, key: str) -> str | None:
    return version.run.tags.get(key) if version.run else None


def git_commit_recorded(case: Case, version: Version) -> str:
    if version.run is None:
        return NA
    commit = _run_tag(version, "mlflow.source.git.commit")
    return either(bool(re.fullmatch(r"[0-9a-f]{7,40}", commit or "")))


def working_tree_clean(case: Case, version: Version) -> str:
    if version.run is None:
        return NA
    return either(_run_tag(version, "mlflow.source.git.dirty") == "false")


def parameters_recorded(case: Case, version: Version) -> str:
    if case.rating(version) != "high" or version.run is None:
        return NA
    return either(bool(version.run.params))


def thresholds_met(case: Case, version: Version) -> str:
    text = case.recorded(version, "thresholds")
    if text is None or not re.search("[<>=]", text):
        return BAD
    if version.run is None:
        return BAD if case.from_vendor(version) else NA
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\w+)\s*(>=|<=|>|<|=)\s*([\d.]+)\s*", part)
        if not found or found[1] not in version.run.metrics:
            return BAD
        value, limit = version.run.metrics[found[1]], float(found[3])
        kept = {
            ">=": value >= limit, "<=": value <= limit, ">": value > limit,
            "<": value < limit, "=": value == limit,
        }[found[2]]  # fmt: skip
        if not kept:
            return BAD
    return PASS


def timestamps_plausible(case: Case, version: Version) -> str:
    clocks = 5 * 60_000
    wrong = version.made > case.now + clocks or version.made < version.model.made - clocks
    if version.run:
        wrong |= version.run.start > version.made + clocks
        wrong |= version.run.end is not None and version.run.end < version.run.start
    return either(not wrong)


def _field(field: str) -> Callable[[Case, Version], str]:
    """A rule that asks whether a field is recorded."""
    return lambda case, version: either(case.recorded(version, field) is not None)


def description_present(case: Case, version: Version) -> str:
    at = case.end_of(version)
    texts = [version.description, version.model.description]
    texts += [first("description", version.tags(at)), first("description", version.model.tags(at))]
    return either(any(len(re.sub(r"[\W_]{3,}", " ", text or "").strip()) >= 20 for text in texts))


def developer_recorded(case: Case, version: Version) -> str:
    named = case.recorded(version, "developer") or (version.run.user if version.run else None)
    if named is None and case.from_vendor(version):
        return NA
    return either(case.person(named) is not None)


def owner_recorded(case: Case, version: Version) -> str:
    owner = case.person(case.value(version, "owner"))
    if owner is None:
        return BAD
    party = case.firm.party(owner)
    return either(party is None or party.in_office(case.firm.day(case.now - 1)))


def risk_rating_recorded(case: Case, version: Version) -> str:
    return either(case.rating(version) is not None)


def limits_recorded(case: Case, version: Version) -> str:
    fields = ("assumptions", "limitations")
    return either(all(case.recorded(version, field) is not None for field in fields))


def model_id_recorded(case: Case, version: Version) -> str:
    own = case.recorded(version, "model_id")
    if own is None:
        return BAD
    for other in case.models():
        if other is not version.model:
            known = {first("model_id", other.tags(case.now))}
            known |= {first("model_id", v.tags(case.now)) for v in other.there()}
            if own.strip().lower() in {(one or "").strip().lower() for one in known}:
                return BAD
    return PASS


def next_review_recorded(case: Case, version: Version) -> str:
    told = case.day_value(version, "next_review") is not None
    return either(told or case.rating(version) is not None)


def monitoring_current(case: Case, version: Version) -> str:
    fields = ("monitoring_status", "monitoring_date")
    if all(case.recorded(version, field) is None for field in fields):
        return NA
    stated = case.day_value(version, "monitoring_date")
    if stated is None or stated.start > case.now:
        return BAD
    ends = case.firm.day(stated.start) + timedelta(days=100 + 1)
    return either(case.firm.first_of(ends) >= case.now)


def explainability_recorded(case: Case, version: Version) -> str:
    if case.rating(version) != "high":
        return NA
    return either(case.recorded(version, "explainability_evidence") is not None)


def fairness_tested(case: Case, version: Version) -> str:
    impact = case.recorded(version, "consumer_impact")
    if impact is not None:
        affects = impact.lower() not in ("none", "no", "internal")
    else:
        purpose = (case.value(version, "purpose") or "").lower()
        affects = any(word in purpose for word in ("consumer", "customer", "policyholder"))
    if not affects:
        return NA
    return either(case.recorded(version, "fairness_evidence") is not None)


def findings_closed(case: Case, version: Version) -> str:
    found = case.recorded(version, "validation_findings")
    if found is None:
        return NA
    if found.lower() in ("none", "0", "closed"):
        return PASS
    owner = case.person(case.value(version, "findings_owner"))
    return either(owner is not None and case.not_passed(version, "findings_due"))


def lifecycle_status_consistent(case: Case, version: Version) -> str:
    status = case.recorded(version, "lifecycle_status")
    if status is None:
        return NA
    out = "retired, decommissioned, archived, withdrawn, inactive, closed, draft, in development, development"
    return either(status.strip().lower() not in out.split(", "))


def overlays_registered(case: Case, version: Version) -> str:
    overlay = case.recorded(version, "overlays")
    if overlay is None or overlay.lower() == "none":
        return NA
    reason = case.recorded(version, "overlay_reason") is not None
    return either(reason and case.not_passed(version, "overlay_until"))


def exemption_approved(case: Case, version: Version) -> str:
    exemption = case.recorded(version, "exemption")
    if exemption is None or exemption.lower() == "none":
        return NA
    who = case.person(case.value(version, "exemption_by"))
    party = None if who is None else case.firm.party(who)
    if who is None or party is None or _own(case, version, who):
        return BAD
    on = version if case.value(version, "exemption_by", own=True) == who else version.model
    named: tuple[str | None, int] = (None, 0)
    for when, key, value in on.written:
        if key == "gov.exemption.by" and when <= case.end_of(version) and value != named[0]:
            named = (value, when)
    in_office = party.in_office(case.firm.day(named[1]))
    return either(in_office and case.not_passed(version, "exemption_until"))


def vendor_file(case: Case, version: Version) -> str:
    if not case.from_vendor(version):
        in_house = case.recorded(version, "origin") is not None
        return BAD if in_house and case.recorded(version, "vendor_name") else NA
    fields = ("vendor_name", "vendor_file")
    return either(all(case.recorded(version, field) is not None for field in fields))


def retention_recorded(case: Case, version: Version) -> str:
    stated = case.day_value(version, "retention_until")
    if stated is None:
        return BAD
    years = case.firm.params["retention-recorded"]["minimum_years"]
    if stated.end < case.now:
        return BAD  # passed while the version is in use
    made, kept = case.firm.day(version.made), case.firm.day(stated.start)
    return either((kept.year - years, kept.month, kept.day) >= (made.year, made.month, made.day))


def rating_reassessed(case: Case, version: Version) -> str:
    if case.recorded(version, "risk_rating") is None:
        return NA
    stated = case.day_value(version, "risk_rated_at")
    if stated is None:
        return BAD
    major = case.value(version, "change_class", own=True) == "major"
    if major and stated.end <= version.made:
        return BAD
    rating = case.rating(version)
    if rating is None:
        return NA  # no cadence: `risk-rating-recorded` says so
    ends = case.firm.day(stated.start) + timedelta(days=CADENCES[rating] + 1)
    return either(case.firm.first_of(ends) >= case.now)


def scope_decided(case: Case, version: Version) -> str:
    text = case.recorded(version, "regime_scope") or ""
    decided = {}
    for part in text.split(";"):
        regime, _, decision = part.partition(":")
        decided[regime.strip().lower()] = decision.strip().lower()
    for regime in case.firm.params["scope-decided"]["regimes"].split(","):
        word, _, reason = decided.get(regime.strip().lower(), "").partition(",")
        if word.strip() != "in" and not (word.strip() == "out" and reason.strip()):
            return BAD
    return PASS


def dependencies_sound(case: Case, version: Version) -> str:
    text = case.recorded(version, "dependencies")
    if text is None:
        return NA
    names = [name.strip() for name in text.split(",") if name.strip()]
    asked = [n for n in names if n.lower() != "none" and not n.startswith(("system:", "data:"))]
    return either(all(_sound(case, name) for name in asked))


def _sound(case: Case, name: str) -> bool:
    name, _, number = name.removeprefix("models:/").partition("/")
    model = case.world.named.get(name)
    if model is None:
        found = [
            one for one in case.models()
            if (first("model_id", one.tags(case.now)) or "").lower() == name.lower()
        ]  # fmt: skip
        model = found[0] if found else None
    if model is None:
        return False
    if not number:
        return any(version.live for version in model.versions.values())
    version = model.versions.get(int(number))
    if version is None or version.deleted is not None:
        return False
    # A judge who forgets what nobody read knows stages of later; that of the moment counts.
    stages = [stage for at, stage in version.stages if at <= case.now]
    if stages and stages[-1] == "Archived":
        return False
    return version.live or _approval_holds(case, version)


def _approval_holds(case: Case, version: Version) -> bool:
    """Whether a version is approved, by nobody who developed it, and the approval has not run out."""
    record = current(case, version)
    who = approved_by(case, record)
    if record is None or who is None or approver_recorded(case, version) != PASS:
        return False
    party = case.firm.party(who)
    own = any(
        name.strip().lower() == who.strip().lower()
        or (party is not None and case.firm.party(name) == party)
        for name in case.developers(version)
    )
    until = case.firm.stated(record.get("approval_until") or "")
    return not own and (until is None or until.end >= case.now)


def alias_stage_consistent(case: Case, model: Model) -> str:
    staged = {v.number for v in model.there() if v.by_stage}
    aliased = {v.number for v in model.there() if v.by_alias}
    if not staged or not aliased:
        return NA
    return either(staged == aliased)


def one_live_version(case: Case, model: Model) -> str:
    staged = sum(v.by_stage for v in model.there())
    aliased = sum(v.by_alias for v in model.there())
    if not staged and not aliased:
        return NA
    return either(staged <= 1 and aliased <= 1)


def _seen(case: Case, model: Model) -> bool:
    """Whether a reading saw a model."""
    until = case.now if model.deleted is None else model.deleted
    return any(model.made <= at <= until for at in case.readings)


def model_recreated(case: Case, model: Model) -> str:
    earlier = [
        other for other in case.world.models
        if other is not model and other.name == model.name and _seen(case, other)
    ]  # fmt: skip
    if not earlier:
        return PASS
    reason = first("recreation_reason", model.tags(case.now))
    return either(reason is not None and not says_nothing(reason))


def version_gap_explained(case: Case, model: Model) -> str:
    if not model.versions:
        return NA
    missing = [number for number, one in model.versions.items() if one.deleted is not None]
    tags = model.tags(case.now)
    return either(all(len(tags.get(f"gov.version.{n}.deleted_reason", "")) >= 10 for n in missing))


def not_deleted_while_live(case: Case, version: Version) -> str:
    return either(not (version.deleted is not None and version.deleted_live))


def not_rolled_back_early(case: Case, span: Span) -> str:
    within = 7 * DAY
    if span.end is None or span.end - span.start > within or span.version.deleted is not None:
        return PASS
    older = [
        other for other in _lives(span.version.model)
        if other.version.number < span.version.number
        and (other.end is None or other.end > span.end)
        and other.start <= span.start + within
    ]  # fmt: skip
    if not older:
        return PASS
    return either(case.recorded(span.version, "rollback_reason", own=True) is not None)


def retired_version_kept(case: Case, version: Version) -> str:
    keep = case.day_value(version, "retention_until")
    if version.deleted is not None:
        kept = keep is not None and version.deleted >= keep.end
        # That it was live then tells `not-deleted-while-live`, if anybody knows; kept it was not.
        return (
            NA
            if kept and version.deleted_live
            else PASS
            if kept
            else BAD_OR_NA
            if version.deleted_live
            else BAD
        )
    run = version.run
    if run and run.deleted is not None and (keep is None or run.deleted < keep.end):
        return BAD
    reason = case.recorded(version, "decommission_reason")
    stated = case.day_value(version, "decommissioned_at")
    if reason is None or stated is None or stated.start > case.now:
        return BAD
    # A day long before it ceased to be live is none, and one of the model long after says nothing of the version.
    ceased = max((span.end for span in version.lives if span.end is not None), default=None)
    if ceased is None:
        return PASS
    week = timedelta(days=7)
    if case.firm.first_of(case.firm.day(stated.start) + week + timedelta(days=1)) < ceased:
        return BAD
    own = case.recorded(version, "decommissioned_at", own=True) is not None
    return either(own or case.firm.day(stated.start) - week <= case.firm.day(ceased))


def staged_before_production(case: Case, span: Span) -> str:
    version = span.version
    staged = any(at < span.start and stage == "Staging" for at, stage in version.stages)
    aliased = any(at < span.start and alias == "staging" for at, alias in version.aliased)
    if staged or aliased:
        return PASS
    model = version.model
    stages = any(at <= case.now for v in model.versions.values() for at, _ in v.stages)
    alias = any(name == "staging" for v in model.versions.values() for _, name in v.aliased)
    return BAD if stages or alias else NA


def promotion_in_window(case: Case, span: Span) -> str:
    params = case.firm.params["promotion-in-window"]
    when = datetime.fromtimestamp(span.start / 1000, case.firm.zone)
    clock = when.strftime("%H:%M:%S")
    if (
        when.strftime("%a") in params["days"].split(",")
        and params["from"] + ":00" <= clock < params["until"] + ":00"
    ):
        return PASS
    if case.value(span.version, "change_class", own=True) != "emergency":
        return BAD
    for record in approvals(case, span.version):
        stated = case.firm.stated(record.get("approval_date") or "")
        if _stands(case, span.version, record) and stated and stated.start <= span.start + 5 * DAY:
            return PASS
    return BAD


VERSION_RULES: dict[str, Callable[[Case, Version], str]] = {
    "approved-uses-recorded": _field("approved_uses"),
    "dependencies-recorded": _field("dependencies"),
    "documentation-recorded": _field("documentation"),
    "monitoring-recorded": _field("monitoring_status"),
    "origin-recorded": _field("origin"),
    "purpose-recorded": _field("purpose"),
    "conditional-approval-current": conditional_approval_current,
    "dependencies-sound": dependencies_sound,
    "description-present": description_present,
    "exemption-approved": exemption_approved,
    "explainability-recorded": explainability_recorded,
    "fairness-tested": fairness_tested,
    "findings-closed": findings_closed,
    "git-commit-recorded": git_commit_recorded,
    "lifecycle-status-consistent": lifecycle_status_consistent,
    "limits-recorded": limits_recorded,
    "model-id-recorded": model_id_recorded,
    "monitoring-current": monitoring_current,
    "next-review-recorded": next_review_recorded,
    "overlays-registered": overlays_registered,
    "owner-recorded": owner_recorded,
    "parameters-recorded": parameters_recorded,
    "rating-reassessed": rating_reassessed,
    "retention-recorded": retention_recorded,
    "risk-rating-recorded": risk_rating_recorded,
    "run-linked": run_linked,
    "scope-decided": scope_decided,
    "test-data-distinct": test_data_distinct,
    "thresholds-met": thresholds_met,
    "timestamps-plausible": timestamps_plausible,
    "training-data-linked": training_data_linked,
    "validation-current": validation_current,
    "vendor-file": vendor_file,
    "working-tree-clean": working_tree_clean,
}
PERIOD_RULES: dict[str, Callable[[Case, Version], str]] = {
    "approval-unchanged-after-promotion": approval_unchanged_after_promotion,
    "approver-authorised": approver_authorised,
    "approver-independent": approver_independent,
    "approver-recorded": approver_recorded,
    "change-reason-recorded": change_reason_recorded,
    "developer-recorded": developer_recorded,
    "not-deleted-while-live": not_deleted_while_live,
    "sequence-kept": sequence_kept,
    "validation-covers-version": validation_covers_version,
    "validation-recorded": validation_recorded,
    "validator-authorised": validator_authorised,
    "validator-independent": validator_independent,
}
PROMOTION_RULES: dict[str, Callable[[Case, Span], str]] = {
    "approval-precedes-live": approval_precedes_live,
    "approval-recorded-at-promotion": approval_recorded_at_promotion,
    "change-compared": change_compared,
    "not-rolled-back-early": not_rolled_back_early,
    "promotion-in-window": promotion_in_window,
    "staged-before-production": staged_before_production,
    "validation-precedes-live": validation_precedes_live,
}
MODEL_RULES: dict[str, Callable[[Case, Model], str]] = {
    "alias-stage-consistent": alias_stage_consistent,
    "model-recreated": model_recreated,
    "one-live-version": one_live_version,
    "version-gap-explained": version_gap_explained,
}
RETIRED_RULES: dict[str, Callable[[Case, Version], str]] = {
    "retired-version-kept": retired_version_kept,
}
