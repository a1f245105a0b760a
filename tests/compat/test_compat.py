"""A ledger that an older release wrote opens, verifies, answers as before and goes on."""

from __future__ import annotations

import json
import lzma
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from auditreg.cli import cli
from auditreg.ledger.store import Ledger
from auditreg.ledger.verify import verify
from tests.cli.running import run

if TYPE_CHECKING:
    import duckdb

HERE = Path(__file__).parent
RELEASES = sorted(path.parent.name for path in HERE.glob("*/answers.json"))
LISTS = {
    "inventory": "inventory",
    "live_versions": "live_versions",
    "promotions": "promotions",
    "inventory_then": "inventory_as_of(timestamp '{between}')",
    "live_then": "live_versions_as_of(timestamp '{between}')",
}
"""Answers that stay as they were, and where they are asked."""


@pytest.fixture(params=RELEASES)
def release(request) -> Path:
    """The folder of an older release."""
    return HERE / request.param


@pytest.fixture
def ledger(release: Path, tmp_path: Path) -> Ledger:
    """A copy of its ledger."""
    path = tmp_path / "audit.duckdb"
    path.write_bytes(lzma.decompress((release / "audit.duckdb.xz").read_bytes()))
    return Ledger(path)


@pytest.fixture
def answers(release: Path) -> dict[str, Any]:
    """What its code answered."""
    return json.loads((release / "answers.json").read_text())


@pytest.fixture
def database(release: Path, tmp_path: Path) -> Path:
    """MLflow's database as the last reading saw it."""
    path = tmp_path / "registry.db"
    path.write_bytes(lzma.decompress((release / "mlflow.db.xz").read_bytes()))
    return path


def rows_of(con: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """The rows of a query, as the answers hold them."""
    cursor = con.execute(query)
    names = [column[0] for column in cursor.description]
    plain = (int, float, bool, str, type(None))
    return [
        {n: v if isinstance(v, plain) else str(v) for n, v in zip(names, row, strict=True)}
        for row in cursor.fetchall()
    ]


def ask(ledger: Ledger, query: str) -> list[dict[str, Any]]:
    """The rows of one query."""
    with ledger.reader() as con:
        return rows_of(con, query)


def extract(ledger: Ledger, database: Path) -> dict[str, Any]:
    """What an extraction of the database says of the registry; nobody has its model files."""
    done = run(
        *("extract", "--from", f"sqlite:///{database}", "--ledger", str(ledger.path)),
        *("--artifacts", "none", "--format", "json"),
    )
    [registry] = json.loads(done.stdout)["extractions"]
    return registry


def entries(ledger: Ledger) -> int:
    """How many entries the log has; the texts of rules and settings, which a release changes, aside."""
    [row] = ask(ledger, "select count(*) as n from ledger.log where kind <> 'policy'")
    return int(row["n"])


ADDED = {"deployed_at"}
"""Columns that a later release fills from what the log always held: when a version went live."""


def agree(con: duckdb.DuckDBPyConnection, answers: dict[str, Any]) -> None:
    """Every answer is the one given then, as far as its columns go; changes may have become more."""
    for name, relation in LISTS.items():
        expected = answers[name]
        assert expected
        rows = rows_of(con, "from " + relation.format(**answers))
        expected = [{c: row[c] for c in row if c not in ADDED} for row in expected]
        kept = [{column: row[column] for column in expected[0]} for row in rows]
        assert sorted(map(repr, kept)) == sorted(map(repr, expected)), name
    rows = rows_of(con, "from changes")
    changes = [{column: row[column] for column in answers["changes"][0]} for row in rows]
    assert [change for change in answers["changes"] if change not in changes] == []


def test_it_opens_verifies_and_answers_as_it_did(ledger: Ledger, answers: dict[str, Any]):
    proof = verify(ledger, state_too=False)
    assert proof.ok, proof.problems
    assert (proof.entries, proof.root, proof.roots) == tuple(
        answers[name] for name in ("entries", "root", "roots")
    )
    with ledger.reader() as con:  # which makes a renewed copy of it
        for table, number in answers["counts"].items():
            assert rows_of(con, f"select count(*) as n from {table}") == [{"n": number}], table
        agree(con, answers)
        today = "select party_kind('nobody') as kind, (select count(*) from authorities) as n"
        assert rows_of(con, today) == [{"kind": None, "n": 0}]


def test_commands_read_it_before_any_write_renews_it(ledger: Ledger, answers: dict[str, Any]):
    ledger.path.chmod(0o444)
    content = ledger.path.read_bytes()
    for arguments in (["check"], ["live"], ["history", "motor"], ["status"], ["inventory"]):
        done = CliRunner().invoke(cli, [*arguments, "--ledger", str(ledger.path)])
        assert done.exit_code in (0, 1), (arguments, done.output)
        assert "bug" not in done.output
    assert ledger.path.read_bytes() == content


@pytest.mark.integration
def test_an_unchanged_registry_shows_no_change_after_the_upgrade(
    ledger: Ledger, answers: dict[str, Any], database: Path
):
    before = entries(ledger)
    for turn in (1, 2):
        done = extract(ledger, database)
        assert done["changes"] == {}
        assert entries(ledger) == before + turn  # that it was read
    proof = verify(ledger)
    assert proof.ok, proof.problems
    with ledger.reader() as con:
        agree(con, answers)


@pytest.mark.integration
def test_it_goes_on(ledger: Ledger, answers: dict[str, Any], database: Path):
    with closing(sqlite3.connect(database)) as con, con:
        con.execute(
            "update model_versions set description = 'third thoughts' "
            "where name = 'motor' and version = 1"
        )
        con.execute(  # which its code did not compare
            "update model_versions set storage_location = 's3://elsewhere' "
            "where name = 'home' and version = 1"
        )
    before = entries(ledger)
    extract(ledger, database)
    assert entries(ledger) == before + 3
    assert ask(
        ledger,
        "select model, description, storage_location = 's3://elsewhere' as moved "
        "from model_versions where (model = 'motor' or model = 'home') and version = 1 order by 1",
    ) == [
        {"model": "home", "description": None, "moved": True},
        {"model": "motor", "description": "third thoughts", "moved": False},
    ]
    proof = verify(ledger, expected=(answers["entries"], answers["root"]))
    assert proof.ok, proof.problems
