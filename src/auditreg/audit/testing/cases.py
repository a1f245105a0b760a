"""Cases of a rule: small registries written down in TOML, and what the rule has to answer.

    [[case]]
    name = "the owner is a tag of the model"
    models.motor = { tags = { "gov.owner" = "jane" }, versions.7 = {} }
    expect."motor/7" = "pass"

A case builds only what it mentions. Everything else has a default: a version is in stage
Production and READY, was created on 1 August 2026 and names no run; the registry was read
completely on 30 September 2026. Names refer to each other: a version's `run` to `runs`, its
`logged_model` to `logged_models`, a user's `roles` to `roles`, a body's `members` and `secretary` to
`people`. `expect` names every subject the rule has to answer for, as `model/version` or `model` (a
second answer for the same one is `model/version#2`), or `ledger`.

People, bodies and authorities have the keys they have in `auditreg.toml`, and their ids as names:

    people.jane = { accounts = ["jsmith"], roles = ["approver"], until = 2026-06-30 }
    bodies.pricing-committee = { members = ["jane"], secretary = "bob", roles = ["committee"] }
    authorities = [{ role = "committee", may = ["approve"], ratings = ["high"] }]
"""

from __future__ import annotations

import contextlib
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from auditreg.audit.answers import Answers, result_columns
from auditreg.audit.isolation import put_answers
from auditreg.audit.known_findings import prepare_known_findings
from auditreg.audit.results import check_results, policy_overrides
from auditreg.audit.sentences import names_left
from auditreg.audit.testing.prepared import prepare
from auditreg.audit.testing.registry import AS_OF, Case, CasePart, build, snapshot_of
from auditreg.errors import UsageError, first_line
from auditreg.ledger import template
from auditreg.ledger.planning import plan_plainly
from auditreg.ledger.settings import refresh_settings
from auditreg.models import Finding, RuleInfo, RuleResult, Status
from auditreg.rules.validate import wrapped
from auditreg.sql import quoted, quoted_name

if TYPE_CHECKING:
    import duckdb


class CaseFile(CasePart, frozen=True):
    """The file as a whole."""

    case: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """What a rule answered in one case; `problems` is empty where all was as expected."""

    case: Case
    answers: dict[str, str]
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every answer was the expected one."""
        return not self.problems


def load_cases(path: Path) -> tuple[Case, ...]:
    """Read a case file.

    Raises:
        UsageError: it cannot be read or holds something that is no part of a case.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), CaseFile).case
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", state="No case was run.") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}.", state="No case was run.") from error


