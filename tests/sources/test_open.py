"""Which addresses are accepted, and what is said about the others."""

from __future__ import annotations

import pytest

from auditreg.errors import ExitCode, SourceError
from auditreg.sources import open_source
from auditreg.sources.database.source import SqlSource
from auditreg.sources.server.source import RestSource
from tests.sources.reading import rows


def test_addresses_of_files_and_servers(store, monkeypatch):
    monkeypatch.chdir(store.parent)
    for uri in (f"sqlite:///{store}", "sqlite:///mlflow.db", "mlflow.db", str(store)):
        source = open_source(uri, artifacts="none")
        assert isinstance(source, SqlSource)
        with source.read() as reading:
            assert len(rows(reading, "registered_models")) == 3
    assert isinstance(open_source("http://localhost:5000"), RestSource)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("mssql+pyodbc://bob:s3cret@db/mlflow", "are not read directly"),
        ("file:///not/there", "There is no folder /not/there"),
        (".", "is a folder, and MLflow's database is a file"),
        ("databricks://prod", "Databricks"),
        ("databricks", "Databricks"),
        ("databricks-uc", "Databricks"),
        ("databricks-uc://prod", "Databricks"),
        ("ftp://bob:s3cret@host/x", "scheme ftp"),
        ("nowhere.db", "There is no file"),
        ("ucs-models.db", "There is no file"),
        ("databricks_copy.db", "There is no file"),
        ("uc:prod", "Databricks"),
        ("", "No address"),
        ("sqlite://", "names no database file"),
        ("sqlite:///:memory:", "names no database file"),
    ],
)
def test_other_addresses_are_refused_with_what_to_do(uri, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as caught:
        open_source(uri)
    error = caught.value
    assert says in error.what
    assert error.state
    assert error.hint
    assert "s3cret" not in f"{error} {error.state} {error.hint}"
    assert error.exit_code == ExitCode.ERROR
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["", "file:"])
def test_a_file_store_is_called_one_with_the_command_that_copies_it(scheme, tmp_path):
    store = tmp_path / "ml runs"
    for folder in ("0", "417", "models/motor"):
        (store / folder).mkdir(parents=True)
        (store / folder / "meta.yaml").write_text("")
    with pytest.raises(SourceError, match="file store") as caught:
        open_source(f"{scheme}{store}")
    assert "(2 experiments, 1 registered model)" in caught.value.what
    command = f"mlflow migrate-filestore --source '{store}' --target sqlite:///mlflow.db"
    assert command in (caught.value.hint or "")


def test_an_unknown_choice_of_artifacts_is_refused():
    with pytest.raises(SourceError, match="all, live or none"):
        open_source("http://localhost:5000", artifacts="some")
