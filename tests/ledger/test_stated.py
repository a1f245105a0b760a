"""What a decision or a result comes to: the words that docs/fields.md lists, and what people write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditreg.audit.testing.cases import empty_ledger
from auditreg.config import effective_settings, parse_config

if TYPE_CHECKING:
    import duckdb

WORDS = {
    "approved": """
approved
Approved
APPROVED.
approve
accepted
passed
pass
ok
OK with findings
yes
Yes, with conditions
go
granted
approval granted
Approval: granted by the model risk committee
signed off
signed-off
released
endorsed
conditional approval
Conditional approval with conditions
conditionally approved
approval with conditions
Approval subject to conditions
approved with conditions
passed with conditions
passed with findings
satisfactory
fit for use
fit for purpose
no material findings
no findings
No objections
no findings outstanding
without objection
none of the 12 tests failed
0 of 12 tests failed
No tests failed
Not a single finding
Approved unconditionally
approved without conditions
Approved until withdrawn
Approved for use in lapse prediction
Version 3 approved by the committee on 2026-08-03
The model has been approved
approved: yes
approved=true
validated
green
genehmigt
Approuvé
adequate
final decision: approved
(approved)
"approved"
accepted, no exceptions
Approved by J. Doe (CRO), 2026-08-01
Freigabe erteilt
bestanden
good
true
approved (no conditions)
Approved; no limits
approved by the committee on 2026-03-04
OK
accepted, no objections
validated: no material findings
Passed (3 minor findings, see report)
Approved by: J. Doe
Model approved by MRC on 3 March 2026
The model version was formally approved.
Status: approved
Decision: Approved (2026-03-04)
Reviewed and approved by the MRC
approved until 2027-01-31
approved subject to conditions
Approved per minutes 12/2026
genehmigt am 04.03.2026 durch das Komitee
Genehmigt am 4. März 2026
no_material_findings
passed_with_findings
approved at the MRC meeting of 3 March
genehmigt mit Auflagen
approuvé par le comité
approved 01.08.2026
approved on the 3rd of March 2026
Approval granted on 3 August 2026
approved and signed off by J. Doe
signed off by the Head of Risk
Approved until further notice
approved unless revoked
All tests passed
0 findings
no open findings
approved: OK
approved without restrictions
passed with recommendations
approved as of 2026-01-01
certified by TÜV
""",
    "pending": """
Approved, validation pending
approved?
pending
Pending approval
TBD
tba
n.a.
N.A.
to follow
—
in_review
under review
approval requested
approval required
sign-off pending
sign-off outstanding
to be approved
not yet approved
awaiting approval
waiting for the committee to approve
no decision
no approval
without sign-off
open
on hold
draft
submitted for approval
not applicable
proposed decision: approved
noch nicht genehmigt
under review; earlier version rejected
not yet decided
required
not required
approved, awaiting B
approved pending validation
approved? ask Bob
is it approved?
no findings?
approved by ?
Approved by TBD
ok?no
approved by A, B still open
not yet rejected
approved by email, sign-off follows
not approved yet
to be approved by MRC
""",
    "rejected": """
rejected
Rejected - see minutes
"rejected"
(rejected)
❌ rejected
approval withheld
returned for rework
blocked
void
no longer approved
approved: no
approved=false
Approved? No.
committee rejected
final decision: rejected
approval withdrawn
superseded
not_approved
not fully approved
disapproved
cannot be approved
never accepted
No
no, see minutes
No, material findings
No - not ready
n
false
no-go
no go
red
failed: unstable
3 of 12 tests failed
10 of 12 tests failed
not_passed
Failed
failure
unsatisfactory
not satisfactory
not fit for use
unfit for purpose
non-compliant
inadequate
acceptance criteria not met
not good enough
declined
denied
refused
cancelled
expired
rejection
abgelehnt
nicht genehmigt
refusé
non approuvé
Not approved: findings open
Not approved, but not rejected
rejected, no other issues
Failed on stability; no other findings
Approved: no, material findings
rejected; to be resubmitted
nicht bestanden
no
vetoed
suspended
unapproved
Approval denied
not approved by the committee
Approved: no
"No"
Decision: no, see minutes
Fail
failed, no report
Rejected: no documentation
""",
    "unreadable": """
