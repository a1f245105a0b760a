"""The Python API: a ledger's answers as DataFrames."""

from __future__ import annotations

import subprocess
import sys

import pytest

import auditreg
from auditreg.errors import ConfigError, LedgerError, UsageError


def test_inventory(ledger):
    book = auditreg.open(ledger)
    frame = book.inventory()
    assert len(frame) == 5
    assert set(frame[frame["model"] == "motor-frequency"]["owner"]) == {"ann"}
    assert len(book.inventory(as_of="2001-01-01")) == 0
    assert len(book.inventory(as_of="2099-01-01")) == 5
    assert repr(book) == f"auditreg.open({str(ledger)!r})"


def test_the_ledger_of_the_settings(ledger):
    assert auditreg.open().path.name == "audit.duckdb"


def test_changes_and_query(ledger):
    book = auditreg.open(ledger)
    assert len(book.changes()) == 0
    live = book.query("select model from inventory where live order by model")
    assert list(live["model"]) == ["home", "hostile", "motor-frequency"]


@pytest.mark.integration
def test_check_seals_nothing(ledger):
    before = ledger.read_bytes()
    book = auditreg.open(ledger)
    found = book.check()
    assert set(found["status"]) <= {"fail", "not_evidenced", "error"}
    assert set(book.check("home", rules=("owner-recorded",))["model"]) == {"home"}
    assert len(book.check(everything=True)) > len(found)
    assert ledger.read_bytes() == before


def test_what_is_wrong_is_told_at_once(ledger, tmp_path):
    with pytest.raises(LedgerError):
        auditreg.open(tmp_path / "nothing.duckdb")
    with pytest.raises(ConfigError):
        auditreg.open(ledger, config=tmp_path / "nothing.toml")
    with pytest.raises(UsageError):
        auditreg.open(ledger).inventory(as_of="yesterday")


def test_the_file_is_free_between_questions(ledger):
    import duckdb

    book = auditreg.open(ledger)
    book.inventory()
    duckdb.connect(str(ledger)).close()


def test_importing_the_package_loads_nothing():
    program = (
        "import sys, auditreg\n"
        "print([m for m in sys.modules if m.startswith('auditreg.')], 'pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[] False\n"


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = auditreg.nonsense


def test_every_public_name_is_there():
    for name in auditreg.__all__:
        assert getattr(auditreg, name) is not None
