"""What a row claims of its own times is believed only where the readings around it allow that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from auditreg.cli import cli
from auditreg.ledger.store import Ledger
from auditreg.queries.changes import ChangeFilter, change_rows
from tests.ledger.captured import CapturedRegistry
from tests.ledger.conftest import ask, take
from tests.ledger.reading import MemoryReading, Registry, Rows, moment, run_rows, together

DAY = 86_400_000
LONG_AGO, LATER = -800 * DAY, 800 * DAY


def around(
    ledger: Ledger, registry: Registry, forge: Callable[[Rows, int], None], **options: Any
) -> tuple[int, int]:
    """Two readings, the later with a forged row; their moments."""
    before = registry.wait()
    take(ledger, MemoryReading(registry.rows(), before, **options))
    rows = registry.rows()
    forge(rows, registry.wait())
    after = registry.wait()
    take(ledger, MemoryReading(rows, after, **options))
    return before, after


@pytest.mark.parametrize("days", [LONG_AGO, LATER])
def test_a_row_put_in_is_dated_by_the_readings(ledger: Ledger, registry: Registry, days: int):
    """Its creation, whatever it claims; and what the ledger says of a moment between the two."""
    registry.create("motor")

    def forge(rows: Rows, now: int) -> None:
        claim = now + days
        times = {"creation_time": claim, "last_updated_time": claim}
        rows["registered_models"].append({"workspace": "default", "model": "forged", **times})
        rows["model_versions"].append(
            {
                "workspace": "default",
                "model": "forged",
                "version": 1,
                "stage": "Production",
                **times,
            }
        )
        rows["model_version_tags"].append(
            {"workspace": "default", "model": "forged", "version": 1, "key": "k", "value": "v"}
        )

    before, after = around(ledger, registry, forge)
    bounds = ask(
        ledger, "select distinct changed_not_before, changed_not_after from changes order by all"
    )
    assert bounds == [(moment(before), moment(after))]
    between = moment((before + after) // 2)
    for table in ("registered_models", "model_versions", "model_version_tags"):
        shown = ask(
            ledger,
            f"select distinct certainty from {table}_as_of(?) where model = 'forged'",
            between,
        )
        assert shown == [("uncertain",)], table
    assert ask(ledger, "select live_not_before, live_not_after from promotions") == [
        (moment(before), moment(after))
    ]


@pytest.mark.parametrize("days", [LONG_AGO, LATER])
def test_a_deletion_put_in_is_dated_by_the_readings(ledger: Ledger, registry: Registry, days: int):
    """The update time of a tombstone is when MLflow says that it was deleted."""
    registry.create("motor")
    registry.version("motor")

    def forge(rows: Rows, now: int) -> None:
        rows["model_versions"][0] |= {"stage": "Deleted_Internal", "last_updated_time": now + days}

    before, after = around(ledger, registry, forge)
    assert ask(
        ledger,
        "select change, changed_not_before, changed_not_after from changes where version = 1",
    ) == [("removed", moment(before), moment(after))]


@pytest.mark.parametrize("days", [LONG_AGO, LATER])
def test_the_deletion_of_a_run_is_dated_by_the_readings(
    ledger: Ledger, registry: Registry, days: int
):
    """MLflow keeps a `deleted_time` of runs, which is not believed at all."""
    registry.create("motor")
    registry.version("motor", run_id="r1")
    active = run_rows("r1", start_time=registry.clock)
    before = registry.wait()
    take(ledger, MemoryReading(together(registry.rows(), active), before))
    claim = registry.wait() + days
    gone = run_rows(
        "r1", start_time=claim, end_time=claim, deleted_time=claim, lifecycle_stage="deleted"
    )
    after = registry.wait()
    take(ledger, MemoryReading(together(registry.rows(), gone), after))
    assert ask(
        ledger,
        "select item, after, changed_not_before, changed_not_after from changes where kind = 'run'",
    ) == [("run", "deleted", moment(before), moment(after))]


def test_a_first_reading_shows_nothing_that_was_created_later(
    ledger: Ledger, registry: Registry, monkeypatch: pytest.MonkeyPatch
):
    """There is nothing but its own claim, which the reading itself contradicts."""
    registry.create("motor")
    rows = registry.rows()
    claim = registry.clock + LATER
    rows["registered_models"][0] |= {"creation_time": claim, "last_updated_time": claim}
    at = registry.wait()
    take(ledger, MemoryReading(rows, at))
    monkeypatch.chdir(ledger.path.parent)
    done = CliRunner().invoke(cli, ["history", "motor"])
    assert done.exit_code == 0, done.output
    assert str(moment(registry.clock + LATER).year) not in done.output
    assert f"by {moment(at):%Y-%m-%d %H:%M:%S} UTC" in done.output


def forged_model(registry: CapturedRegistry) -> None:
    """Put in a model of long ago by SQL, behind the server's back."""
    registry.clock, now = registry.clock + LONG_AGO, registry.clock
    registry._how = "tamper"
    Registry.create(registry, "forged")
    registry.clock = now + 1000
    registry._how = "mlflow"
    registry.history[-1] = (registry.clock, registry.history[-1][1])


def test_a_forged_row_is_an_uncaptured_change_of_today_and_older_than_no_policy(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    registry = CapturedRegistry()
    registry.capture()
    registry.do(("create", "a"))
    take(ledger, registry.look().reading)
    forged_model(registry)
    take(ledger, registry.look().reading)
    since = moment(registry.looks[0].at)
    with ledger.reader() as con:
        columns, rows = change_rows(con, ChangeFilter(since=since, uncaptured=True))
    told = [dict(zip(columns, row, strict=True)) for row in rows]
    assert [(row["model"], row["change"]) for row in told] == [("forged", "added")]
    assert told[0]["changed_not_before"] == since
    monkeypatch.chdir(ledger.path.parent)
    day = date(since.year, since.month, since.day)
    Path("auditreg.toml").write_text(f"[policy]\neffective = {day}\n")
    done = CliRunner().invoke(
        cli, ["check", "--rule", "no-uncaptured-change", "--format", "json", "--fail-on", "none"]
    )
    assert done.exit_code == 0, done.output
    assert '"predates_policy": 0' in done.output
    assert '"fail": 1' in done.output
