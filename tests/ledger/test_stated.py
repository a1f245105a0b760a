"""What a decision or a result comes to: the words that docs/fields.md lists, and what people write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from auditreg.audit.testing.cases import empty_ledger

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
not rejected
none of the 12 tests failed
0 of 12 tests failed
No tests failed
Not a single finding
Not only approved but recommended
failure rate 0.1%, passed
Insufficient evidence of drift; passed
No. 17/2026, approved
N. Jones approved
Approved unconditionally
Approved, not for Kent
approved without conditions
Approved until withdrawn
approved, no longer than 12 months
approved for unstable markets
Approved for use in lapse prediction
Version 3 approved by the committee on 2026-08-03
The model has been approved
approval
approved: yes
approved=true
Approved, validation pending
validated
green
genehmigt
Approuvé
adequate
compliant
final decision: approved
meets all criteria
recommended for use
(approved)
"approved"
did not fail
accepted, no exceptions
No objections were raised, approved
Approved by J. Doe (CRO), 2026-08-01
Freigabe erteilt
bestanden
good
true
1
approved (no conditions)
Approved; no limits
not withdrawn
Approved - see objections in minutes
""",
    "pending": """
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
new
required
waived
not required
none
unreviewed
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
halted
void
no longer approved
approved: no
approved=false
Approved? No.
committee rejected
final decision: rejected
approved, later withdrawn
approval withdrawn
Approved 2026-08-01, revoked 2026-09-01
superseded
not_approved
not fully approved
disapproved
cannot be approved
never accepted
No
no, see minutes
No. See minutes
No, material findings
No - not ready
n
false
no-go
no go
red
conditional fail
did fail
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
insufficient evidence
approved, then returned for rework
Not approved, but not rejected
rejected, no other issues
Failed on stability; no other findings
Approved: no, material findings
rejected; to be resubmitted
denial
Not for Kent
nicht bestanden
no
0
non-conforming
invalid
vetoed
veto
suspended
revocation
unapproved
Approval denied
""",
    "unreadable": """
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
