"""`auditreg doctor`: every answer, its words and the exit code it ends in."""

import importlib
import importlib.metadata
import importlib.util
import json
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from auditreg import resources
from auditreg.cli import health, health_sources, repairs
from auditreg.cli.health import DoctorCheck, DoctorStatus
from auditreg.errors import ExitCode

# By this way, because the package may name the command as it names the module.
module = importlib.import_module("auditreg.cli.doctor")


@pytest.fixture
def child(monkeypatch):
    """Let the children of the checks answer what the test says: by default, that all is well."""
    answers = {}

    def answer(program, *arguments):
        return next((value for word, value in answers.items() if word in program), (True, "1.0"))

    monkeypatch.setattr(health, "in_child", answer)
    return answers


@pytest.fixture
def installed(monkeypatch):
    """Distributions whose version is changed, or None where they are not installed."""
    changed = {}

    def version(name):
        found = changed[name] if name in changed else real(name)
        if found is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return found

    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", version)
    return changed


def run(*arguments):
    return CliRunner().invoke(module.doctor, [str(a) for a in arguments])


def test_here_everything_needed_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("--format", "json")
    document = json.loads(done.stdout)
    assert document["schema"] == "auditreg.doctor/1"
    checks = {check["name"]: check for check in document["checks"]}
    assert [name for name, check in checks.items() if check["status"] == "missing"] == []
    assert done.exit_code == 0
    assert document["works"] is True
    assert checks["DuckDB"]["found"] == duckdb.__version__
    assert checks["PDF"]["found"].startswith("WeasyPrint ")
    assert checks["Ledger"]["status"] == "warning"
    assert list(tmp_path.iterdir()) == []


def test_the_table_says_what_it_means_and_how_to_repair_it(child, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repairs, "_families", lambda: ["debian"])
    child["weasyprint"] = (False, "OSError: cannot load library 'libpango-1.0-0'")
    done = run()
    assert done.exit_code == 0
    assert "HTML works, PDF does not." in done.stdout
    lines = done.stdout.splitlines()
    command = "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
    assert f"  PDF: {command}" in lines
    assert lines[-1].startswith("Everything needed works. Warnings: ")
    assert len(lines) <= 40


def test_something_needed_is_missing(child):
    child["duckdb.connect()"] = (False, "ModuleNotFoundError: No module named 'duckdb'")
    done = run()
    assert done.exit_code == 2
    assert "DuckDB: pip install --force-reinstall duckdb" in done.stdout
    assert "Missing of what auditreg needs: 1." in done.stdout


def test_everything_works():
    assert module._summary([DoctorCheck("a", DoctorStatus.OK, "")]) == "Everything works."
    assert module.exit_code([DoctorCheck("a", DoctorStatus.WARNING, "")]) is ExitCode.OK


def test_an_old_python_is_missing(monkeypatch):
    monkeypatch.setattr(module, "OLDEST_PYTHON", (9, 9))
    check = module._python()
    assert (check.status, check.means) == (
        DoctorStatus.MISSING,
        "auditreg needs Python 9.9 or newer.",
    )


def test_packages_too_old_or_absent(installed):
    installed |= {"click": "7.0", "rich": None}
    check = module._packages()
    assert check.status is DoctorStatus.MISSING
    assert "click 7.0 is not >=8.1" in check.found
    assert "rich is not installed" in check.found


def test_extras_are_not_needed(installed):
    installed["scikit-learn"] = None
    assert module._packages().status is DoctorStatus.OK


