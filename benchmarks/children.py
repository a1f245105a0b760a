"""What is measured, one task per process: `python -m benchmarks.children TASK ARGUMENTS`.

A process of its own gives every task the same start and makes its peak of memory its own. ARGUMENTS
is a JSON object; the answer is one line of JSON on standard output.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Answer = dict[str, Any]


class Clock:
    """Seconds per phase, from the progress calls of what is measured.

    A phase lasts until the next one is named, so what follows the last call counts to it.
    """

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self._phase = ""
        self._since = 0.0

    def __call__(self, phase: str, _done: int = 0, _total: int | None = None) -> None:
        """Begin a phase; an empty name only ends the last one."""
        now = time.perf_counter()
        if self._phase:
            self.phases[self._phase] = self.phases.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time everything inside, beginning with the phase `start`."""
        self("start")
        try:
            yield
        finally:
            self("")

    @property
    def total(self) -> float:
        """All phases together."""
        return sum(self.phases.values())


def peak_mib() -> float:
    """Peak resident memory of this process, MiB.

    Linux's own counter is preferred: `getrusage` also remembers the process this one was forked
    from, which under a test runner is the larger one.
    """
    import resource

    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def copy(store: str, target: str) -> Answer:
    """The yardstick of extractions: MLflow's tables as they are, by ADBC into a DuckDB file.

    `store` is the path of a SQLite file or the address of a PostgreSQL.
    """
    import duckdb
    import pyarrow as pa  # noqa: F401 - loaded before the clock starts, as below

    from benchmarks.store import TABLES

    driver, options = _driver(store)
    address = store if _is_address(store) else f"file:{store}?mode=ro"
    begun, busy = time.perf_counter(), time.process_time()
    with duckdb.connect(target) as con, driver.connect(address) as source:
        for table in TABLES:
            with source.cursor(adbc_stmt_kwargs=options) as cursor:
                cursor.execute(f"select * from {table}")
                con.register("incoming", cursor.fetch_record_batch())
                con.execute(f"create table {table} as from incoming")
                con.unregister("incoming")
        con.execute("checkpoint")
    return {
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": time.process_time() - busy,
        "peak_mib": peak_mib(),
    }


def _is_address(store: str) -> bool:
    return store.startswith("postgresql://")


def _driver(store: str) -> tuple[Any, dict[str, str]]:
    """The ADBC driver for a store, and the options it copies fastest with."""
    if _is_address(store):
        import adbc_driver_postgresql.dbapi as postgresql

        return postgresql, {}
    import adbc_driver_sqlite.dbapi as sqlite

    # The size of batch that was fastest of 1,024, 8,192 and 65,536 rows.
    return sqlite, {"adbc.sqlite.query.batch_rows": "65536"}


def extract(store: str, ledger: str) -> Answer:
    """One extraction, the first where there is no ledger yet. No model files are looked for.

    `store` as for `copy`.
    """
    import duckdb  # noqa: F401
    import pyarrow.compute  # noqa: F401

    from auditreg.ledger.store import Ledger
    from auditreg.sources import open_source

    _driver(store)
    uri = store if _is_address(store) else f"sqlite:///{store}"
    source = open_source(uri, artifacts="none")
    clock, busy = Clock(), time.process_time()
    with clock.running(), source.read() as reading:
        done = Ledger(ledger).ingest(
            reading,
            registry="default",
            policies=[],
            progress=clock,
        )
    if not done.complete:
        raise RuntimeError(f"the extraction is incomplete: {done.completeness.doubts}")
    return {
        "seconds": clock.total,
        "cpu_seconds": time.process_time() - busy,
        "peak_mib": peak_mib(),
        "appended": done.appended,
        "ledger_mb": Path(ledger).stat().st_size / 1e6,
        "phases": clock.phases,
    }


def rules(ledger: str) -> Answer:
    """Every built-in rule through the Auditor, and the same SQL without it."""
    from auditreg.audit import Auditor
    from auditreg.audit.answers import Answers, result_columns
    from auditreg.config import Config
    from auditreg.ledger.store import Ledger
    from auditreg.rules.parse import builtin_rules

    config, library = Config(), builtin_rules()
    with Ledger(ledger).reader() as con:
        live = _number(con, "select count(*) from live_versions")
        moment = _moment(con, config)
        begun = time.perf_counter()
        result = Auditor(con, config, library).check(all_views=False)
        check = time.perf_counter() - begun
        # The last thing a check does is to read the open answers as objects. That is output, not
        # judging: it is done once more here so that its time can be taken off.
        begun = time.perf_counter()
        answers = len(Answers(con, result.rules, (), result_columns(con, library)).findings())
        materialised = time.perf_counter() - begun
    errors = {one.rule.id: one.error for one in result.rules if one.error}
    if errors:
        raise RuntimeError(f"rules could not be evaluated: {errors}")
    with Ledger(ledger).reader() as con:
        bare = _bare(con, library, moment)
    return {
        "rules": len(library),
        "live_versions": live,
        "answers": sum(sum(one.counts.values()) for one in result.rules),
        "open_answers": answers,
        "check_seconds": check,
        "answer_seconds": materialised,
        "bare_seconds": sum(bare.values()),
        "phases": bare,
        "peak_mib": peak_mib(),
    }


