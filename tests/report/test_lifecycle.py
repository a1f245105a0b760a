"""The picture of a model's versions: what is drawn is what is known, and no label hides another."""

from __future__ import annotations

import itertools
import re
from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from auditreg.formats.report.lifecycle import lifecycle_chart
from auditreg.formats.report.svg import room
from auditreg.queries.lifecycle import TimelineRows, lifecycle
from auditreg.queries.records import Basis, Interval, Lifecycle, StatePeriod, VersionTimeline
from tests.report.firm import NAMES, READINGS

SVG = "{http://www.w3.org/2000/svg}"
START, END = datetime(2026, 7, 1), datetime(2026, 9, 30)
JULY, AUGUST, SEPTEMBER = (datetime(2026, month, 10) for month in (7, 8, 9))
DARK, PALE = "#1c4b73", "#dbe4eb"


def at(moment):
    return Interval(moment, moment)


def draw(*versions, known_until=END, **basis):
    life = Lifecycle(
        versions=versions,
        left_out=0,
        start=datetime(2026, 6, 1),
        end=END,
        known_until=known_until,
        basis=Basis(**{"readings": (), "recorded": (), "gaps": (), **basis}),
    )
    return ET.fromstring(
        lifecycle_chart(life, START, END, "UTC", name="d", model="<b>motor</b> \u202e")
    )


def lane(*periods, version=1, deleted=None):
    return VersionTimeline(version, datetime(2026, 6, 20), deleted, periods)


def in_use(start, end, kind="stage", name="Production"):
    return StatePeriod(kind, name, live=True, start=start, end=end)


def rects(root, fill):
    # The samples of the legend stand below everything else.
    marks = [mark for mark in root.iter(f"{SVG}rect") if mark.get("fill") == fill]
    return [mark for mark in marks if float(mark.get("y")) < float(root.get("height")) - 25]


def sharp(root):
    lines = [mark for mark in root.iter(f"{SVG}line") if mark.get("stroke-width") == "1.5"]
    legend = float(root.get("height")) - 25
    return sorted(float(mark.get("x1")) for mark in lines if float(mark.get("y1")) < legend)


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
    words = [mark.text for mark in root.iter(f"{SVG}text")]
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
    pill = next(mark for mark in rects(root, "#ffffff") if mark.get("rx") == "5")
    assert stage.get("rx") is None
    assert float(pill.get("stroke-width")) > 1.5
    words = [mark.text for mark in root.iter(f"{SVG}text")]
    assert {"Production", "@champion", "Staging"} <= set(words)
    assert len(rects(root, PALE)) == 1


@pytest.mark.parametrize("gone", [AUGUST, END])
def test_a_deletion_is_a_cross_that_no_bar_hides(gone):
    root = draw(lane(in_use(at(JULY), at(gone)), deleted=at(gone)))
    cross = [mark for mark in root.iter(f"{SVG}line") if mark.get("stroke-width") == "1.7"][:2]
    left, right = float(cross[0].get("x1")), float(cross[0].get("x2"))
    (bar,) = rects(root, DARK)
    assert left >= float(bar.get("x")) + float(bar.get("width"))
    assert right <= float(root.get("width"))
    assert "deleted" in [mark.text for mark in root.iter(f"{SVG}text")]


def test_gaps_of_the_server_s_record_are_marked():
    root = draw(lane(in_use(at(JULY), None)), recorded=((START, END),), gaps=((JULY, AUGUST),))
    assert len(rects(root, "url(#d1)")) == 1
    words = [mark.text for mark in root.iter(f"{SVG}text")]
    assert "server record" in words
    assert "gap in the server's record" in words


def test_no_label_meets_a_bar_or_another_label():
    periods = [
        StatePeriod(
            "alias" if index % 2 else "stage",
            f"name-{index % 6}-" + "x" * (index * 7 % 60),
            live=index % 3 == 0,
            start=at(JULY + timedelta(hours=30 * index)),
            end=at(JULY + timedelta(hours=30 * (index + 1))),
        )
        for index in range(18)
    ]
    root = draw(lane(*periods, version=10**9))
    bars = [float(bar.get("x")) for bar in (*rects(root, DARK), *rects(root, PALE))]
    boxes = {}
    for mark in root.iter(f"{SVG}text"):
        size, left = float(mark.get("font-size")), float(mark.get("x"))
        wide = room(mark.text, size, bold=mark.get("font-weight") == "600")
        boxes.setdefault(mark.get("y"), []).append((left, left + wide))
    for row in boxes.values():
        row.sort()
        for (_, end), (begin, _) in itertools.pairwise(row):
            assert begin >= end - 0.2
    labels = [row for y, row in boxes.items() if 30 < float(y) < float(root.get("height")) - 40]
    assert max(right for row in labels for _, right in row) < min(bars)


