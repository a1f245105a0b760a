"""SQLite stores: exact, read-only, one snapshot, honest about what they cannot hold."""

from __future__ import annotations

import base64
import hashlib
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditreg.errors import ExitCode, SourceError
from auditreg.sources import open_source
from auditreg.sources.database import queries, schema_versions
from auditreg.sources.database.queries import SPECS, Queries
from auditreg.sources.database.sqlite import SQLite
from auditreg.sources.interface import BYTES_MARK, STAGING
from tests.sources.reading import (
    everything,
    in_another_process,
    read_sql,
    rows,
    run_sql,
    sqlite_source,
)

VERSION = (
    "insert into model_versions (workspace, name, version, creation_time, current_stage, run_id) "
    "values ('default', ?, ?, ?, 'None', ?)"
)
TAG = "insert into registered_model_tags (workspace, name, key, value) values ('default', ?, ?, ?)"


@pytest.fixture
def copy(empty_store: Path, tmp_path: Path) -> Path:
    """An empty store to write to."""
    return Path(shutil.copy(empty_store, tmp_path / "copy.db"))


def test_an_empty_registry_is_zero_rows_and_complete(empty_store):
    tables, completeness = everything(sqlite_source(empty_store))
    assert {table: len(found) for table, found in tables.items()} == dict.fromkeys(STAGING, 0)
    assert completeness.complete


hostile = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from(list("'\"\\\n\r\t\x00;%_`$\u202e\u200b\u2028\ufeff\U0001f697\U0010ffff")),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(hostile, st.dictionaries(hostile, st.one_of(st.none(), hostile), max_size=4),
                    min_size=1, max_size=4)
)  # fmt: skip
def test_hostile_text_comes_back_as_it_was_put_in(empty_store, tmp_path_factory, models):
    path = Path(shutil.copy(empty_store, tmp_path_factory.mktemp("hostile") / "s#o%20?r é.db"))
    run_sql(
        path,
        *[
            ("insert into registered_models (workspace, name) values ('default', ?)", (name,))
            for name in models
        ],
        *[(TAG, (name, *tag)) for name, tags in models.items() for tag in tags.items()],
    )
    tables = read_sql(path)
    assert {row["model"] for row in tables["registered_models"]} == {plain(n) for n in models}
    assert {(r["model"], r["key"], r["value"]) for r in tables["registered_model_tags"]} == {
        (plain(name), plain(key), plain(value))
        for name, tags in models.items()
        for key, value in tags.items()
    }


def plain(text: str | None) -> str | None:
    if text is None or not text.startswith("\x00$"):
        return text
    return BYTES_MARK + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "raw", [b"\xff\x00\xfe", b"\xed\xa0\x80", b"caf\xe9", b"\x00$bytes:YQ==", b"\xf0\x9f"]
)
@pytest.mark.parametrize("how", ["cast(? as text)", "?"], ids=["text", "blob"])
def test_text_that_is_not_unicode_is_marked_and_loses_nothing(copy, raw, how):
    run_sql(
        copy,
        "insert into registered_models (workspace, name) values ('default', 'm')",
        ((f"insert into registered_model_tags (workspace, name, key, value) "
         f"values ('default', 'm', 'k', {how})"), (raw,)),
        (TAG, ("m", "fine", "x")),
    )  # fmt: skip
    found = {row["key"]: row["value"] for row in read_sql(copy)["registered_model_tags"]}
    assert found == {"k": BYTES_MARK + base64.b64encode(raw).decode(), "fine": "x"}


def test_values_a_column_cannot_hold_are_doubts_and_never_bent(copy):
    run_sql(
        copy,
        "insert into registered_models (workspace, name, creation_time) values ('default', 'm', 1)",
        (VERSION, ("m", 1, "yesterday", None)),
        (VERSION, ("m", 2, 1.5, None)),
        (VERSION, ("m", 3, 2**62, None)),
        (VERSION, ("m", "four", 7, None)),
    )
    tables, completeness = everything(sqlite_source(copy))
    assert {r["version"]: r["creation_time"] for r in tables["model_versions"]} == {
        1: None, 2: None, 3: 2**62,
    }  # fmt: skip
    assert completeness.doubts == (
        "1 row(s) of model_versions were left out: version is missing or not of type int64",
        "2 value(s) of model_versions.creation_time are not of type int64 and were read as missing",
    )
    assert completeness.counts["model_versions"] == (4, 4)
    # Who looks for model files reads these rows once more.
    _, with_files = everything(open_source(f"sqlite:///{copy}", artifacts="all"))
    assert with_files.doubts == completeness.doubts