def _moment(con: Any, config: Any) -> Any:
    from auditreg.audit import Moment

    (as_of,) = con.execute("select max(observed_at) from extractions where complete").fetchone()
    period = config.quarter_of(as_of)
    return Moment(as_of, period.start_utc, period.end_utc)


def _bare(con: Any, library: Any, moment: Any) -> dict[str, float]:
    """The state prepared once and each rule's SELECT into a table: what no auditor can undercut."""
    from auditreg.audit import prepare_snapshot
    from auditreg.audit.snapshot import reads_of
    from auditreg.rules.validate import wrapped

    seconds = {}
    begun = time.perf_counter()
    texts = [text for rule in library for text in (rule.sql, f"population_{rule.scope}")]
    prepare_snapshot(con, moment, reads_of(texts, moment))
    seconds["prepare"] = time.perf_counter() - begun
    for number, rule in enumerate(library):
        begun = time.perf_counter()
        con.execute(f"create temp table bare_{number} as {wrapped(rule.sql)}")
        seconds[rule.id] = time.perf_counter() - begun
    return seconds


def verify(ledger: str) -> Answer:
    """Verification by phase, with the least work it could be: hashing, and one rebuild."""
    from auditreg.ledger.store import Ledger
    from auditreg.ledger.verify import verify as prove

    clock = Clock()
    with clock.running():
        found = prove(Ledger(ledger), progress=clock)
    if not found.ok:
        raise RuntimeError(f"the ledger does not verify: {found.problems[:3]}")
    state, roots = clock.phases["rebuilding tables"], clock.phases["recomputing roots"]
    peak = peak_mib()
    hashing, size = _hashing(ledger)
    return {
        "entries": found.entries,
        "bytes": size,
        "leaf_seconds": clock.total - state - roots,
        "root_seconds": roots,
        "state_seconds": state,
        "hash_seconds": hashing,
        "rebuild_seconds": _rebuild(ledger),
        "phases": clock.phases,
        "peak_mib": peak,
    }


def _hashing(ledger: str) -> tuple[float, int]:
    """Seconds `hashlib.sha256` takes over all entries as one stream, and how many bytes they are."""
    from auditreg.ledger.store import Ledger

    stream, seconds, size = hashlib.sha256(), 0.0, 0
    with Ledger(ledger).reader() as con:
        cursor = con.execute("select entry from ledger.log order by seq")
        while rows := cursor.fetchmany(50_000):
            chunk = "".join(entry for (entry,) in rows if entry is not None).encode()
            begun = time.perf_counter()
            stream.update(chunk)
            seconds += time.perf_counter() - begun
            size += len(chunk)
    return seconds, size


def _rebuild(ledger: str) -> float:
    """Seconds it takes to derive every table from the log in memory."""
    import duckdb

    from auditreg.ledger import schema, state

    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        escaped = ledger.replace("'", "''")
        con.execute(f"attach '{escaped}' as audit (read_only)")
        begun = time.perf_counter()
        schema.create(con)
        con.execute("drop table ledger.log")
        con.execute("create view ledger.log as from audit.ledger.log")
        state.rebuild(con)
        return time.perf_counter() - begun


def dossiers(ledger: str, processes: int, most: int) -> Answer:
    """A report with its first dossiers as PDF, in this process alone or in several."""
    import dataclasses
    import io
    import logging

    import pypdf
    import weasyprint  # noqa: F401

    from auditreg.audit import Auditor
    from auditreg.config import Config
    from auditreg.formats.report.pdf import PdfFormat
    from auditreg.ledger.store import Ledger
    from auditreg.report import build_report
    from auditreg.rules.parse import builtin_rules

    logging.getLogger("fontTools").setLevel(logging.ERROR)
    config = Config()
    with Ledger(ledger).reader() as con:
        check = Auditor(con, config, builtin_rules()).check()
        report = build_report(con, check, (), config, config.quarter_of(check.as_of))
    report = dataclasses.replace(report, dossiers=report.dossiers[:most])
    form = PdfFormat(processes=processes)
    begun = time.perf_counter()
    files = form.render(report)
    seconds = time.perf_counter() - begun
    return {
        "seconds": seconds,
        "files": len(files),
        "pages": sum(len(pypdf.PdfReader(io.BytesIO(data)).pages) for data in files.values()),
        "peak_mib": peak_mib(),
    }


def _number(con: Any, query: str) -> int:
    return int(con.execute(query).fetchone()[0])


TASKS: dict[str, Callable[..., Answer]] = {
    task.__name__: task for task in (copy, extract, rules, verify, dossiers)
}
"""What can be asked for by name."""


if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](**json.loads(sys.argv[2]))))