not rejected
Not only approved but recommended
failure rate 0.1%, passed
Insufficient evidence of drift; passed
No. 17/2026, approved
N. Jones approved
Approved, not for Kent
approved, no longer than 12 months
approved for unstable markets
approval
meets all criteria
recommended for use
did not fail
No objections were raised, approved
1
not withdrawn
Approved - see objections in minutes
waived
none
approved, later withdrawn
Approved 2026-08-01, revoked 2026-09-01
No. See minutes
conditional fail
did fail
insufficient evidence
approved, then returned for rework
Not for Kent
0
invalid
veto
passed with failures
rejected in July, approved in August
major findings
see minutes
0.87
release candidate
done
completed
false positive rate 3%
pass rate 80%
by the committee on 3 August
asdf
✅
committee met on 3 August
no errors
needs improvement
compliant
approved in principle
approved for staging only
nobody approved it
approval: see Bob
approved by nobody
approved by no one
approved by 1 of 3 members
approved by one of two
approved subject to validation
approved subject to approval by the board
approved but
provisionally approved
approved for testing
passed 3 of 12 tests
passed 80%
passed on stability
approved in error
approved by mistake
approved with the exception of motor
approve by Friday
No/material findings
minor findings
passed with material findings
approved if retested
approved, not for Kent
approved by A; rejected by B
was approved in 2024
approved in part
approved by Bob only
formerly approved
previously approved
nobody rejected it
genehmigt unter Vorbehalt
genehmigt nur für Test
approuvé sous réserve
approved by the committee verbally, not minuted
conditional
approved for the sandbox
without conditions
until revoked
almost approved
approved-ish
pass/fail
approved / rejected
yes/no
approved from a modelling perspective
adequate at best
agreed with Bob
approved 2026-08-01, later pulled
approved with respect to documentation
approved for use in development
approved until retested
approved by email, formally rejected
approved at first reading
approved on 3 of 2000 tests
passed on 3 of 2000 tests
no new findings
no critical findings
0 - Material findings
no-material-findings
approved unless rejected
10 of 12 tests passed
approved with reservations
""",
}
"""What it comes to, and a line for each text."""


@pytest.fixture(scope="module")
def ledger() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_ledger() as connection:
        yield connection


@pytest.mark.parametrize("outcome", WORDS)
def test_a_decision_is_what_its_words_say(ledger, outcome):
    texts = WORDS[outcome].strip().splitlines()
    rows = ledger.execute(
        "select text, decision_of(text) from (select unnest(?::varchar[]) as text)", [texts]
    ).fetchall()
    assert dict(rows) == dict.fromkeys(texts, outcome)


@pytest.mark.parametrize(
    "text", ["freie Fahrt", "Zurück, İstanbul_1 (ø) ½", "승인 – ja?", "✅ d'accord"]
)
def test_a_text_that_the_firm_lists_is_read_however_it_is_spelled(text):
    settings = effective_settings(parse_config(f'[decisions]\napproved = ["{text}"]', Path("a")))
    spelled = [text, f" {text.upper()}! ", f"{text} x"]
    with empty_ledger(settings) as ledger:
        found = ledger.execute(
            "select decision_of(text) from (select unnest(?::varchar[]) as text)", [spelled]
        ).fetchall()
    assert found[0] == found[1] == ("approved",)
    assert found[2] != ("approved",)


def test_a_decision_of_blanks_is_none(ledger):
    assert ledger.execute(
        "select decision_of(''), decision_of(e' \\n\\t'), decision_of(null)"
    ).fetchone() == (None, None, None)


@pytest.mark.parametrize(
    ("text", "begins", "ends"),
    [
        # the hour from 2:00 to 3:00 comes twice on 25 October
        ("2026-10-25T02:30:00", "2026-10-25 00:30:00", "2026-10-25 01:30:00"),
        ("2026-10-25T01:30:00", "2026-10-24 23:30:00", "2026-10-24 23:30:00"),
        ("2026-10-25T03:00:00", "2026-10-25 02:00:00", "2026-10-25 02:00:00"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25 01:30:00", "2026-10-25 01:30:00"),
        ("2026-03-29T03:30:00", "2026-03-29 01:30:00", "2026-03-29 01:30:00"),
        ("2026-08-12T14:30Z", "2026-08-12 14:30:00", "2026-08-12 14:31:00"),
        ("2026-08-12T14:30", "2026-08-12 12:30:00", "2026-08-12 12:31:00"),
        ("2026-10-25", "2026-10-24 22:00:00", "2026-10-25 23:00:00"),
        (" 2026-08-12\n", "2026-08-11 22:00:00", "2026-08-12 22:00:00"),
    ],
)
def test_a_time_reaches_from_its_first_moment_to_its_last(text, begins, ends):
    with empty_ledger({"timezone": "Europe/Berlin"}) as ledger:
        found = ledger.execute(
            "select stated_from($1)::varchar, stated_until($1)::varchar", [text]
        ).fetchone()
    assert found == (begins, ends)