def test_a_name_has_one_row_however_often_it_was_taken():
    often = [in_use(at(start), at(start + timedelta(days=5))) for start in (START, JULY, AUGUST)]
    root = draw(lane(*often))
    assert [mark.text for mark in root.iter(f"{SVG}text")].count("Production") == 1
    assert len({mark.get("y") for mark in rects(root, DARK)}) == 1
    assert len(rects(root, DARK)) == 3


def test_of_too_many_names_those_in_use_are_drawn_and_the_others_counted():
    old = [
        StatePeriod("alias", f"a{index}", live=False, start=at(START), end=None)
        for index in range(20)
    ]
    root = draw(lane(*old, in_use(at(JULY), None, "alias", "champion")))
    words = [mark.text for mark in root.iter(f"{SVG}text")]
    assert "@champion" in words
    assert "15 more" in words
    assert len([label for label in words if re.match("@a", label)]) == 5


def test_hostile_names_are_text_and_the_picture_says_what_it_shows():
    root = draw(lane(in_use(Interval(START, JULY), None, name="<script>x</script>\u202e")))
    assert not list(root.iter(f"{SVG}script"))
    assert "\u202e" not in "".join(root.itertext())
    assert root[0].tag == f"{SVG}title"
    assert root[1].tag == f"{SVG}desc"
    assert "began between 2026-07-01" in root[1].text
    assert "still" in root[1].text


@pytest.mark.golden
def test_the_golden_picture(golden):
    handed_over = Interval(JULY, AUGUST)
    root = draw(
        lane(in_use(at(START), handed_over), version=1),
        lane(
            in_use(handed_over, None, "alias", "champion"),
            StatePeriod("stage", "Staging", live=False, start=at(JULY), end=None),
            StatePeriod("ran", "rating-engine", live=True, start=at(AUGUST), end=None),
            version=2,
        ),
        lane(version=3, deleted=at(SEPTEMBER)),
        known_until=SEPTEMBER,
        readings=(START, SEPTEMBER),
        recorded=((JULY, SEPTEMBER),),
        gaps=((AUGUST, AUGUST + timedelta(days=3)),),
    )
    ET.register_namespace("", SVG.strip("{}"))
    ET.indent(root)
    golden("report/lifecycle.svg", ET.tostring(root) + b"\n")


def life_of(made, name):
    return next(d.lifecycle for d in made.report.dossiers if d.row.model == name)


def test_periods_are_what_the_ledger_s_timeline_says(made):
    life = life_of(made, NAMES[0])
    drawn = [
        (period.name, version.version, period.start.not_before, period.start.not_after)
        for version in life.versions
        for period in version.periods
    ]
    in_the_ledger = made.connection.execute(
        "select 'champion', l.version, t.lo, t.hi from ledger.timeline('alias', null) t "
        "join ledger.log l using (seq) where t.op = 'put' and l.model = ? order by l.version",
        [NAMES[0]],
    ).fetchall()
    assert drawn == in_the_ledger
    assert len(in_the_ledger) > 1
    assert life.basis.readings == READINGS
    assert life.basis.recorded == ()


def test_a_captured_move_ends_one_period_and_begins_the_next_at_one_moment(recorded):
    versions = {
        version.version: version.periods for version in life_of(recorded, NAMES[0]).versions
    }
    old = next(period for period in versions[3] if period.kind == "alias")
    new = next(period for period in versions[4] if period.kind == "alias")
    assert new.start == old.end == at(datetime(2026, 9, 28, 13, 55))
    assert new.end is None
    assert [period.name for period in versions[3] if period.kind == "ran"] == ["Radar Live"]


def test_a_deleted_version_ends_where_the_server_says(recorded):
    first, *others = life_of(recorded, NAMES[2]).versions
    assert first.deleted == at(datetime(2026, 9, 25, 15, 40))
    assert all(version.deleted is None for version in others)


def test_of_many_versions_the_live_the_moved_and_the_newest_are_shown():
    versions = [
        {"version": n, "model_subject": "m-1", "registry": "default", "version_created_at": START}
        for n in range(1, 61)
    ]
    period = {
        "kind": "stage", "name": "Archived", "live": False, "over": True,
        "start_not_before": datetime(2026, 1, 1), "start_not_after": datetime(2026, 1, 1),
        "end_not_before": datetime(2026, 2, 1), "end_not_after": datetime(2026, 2, 1),
    }  # fmt: skip
    moved = {**period, "end_not_before": JULY, "end_not_after": JULY}
    live = {**period, "name": "Production", "live": True, "over": False}
    rows = [{**period, "version": 3}, {**moved, "version": 5}, {**live, "version": 2}]
    life = lifecycle(TimelineRows({"m-1": rows}, {}), versions, [], None, START, END)
    assert [version.version for version in life.versions] == [2, 5, 57, 58, 59, 60]
    assert life.left_out == 54
    rows = [{**moved, "version": n} for n in range(1, 61)] + [{**live, "version": 2}]
    life = lifecycle(TimelineRows({"m-1": rows}, {}), versions, [], None, START, END)
    assert [version.version for version in life.versions] == [2, *range(46, 61)]