@contextlib.contextmanager
def empty_ledger(
    settings: Mapping[str, object] | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an empty ledger that is gone afterwards, for `run_cases`.

    Args:
        settings: as `auditreg.config.effective_settings` gives them; defaults where absent.
    """
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.duckdb"
        path.write_bytes(template.empty_ledger())
        with duckdb.connect(path) as connection:
            plan_plainly(connection)
            connection.execute("set threads = 1")
            refresh_settings(connection, settings or {})
            yield connection


def run_cases(
    rule: RuleInfo,
    cases: Sequence[Case],
    connection: duckdb.DuckDBPyConnection | None = None,
    settings: Mapping[str, object] | None = None,
) -> list[CaseOutcome]:
    """Build each case's registry in memory, run the rule on it and compare.

    The rule runs in this process, whoever wrote it: cases are for its author.

    Args:
        rule: the rule.
        cases: as `load_cases` gives them.
        connection: an `empty_ledger()` to use again; what a case builds is rolled back.
        settings: those of the firm, for a ledger made here; defaults where absent.
    """
    rule = replace(rule, severity_by_rating={})  # answers are compared, not how grave they are
    if connection is not None:
        return [_run(connection, rule, case) for case in cases]
    with empty_ledger(settings) as empty:
        return [_run(empty, rule, case) for case in cases]


def _run(connection: duckdb.DuckDBPyConnection, rule: RuleInfo, case: Case) -> CaseOutcome:
    import duckdb

    params = {**rule.params, **case.params}
    sql = f"{rule.sql} population_{rule.scope}"
    statements = snapshot_of(case, sql, every_field=rule.custom)
    # What a case changes by hand is made anew for it, and plans know the usual moment.
    usual = case.as_of == AS_OF and not case.changed
    instead = prepare(connection, statements, partial(snapshot_of, case)) if usual else None
    connection.execute("begin")
    try:
        _build(connection, case, statements, instead)
        for name, value in params.items():
            connection.execute(f"set variable {quoted_name(name)} = {quoted(str(value))}")
        try:
            answers = connection.sql(wrapped(rule.sql)).to_arrow_table()
            put_answers(connection, rule, answers)
        except duckdb.Error as error:
            return CaseOutcome(case, {}, (str(error),))
        [result] = check_results(connection, [rule], {}, result_columns(connection, [rule]))
        if result.error:  # nothing in the table of a faulty rule is to be trusted
            return CaseOutcome(case, {}, (result.error,))
        policy_overrides(connection, (), None)
        answers, problems = _compare(connection, rule, case)
        return CaseOutcome(case, answers, tuple(problems))
    finally:
        connection.execute("rollback")
        for name in params:
            connection.execute(f"reset variable {quoted_name(name)}")


def _build(
    connection: duckdb.DuckDBPyConnection,
    case: Case,
    statements: Sequence[str],
    instead: Mapping[str, str] | None,
) -> None:
    """Build the registry of a case.

    Raises:
        UsageError: the case contradicts itself or the tables of a ledger.
    """
    import duckdb

    try:
        build(connection, case, statements, instead)
    except KeyError as error:
        problem = f"it refers to {error}, which it does not hold"
    except (ValueError, TypeError, duckdb.Error) as error:
        problem = first_line(error)
    else:
        return
    raise UsageError(f"Case {case.name!r} cannot be built: {problem}.", state="No case was judged.")


def _compare(
    connection: duckdb.DuckDBPyConnection, rule: RuleInfo, case: Case
) -> tuple[dict[str, str], list[str]]:
    asked = RuleResult(rule, 0, 0, dict.fromkeys(Status, 1))
    prepare_known_findings(connection, None)
    read = Answers(connection, [asked], (), result_columns(connection, [rule]))
    answers: dict[str, str] = {}
    texts: dict[str, tuple[str, str]] = {}
    for answer in sorted(read.every(), key=_by_name):
        label = "ledger" if answer.subject.model is None else answer.subject.label
        same = sum(known.split("#")[0] == label for known in answers)
        label = f"{label}#{same + 1}" if same else label
        answers[label] = answer.status.value
        texts[label] = (answer.reason or "", answer.fix or "")
    problems = [
        f"{label}: {answers.get(label, 'no answer')}, expected {case.expect.get(label, 'none')}"
        + (f" ({texts[label][0]})" if label in texts else "")
        for label in sorted({*answers, *case.expect})
        if answers.get(label) != case.expect.get(label)
    ]
    data = repr(case)  # braces that a case itself holds are no names of columns
    problems += [
        f"{label}: the reason names {{{name}}}, which is no column that the rule returns ({reason})"
        for label, (reason, _) in texts.items()
        for name in names_left(reason)
        if f"{{{name}}}" not in data
    ]
    for place, expected in enumerate((case.reasons, case.fixes)):
        for label, part in expected.items():
            text = texts.get(label, ("", ""))[place]
            if part not in text or (text and not part):  # "" expects nothing
                problems.append(
                    f"{label}: {text!r} does not hold {part!r}"
                    if part
                    else f"{label}: {text!r}, expected nothing"
                )
    return answers, problems


def _by_name(answer: Finding) -> tuple[str, int, str]:
    subject = answer.subject
    return (subject.model or "", subject.version or 0, subject.key)
