"""The texts that govern results, as they are sealed: rules, frameworks, settings, waivers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditreg.ledger.entries import Event

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Policy:
    """A text that governs results: a rule, a framework, the settings, the waivers."""

    kind: str
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the text, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def policy_digest(policies: Iterable[Policy]) -> str:
    """One digest over every governing text: SHA-256 over their sorted kinds, names and hashes."""
    lines = sorted(f"{policy.kind}\t{policy.name}\t{policy.sha256}" for policy in policies)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def policy_events(con: duckdb.DuckDBPyConnection, policies: Sequence[Policy]) -> list[Event]:
    """The governing texts that are not in the log as they are now."""
    known = dict(
        con.execute(
            "select policy_kind || '/' || name, max_by(sha256, seq) from policies group by all"
        ).fetchall()
    )
    return [
        Event(
            kind="policy",
            op="put",
            subject=f"policy:{policy.kind}:{policy.name}",
            grade="asserted",
            fingerprint=policy.sha256,
            body={
                "policy_kind": policy.kind,
                "name": policy.name,
                "sha256": policy.sha256,
                "text": policy.text,
            },
        )
        for policy in policies
        if known.get(f"{policy.kind}/{policy.name}") != policy.sha256
    ]
