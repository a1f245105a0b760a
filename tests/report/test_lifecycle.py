"""The picture of a model's versions: what is drawn is what is known, and no label hides another."""

from __future__ import annotations

import itertools
import re
from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from small_ledger import READINGS, subject_of

from auditreg.formats.report.lifecycle import lifecycle_chart
from auditreg.formats.report.svg import room
from auditreg.queries.records import Interval, Lifecycle, Record, StatePeriod, VersionTimeline

SVG = "{http://www.w3.org/2000/svg}"
START, END = datetime(2026, 7, 1), datetime(2026, 9, 30)
JULY, AUGUST, SEPTEMBER = (datetime(2026, month, 10) for month in (7, 8, 9))
DARK, PALE = "#1c4b73", "#dbe4eb"


def at(moment):
    return Interval(moment, moment)


def draw(*lanes, known_until=END, **record):
    life = Lifecycle(
        lanes=lanes,
        left_out=0,
        start=datetime(2026, 6, 1),
        end=END,
        known_until=known_until,
        record=Record(**{"readings": (), "recorded": (), "gaps": (), **record}),
    )
    return ET.fromstring(
        lifecycle_chart(life, START, END, "UTC", name="d", model="<b>motor</b> \u202e")
    )


def lane(*spells, version=1, deleted=None):
    return VersionTimeline(version, datetime(2026, 6, 20), deleted, spells)


def in_use(start, end, kind="stage", name="Production"):
    return StatePeriod(kind, name, live=True, start=start, end=end)


def rects(root, fill):
    # The samples of the legend stand below everything else.
    found = [one for one in root.iter(f"{SVG}rect") if one.get("fill") == fill]
    return [one for one in found if float(one.get("y")) < float(root.get("height")) - 25]


def sharp(root):
    lines = [one for one in root.iter(f"{SVG}line") if one.get("stroke-width") == "1.5"]
    legend = float(root.get("height")) - 25
    return sorted(float(one.get("x1")) for one in lines if float(one.get("y1")) < legend)


def test_a_captured_edge_is_a_sharp_line_and_nothing_is_hatched():
    root = draw(lane(in_use(at(JULY), at(SEPTEMBER))))
    assert rects(root, "url(#d0)") == []
    (bar,) = rects(root, DARK)
    left = float(bar.get("x"))
    assert sharp(root) == pytest.approx([left, left + float(bar.get("width"))], abs=0.11)


def test_an_interval_is_hatched_and_has_no_sharp_line():
    root = draw(lane(in_use(Interval(START, JULY), Interval(AUGUST, SEPTEMBER))))
    first, last = rects(root, "url(#d0)")
    (bar,) = rects(root, DARK)
    assert float(first.get("x")) + float(first.get("width")) == pytest.approx(
        float(bar.get("x")), abs=0.2
    )
    assert float(last.get("x")) == pytest.approx(
        float(bar.get("x")) + float(bar.get("width")), abs=0.2
    )
    assert sharp(root) == []


def test_nothing_is_certain_after_the_last_reading():
    root = draw(lane(in_use(at(JULY), None)), known_until=AUGUST, readings=(START, AUGUST))
    (bar,) = rects(root, DARK)
    (after,) = rects(root, "url(#d0)")
    assert float(after.get("x")) == pytest.approx(
        float(bar.get("x")) + float(bar.get("width")), abs=0.2
    )
    words = [one.text for one in root.iter(f"{SVG}text")]
    assert "last reading" in words
    assert words.count("readings") == 1


def test_what_may_have_come_and_gone_between_two_readings_is_never_filled():
    gap = Interval(JULY, AUGUST)
    root = draw(lane(in_use(gap, gap)))
    assert rects(root, DARK) == []
    assert len(rects(root, "url(#d0)")) == 1


def test_a_stage_and_an_alias_differ_without_colour():
    root = draw(
        lane(
            in_use(at(JULY), None),
            in_use(at(JULY), None, "alias", "champion"),
            StatePeriod("stage", "Staging", live=False, start=at(START), end=at(JULY)),
        )
    )
    (stage,) = rects(root, DARK)
    pill = next(one for one in rects(root, "#ffffff") if one.get("rx") == "5")
    assert stage.get("rx") is None
    assert float(pill.get("stroke-width")) > 1.5
    words = [one.text for one in root.iter(f"{SVG}text")]
    assert {"Production from 10 Jul", "@champion from 10 Jul", "Staging"} <= set(words)
    assert len(rects(root, PALE)) == 1


@pytest.mark.parametrize("begin", [JULY, AUGUST - timedelta(days=2)])
def test_a_deletion_is_a_cross_that_no_bar_and_no_label_hides(begin):
    root = draw(lane(in_use(at(begin), at(AUGUST)), deleted=at(AUGUST)))
    cross = [one for one in root.iter(f"{SVG}line") if one.get("stroke-width") == "1.7"][:2]
    assert len(cross) == 2
    left, right = float(cross[0].get("x1")), float(cross[0].get("x2"))
    middle = (float(cross[0].get("y1")) + float(cross[0].get("y2"))) / 2
    (bar,) = rects(root, DARK)
    assert left >= float(bar.get("x")) + float(bar.get("width"))
    (label,) = [one for one in root.iter(f"{SVG}text") if (one.text or "").startswith("Product")]
    begins = float(label.get("x"))
    beside = begins >= right or begins + room(label.text, 8.6, bold=True) <= left
    assert beside or abs(float(label.get("y")) - middle) > 8
    assert "deleted" in [one.text for one in root.iter(f"{SVG}text")]


