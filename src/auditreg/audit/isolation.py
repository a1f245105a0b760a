"""A firm's own rules, run in a child process with limits on memory and time.

DuckDB stops a query only between vectors and does not count all memory, so neither its
`interrupt()` nor its `memory_limit` holds a hostile or careless rule; the operating system does.
The child opens the ledger read-only, makes the same state, locks itself in and runs one rule
after the other. If one takes it down, the rest run in a new child.
"""
# ruff: noqa: S608 - the names in SQL are those of our own tables; texts are quoted or bound

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditreg.audit.snapshot import (
    Extension,
    Moment,
    reads_of,
    selection_statements,
    state_statements,
)
from auditreg.errors import first_line
from auditreg.ledger.planning import is_small
from auditreg.models import RuleInfo
from auditreg.queries.model_refs import Selection
from auditreg.rules.validate import COLUMNS, wrapped
from auditreg.sql import quoted, quoted_name

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rule of a firm's own may use.

    `seconds` is processor time per rule, and a third of the wall-clock time it may take;
    `megabytes` the address space the child may reserve beyond what the state of the moment took.
    """

    seconds: int = 30
    megabytes: int = 3072


def result_table(rule: RuleInfo) -> str:
    """The temporary table a rule's answers are put into."""
    return '"result_' + rule.id.replace("-", "_") + '"'


def run(
    connection: duckdb.DuckDBPyConnection,
    rules: Sequence[RuleInfo],
    moment: Moment,
    chosen: Selection | None,
    limits: Limits,
    extension: Extension,
) -> dict[str, str]:
    """Run rules in child processes and take their answers in.

    Returns:
        rule id to why it did not run; rules that did are not in it.
    """
    import duckdb

    problems: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="auditreg-") as folder:
        try:
            database = _database(connection, Path(folder))
        except duckdb.Error as error:
            reason = f"its process could not be given the ledger: {first_line(error)}"
            return dict.fromkeys((rule.id for rule in rules), reason)
        reads = reads_of(
            (rule.sql for rule in rules), moment, selection=chosen is not None, every_field=True
        )
        statements = [
            *state_statements(moment, reads, large=not is_small(connection)),
            *selection_statements(chosen, reads),
            *(
                text
                for scope, text in extension.statements.items()
                if f"population_{scope}" in reads.relations
            ),
        ]
        waiting = list(rules)
        while waiting:
            starts = {
                rule.id: str(extension.starts.get(rule.id, moment.period_start)) for rule in waiting
            }
            job = _job(database, statements, waiting, limits, Path(folder), starts)
            end_reason = _child(job, limits, len(waiting))
            finished = 0
            for rule in waiting:
                outcome = _outcome(Path(folder), rule)
                if outcome is None:
                    break
                finished += 1
                problem = outcome or _load_answers(connection, rule, Path(folder))
                if problem:
                    problems[rule.id] = problem
            if finished < len(waiting):
                problems[waiting[finished].id] = end_reason
                finished += 1
            waiting = waiting[finished:]
    return problems


def _database(connection: duckdb.DuckDBPyConnection, folder: Path) -> Path:
    """A file the child can open: the ledger's own where it is read-only, else a copy."""
    [(name, path, read_only)] = connection.execute(
        "select database_name, path, readonly from duckdb_databases() "
        "where database_name = current_database()"
    ).fetchall()
    if path and read_only:
        return Path(path)
    copy = folder / "state.duckdb"
    connection.execute(f"attach {quoted(str(copy))} as auditreg_copy")
    try:
        connection.execute(f"copy from database {quoted_name(name)} to auditreg_copy")
    finally:
        connection.execute("detach auditreg_copy")
    return copy


def _job(
    database: Path,
    statements: Sequence[str],
    rules: Sequence[RuleInfo],
    limits: Limits,
    folder: Path,
    starts: Mapping[str, str],
) -> str:
    return json.dumps(
        {
            "database": str(database),
            "statements": list(statements),
            "folder": str(folder),
            "seconds": limits.seconds,
            "megabytes": limits.megabytes,
            "rules": [
                {
                    "id": rule.id,
                    "sql": wrapped(rule.sql),
                    "params": {name: str(value) for name, value in rule.params.items()},
                    "period_start": starts[rule.id],
                }
                for rule in rules
            ],
        }
    )


def _child(job: str, limits: Limits, rules: int) -> str:
    """Run the child to its end; in words, why it ended if it ended early."""
    # Isolated mode ignores the working directory and PYTHONPATH, so nothing lying about is
    # imported; the package's own place is handed over instead.
    command = [sys.executable, "-I", "-c", _BOOT.format(path=str(Path(__file__).parents[2]))]
    try:
        ended = subprocess.run(
            command,
            input=job.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60 + limits.seconds * 3 * rules,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it was stopped: it took longer than {limits.seconds * 3} seconds"
    if ended.returncode == -getattr(signal, "SIGXCPU", 0) != 0:
        return f"it was stopped: it used more than {limits.seconds} seconds of processor time"
    if ended.returncode < 0 or b"MemoryError" in ended.stderr or b"bad_alloc" in ended.stderr:
        return f"it was stopped: it needed more than {limits.megabytes} MB of memory"
    last = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return f"its process ended with {ended.returncode}: {last[:300]}"


_BOOT = "import sys; sys.path.insert(0, {path!r}); from auditreg.rules.worker import main; main()"


def _outcome(folder: Path, rule: RuleInfo) -> str | None:
    """The child's note on a rule: empty when it ran, its error otherwise, None without a note."""
    with contextlib.suppress(OSError):
        return (folder / f"{rule.id}.note").read_text(encoding="utf-8")
    return None


def _load_answers(
    connection: duckdb.DuckDBPyConnection, rule: RuleInfo, folder: Path
) -> str | None:
    """Put the child's answers into the rule's table; in words, what is wrong with them."""
    import duckdb
    import pyarrow as pa

    try:
        with pa.OSFile(str(folder / f"{rule.id}.arrow")) as file, pa.ipc.open_file(file) as reader:
            answers = reader.read_all()
        put_answers(connection, rule, answers)
    except (OSError, pa.ArrowException, duckdb.Error) as error:
        return f"its answers cannot be read: {first_line(error)}"
    return None


def put_answers(connection: duckdb.DuckDBPyConnection, rule: RuleInfo, answers: pa.Table) -> None:
    """Make the table of a firm's own rule. Its columns may be of any type; ours are texts."""
    texts = [name for name in (*COLUMNS, "grade", "fix") if name in answers.column_names]
    casts = ", ".join(f"{name}::VARCHAR as {name}" for name in texts)
    connection.register("auditreg_answers", answers)
    try:
        connection.execute(
            f"create or replace temp table {result_table(rule)} as "
            f"select *{f' replace ({casts})' if casts else ''} from auditreg_answers"
        )
    finally:
        connection.unregister("auditreg_answers")
