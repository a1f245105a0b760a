"""`auditreg status`: fresh, stale, incomplete, unreadable; and the figures for Prometheus."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from auditreg.errors import LedgerError
from auditreg.formats.status import exposition
from auditreg.ledger.store import Ledger
from auditreg.queries.status import LedgerStatus, RegistryStatus
from tests.cli.running import held_open, run
from tests.sources.lying import VERSION, registry, standing_in


def rows(*arguments: str, code: int = 0) -> list[dict]:
    return json.loads(run("status", *arguments, "--format", "json", code=code).stdout)


def samples(path: Path) -> dict[str, float]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_a_row_says_how_the_ledger_stands(checked):
    (row,) = rows()
    assert (row["state"], row["models"], row["live"], row["doubts"]) == ("fresh", 4, 3, 0)
    assert row["read"] == row["last_complete"]
    assert row["sealed"] == "check"
    with duckdb.connect(str(checked), read_only=True) as con:
        entries = con.execute("select count(*) from ledger.log").fetchone()[0]
        opened = con.execute(
            "select count(*) from findings where open and registry is not null"
        ).fetchone()[0]
    assert (row["entries"], row["open"]) == (entries, opened)
    run("verify", "--root", f"{row['entries']}:{row['root']}", "--log-only")


def test_a_stale_ledger_is_1(ledger):
    assert rows("--max-age", "0", code=1)[0]["state"] == "stale"


@pytest.mark.parametrize(
    ("told", "step"),
    [(("--max-age", "0"), "auditreg extract"), ((), "auditreg check")],
)
def test_the_next_step_is_told_beside_the_table_alone(checked, told, step):
    code = 1 if told else 0
    assert f"next      {step}\n" in run("status", *told, code=code).stderr
    for name in ("json", "csv"):
        assert "next" not in run("status", *told, "--format", name, code=code).output


def test_an_incomplete_reading_is_to_be_repaired_first(doubtful):
    assert "next      repair the cause and extract again" in run("status", code=2).stderr


def test_moments_are_on_the_clock_that_is_sealed_where_there_is_no_file(sealed):
    (row,) = rows()
    read = datetime.fromisoformat(row["read"]).astimezone(ZoneInfo("Europe/Zurich"))
    assert f"{read:%Y-%m-%d %H:%M}" in run("status").stdout
    assert "CE" in run("status").stdout


def test_an_incomplete_reading_is_2_and_told_with_its_doubt(doubtful):
    (row,) = rows(code=2)
    assert row["state"] == "incomplete"
    assert "leaves out 1 whose versions it shows" in row["first_doubt"]
    assert row["last_complete"] < row["read"]


def test_a_restored_backup_neither_hides_a_doubt_nor_makes_the_ledger_stale(
    doubtful, small_registry
):
    run("extract", "--from", str(small_registry), "--observed-at", "2026-01-31")
    assert rows(code=2)[0]["state"] == "incomplete"
    run("check", "--rule", "owner-recorded", code=2)


def test_figures_for_prometheus(checked):
    run("status", "--prometheus", "auditreg.prom")
    found = samples(Path("auditreg.prom"))
    assert found["auditreg_ledger_readable"] == 1
    assert found["auditreg_ledger_bytes"] == checked.stat().st_size
    assert found['auditreg_extraction_complete{registry="default"}'] == 1
    assert found['auditreg_extraction_doubts{registry="default"}'] == 0
    with duckdb.connect(str(checked), read_only=True) as con:
        (read,) = con.execute("select epoch(observed_at) from extractions").fetchone()
        counts = dict(
            con.execute(
                "select severity, count(*) from findings where open and registry is not null "
                "group by severity"
            ).fetchall()
        )
    name = 'auditreg_last_complete_extraction_timestamp_seconds{registry="default"}'
    assert found[name] == pytest.approx(read, abs=0.001)
    for severity, number in counts.items():
        assert (
            found[f'auditreg_open_findings{{registry="default",severity="{severity}"}}'] == number
        )


def test_an_incomplete_reading_leaves_the_moment_of_the_last_complete_one(ledger):
    run("status", "--prometheus", "before.prom")
    with standing_in(registry([], [VERSION])) as uri:
        run("extract", "--from", uri, "--allow-replacement", code=2)
    run("status", "--prometheus", "after.prom", code=2)
    before, after = samples(Path("before.prom")), samples(Path("after.prom"))
    name = 'auditreg_last_complete_extraction_timestamp_seconds{registry="default"}'
    assert after[name] == before[name]
    assert after['auditreg_extraction_complete{registry="default"}'] == 0
    assert after['auditreg_extraction_doubts{registry="default"}'] >= 1


def test_every_family_has_one_help_and_one_type_and_its_samples_stand_together():
    hostile = 'a\\b"c\nd'
    opened = {"critical": 1, "high": 0, "medium": 0, "low": 2}
    at = datetime(2026, 9, 30, 2, 12)
    ones = tuple(
        RegistryStatus(name, "rest", at, False, ("x",), None, 1, 2, opened, 3, "ab")
        for name in (hostile, "b")
    )
    text = exposition(
        LedgerStatus(ones, 4, "cd", at, "check", "p", opened), ledger_bytes=9
    ).decode()
    assert text.endswith("\n")
    assert 'auditreg_extraction_complete{registry="a\\\\b\\"c\\nd"} 0' in text.splitlines()
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    assert "auditreg_last_complete_extraction_timestamp_seconds" not in families
    current = None
    for line in text.splitlines():
        if line.startswith("# HELP"):
            current = line.split()[2]
        elif not line.startswith("#"):
            assert line.partition("{")[0].partition(" ")[0] == current


def test_a_ledger_that_is_not_there_is_2_and_the_old_figures_go(ledger):
    run("status", "--prometheus", "auditreg.prom")
    with pytest.raises(LedgerError, match="There is no ledger"):
        run("status", "--ledger", "none.duckdb", "--prometheus", "auditreg.prom")
    assert samples(Path("auditreg.prom")) == {
        "auditreg_ledger_readable": 0,
        "auditreg_ledger_bytes": 0,
    }


def test_a_ledger_that_is_open_for_writing_elsewhere_is_2(ledger):
    with (
        held_open(ledger, "writing"),
        pytest.raises(LedgerError, match="open for writing in another program"),
    ):
        run("status")


@pytest.mark.parametrize("keep", [3 * 4096, 300_000], ids=["header", "half"])
def test_a_damaged_ledger_is_2(ledger, keep):
    content = ledger.read_bytes()
    ledger.write_bytes(content[:keep])
    with pytest.raises(LedgerError):
        run("status")


def test_a_ledger_without_a_reading_is_3(tmp_path):
    from auditreg.errors import NothingToAudit

    book = Ledger(tmp_path / "new.duckdb")
    with book.writer():
        pass
    with pytest.raises(NothingToAudit, match="no extraction"):
        run("status", "--ledger", str(book.path), "--prometheus", str(tmp_path / "a.prom"))
    assert samples(tmp_path / "a.prom")["auditreg_ledger_readable"] == 1
