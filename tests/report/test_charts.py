from __future__ import annotations

from datetime import datetime
from xml.etree import ElementTree as ET

import pytest

from auditreg.formats.report.charts import severity_chart, timeline
from auditreg.models import Severity
from auditreg.queries.records import Interval
from auditreg.report.model import Lane, LivePeriod, SeverityCount

START, END = datetime(2026, 6, 30, 23), datetime(2026, 9, 30, 23)
JULY, AUGUST = datetime(2026, 7, 10), datetime(2026, 8, 10)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(periods, label="motor"):
    picture = timeline([Lane(label, tuple(periods))], START, END, "Europe/London", name="t")
    root = ET.fromstring(picture)
    bars = [
        r for r in root.iter(f"{SVG}rect") if float(r.get("y")) < float(root.get("height")) - 24
    ]
    hatched = [r for r in bars if r.get("fill").startswith("url(")]
    solid = [r for r in bars if r.get("fill") in ("#1c4b73", "#5b8db8")]
    return root, hatched, solid


def test_what_is_known_exactly_is_filled_and_nothing_hatched():
    _, hatched, solid = drawn([LivePeriod(1, Interval(JULY, JULY), Interval(AUGUST, AUGUST))])
    assert (len(hatched), len(solid)) == (0, 1)


def test_an_interval_is_hatched_at_both_ends():
    later = Interval(AUGUST, datetime(2026, 8, 20))
    _, hatched, solid = drawn([LivePeriod(1, Interval(datetime(2026, 7, 1), JULY), later)])
    assert (len(hatched), len(solid)) == (2, 1)
    assert float(hatched[0].get("x")) < float(solid[0].get("x")) < float(hatched[1].get("x"))


def test_nothing_is_certain_after_the_last_reading():
    _, hatched, solid = drawn([LivePeriod(1, Interval(JULY, JULY), Interval(AUGUST, None))])
    assert (len(hatched), len(solid)) == (1, 1)
    edge = float(solid[0].get("x")) + float(solid[0].get("width"))
    assert float(hatched[0].get("x")) == pytest.approx(edge, abs=0.2)


def test_what_may_have_come_and_gone_between_two_readings_is_never_filled():
    gap = Interval(JULY, AUGUST)
    _, hatched, solid = drawn([LivePeriod(1, gap, gap)])
    assert (len(hatched), len(solid)) == (1, 0)


def test_what_ended_before_the_period_is_not_drawn():
    old = datetime(2026, 1, 1)
    _, hatched, solid = drawn([LivePeriod(1, Interval(old, old), Interval(old, old))])
    assert hatched == solid == []


def test_versions_in_use_at_one_time_do_not_hide_each_other():
    handed_over = Interval(JULY, AUGUST)
    _, _, solid = drawn(
        [
            LivePeriod(1, Interval(START, START), handed_over),
            LivePeriod(2, handed_over, Interval(END, None)),
            LivePeriod(3, Interval(AUGUST, AUGUST), None),
        ]
    )
    first, second, third = (float(bar.get("y")) for bar in solid)
    assert first == second
    assert third >= second + float(solid[1].get("height"))


def test_hostile_labels_are_text():
    root, _, _ = drawn([LivePeriod(1, Interval(JULY, JULY), None)], "<script>x</script>\u202e")
    assert not list(root.iter(f"{SVG}script"))
    assert "<script>" in root.find(f"{SVG}title").text
    assert "\u202e" not in "".join(root.itertext())


def test_the_severity_picture_says_in_words_what_it_shows():
    counts = [SeverityCount(severity, 2, 1) for severity in Severity]
    root = ET.fromstring(severity_chart(counts))
    assert "critical 3, of which 2 not met" in root.find(f"{SVG}title").text
    assert [t.text for t in root.iter(f"{SVG}text")].count("3") == 4


def test_few_findings_beside_many_have_a_width():
    counts = [SeverityCount(Severity.HIGH, 0, 1), SeverityCount(Severity.LOW, 0, 1_000_000)]
    root = ET.fromstring(severity_chart(counts))
    assert min(float(bar.get("width")) for bar in root.iter(f"{SVG}rect")) > 0
