"""The packed empty ledger is what the statements make, and is not used where it is not."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from auditreg.ledger import definitions, schema, template

if TYPE_CHECKING:
    import pytest

CATALOG = {
    "tables": "schema_name, table_name, sql, comment from duckdb_tables()",
    "columns": "schema_name, table_name, column_index, column_name, data_type, is_nullable, "
    "column_default, comment from duckdb_columns()",
    "views": "schema_name, view_name, sql, comment from duckdb_views()",
    "macros": "schema_name, function_name, function_type, parameters, macro_definition, comment "
    "from duckdb_functions()",
    "constraints": "schema_name, table_name, constraint_text from duckdb_constraints()",
    "indexes": "schema_name, index_name, sql from duckdb_indexes()",
    "sequences": "schema_name, sequence_name, sql from duckdb_sequences()",
}


def test_the_packed_file_is_what_the_statements_make(tmp_path: Path) -> None:
    assert template.is_current(), "python docs/generate.py writes it anew"
    packed = _contents(tmp_path / "packed.duckdb", template.empty_ledger())
    made = _contents(tmp_path / "made.duckdb", template.make())
    assert len(packed["views"]) > 20
    assert packed["rows of dictionary"]
    assert packed == made


def test_texts_of_another_release_make_the_file_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was packed from other SQL would give new ledgers the views of then."""
    template.empty_ledger.cache_clear()
    monkeypatch.setattr(schema, "texts_digest", lambda: "0" * 64)
    monkeypatch.setattr(template, "make", lambda: b"made")
    try:
        assert template.empty_ledger() == b"made"
    finally:
        template.empty_ledger.cache_clear()


def test_without_the_packed_file_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template, "PACKED", tmp_path / "missing.z")
    assert not template.is_current()


def _contents(path: Path, file: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """Everything a file holds: its catalog, and the rows of its tables."""
    path.write_bytes(file)
    with duckdb.connect() as con:
        con.execute(f"attach '{path}' as audit (read_only)")
        con.execute("use audit")
        contents = {
            what: con.execute(f"select {columns} where database_name = 'audit'").fetchall()
            for what, columns in CATALOG.items()
        }
        for schema_name, table, *_ in contents["tables"]:
            contents[f"rows of {table}"] = con.execute(f"from {schema_name}.{table}").fetchall()
    return {what: sorted(rows, key=repr) for what, rows in contents.items()}


def test_no_two_macros_share_a_name() -> None:
    """Each is made `or replace`: the second would take the place of the first without a word."""
    text = "\n".join(map(definitions.sql, ("log.sql", "settings.sql", "stated.sql")))
    names = re.findall(r"^create macro ([\w.]+)\(", text, re.MULTILINE)
    assert len(names) > 40
    assert [name for name, number in Counter(names).items() if number > 1] == []
