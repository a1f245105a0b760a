"""What follows from the declared kinds is what ledgers hold: fingerprints, bodies, tables, meanings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditreg.ledger import definitions, kind_sql
from auditreg.ledger.ingest import ingest
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from auditreg.sources.interface import STAGING, arrow_schema
from tests.ledger.book import KEY, Book, opened
from tests.ledger.conftest import ask, take
from tests.ledger.reading import Registry
from tests.ledger.staged_rows import readings

pytestmark = pytest.mark.golden


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory):
    """A ledger that holds every kind: new, changed, gone and captured."""
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
    """Bodies and fingerprints of the ledger's first form; what came after a colon since is new."""
    rows = book.rows(
        "select kind, op, subject, model, version, epoch_ms(created_at), epoch_ms(changed_at), "
        "split_part(fingerprint, ':', 1), secrets, json_extract(entry, '$.body')::VARCHAR "
        "from ledger.log where kind not in ('extraction', 'policy') order by kind, subject, seq"
    )
    golden(
        "schema/entries.json",
        _lines([[v or None if n == 7 else v for n, v in enumerate(r)] for r in rows]),
    )


def test_fingerprints_of_the_first_form_are_renewed_from_the_entry(book: Book):
    """An entry without the hash of `storage_location` gets the one that is written today."""
    # The newest form cut back to the first one.
    renewed = kind_sql.first_form_fingerprints().replace(
        "from ledger.log",
        "from (select seq, kind, source, entry, split_part(fingerprint, ':', 1) as fingerprint "
        "from ledger.log where fingerprint is not null)",
    )
    rows = book.rows(
        f"select l.fingerprint, r.fingerprint from ({renewed}) r join ledger.log l using (seq)"
    )
    assert len({after for _, after in rows}) > 10
    assert [row for row in rows if row[0] != row[1]] == []


def test_state_tables_hold_what_they_always_held(book: Book, golden):
    rows = [
        (table, *map(str, row))
        for table in definitions.state_tables()
        for row in sorted(book.rows(f"from {table}"), key=repr)
    ]
    golden("schema/state.json", _lines([[v for n, v in enumerate(row)] for row in rows]))


def test_columns_and_meanings_of_tables_stay(book: Book, golden):
    columns = book.rows(
        "select table_name, column_name, data_type, comment from duckdb_columns() "
        "where database_name = current_database() and schema_name = 'main' "
        "and table_name in (select unnest(?)) order by table_name, column_index",
        list(definitions.state_tables()),
    )
    golden("schema/columns.json", _lines(columns))


def test_an_older_ledger_gets_columns_declared_since(tmp_path: Path):
    ledger, registry = Ledger(tmp_path / "audit.duckdb"), Registry()
    registry.create("motor")
    registry.version("motor")
    take(ledger, registry.read())
    with ledger.writer() as con:  # as if `run_link` had come with this release
        con.execute("alter table model_versions drop column run_link")
        con.execute("update ledger.format set version = 1, written_by = 'older'")
    registry.version("motor")
    take(ledger, registry.read())
    assert ask(ledger, "select run_link from model_versions") == [(None,), (None,)]
    proof = verify(ledger)
    assert proof.ok, proof.problems


def test_staging_tables_stay(golden):
    columns = [
        (table, field.name, str(field.type)) for table in STAGING for field in arrow_schema(table)
    ]
    golden("schema/staging.json", _lines(columns))


def test_tables_are_what_the_entries_say(book: Book):
    assert book.tables() == book.rebuilt()
