"""What follows from the declared kinds is what ledgers hold: fingerprints, bodies, tables, meanings."""

from __future__ import annotations

import json

import pytest

from auditreg.ledger import schema
from auditreg.ledger.ingest import ingest
from auditreg.sources.interface import STAGING, arrow_schema
from tests.ledger.book import KEY, Book, opened
from tests.ledger.staged_rows import readings

pytestmark = pytest.mark.golden


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory):
    """A ledger that holds every kind: new, changed, gone and captured."""
    from auditreg.ledger.store import Ledger

    path = tmp_path_factory.mktemp("empty") / "audit.duckdb"
    with Ledger(path).writer():
        pass
    with opened(path) as book:
        for reading in readings():
            ingest(book.con, reading, registry="default", key=KEY, policies=())
        yield book


def _lines(rows: object) -> bytes:
    """One row a line, so that a difference can be read."""
    assert isinstance(rows, list)
    return ("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n").encode()


def test_entries_hold_what_they_always_held(book: Book, golden):
    rows = book.rows(
        "select kind, op, subject, model, version, epoch_ms(created_at), epoch_ms(changed_at), "
        "fingerprint, secrets, entry.body from ledger.log "
        "where kind not in ('extraction', 'policy') order by kind, subject, seq".replace(
            "entry.body", "json_extract(entry, '$.body')::VARCHAR"
        )
    )
    golden("schema/entries.json", _lines(rows))


def test_state_tables_hold_what_they_always_held(book: Book, golden):
    rows = [
        (table, *map(str, row))
        for table in schema.state_tables()
        for row in sorted(book.rows(f"from {table}"), key=repr)
    ]
    golden("schema/state.json", _lines([[v for n, v in enumerate(row)] for row in rows]))


def test_columns_and_meanings_of_tables_stay(book: Book, golden):
    columns = book.rows(
        "select table_name, column_name, data_type, comment from duckdb_columns() "
        "where database_name = current_database() and schema_name = 'main' "
        "and table_name in (select unnest(?)) order by table_name, column_index",
        list(schema.state_tables()),
    )
    golden("schema/columns.json", _lines(columns))


def test_staging_tables_stay(golden):
    columns = [
        (table, field.name, str(field.type)) for table in STAGING for field in arrow_schema(table)
    ]
    golden("schema/staging.json", _lines(columns))


def test_tables_are_what_the_entries_say(book: Book):
    assert book.tables() == book.rebuilt()
