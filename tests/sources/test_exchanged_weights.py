"""Weights exchanged behind an unchanged MLmodel: a model that MLflow logged, from its store to the findings."""

from __future__ import annotations

import csv
import io
import os
import shutil
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import auditreg
from tests.servers.process import run_warm

pytestmark = pytest.mark.integration

RULE = "model-unchanged-after-approval"


def program(store: Path, *arguments: str) -> None:
    script = Path(__file__).with_name("logged_models.py")
    run_warm(script, f"sqlite:///{store}", *arguments, cwd=store.parent)


@pytest.fixture
def firm(tmp_path, empty_store) -> Path:
    """A folder with a store and settings; `plain/1` is live and was approved by Jane."""
    store = tmp_path / "mlflow.db"
    shutil.copyfile(empty_store, store)
    (tmp_path / "auditreg.toml").write_text(
        '[[source]]\nuri = "sqlite:///mlflow.db"\n[[people]]\nid = "jane"\n'
    )
    program(store, str(tmp_path / "artifacts"))
    auditreg(tmp_path, "extract", code=0)
    program(store, "approve", "plain", "jane")
    return tmp_path


def weights(firm: Path) -> Path:
    """The file with the weights of `plain/1`."""
    with duckdb.connect(str(firm / "audit.duckdb"), read_only=True) as ledger:
        [(place,)] = ledger.execute(
            "select location from model_artifacts where model = 'plain'"
        ).fetchall()
    [file] = Path(place.removeprefix("file://")).rglob("model.pkl")
    return file


def exchange_one_byte(file: Path) -> None:
    """Change one byte, and put the time of the file back."""
    before, content = file.stat(), bytearray(file.read_bytes())
    content[-10] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


def verdict(firm: Path) -> tuple[str, str | None]:
    with duckdb.connect(str(firm / "audit.duckdb"), read_only=True) as ledger:
        [row] = ledger.execute(
            "select verdict, contested_by from approval_verdicts where about = 'version' and model = 'plain'"
        ).fetchall()
    return row


def finding(firm: Path, code: int) -> dict[str, str]:
    """What a check of the version by the one rule says."""
    told = auditreg(firm, "check", "plain", "--all", "--rule", RULE, "--format", "csv", code=code)
    [found] = csv.DictReader(io.StringIO(told))
    return found


def test_one_byte_exchanged_after_the_approval_is_found(firm):
    auditreg(firm, "extract", code=0)
    assert finding(firm, 0)["status"] == "pass"
    assert verdict(firm) == ("holds", None)
    file = weights(firm)
    mlmodel = (file.parent / "MLmodel").read_bytes()
    exchange_one_byte(file)
    told = auditreg(firm, "extract", code=0)
    assert "1 model file changed" in told
    assert (file.parent / "MLmodel").read_bytes() == mlmodel
    found = finding(firm, 1)
    assert found["status"] == "fail"
    assert found["reason"].startswith("model.pkl of plain/1 changed between ")
    assert found["reason"].endswith("; compared by SHA-256 of every file")
    assert verdict(firm) == ("contested", RULE)
    assert "model.pkl SHA-256 " in auditreg(firm, "changes", "--kind", "artifact", code=0)
    assert "model.pkl SHA-256" in auditreg(firm, "history", "plain", code=0)
