"""Running the command line in this process, and other programs that have a ledger open."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from auditreg.cli import cli

HOLDER = """
import duckdb, sys
con = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reading")
count = "select count(*) from ledger.log"
print(con.execute(count).fetchone()[0], flush=True)
sys.stdin.read()
print(con.execute(count).fetchone()[0])
"""


def run(*arguments: str, code: int = 0) -> Result:
    """What a command that ends in `code` says; its errors are raised."""
    done = CliRunner().invoke(cli, list(arguments))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done


@contextmanager
def held_open(ledger: Path, how: str) -> Iterator[None]:
    """Another program has the ledger open, `reading` or `writing`, and sees it unchanged."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(ledger), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        first = int(holder.stdout.readline())
        try:
            yield
        finally:
            last = int(holder.communicate()[0])
    assert last == first


def in_every_format(*arguments: str, formats: tuple[str, ...], code: int = 0) -> dict[str, str]:
    """What one run of a command shows in each format; files of their names are left here."""
    options = [part for name in formats for part in ("--format", f"{name}={name}.out")]
    run(*arguments, *options, code=code)
    return {name: Path(f"{name}.out").read_text(encoding="utf-8") for name in formats}
