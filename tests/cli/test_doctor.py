"""`auditreg doctor`: what works, what does not, what repairs it, and the exit code."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
from pathlib import Path

import pytest

from auditreg.workflows import doctor
from tests.cli.running import held_open, run


@pytest.fixture
def child(monkeypatch):
    """What the children answer whose program holds a word; all others, that all is well."""
    answers = {}

    def answer(program):
        return next((value for word, value in answers.items() if word in program), (True, "1.0"))

    monkeypatch.setattr(doctor, "run_child", answer)
    return answers


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def checks(*arguments: str, code: int = 0) -> dict[str, dict]:
    document = json.loads(run("doctor", *arguments, "--format", "json", code=code).stdout)
    assert document.keys() == {"schema", "works", "checks"}
    assert (document["schema"], document["works"]) == ("auditreg.doctor/1", code == 0)
    for check in document["checks"]:
        assert check.keys() == {"name", "status", "found", "means", "repair"}
    return {check["name"]: check for check in document["checks"]}


@pytest.mark.integration
def test_here_everything_needed_works(tmp_path):
    found = checks()
    assert [name for name, check in found.items() if check["status"] == "missing"] == []
    assert importlib.metadata.version("mlflow-skinny") in found["MLflow client"]["found"]
    assert found["PDF"]["found"].startswith("WeasyPrint ")
    assert found["Ledger folder"]["status"] == "ok"
    assert (found["Ledger"]["status"], found["Ledger"]["found"]) == (
        "warning",
        "audit.duckdb is not there",
    )
    assert list(tmp_path.iterdir()) == []


def test_the_table_says_what_it_means_and_how_to_repair_it(child):
    child["weasyprint"] = (False, "OSError: cannot load library '\x1blibpango-1.0-0'")
    child["boto3"] = (False, "ModuleNotFoundError: No module named 'boto3'")
    child["google"] = (False, "ImportError: urllib3 is broken")
    shown = run("doctor").stdout
    assert "\x1b" not in shown
    assert "HTML works, PDF does not." in shown
    broken, _, further = shown.partition("To read further sources:")
    assert "  PDF: apt-get install libpango" in broken
    assert "brew install pango (macOS)" in broken
    assert "  Google Cloud Storage: pip install --force-reinstall google-cloud-storage" in broken
    assert "  S3: pip install 'auditreg[s3]'" in further
    assert shown.splitlines()[-1] == "Everything needed works. Warnings: 3."


def test_what_is_needed_and_missing_ends_in_2(child, monkeypatch):
    child["MlflowClient"] = (False, "ModuleNotFoundError: No module named 'mlflow'")
    found = checks(code=2)
    assert found["MLflow client"]["repair"].endswith("--no-deps mlflow-skinny")
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", {"click": "7.0"}.get)
    assert "click 7.0 is not >=8.1" in checks(code=2)["Packages"]["found"]
    assert "rich is not installed" in checks(code=2)["Packages"]["found"]
    monkeypatch.setattr(importlib.metadata, "version", real)
    assert "Missing of what auditreg needs: 1." in run("doctor", code=2).stdout


def test_no_fonts_of_the_system(child, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checks()["Fonts"]["status"] == "warning"


def test_each_source_is_asked_and_no_password_is_shown(child, small_registry):
    Path("auditreg.toml").write_text(
        f'[[source]]\nname = "a"\nuri = "sqlite:///{small_registry}"\n'
        '[[source]]\nname = "b"\nuri = "http://me:hunter2@127.0.0.1:9"\n'
        '[[source]]\nname = "c"\nuri_env = "NOT_SET_ANYWHERE"\n'
    )
    found = checks()
    assert found["Source a"]["status"] == "ok"
    assert found["Source b"]["found"].startswith("The tracking server http://me:***@127.0.0.1:9")
    assert "NOT_SET_ANYWHERE" in found["Source c"]["found"]
    assert "hunter2" not in run("doctor").stdout
    Path("auditreg.toml").write_text("nonsense = 1")
    assert checks()["Settings"]["status"] == "warning"


def test_the_ledger_is_opened_and_named_by_option_environment_or_settings(
    child, extracted, monkeypatch
):
    Path("auditreg.toml").write_text(f'[ledger]\npath = "{extracted}"\n')
    assert f"{extracted}, " in checks()["Ledger"]["found"]
    Path("other.duckdb").write_text("no database")
    assert checks("--ledger", "other.duckdb")["Ledger"]["status"] == "warning"
    monkeypatch.setenv("AUDITREG_LEDGER", "third.duckdb")
    assert checks()["Ledger"]["found"] == "third.duckdb is not there"


def test_a_ledger_another_program_writes_is_a_warning(child, ledger):
    with held_open(ledger, "writing"):
        assert "open for writing in another program" in checks()["Ledger"]["found"]


def test_a_folder_without_room_for_a_ledger(child):
    assert "no-folder" in checks("--ledger", "no-folder/x.duckdb")["Ledger folder"]["found"]


def test_a_child_that_fails_or_cannot_start(monkeypatch):
    assert doctor.run_child("import sys; sys.exit(3)") == (False, "ended with status 3")
    assert doctor.run_child("raise ValueError('why')") == (False, "ValueError: why")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: open("nowhere"))  # noqa: PTH123, SIM115
    assert doctor.run_child("pass") == (False, "[Errno 2] No such file or directory: 'nowhere'")


def test_a_folder_that_an_extraction_would_make_is_no_warning(child):
    assert checks("--ledger", "no-folder/x.duckdb")["Ledger folder"]["status"] == "ok"
    Path("file").touch()
    assert checks("--ledger", "file/x/y.duckdb")["Ledger folder"]["status"] == "warning"


def test_it_takes_a_settings_file_and_writes_into_files(child, extracted):
    Path("mine.toml").write_text(f'[ledger]\npath = "{extracted}"\n')
    run("doctor", "--config", "mine.toml", "--format", "json=doctor.json")
    found = {
        check["name"]: check for check in json.loads(Path("doctor.json").read_text())["checks"]
    }
    assert found["Ledger"]["status"] == "ok"
