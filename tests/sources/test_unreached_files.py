"""Model files nobody could reach are told as such wherever a reading gives account of itself."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import duckdb
import pytest

from tests.cli.running import run
from tests.sources.reading import run_sql

VERSION = (
    "insert into model_versions (workspace, name, version, current_stage, source, creation_time) "
    "values ('default', ?, ?, 'Production', ?, 5)"
)
PROMPT = (
    "insert into registered_model_tags (workspace, name, key, value) "
    "values ('default', 'greet', 'mlflow.prompt.is_prompt', 'true')"
)


@pytest.fixture
def database(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight versions, and one of a prompt."""
    monkeypatch.chdir(tmp_path)
    path = Path(shutil.copy(empty_store, tmp_path / "mlflow.db"))
    run_sql(
        path,
        "insert into registered_models (workspace, name) values ('default', 'motor'), "
        "('default', 'greet')",
        PROMPT,
        (VERSION, ("greet", 1, "dummy-source")),
        *[(VERSION, ("motor", number, f"/nowhere/{number}")) for number in range(1, 9)],
    )
    return path


def put_files(path: Path, numbers: range) -> None:
    for number in numbers:
        folder = path.parent / f"files {number}"
        folder.mkdir()
        (folder / "MLmodel").write_text("flavors: {}\n")
        statement = "update model_versions set source = ? where name = 'motor' and version = ?"
        run_sql(path, (statement, (str(folder), number)))


def extracted(path: Path) -> str:
    return re.sub(r"\s+", " ", run("extract", "--from", str(path)).stdout)


def test_extract_says_how_many_were_read_and_why_not_all(database):
    text = extracted(database)
    reason = "8 not read, for instance /nowhere/1: there is no such folder on this machine"
    assert f"model files 0 of 8 versions' read; {reason} " in text
    assert "9 versions, 1 model tag in" in text  # nothing of the files among what was read
    assert "left out" not in text
    put_files(database, range(1, 4))
    text = extracted(database)
    assert "model files 3 of 8 versions' read; 5 not read, for instance /nowhere/4: " in text
    put_files(database, range(4, 9))
    text = extracted(database)
    assert "8 model files in" in text
    assert "not read" not in text


def test_the_question_counts_them_as_not_read(database):
    extracted(database)
    with duckdb.connect("audit.duckdb", read_only=True) as con:
        (sql,) = con.execute(
            "select sql from questions where id = 'was-everything-read'"
        ).fetchone()
        answers = con.execute(
            f"select counted_by_source, read, difference from ({sql}) where part = 'model_artifacts'"
        ).fetchall()
    assert answers == [(8, 0, 8)]


@pytest.mark.integration
def test_the_report_does_not_call_them_read(database):
    extracted(database)
    run("report", "--format", "html", "--output", "out")
    page = Path("out/report.html").read_text()
    section = page[page.index('id="completeness"') : page.index('id="cannot-show"')]
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", section))
    assert "The files of 8 versions were to be read; none was." in text
    assert "Versions whose model files were to be read 8 0 8 could not be read" in text
    assert "Excluded nothing" in text
    assert (
        "Could not be read 8 model files not read, for instance /nowhere/1: there is no such folder "
        "on this machine"
    ) in text