def test_not_installed_at_all(monkeypatch):
    def requires(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    assert module._packages().status is DoctorStatus.WARNING


def test_files_are_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    monkeypatch.setattr(resources, "_CHECKOUT", tmp_path)
    check = module._data_files()
    assert check.status is DoctorStatus.MISSING
    assert check.found == "not found: rules, frameworks, ledger SQL, templates"


def test_a_damaged_mlflow_is_told_from_an_absent_one(child, installed):
    child["MlflowClient"] = (False, "ModuleNotFoundError: No module named 'mlflow'")
    assert "its files are incomplete" in health_sources.mlflow_client().means
    installed |= {"mlflow": None, "mlflow-skinny": None}
    check = health_sources.mlflow_client()
    assert check.means == "A tracking server cannot be read; all else works."
    assert check.repair.endswith("mlflow-skinny")


def test_a_sqlite_driver_that_does_not_load_is_missing(child):
    assert health_sources.sqlite().status is DoctorStatus.OK
    child["adbc_driver_sqlite"] = (False, "ImportError: no such file")
    check = health_sources.sqlite()
    assert check.status is DoctorStatus.MISSING
    assert "adbc-driver-sqlite" in check.repair


def test_what_is_not_installed_is_optional_and_says_what_cannot_be_read(child, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = {check.name: check for check in health_sources.optional()}
    assert {check.status for check in found.values()} == {DoctorStatus.OPTIONAL}
    assert found["PostgreSQL"].repair == "pip install 'auditreg[postgresql]'"
    assert found["MySQL, MariaDB"].found == "not installed: SQLAlchemy, PyMySQL or mysqlclient"
    assert found["S3"].means == "Model files in S3 cannot be read."
    assert module.exit_code(list(found.values())) is ExitCode.OK


def test_what_is_installed_has_its_version_and_what_does_not_load_is_a_warning(child):
    found = {check.name: check for check in health_sources.optional()}
    assert found["S3"].status is DoctorStatus.OK
    assert found["S3"].found == f"boto3 {importlib.metadata.version('boto3')}"
    assert found["MySQL, MariaDB"].found.startswith("SQLAlchemy 2.")
    child["boto3"] = (False, "ImportError: urllib3 is broken")
    (broken,) = [check for check in health_sources.optional() if check.name == "S3"]
    assert (broken.status, broken.found) == (DoctorStatus.WARNING, "ImportError: urllib3 is broken")
    assert "boto3" in broken.repair


def test_optional_sources_are_listed_apart_from_what_is_broken(child, monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    shown = run("--ledger", tmp_path / "x.duckdb").stdout
    repairs_, _, further = shown.partition("To read further sources:")
    assert "auditreg[s3]" in further
    assert "auditreg[s3]" not in repairs_
    assert "Ledger: auditreg extract" in repairs_


def test_weasyprint_itself_is_missing(child, monkeypatch):
    child["weasyprint"] = (False, "ModuleNotFoundError")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert module._pdf().status is DoctorStatus.MISSING


def test_no_fonts_at_all(monkeypatch, tmp_path):
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    monkeypatch.setattr(resources, "_CHECKOUT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(repairs, "_families", lambda: ["void"])
    check = module._fonts()
    assert check.status is DoctorStatus.WARNING
    assert check.found == "0 bundled, the system's are unknown (no fc-list)"
    assert check.repair == "install any TrueType fonts and fontconfig"


def test_no_time_zones(monkeypatch):
    import zoneinfo

    def absent(key):
        raise zoneinfo.ZoneInfoNotFoundError(key)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", absent)
    assert module._time_zones().status is DoctorStatus.MISSING


def test_a_terminal_without_utf8(child):
    done = CliRunner(charset="latin-1").invoke(module.doctor, [])
    assert done.exit_code == 0
    assert "Terminal: export PYTHONUTF8=1" in done.stdout


def test_a_folder_that_cannot_be_written_to(monkeypatch):
    def refused(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.tempfile, "TemporaryDirectory", refused)
    check = module._folder()
    assert check.status is DoctorStatus.WARNING
    assert check.found.endswith(": Permission denied")


def test_a_ledger_and_what_is_none(tmp_path):
    path = tmp_path / "a ledger.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(
            "create schema ledger; create table ledger.log as select 1 from range(3)"
        )
    check = module._ledger(path)
    assert check.status is DoctorStatus.OK
    assert f"{path}, 3 entries" in check.found
    path.write_text("no database", encoding="utf-8")
    assert module._ledger(path).status is DoctorStatus.WARNING


def test_the_ledger_is_named_by_option_and_environment(child, tmp_path, monkeypatch):
    assert "one.duckdb is not there" in run("--ledger", "one.duckdb").stdout
    monkeypatch.setenv("AUDITREG_LEDGER", "two.duckdb")
    assert "two.duckdb is not there" in run().stdout


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ({"ID": "debian"}, "apt-get install libpango"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "apt-get install libpango"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "dnf install pango"),
        ({"ID": "alpine"}, "apk add pango"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "zypper install"),
        ({}, "install Pango 1.44"),
    ],
)
def test_each_linux_has_its_command(monkeypatch, release, command):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(repairs.platform, "freedesktop_os_release", lambda: release)
    assert repairs.pango().startswith(command)


def test_other_systems_and_a_linux_without_a_name(monkeypatch):
    def absent():
        raise OSError

    monkeypatch.setattr(repairs.platform, "freedesktop_os_release", absent)
    monkeypatch.setattr(sys, "platform", "linux")
    assert repairs.pango().startswith("install Pango")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert repairs.pango() == "brew install pango"
    monkeypatch.setattr(sys, "platform", "win32")
    assert "mingw-w64-ucrt-x86_64-pango" in repairs.pango()


def test_a_child_that_fails_or_cannot_start(monkeypatch):
    assert health.in_child("import sys; sys.exit(3)") == (False, "ended with status 3")
    assert health.in_child("raise ValueError('why')") == (False, "ValueError: why")
    monkeypatch.setattr(sys, "executable", str(Path("nowhere") / "python"))
    worked, output = health.in_child("pass")
    assert not worked
    assert "nowhere" in output
