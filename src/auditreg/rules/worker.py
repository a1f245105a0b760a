"""The process that runs a firm's own rules: `auditreg.audit.isolation` starts it and reads its files.

The job comes as JSON on standard input. Per rule it writes `<id>.arrow` and then `<id>.note`
(empty, or the rule's error); a rule without a note took the process down.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from auditreg.errors import first_line
from auditreg.files import write_whole
from auditreg.rules.validate import lock_connection
from auditreg.sql import quoted, quoted_name


def main() -> None:
    """Run the job on standard input."""
    import duckdb
    import pyarrow as pa

    job: dict[str, Any] = json.load(sys.stdin)
    folder = Path(job["folder"])
    connection = duckdb.connect(job["database"], read_only=True)
    try:
        for statement in job["statements"]:
            connection.execute(statement)
        # Half the address space, for DuckDB reserves more than it counts.
        lock_connection(connection, memory=f"{job['megabytes'] // 2}MB", threads=1)
        limit_memory(job["megabytes"])
        for rule in job["rules"]:
            limit_time(job["seconds"])
            note = ""
            try:
                start = quoted(rule["period_start"])
                connection.execute(f"set variable period_start = {start}::TIMESTAMP")
                for name, value in rule["params"].items():
                    connection.execute(f"set variable {quoted_name(name)} = {quoted(value)}")
                # Not lazily: a reader would go on computing while the file is written.
                answers: Any = connection.execute(rule["sql"]).to_arrow_table()
                with (
                    pa.OSFile(str(folder / f"{rule['id']}.arrow"), "wb") as file,
                    pa.ipc.new_file(file, answers.schema) as writer,
                ):
                    writer.write_table(answers)
                del answers
            except (duckdb.Error, MemoryError) as error:
                note = first_line(error) or "it needed too much memory"
            finally:
                for name in rule["params"]:
                    connection.execute(f"reset variable {quoted_name(name)}")
            write_note(folder / f"{rule['id']}.note", note)
    finally:
        connection.close()


def write_note(path: Path, text: str) -> None:
    """Write a note whole or not at all."""
    write_whole(path, text.encode(), durable=False)


def reserved() -> int:
    """Bytes of address space the process has reserved, as far as the operating system tells."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0


def limit_memory(megabytes: int) -> None:
    """Cap what the process may reserve from now on, where the operating system can (not on Windows).

    What the state of the moment took is not counted: it is no matter of the rules.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        size = reserved() + megabytes * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def limit_time(seconds: int) -> None:
    """Allow the process that many more seconds of processor time (not on Windows)."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + 1 + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main()
