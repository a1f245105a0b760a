"""Prints, as JSON, what a ledger answers to the queries given as JSON on standard input.

Runs in whatever DuckDB the Python path gives and knows nothing of auditreg. With `plain` no query that
holds a rule is improved before it is followed: on a small ledger that takes most of the time.
`python answers.py LEDGER [plain]`.
"""

from __future__ import annotations

import json
import sys

import duckdb


def main() -> None:
    """Answer every query; rows in a fixed order, values as DuckDB writes them as text."""
    con = duckdb.connect(sys.argv[1], read_only=True)
    con.execute("set threads = 1")
    plain = sys.argv[2:] == ["plain"]
    answers = {}
    for name, query in json.load(sys.stdin).items():
        if plain:
            con.execute(f"pragma {'disable' if name.startswith('rule ') else 'enable'}_optimizer")
        rows = con.execute(query).fetchall()
        shown = [[None if value is None else str(value) for value in row] for row in rows]
        answers[name] = sorted(shown, key=repr)
    json.dump({"version": duckdb.__version__, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