def test_gaps_of_the_server_s_record_are_marked():
    root = draw(lane(in_use(at(JULY), None)), recorded=((START, END),), gaps=((JULY, AUGUST),))
    assert len(rects(root, "url(#d1)")) == 1
    words = [one.text for one in root.iter(f"{SVG}text")]
    assert "server record" in words
    assert "gap in the server's record" in words


@pytest.mark.parametrize("hours", [1, 30, 100, 400])
def test_labels_never_overlap(hours):
    spells = [
        StatePeriod(
            "alias" if index % 2 else "stage",
            f"name-{index}-" + "x" * (index * 7 % 60),
            live=index % 3 == 0,
            start=at(JULY + timedelta(hours=hours * index)),
            end=at(JULY + timedelta(hours=hours * (index + 1))),
        )
        for index in range(18)
    ]
    root = draw(lane(*spells))
    boxes = {}
    for one in root.iter(f"{SVG}text"):
        size = float(one.get("font-size"))
        left = float(one.get("x"))
        boxes.setdefault(one.get("y"), []).append(
            (left, left + room(one.text, size, bold=one.get("font-weight") == "600"))
        )
    for row in boxes.values():
        row.sort()
        for (_, end), (begin, _) in itertools.pairwise(row):
            assert begin >= end - 0.2
    assert all(right <= 690 for row in boxes.values() for _, right in row)


def test_what_found_no_room_is_counted():
    many = [in_use(at(JULY), None, "alias", f"a{index}") for index in range(20)]
    root = draw(lane(*many))
    words = [one.text for one in root.iter(f"{SVG}text")]
    assert "15 more bars" in words
    assert len([one for one in words if re.match("@a", one)]) == 5


def test_hostile_names_are_text_and_the_picture_says_what_it_shows():
    root = draw(lane(in_use(Interval(START, JULY), None, name="<script>x</script>\u202e")))
    assert not list(root.iter(f"{SVG}script"))
    assert "\u202e" not in "".join(root.itertext())
    assert root[0].tag == f"{SVG}title"
    assert root[1].tag == f"{SVG}desc"
    assert "began between 2026-07-01" in root[1].text
    assert "still" in root[1].text


def test_spells_are_what_the_ledger_s_timeline_says(made):
    connection, _, report = made
    life = next(d.lifecycle for d in report.dossiers if d.row.subject == subject_of(0))
    drawn = [
        (spell.name, lane.version, spell.start.not_before, spell.start.not_after)
        for lane in life.lanes
        for spell in lane.spells
    ]
    said = connection.execute(
        "select 'champion', l.version, t.lo, t.hi from ledger.timeline('alias', null) t "
        "join ledger.log l using (seq) where t.op = 'put' and t.subject like ? order by l.version",
        [f"{subject_of(0)}:%"],
    ).fetchall()
    assert drawn == said
    assert len(said) > 1
    assert life.record.readings == READINGS
    assert life.record.recorded == ()


def test_a_captured_move_ends_one_spell_and_begins_the_next_at_one_moment(recorded):
    life = next(d.lifecycle for d in recorded[2].dossiers if d.row.subject == subject_of(0))
    lanes = {one.version: one.spells for one in life.lanes}
    old = next(spell for spell in lanes[3] if spell.kind == "alias")
    new = next(spell for spell in lanes[4] if spell.kind == "alias")
    assert new.start == old.end == at(datetime(2026, 9, 28, 13, 55))
    assert new.end is None
    assert [spell.name for spell in lanes[3] if spell.kind == "ran"] == ["Radar Live"]


def test_a_deleted_version_ends_where_the_server_says(recorded):
    life = next(d.lifecycle for d in recorded[2].dossiers if d.row.subject == subject_of(2))
    assert life.lanes[0].deleted == at(datetime(2026, 9, 25, 15, 40))
    assert all(one.deleted is None for one in life.lanes[1:])


def test_of_many_versions_the_live_the_moved_and_the_newest_are_shown():
    from auditreg.queries.lifecycle import Lives, lifecycle

    versions = [
        {"version": n, "model_subject": "m-1", "registry": "default", "version_created_at": START}
        for n in range(1, 61)
    ]
    spell = {
        "kind": "stage", "name": "Archived", "live": False, "over": True,
        "start_not_before": datetime(2026, 1, 1), "start_not_after": datetime(2026, 1, 1),
        "end_not_before": datetime(2026, 2, 1), "end_not_after": datetime(2026, 2, 1),
    }  # fmt: skip
    moved = {**spell, "end_not_before": JULY, "end_not_after": JULY}
    live = {**spell, "name": "Production", "live": True, "over": False}
    rows = [{**spell, "version": 3}, {**moved, "version": 5}, {**live, "version": 2}]
    life = lifecycle(Lives({"m-1": rows}, {}), versions, [], None, START, END)
    assert [one.version for one in life.lanes] == [2, 5, 57, 58, 59, 60]
    assert life.left_out == 54
    rows = [{**moved, "version": n} for n in range(1, 61)] + [{**live, "version": 2}]
    life = lifecycle(Lives({"m-1": rows}, {}), versions, [], None, START, END)
    assert [one.version for one in life.lanes] == [2, *range(46, 61)]
