"""What all tests share: marks, no skips in CI, expected files, stores and a ledger of one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.stores import Stores, make_empty, run

GOLDEN = Path(__file__).parent / "golden"
ELSEWHERE = "only on"
"""A skip whose reason begins so is meant, in CI too: the test is about another system."""

NEEDS_MORE_THAN_PYTHON = {
    *("pg_server", "my_server", "postgres_server", "mariadb_server"),
    *("server", "guarded", "shared", "s3"),
    *("pdf_files", "demo_files", "played_demo", "wheel"),
    *("plain_ledger", "recorded", "hostile_report", "read_once"),
}
"""Fixtures of database servers, MLflow servers, an S3, Pango, the demo and its play, a build, and of the
ledgers that whole reports are made of."""

UNIT = "test_unit_"
NOT_ORDINARY = ("integration", "slow", "releases")


def pytest_addoption(parser):
    parser.addoption(
        "--update-goldens", action="store_true", help="write expected files anew instead"
    )


def pytest_xdist_auto_num_workers(config):
    """Half as many processes again as there are cores, because tests wait for disks.

    Twice as many for those that wait for servers, and for each other's stores, too.
    """
    if set_by_hand := os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return int(set_by_hand)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    ordinary = config.option.markexpr.startswith("not ")
    return max(2, int((cores or 1) * (1.5 if ordinary else 2)))


def _fails_in_ci(report):
    """A server, browser or library that is missing must not make a test disappear in CI."""
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(ELSEWHERE):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be missing: {reason}"


def pytest_ignore_collect(collection_path, config):
    """Files of unit tests hold ordinary tests alone, and to load MLflow for them takes seconds."""
    if collection_path.name.startswith(UNIT) and config.option.markexpr.startswith(NOT_ORDINARY):
        return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What starts a server, builds a wheel or runs the demo is integration, whichever test uses it."""
    for item in items:
        if not NEEDS_MORE_THAN_PYTHON.isdisjoint(item.fixturenames):
            item.add_marker(pytest.mark.integration)
        if item.path.name.startswith(UNIT) and any(map(item.get_closest_marker, NOT_ORDINARY)):
            raise pytest.UsageError(f"{item.nodeid}: a file named {UNIT}… holds ordinary tests")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    _fails_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    _fails_in_ci(report)
    return report


@pytest.fixture
def golden(request):
    """Compare bytes with the file of that name below tests/golden, or write it anew."""

    def compare(name: str, content: bytes) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        expected = path.read_bytes() if path.exists() else b""
        assert content.decode() == expected.decode()

    return compare


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch):
    """Tests neither read the user's settings nor colour their output."""
    for name in ("AUDITREG_CONFIG", "AUDITREG_LEDGER", "AUDITREG_DEBUG", "COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def kept_stores(pytestconfig) -> Stores:
    """Stores that are made once, for all processes and runs."""
    return Stores(pytestconfig.cache.mkdir("stores"))


@pytest.fixture(scope="session")
def empty_store(kept_stores) -> Path:
    """The database of an MLflow store without anything in its registry. Do not write to it."""
    return kept_stores.get("empty", make_empty) / "mlflow.db"


@pytest.fixture(scope="session")
def small_registry(kept_stores) -> Path:
    """The database of a small MLflow registry with hostile names. Do not write to it."""
    script = Path(__file__).with_name("small_registry.py")

    def make(folder: Path) -> None:
        path = folder / "mlflow.db"
        run(script, path, cwd=folder, MLFLOW_TRACKING_URI=f"sqlite:///{path}")

    return kept_stores.get("small-registry", make, [script]) / "mlflow.db"


@pytest.fixture(scope="session")
def extracted(kept_stores, small_registry, testrun_uid) -> Path:
    """A ledger with one extraction of `small_registry`. Do not write to it.

    Every run makes it: the age of a reading is what some tests are about.
    """

    def make(folder: Path) -> None:
        run("-m", "auditreg", "extract", "--from", f"sqlite:///{small_registry}", cwd=folder)

    return kept_stores.get("extracted", make, [testrun_uid]) / "audit.duckdb"


@pytest.fixture
def ledger(extracted, tmp_path, monkeypatch) -> Path:
    """A ledger of one's own, in the current folder."""
    for file in extracted.parent.iterdir():
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / extracted.name
