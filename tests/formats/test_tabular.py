"""Columns and rows in every format."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from auditreg.errors import UsageError
from auditreg.formats import TABLE_FORMATS, table_format
from auditreg.formats.codes import IN_WORDS
from auditreg.formats.interface import OutputTarget, Table
from auditreg.formats.terminal.changes import short_changes, short_live

HOSTILE = "=1+1\x1b[31m\u202e<b>|`x`"
TABLE = Table(
    ("name", "n", "x", "on", "at", "flag", "none"),
    [
        ("模型", -5, 0.5, date(2026, 9, 30), datetime(2026, 9, 30, 17), True, None),
        (HOSTILE, 12, math.inf, None, None, False, None),
    ],
)


def shown(name, table=TABLE, **target):
    return table_format(name).render(table, OutputTarget(**target)).decode()


@pytest.mark.parametrize("name", TABLE_FORMATS)
def test_hostile_text_is_inert(name):
    text = shown(name, width=200)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.endswith("\n")


@pytest.mark.parametrize("name", TABLE_FORMATS)
def test_hostile_column_names_are_inert(name):
    text = shown(name, Table((HOSTILE,), [("a",)]), width=200)
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize("name", TABLE_FORMATS)
def test_no_rows(name):
    assert shown(name, Table(("a", "b"), []))


def test_json():
    first, second = json.loads(shown("json"))
    assert first == {
        "name": "模型",
        "n": -5,
        "x": 0.5,
        "on": "2026-09-30",
        "at": "2026-09-30T17:00:00Z",
        "flag": True,
        "none": None,
    }
    assert second["name"] == HOSTILE
    assert second["x"] == "Infinity"


def test_json_of_nested_and_odd_values():
    rows = [({"a": [1, None, {"b": math.nan}]}, b"\xff", Decimal("1.10"))]
    (row,) = json.loads(shown("json", Table(("d", "b", "n"), rows)))
    assert row == {"d": {"a": [1, None, {"b": "NaN"}]}, "b": "ff", "n": "1.10"}


def test_csv():
    header, first, second = csv.reader(io.StringIO(shown("csv")))
    assert header == list(TABLE.columns)
    assert first == ["模型", "-5", "0.5", "2026-09-30", "2026-09-30 17:00:00Z", "yes", ""]
    assert second[0].startswith("'=1+1")


def test_markdown():
    header, rule, first, second = shown("markdown").splitlines()
    assert header == "| name | n | x | on | at | flag | none |"
    assert set(rule) == set("| -")
    assert first.count("|") == second.count("|") == header.count("|")
    assert "<b>" not in second


def test_table_keeps_to_the_width_and_cuts_nothing():
    long = Table(("a", "b"), [("模型 " * 60, "y" * 100)])
    text = shown("table", long, width=60)
    assert max(cell_len(line) for line in text.splitlines()) <= 60
    assert text.count("模型") == 60
    assert text.count("y") == 100


def test_a_table_that_would_break_words_becomes_records():
    narrow = Table(("model", "owner"), [("motor-frequency-claims", "pricing.operations")])
    assert "model" in shown("table", narrow, width=80).splitlines()[0].split()
    assert shown("table", narrow, width=30) == (
        "model  motor-frequency-claims\nowner  pricing.operations\n"
    )


@given(data=st.data())
def test_a_table_with_room_shows_each_row_on_its_line(data):
    words = st.text(st.characters(codec="utf-8"), max_size=12)
    values = st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), words)
    count = data.draw(st.integers(1, 5))
    rows = data.draw(st.lists(st.tuples(*[values] * count), min_size=1, max_size=6))
    table = Table([f"column {n}" for n in range(count)], rows)
    # One cell too long to fit makes it lay out cell by cell; without it a column is one text.
    long = Table(table.columns, [*rows, ("x " * 300, *[None] * (count - 1))])
    whole = shown("table", table, width=500).splitlines()
    folded = shown("table", long, width=500).splitlines()
    assert len(whole) == len(rows) + 1
    for line, other in zip(whole, folded, strict=False):
        assert line.split() == other.split()


def test_many_columns_become_records():
    wide = Table([f"column {n}" for n in range(40)], [list(range(40)), [None] * 39 + ["last"]])
    first, second = shown("table", wide, width=80).split("\n\n")
    assert len(first.splitlines()) == 40
    assert second == "column 39  last\n"


def test_colours_only_where_there_are_colours():
    assert "\x1b" in shown("table", Table(("a",), [("x",)]), colour=True)
    assert "\x1b" not in shown("table", Table(("a",), [("x",)]))


def test_rich_markup_is_text():
    assert "[bold]x[/bold]" in shown("table", Table(("a",), [("[bold]x[/bold]",)]))


def test_unknown_format():
    with pytest.raises(UsageError, match="xlsx"):
        table_format("xlsx")


def test_narrow_tables_mark_a_name_that_a_program_gave_itself():
    moment = datetime(2026, 9, 1)
    change = {
        "changed_not_before": moment,
        "changed_not_after": moment,
        "model": "motor",
        "version": 1,
        "kind": "model_version_tag",
        "item": "owner",
        "registry": "default",
        "subject": "m-1/1",
        "before": None,
        "after": "ann",
        "uncaptured": False,
    }
    live = {
        "model": "motor",
        "version": 1,
        "live": "yes",
        "certainty": "certain",
        "live_not_before": moment,
        "live_not_after": moment,
    }
    known = [("ann", "basic-auth", "ann"), ("ann", "program", "ann (program)")]
    for actor, actor_from, who in [*known, (None, None, "not recorded")]:
        named = {**change, "actor": actor, "actor_from": actor_from}
        [row] = short_changes(Table(list(named), [list(named.values())]), OutputTarget(200)).rows
        assert row[-1] == who
        put = {**live, "put_live_by": actor, "put_live_by_from": actor_from}
        [row] = short_live(Table(list(put), [list(put.values())]), OutputTarget(200)).rows
        assert row[3] == who


WHEN = Table(("seen_at", "certainty"), [(datetime(2026, 1, 5, 3, 30), "seen_same")], IN_WORDS)


@pytest.mark.parametrize(
    ("zone", "clock"),
    [("America/Toronto", "2026-01-04 22:30 EST"), ("UTC", "2026-01-05 03:30 UTC")],
)
def test_people_read_the_firm_s_clock_and_words_machines_utc_and_codes(zone, clock):
    for name in ("table", "markdown"):
        text = shown(name, WHEN, timezone=zone)
        assert clock in text
        assert "same before and after" in text
        assert "seen at" in text
        assert "seen_" not in text
    for name, at in (("json", "2026-01-05T03:30:00Z"), ("csv", "2026-01-05 03:30:00Z")):
        text = shown(name, WHEN, timezone=zone)
        assert at in text
        assert "seen_at" in text
        assert "seen_same" in text


def test_an_answer_to_somebody_s_own_sql_stays_as_the_ledger_has_it():
    text = shown("table", replace(WHEN, raw=True), timezone="America/Toronto")
    assert text.split() == ["seen_at", "certainty", "2026-01-05", "03:30:00Z", "seen_same"]


def test_prose_in_records_goes_on_in_the_next_line():
    table = Table(("rule", "reason"), [("x" * 60, "The pack stands in for a description. " * 3)])
    text = shown("table", table, width=50)
    assert max(len(line) for line in text.splitlines()[1:]) <= 50
    assert text.count("description") == 3
    assert text.splitlines()[2].startswith("        ")


def test_a_command_in_records_stays_on_one_line_to_be_copied():
    command = "client.set_registered_model_tag(" + ", ".join(f'"part {n}"' for n in range(20)) + ")"
    table = Table(("rule", "fix"), [("x" * 60, command)], copied=("fix",))
    assert f"fix   {command}\n" in shown("table", table, width=50)


def live_of(*names, width=80, zone="UTC", certainty="certain"):
    at = datetime(2026, 9, 1, 6, 30)
    columns = ("model", "version", "live", "certainty", "live_not_before", "live_not_after")
    columns += ("put_live_by", "put_live_by_from")
    rows = [(name, 2, "yes", certainty, at, at, "svc-rating-deploy", "program") for name in names]
    target = OutputTarget(width, timezone=zone)
    return table_format("table").render(short_live(Table(columns, rows), target), target).decode()


def test_two_names_never_look_alike():
    text = live_of("household-water-frequency-gbm", "household-water-severity-gbm", "motor")
    first, second = (line for line in text.splitlines() if line.startswith("household"[:6]))
    assert first.partition(" ")[0] != second.partition(" ")[0]
    assert max(map(cell_len, text.splitlines())) <= 80
    text = live_of("home-" + "a" * 40 + "-north-2026", "home-" + "a" * 41 + "-north-2026")
    assert "…" not in text
    assert text.count("north") + text.count("nort") >= 2


def test_a_long_name_keeps_its_beginning_and_its_end():
    text = live_of("household-subsidence-tweedie-north-2026")
    assert text.splitlines()[1].startswith("househo")
    assert "2026 " in text.splitlines()[1].partition("version")[0]
    assert "svc-rating-deploy" in text
    assert "(program)" in text


def test_a_narrow_table_says_moments_and_certainty_as_people_do():
    text = live_of("motor", zone="America/Toronto", certainty="seen_same")
    assert "2026-09-01 02:30 EDT" in text
    assert "same before" in text
    assert "seen_same" not in text