def test_nulls_before_the_first_value_do_not_decide_a_columns_type(copy):
    run_sql(
        copy,
        *[
            (("insert into registered_models (workspace, name, description, creation_time) "
             "values ('default', ?, ?, ?)"),
             (f"m{n}", "text" if n == 9_000 else None, 5 if n == 9_000 else None))
            for n in range(9_001)
        ],
    )  # fmt: skip
    found = read_sql(copy)["registered_models"]
    assert len(found) == 9_001
    assert next(row for row in found if row["description"])["creation_time"] == 5


def test_what_commits_after_the_snapshot_is_not_seen_and_nothing_is_written(copy):
    run_sql(copy, "pragma journal_mode = wal")
    run_sql(copy, "insert into registered_models (workspace, name) values ('default', 'before')")
    with sqlite_source(copy, now=lambda: 42).read() as reading:
        assert reading.started_at == reading.ended_at <= 42
        insert = "insert into registered_models (workspace, name) values ('default', 'after')"
        in_another_process(copy, insert)
        assert [row["model"] for row in rows(reading, "registered_models")] == ["before"]
    assert len(read_sql(copy)["registered_models"]) == 2


def test_the_file_is_the_same_before_and_after(store):
    def state() -> tuple[str, list[str]]:
        digest = hashlib.sha256(store.read_bytes()).hexdigest()
        return digest, sorted(path.name for path in store.parent.iterdir())

    before = state()
    read_sql(store)
    read_sql(store, "all")
    assert state() == before


def test_an_older_store_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "old.db"
    run_sql(
        path,
        "create table registered_models (name text, creation_time bigint)",
        "create table model_versions (name text, version int, current_stage text, source text,"
        " run_id text)",
        "create table model_version_tags (name text, version int, key text, value text)",
        "create table experiments (experiment_id integer, name text)",
        "create table runs (run_uuid text, experiment_id integer, status text)",
        "create table params (run_uuid text, key text, value text)",
        "create table latest_metrics (run_uuid text, key text, value float)",
        "create table tags (run_uuid text, key text, value text)",
        "insert into registered_models values ('m', 5)",
        "insert into experiments values (3, 'e')",
        "insert into runs values ('r1', 3, 'FINISHED'), ('r2', 3, 'FINISHED')",
        "insert into tags values ('r1', 'mlflow.runName', 'nightly')",
        "insert into model_versions values ('m', 1, 'Production', 'runs:/r1/model', null)",
        "insert into model_versions values ('m', 2, 'None', '/x', 'purged')",
    )
    with sqlite_source(path).read() as reading:
        assert reading.kinds() == (
            "registered_model", "model_version", "model_version_tag", "experiment", "run",
        )  # fmt: skip
        missing = "aliases, data sets of runs, logged models: this MLflow (schema unknown)"
        assert any(missing in line for line in reading.info.cannot_show)
        assert reading.info.schema_version is None
        tables = {table: rows(reading, table) for table in STAGING}
        assert reading.completeness().left_out == {
            "runs no version points to": 1,
            "runs that versions point to and that no longer exist": 1,
        }
    assert tables["registered_models"] == [
        {"workspace": "default", "model": "m", "creation_time": 5, "last_updated_time": None,
         "description": None}
    ]  # fmt: skip
    assert [(run["run_id"], run["name"]) for run in tables["runs"]] == [("r1", "nightly")]
    assert tables["experiments"][0]["experiment_id"] == "3"


KNOWN = schema_versions.HEADS[-1]
NEWER = "feedfacecafe"


@pytest.mark.parametrize(
    ("revisions", "version", "newer", "others"),
    [
        ([KNOWN], KNOWN, None, None),
        ([KNOWN, "v2.4.0.a", "v3.0.0.d"], KNOWN, None, "v2.4.0.a, v3.0.0.d"),
        ([KNOWN, "0123456789ab"], KNOWN, None, "0123456789ab"),
        ([NEWER], NEWER, NEWER, None),
        (["v2.4.0.a", NEWER], NEWER, NEWER, "v2.4.0.a"),
        (["v2.4.0.a"], None, None, "v2.4.0.a"),
        ([], None, None, None),
    ],
)
def test_revisions_of_another_program_are_not_taken_for_mlflows(
    copy, revisions, version, newer, others
):
    run_sql(copy, "delete from alembic_version")
    run_sql(copy, *[("insert into alembic_version values (?)", (name,)) for name in revisions])
    with sqlite_source(copy).read() as reading:
        assert reading.info.schema_version == version
        cannot_show = [line for line in reading.info.cannot_show if "schema version" in line]
        foreign = [line for line in reading.info.cannot_show if "another program" in line]
        assert reading.completeness().complete
    assert [line.rpartition(" (schema version ")[2] for line in cannot_show] == (
        [f"{newer})"] if newer else []
    )
    assert [line.rpartition(" (")[2] for line in foreign] == ([f"{others})"] if others else [])


