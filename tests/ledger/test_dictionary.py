"""What the file says about itself: meanings, settings, questions."""

from __future__ import annotations

import json
from typing import Any

from auditreg.fields import FIELD_IDS
from auditreg.ledger import schema
from auditreg.ledger.policies import Policy
from tests.ledger.book import Book
from tests.ledger.reading import MemoryReading, Registry, run_rows, together

_LISTED = """
    select case when schema_name = 'main' then '' else schema_name || '.' end || table_name
    from (select schema_name, table_name from duckdb_tables()
          where database_name = current_database()
          union all select schema_name, view_name from duckdb_views()
          where database_name = current_database() and not internal)
"""


def test_every_table_and_column_says_what_it_means(book: Book):
    listed = {name for (name,) in book.rows(_LISTED)}
    assert {"inventory", "ledger.log", "dictionary", "changes", "fields"} <= listed
    told = book.rows("from dictionary")
    assert {table for table, column, _ in told if column is None} == listed
    assert all(text and text == text.strip() for *_, text in told)
    columns = set(
        book.rows(
            "select case when schema_name = 'main' then '' else schema_name || '.' end "
            "|| table_name, column_name, comment from duckdb_columns() "
            "where database_name = current_database() and not internal"
        )
    )
    assert columns == {row for row in told if row[1] is not None}
    comments = book.rows(
        "select comment from duckdb_tables() where database_name = current_database() "
        "union all select comment from duckdb_views() "
        "where database_name = current_database() and not internal"
    )
    assert len(comments) == len(listed)
    assert all(comment for (comment,) in comments)


def test_nothing_is_described_that_is_not_there(book: Book):
    there = {(table, column or "") for table, column, _ in book.rows("from dictionary")}
    known = {
        (table, column)
        for table, columns in schema.descriptions().items()
        if table != "_shared"
        for column in columns
    }
    assert known <= there


def test_types_are_plain(book: Book):
    kinds = {
        kind
        for (kind,) in book.rows(
            "select distinct data_type from duckdb_columns() "
            "where database_name = current_database() and not internal"
        )
    }
    assert kinds <= {
        "VARCHAR", "BIGINT", "INTEGER", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "BLOB",
    }  # fmt: skip


SETTINGS: dict[str, Any] = {
    "timezone": "Europe/London",
    "fiscal_year_start_month": 4,
    "live.stages": ["Production", "Live"],
    "live.aliases": ["champion"],
    "description-present.minimum_length": 40,
    "people": [
        {"id": "ann", "name": "Ann Lee", "accounts": ["ALee", " a.lee@x "], "roles": ["owner"]},
        {"id": "robot", "service": True},
    ],
    "fields": {"owner": ["gov.owner"], "colour": ["colour"]},
}


def policy(settings: dict[str, Any]) -> Policy:
    return Policy("settings", "effective", json.dumps(settings))


def test_settings_are_sealed_and_follow_the_policy(book: Book, registry: Registry):
    registry.create("motor", **{"gov.owner": "ALee", "colour": "red"})
    registry.version("motor")
    registry.alias("motor", "champion", 1)
    book.take(registry.read(), policies=[policy(SETTINGS)])
    assert book.rows(
        "select setting('timezone'), setting('description-present.minimum_length'), setting('no')"
    ) == [("Europe/London", "40", None)]
    assert book.rows("from live_names order by all") == [
        ("alias", "champion", ""), ("stage", "Live", ""), ("stage", "Production", ""),
    ]  # fmt: skip
    assert book.rows(
        "select person_of('alee'), person_of(' A.LEE@X '), person_of('Ann Lee'), "
        "person_of('nobody'), is_service('Robot'), is_service('ann')"
    ) == [("ann", "ann", "ann", None, True, False)]
    assert book.rows("select owner, live from inventory") == [("ALee", True)]
    assert book.rows("select value from fields where field = 'colour' and version = 1") == [
        ("red",)
    ]
    assert book.rows("select period_start(), period_end()") == book.rows(
        "select timestamp '2026-01-01', timestamp '2026-03-31 23:00:00'"
    )
    changed = {**SETTINGS, "live.aliases": ["other"], "people": [], "timezone": "UTC"}
    book.take(registry.read(), policies=[policy(changed)])
    assert book.tables() == book.rebuilt()
    assert book.rows("select live from inventory") == [(False,)]
    assert book.rows("select count(*) from people") == [(0,)]
    assert book.rows("select setting('timezone')") == [("UTC",)]
    assert len(book.rows("from policies")) == 2


def test_a_moment_is_a_variable_or_the_last_complete_reading(book: Book, registry: Registry):
    registry.create("motor")
    book.take(registry.read())
    complete = book.rows("select max(observed_at) from extractions")
    registry.tag("motor", None, "a", "b")
    book.take(registry.read(doubts=("lost",)))
    assert book.rows("select as_of()") == complete
    book.rows("set variable as_of = timestamp '2026-01-01 00:00:01.5'")
    assert book.rows("select as_of()") == book.rows("select timestamp '2026-01-01 00:00:01.5'")


def test_the_inventory_has_a_column_for_every_field(book: Book):
    columns = [name for name, *_ in book.rows("describe inventory")]
    assert set(FIELD_IDS) <= set(columns)


def test_every_question_has_an_answer_and_they_are_told_apart(book: Book, registry: Registry):
    registry.create("motor", owner="ann")
    for number in range(1, 4):
        registry.version("motor", run_id=f"r{number}", approved_by="ann")
    registry.alias("motor", "champion", 1)
    data = [
        {"run_id": f"r{n}", "name": "claims", "digest": "d", "context": context}
        for n, context in ((1, "training"), (2, "test"))
    ]
    runs = [run_rows(f"r{n}") for n in (1, 2)]
    rows = together(registry.rows(), *runs, {"run_datasets": data})
    book.take(MemoryReading(rows, registry.wait()))
    asked = schema.questions()
    assert book.rows("select * from questions") == asked
    assert len({id_ for id_, *_ in asked}) == len({title for _, title, _ in asked}) == len(asked)
    assert len(asked) >= 15
    answers = {id_: book.rows(sql) for id_, _, sql in asked}
    assert answers["live-now"][0][:3] == ("motor", 1, "alias champion")
    assert [row[:2] for row in answers["live-without-approval"]] == [("motor", 1)]
    assert answers["shared-data-sets"][0][:3] == ("d", "claims", 1)
    assert answers["runs-gone"] == [("motor", 3, "r3", None, None, True, False)]
    assert answers["models-without-owner"] == []
    assert answers["what-cannot-be-shown"] == [("default", "sql", "memory", "who")]
    assert len(answers["completeness-of-readings"]) == 1
