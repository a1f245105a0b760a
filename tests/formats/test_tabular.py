"""Columns and rows in every format."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from auditreg.errors import UsageError
from auditreg.formats import TABLE_FORMATS, table_format
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
        [row] = short_changes(Table(list(named), [list(named.values())]), 200).rows
        assert row[-1] == who
        put = {**live, "put_live_by": actor, "put_live_by_from": actor_from}
        [row] = short_live(Table(list(put), [list(put.values())]), 200).rows
        assert row[3] == who