@pytest.mark.parametrize("table", [t for t in SPECS if t.startswith("run_")])
def test_children_of_few_linked_runs_are_found_by_index(store, table):
    dialect = SQLite(str(store))
    try:
        plan = dialect.plan(Queries(dialect, "linked").rows(table, plain=True).select)
    finally:
        dialect.close()
    assert "SEARCH b USING" in plan
    assert "SCAN b" not in plan


@pytest.mark.parametrize("table", [t for t in SPECS if t.startswith("run_")])
def test_picking_linked_rows_from_all_gives_the_same_rows(store, table, monkeypatch):
    read = {}
    for share in (0, 10**9):
        monkeypatch.setattr(queries, "WHOLE_SHARE", share)
        with sqlite_source(store).read() as reading:
            found = rows(reading, table)
            read[share] = sorted(map(repr, found)), reading.completeness()
    assert read[0] == read[10**9]
    assert read[0][0]


BAD = {
    "missing": (None, "There is no file"),
    "empty": (b"", "is empty"),
    "random": (bytes(range(256)) * 40, "is not an SQLite database"),
    "text": (b"name,version\n", "is not an SQLite database"),
    "half": (b"SQLite format 3\x00" + b"\x07" * 5000, "is not an SQLite database"),
}


@pytest.mark.parametrize(("content", "says"), BAD.values(), ids=BAD)
def test_what_is_not_a_store_is_one_clear_error(tmp_path, content, says):
    path = tmp_path / "bad.db"
    if content is not None:
        path.write_bytes(content)
    check_refused(path, says)
    assert path.exists() == (content is not None)
    assert list(tmp_path.iterdir()) == ([path] if content is not None else [])


def test_a_directory_and_another_applications_database_are_refused(tmp_path):
    check_refused(tmp_path, "is a directory")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("create table t (a)")
        other.execute("create view registered_models as select 1 as name")
    check_refused(tmp_path / "other.db", "without MLflow's table registered_models")


def test_a_damaged_store_is_an_error_not_fewer_rows(store, tmp_path):
    raw = bytearray(store.read_bytes())
    for offset in range(8192, len(raw), 4096):
        raw[offset : offset + 200] = b"\xee" * 200
    (tmp_path / "damaged.db").write_bytes(raw)
    with pytest.raises(SourceError) as caught:
        read_sql(tmp_path / "damaged.db")
    assert caught.value.hint


def check_refused(path: Path, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(f"sqlite:///{path}").read()
    error = caught.value
    assert says in error.what
    assert error.state
    assert error.hint
    assert error.exit_code == ExitCode.ERROR


def test_reading_after_close_is_an_error(empty_store):
    with sqlite_source(empty_store).read() as reading:
        pass
    with pytest.raises(SourceError, match="already closed"):
        rows(reading, "model_versions")


def test_logged_models_that_say_they_were_registered(store, tmp_path):
    """Those that only their tag links to a version are read, with their run; the others are not."""
    copied = Path(shutil.copy(store, tmp_path / "copy.db"))
    [(run,)] = ask(copied, "select run_uuid from runs where name = 'run 4'")
    columns = (
        "experiment_id, name, artifact_location, creation_timestamp_ms, "
        "last_updated_timestamp_ms, status, lifecycle_stage"
    )
    for model in ("m-tagged", "m-other"):
        run_sql(
            copied,
            (
                (
                    f"insert into logged_models (model_id, source_run_id, {columns}) "
                    f"select ?, ?, {columns} from logged_models limit 1"
                ),
                (model, run),
            ),
        )
    tag = '[{"name": "motor", "version": "1"}]'
    run_sql(
        copied,
        (
            (
                "insert into logged_model_tags (model_id, experiment_id, tag_key, tag_value) "
                "select 'm-tagged', experiment_id, 'mlflow.modelVersions', ? "
                "from logged_models limit 1"
            ),
            (tag,),
        ),
    )
    found = read_sql(copied)
    kept = {row["model_id"] for row in found["logged_models"]}
    assert "m-tagged" in kept
    assert "m-other" not in kept
    assert tag in {row["value"] for row in found["logged_model_tags"]}
    assert run in {row["run_id"] for row in found["runs"]}
    assert run not in {row["run_id"] for row in read_sql(store)["runs"]}


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_a_writer_that_is_committing_is_waited_for(copy):
    program = (
        "import sqlite3, sys, time\n"
        "con = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "con.execute('begin exclusive')\n"
        "print('locked', flush=True)\n"
        "time.sleep(1)\n"
        "con.execute('commit')\n"
    )
    command = [sys.executable, "-c", program, str(copy)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "locked\n"
        with open_source(str(copy), artifacts="none").read() as reading:
            assert rows(reading, "registered_models") == []
            assert writer.wait() == 0
