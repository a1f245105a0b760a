"""What became of the approval of a version when it went live: one answer for every output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from auditreg.queries.reader import Row

PROMOTION_VERDICTS = """
select subject, verdict, contested_by, approver, party_kind, entered, system, stated
from approval_verdicts_as_of({t}) where about = 'promotion' order by subject
"""
"""The verdict of every promotion at a moment; `{t}` is the moment."""

_WORDS = {
    "rejected": "rejected",
    "order cannot be told": "cannot be told",
    "after going live": "given after it went live",
    "date unreadable": "its date cannot be read",
    "unidentified": "by nobody who is listed",
    "pending": "not decided then, or not in words that are read",
    "on the model only": "for the model only",
    "placeholder": "names nobody",
    "none": "none recorded",
}

_CONTESTED = {
    "approver-recorded": "the approver is a service account",
    "approver-independent": "the approver developed it",
    "approval-set-by-approver": "somebody else entered it",
    "approval-recorded-at-promotion": "it was recorded after the version went live",
    "model-unchanged-after-approval": "other files came after it",
}
"""Rule whose finding contests an approval to what it found."""

_ENTERED = {
    "approver": "entered by the approver",
    "not recorded": "who entered it is not recorded",
    "nobody named": "who entered it is not recorded",
}


@dataclass(frozen=True, slots=True)
class ApprovalVerdict:
    """The verdict of one promotion or version, with the words of the view `approval_verdicts`.

    `contested_by` is the rule whose finding contests it; `party_kind` says whether the approver is a
    person, a body or a service account; `entered` says by whom it was entered,
    `system` which other system holds it, and `stated` is its date as it was written.
    """

    verdict: str
    contested_by: str | None = None
    approver: str | None = None
    party_kind: str | None = None
    entered: str | None = None
    system: str | None = None
    stated: str | None = None

    @property
    def holds(self) -> bool:
        """Whether a record shows an approval that came before, and none contradicts it."""
        return self.verdict == "holds"

    @property
    def contradicted(self) -> bool:
        """Whether the record shows that there was none, or one that is contested."""
        return self.verdict in ("contested", "rejected", "after going live")

    @property
    def words(self) -> str:
        """The verdict as people read it."""
        if self.holds:
            return f"holds, {self._entered}"
        if self.verdict == "contested":
            return f"contested: {self._why}" if self._why else "contested"
        return _WORDS.get(self.verdict, self.verdict)

    @property
    def _why(self) -> str | None:
        if self.contested_by == "approver-independent" and self.party_kind == "body":
            return "by a body, all of whose members developed it"
        return _CONTESTED.get(self.contested_by or "", self.contested_by)

    @property
    def _entered(self) -> str:
        if self.entered == "imported":
            return f"kept in {self.system}"
        return _ENTERED.get(self.entered or "", "entered by another account")


def approval_verdict(row: Row) -> ApprovalVerdict:
    """A row of `PROMOTION_VERDICTS`, or one with its columns."""
    names = ("verdict", "contested_by", "approver", "party_kind", "entered", "system", "stated")
    return ApprovalVerdict(*(row[name] for name in names))


def counted(verdicts: Iterable[ApprovalVerdict | None]) -> str:
    """How many promotions there are of each verdict but those that hold, in words, worst first."""
    counts = Counter(verdict.verdict for verdict in verdicts if verdict and not verdict.holds)
    words = {"contested": "contested", **_WORDS}
    order = ["rejected", "contested", *(name for name in _WORDS if name != "rejected")]
    return ", ".join(f"{counts[name]} {words[name]}" for name in order if counts[name])
