"""The demo as data: calendar, people and files, without playing it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from auditreg import demo
from auditreg.demo import cards, recipes
from auditreg.demo.calendar import CALENDAR
from auditreg.demo.events import DeleteModel, DemoReading, Found, Promote, Rename, Train, london
from auditreg.demo.firm import config_text, waivers_text
from auditreg.demo.theatre import perform
from auditreg.errors import UsageError

RULES = {
    "description-present",
    "validation-current",
    "working-tree-clean",
    "alias-stage-consistent",
}


def test_the_package_loads_nothing_heavy():
    program = "import auditreg.demo, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"mlflow", "pandas", "sklearn", "numpy"}.isdisjoint(loaded)


def test_london_is_one_hour_ahead_of_utc():
    assert london("2026-08-11 09:30") == datetime(2026, 8, 11, 8, 30, tzinfo=UTC)


def test_the_calendar_runs_forwards_from_first_to_last():
    moments = [london(event.at) for event in CALENDAR]
    assert all(one < other for one, other in pairwise(moments))
    assert moments[0] > demo.FIRST
    assert moments[-1] == demo.LAST
    assert isinstance(CALENDAR[-1], DemoReading)


def test_a_training_is_over_before_the_next_event():
    # A training and its registration take three minutes of simulated time.
    for one, other in pairwise(CALENDAR):
        if isinstance(one, Train):
            assert london(other.at) - london(one.at) >= timedelta(minutes=3), one


def test_readings_cover_both_quarters_and_every_day_of_the_incident():
    days = [moment.date() for moment in demo.READINGS]
    assert 20 <= len(days) <= 30
    assert {date(2026, 6, 30), date(2026, 9, 30), date(2026, 10, 5)} <= set(days)
    assert {date(2026, 8, day) for day in (11, 12, 13, 14)} <= set(days)
    assert all(other - one <= timedelta(days=15) for one, other in pairwise(days))


def test_it_is_a_registry_of_a_believable_size():
    versions = [event for event in CALENDAR if isinstance(event, Train)]
    assert 8 <= len(cards.CARDS) <= 11
    assert 25 <= len(versions) <= 30
    assert len({event.by for event in versions}) >= 4


def test_every_model_has_a_card_and_a_recipe():
    created = {event.model for event in CALENDAR if isinstance(event, Found)}
    assert created == set(cards.CARDS)
    trained = {event.model for event in CALENDAR if isinstance(event, Train)}
    assert trained <= set(recipes.RECIPES)


def test_only_live_versions_of_existing_models_are_named_by_sins():
    names = {event.model for event in CALENDAR if isinstance(event, Found)}
    names |= {event.to for event in CALENDAR if isinstance(event, Rename)}
    versions = {(event.model, event.version) for event in CALENDAR if isinstance(event, Train)}
    keys = [sin.key for sin in demo.SINS]
    assert len(keys) == len(set(keys))
    for sin in demo.SINS:
        assert sin.model in names, sin
        assert sin.version is None or (sin.model, sin.version) in versions, sin
        assert sin.sentence.endswith("."), sin


def test_most_promotions_are_in_order():
    live = [event for event in CALENDAR if isinstance(event, Promote)]
    bad = {(sin.model, sin.version) for sin in demo.SINS if "approv" in sin.key}
    assert len(live) - len(bad) > len(live) / 2
    assert any(isinstance(event, DeleteModel) for event in CALENDAR)


def test_no_account_belongs_to_two_people():
    accounts = [account for person in demo.PEOPLE for account in person.accounts]
    assert len(accounts) == len(set(accounts))
    assert {person.id for person in demo.PEOPLE if person.service} >= {"svc-mlflow-ci"}


def test_the_configuration_has_the_shape_auditreg_reads():
    config = tomllib.loads(config_text())
    assert config["calendar"] == {"timezone": "Europe/London", "fiscal_year_start_month": 1}
    assert config["live"] == {"stages": ["Production"], "aliases": ["champion"]}
    assert config["policy"]["effective"] == date(2026, 1, 1)
    assert config["review"]["cadence_days"] == {"high": 365, "medium": 730, "low": 1095}
    assert set(config["report"]) == {"entity", "prepared_by", "addressee"}
    assert config["fields"]["owner"] == ["gov.owner"]
    people = {person["id"]: person for person in config["people"]}
    assert people["pshah"] == {
        "id": "pshah",
        "name": "Priya Shah",
        "accounts": ["pshah", "Shah, Priya", "priya.shah@harbourvale.example"],
        "roles": ["developer"],
        "from": date(2024, 1, 1),
    }
    assert people["gpike"]["until"] == date(2026, 6, 30)
    assert people["svc-mlflow-ci"]["service"] is True


def test_the_waivers_hold_a_good_a_repairing_an_expired_and_a_self_approved_one():
    waivers = tomllib.loads(waivers_text())["waiver"]
    by_rule = {waiver["rule"]: waiver for waiver in waivers}
    assert set(by_rule) == RULES
    last = demo.LAST.date()
    assert by_rule["description-present"]["status"] == "accepted"
    assert by_rule["description-present"]["expires"] > last
    assert by_rule["validation-current"]["status"] == "under_repair"
    assert by_rule["validation-current"]["due"] > last
    assert by_rule["working-tree-clean"]["expires"] < last
    own = by_rule["alias-stage-consistent"]
    assert own["approver"] == cards.CARDS[own["models"][0]].owner
    for waiver in waivers:
        assert waiver["reason"]
        assert waiver["ticket"]


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not an empty folder"):
        demo.play(tmp_path, reading=lambda *_: None)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_scikit_learn_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "auditreg.demo.theatre.find_spec", lambda name: None if name == "sklearn" else object()
    )
    with pytest.raises(UsageError, match="sklearn") as raised:
        perform(tmp_path / "new", reading=lambda *_: None, progress=None)
    assert raised.value.hint == "pip install 'auditreg[demo]'"
    assert not (tmp_path / "new").exists()
