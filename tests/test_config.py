"""auditreg.toml: defaults, what is refused and how it is said, and the calendar."""

from __future__ import annotations

import itertools
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditreg.config import (
    Config,
    effective_settings,
    json_schema,
    load_config,
    parse_config,
    sources,
)
from auditreg.config.calendar import Period, day_start, local_day, moment, period, quarter_of
from auditreg.config.settings import ConfigFile
from auditreg.errors import ConfigError, UsageError
from auditreg.fields import FIELD_IDS

FILE = Path("auditreg.toml")
APPLIED = """
[[frameworks.applied]]
id = 'osfi-e23-2027'
applies = 'benchmark'
reason = 'r'
by = 'Model Risk'
since = 2026-01-05
"""
FULL = """
[[source]]
name = "pricing"
uri_env = "PRICING_DB"
auth_uri_env = "PRICING_AUTH"
auth_default = "READ"
artifacts = "live"
workspaces = { except = ["sandbox"] }

[source.live]
aliases = ["champion"]

[source.workspace.claims.live]
stages = ["Live"]

[source.workspace.claims.fields]
owner = ["team"]
shade = { title = "Shade", tags = ["shade"] }

[source.workspace.claims.review]
cadence_days = { High = 30 }

[[source]]
name = "life"
uri = "sqlite:///life.db"

[live]
stages = ["Production", "Live"]

[fields]
owner = ["team", "owner"]

[fields.shadow_price]
title = "Shadow price"
tags = ["shadow.price"]

[calendar]
timezone = "Europe/London"
fiscal_year_start_month = 4

[policy]
effective = 2026-11-22

[review]
cadence_days = { High = 180, "tier 1" = 90 }

[[people]]
id = "jane"
name = "Jane Smith"
accounts = ["jsmith", "Jane Smith"]
roles = ["validator"]
from = 2026-01-01

[[people]]
id = "ci"
service = true

[[bodies]]
id = "mrc"
name = "Model Risk Committee"
accounts = ["MRC", "the committee"]
members = ["jane"]
secretary = "jane"
minutes = "Records, series MRC"
roles = ["approver"]
until = 2027-12-31

[[authorities]]
role = "approver"
may = ["approve"]
ratings = ["High", "tier 1"]

[[authorities]]
role = "validator"
may = ["validate"]

[rules]
disabled = ["some-rule"]
severity = { "owner-recorded" = "low" }

[rules.params."description-present"]
minimum_length = 40
"""


@pytest.fixture(autouse=True)
def _no_outer_config(monkeypatch, tmp_path):
    monkeypatch.delenv("AUDITREG_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, FILE)
    return caught.value


# -- reading ------------------------------------------------------------------------------------


def test_no_file_means_the_defaults():
    config = load_config()
    assert config == Config()
    assert config.path is None
    assert config.live.stages == ("Production",)
    assert config.ledger_path == Path("audit.duckdb")


def test_a_whole_file():
    config = parse_config(FULL, FILE)
    assert config.registries == ("pricing", "life")
    assert config.source[0].artifacts == "live"
    assert config.source[0].workspaces.except_ == ("sandbox",)
    assert config.source[1].runs == "linked"
    assert config.live.stages == ("Production", "Live")
    assert config.live.aliases == Config().live.aliases
    assert config.policy.effective == date(2026, 11, 22)
    assert config.review.cadences == {"high": 180, "medium": 730, "low": 1095, "tier 1": 90}
    assert config.people[0].from_ == date(2026, 1, 1)
    assert config.people[1].service
    [body] = config.bodies
    assert (body.members, body.secretary, body.until) == (("jane",), "jane", date(2027, 12, 31))
    assert [authority.ratings for authority in config.authorities] == [("High", "tier 1"), ()]
    assert config.rules.params["description-present"]["minimum_length"] == 40


def test_search_order(tmp_path, monkeypatch):
    for name in ("auditreg.toml", "env.toml", "arg.toml"):
        (tmp_path / name).write_text(f'[[source]]\nname = "{name}"\n')
    assert load_config().registries == ("auditreg.toml",)
    monkeypatch.setenv("AUDITREG_CONFIG", str(tmp_path / "env.toml"))
    assert load_config().registries == ("env.toml",)
    assert load_config(tmp_path / "arg.toml").registries == ("arg.toml",)


def test_a_named_file_that_is_missing_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="nowhere"):
        load_config(tmp_path / "nowhere.toml")
    monkeypatch.setenv("AUDITREG_CONFIG", str(tmp_path / "nothing.toml"))
    with pytest.raises(ConfigError, match="nothing"):
        load_config()


def test_a_file_that_is_not_text(tmp_path):
    (tmp_path / "auditreg.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config()


def test_paths_are_relative_to_the_file(tmp_path):
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "a.toml").write_text('[ledger]\npath = "books/l.duckdb"\n')
    config = load_config(folder / "a.toml")
    assert config.ledger_path == folder / "books/l.duckdb"
    assert config.resolve(str(tmp_path / "absolute")) == tmp_path / "absolute"


def test_origin():
    config = parse_config(FULL, FILE)
    assert config.origin("live.stages") == "file"
    assert config.origin("live.aliases") == "default"
    assert config.origin("live") == "file"
    assert config.origin("people") == "file"
    assert config.origin("review.cadence_days.high") == "default"
    assert Config().origin("live") == "default"


def test_sealed_text_holds_no_password():
    config = parse_config('[[source]]\nuri = "postgresql://me:hunter2@db/mlflow"\n', FILE)
    assert config.source[0].uri == "postgresql://me:hunter2@db/mlflow"
    assert "hunter2" not in config.text
    assert "postgresql://me:***@db/mlflow" in config.text
    (said,) = sources.exposed(config.source)
    assert said.startswith("uri of the source default holds a password")
    assert "hunter2" not in said
    assert sources.exposed(parse_config(FULL, FILE).source) == ()


@pytest.mark.parametrize(
    "uri", ["mysql+pymysql://me:hun/ter2@db/x", "postgresql://db/x?user=me&sslpassword=hun/ter2"]
)
def test_every_password_is_told_of_and_the_sealed_text_is_still_a_file(uri):
    config = parse_config(f'[[source]]\nuri = "{uri}"\n', FILE)
    assert "ter2" not in config.text
    assert len(sources.exposed(config.source)) == 1
    sealed = parse_config(config.text, FILE)
    with pytest.raises(ConfigError, match="a ledger does not keep it"):
        sources.address(sealed.source[0])


def test_the_address_of_a_source(monkeypatch):
    pricing, life = parse_config(FULL, FILE).source
    monkeypatch.delenv("PRICING_DB", raising=False)
    with pytest.raises(ConfigError, match="PRICING_DB") as caught:
        sources.address(pricing)
    assert "source pricing" in caught.value.what
    monkeypatch.setenv("PRICING_DB", "sqlite:///a.db")
    monkeypatch.setenv("PRICING_AUTH", "sqlite:///users.db")
    assert sources.address(pricing) == "sqlite:///a.db"
    assert sources.auth_address(pricing) == "sqlite:///users.db"
    (sealed,) = parse_config('[[source]]\nuri = "postgresql://me:***@db/x"\n', FILE).source
    with pytest.raises(ConfigError, match="a ledger does not keep it"):
        sources.address(sealed)
    assert (sources.address(life), sources.auth_address(life)) == ("sqlite:///life.db", None)


def test_which_registry_is_meant(monkeypatch):
    monkeypatch.delenv("PRICING_DB", raising=False)
    assert Config().registry() == "default"
    one = parse_config('[[source]]\nname = "motor"\n', FILE)
    assert one.registry() == one.registry(uri="sqlite:///backup.db") == "motor"
    several = parse_config(FULL, FILE)
    assert several.registry("old") == "old"
    assert several.registry(uri="sqlite:///life.db") == "life"
    with pytest.raises(UsageError, match="nothing says which") as caught:
        several.registry(uri="sqlite:///a.db")
    assert "--registry pricing or --registry life" in caught.value.hint
    monkeypatch.setenv("PRICING_DB", "sqlite:///a.db")
    assert several.registry(uri="sqlite:///a.db") == "pricing"


def test_a_registry_table_is_refused_with_what_replaces_it():
    old = '[registry]\nname = "pricing"\nuri = "postgresql://me:hunter2@db/x"\n'
    error = refused(old + "[live]\nstages = []")
    assert "[registry] is now [[source]]" in error.what
    replacement = error.hint.partition("\n")[2]
    assert replacement == '[[source]]\nname = "pricing"\nuri = "postgresql://me:***@db/x"'
    assert parse_config(replacement, FILE).registries == ("pricing",)


def test_conventions_are_sealed_by_registry_and_workspace():
    sealed = effective_settings(parse_config(FULL, FILE))
    assert sealed["conventions"] == {
        "pricing": {"live.aliases": ["champion"]},
        "pricing/claims": {
            "live.stages": ["Live"],
            "cadence_high": 30,
            "fields": {"owner": ["team"], "shade": ["shade"]},
        },
    }
    assert "conventions" not in effective_settings(Config())


def test_governance_fields():
    by_id = {known.id: known for known in parse_config(FULL, FILE).governance_fields()}
    assert by_id["owner"].tags == ("team", "owner")
    assert (by_id["shade"].title, by_id["shade"].tags) == ("Shade", ("shade",))
    assert by_id["owner"].number == 8
    assert by_id["shadow_price"].title == "Shadow price"
    assert by_id["shadow_price"].number is None
    assert tuple(by_id)[: len(FIELD_IDS)] == FIELD_IDS
    by_list = parse_config('[fields]\nshadow_price = ["a"]\n', FILE).governance_fields()[-1]
    assert (by_list.id, by_list.title, by_list.tags) == ("shadow_price", "Shadow price", ("a",))


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("[live]\nstage = []", "live.stage", "Did you mean stages?"),
        ("[lve]\nstages = []", "lve", "Did you mean live?"),
        ("xyzzy = 1", "no setting xyzzy", "The file takes: source, live"),
        ("[[people]]\nid = 'a'\nform = 2026-01-01", "people[0].form", "Did you mean from?"),
        ("[fields.x]\ntag = ['a']", "fields.x.tag", "Did you mean tags?"),
        ("[fields]\nownr = ['a']", "fields.ownr", "Did you mean owner?"),
        ("[live]\nstages = 'Production'", "live.stages: Expected a list", ""),
        ("[calendar]\nfiscal_year_start_month = 13", "fiscal_year_start_month", ""),
        ("[calendar]\ntimezone = 'Europe/Londn'", "calendar.timezone", "IANA"),
        ("[calendar]\ntimezone = '../../etc/passwd'", "calendar.timezone", "IANA"),
        ("[policy]\neffective = '12/08/2025'", "policy.effective", ""),
        ("[rules.severity]\nx = 'urgent'", "rules.severity.x: ", "critical, high, medium and low"),
        ("[secrets]\npatterns = ['(']", "secrets.patterns[0]", ""),
        ("[[source]]\nuri = 'a'\nuri_env = 'B'", "source[0]: uri and uri_env", "Keep uri_env"),
        ("[[source]]\nauth_uri = 'a'\nauth_uri_env = 'B'", "auth_uri and auth_uri_env", "Keep"),
        ("[[source]]\nauth_default = 'read'", "auth_default", "NO_PERMISSIONS, READ, USE"),
        ("[[source]]\nruns = 'some'", "source[0].runs", "It takes linked and all."),
        ("[[source]]\nname = 'a b'", "source[0].name", ""),
        ("[[source]]\n[[source]]", "source[1]: the name 'default'", "a name of its own"),
        ("[source]\nname = 'a'", "source: Expected a list", ""),
        ("[[source]]\nworkspaces = { only = ['a'], except = ['b'] }", "only and except", ""),
        (
            "[[source]]\nworkspaces = { only = ['a'] }\n[source.workspace.b.live]\nstages = []",
            "source[0].workspace.b: this workspace is not read",
            "Correct workspaces",
        ),
        ("[[source]]\n[source.workspaec.a]", "source[0].workspaec", "Did you mean workspace?"),
        (
            "[[source]]\n[source.workspace.a.live]\nstage = []",
            "source[0].workspace.a.live.stage",
            "Did you mean stages?",
        ),
        (
            "[[source]]\n[source.workspace.a.fields]\nownr = ['x']",
            "source[0].workspace.a.fields.ownr",
            "Did you mean owner?",
        ),
        ("[[people]]\nid = 'a'\nfrom = 2026-02-01\nuntil = 2026-01-01", "people[0]", ""),
        ("[frameworks]\nenabled = ['osfi-e23-2027']", "no setting frameworks.enabled", "applied"),
        (APPLIED.replace("benchmark", "maybe"), "applied[0].applies", "yes, by analogy and bench"),
        (APPLIED.replace("reason = 'r'", ""), "applied[0]: the key reason is missing", ""),
        (APPLIED.replace("'r'", "''"), "frameworks.applied[0].reason", ""),
        (APPLIED.replace("since = 2026-01-05", ""), "the key since is missing", ""),
        (APPLIED + APPLIED, "frameworks.applied[1]: 'osfi-e23-2027' is named twice", "Say once"),
        ("[decisions]\napprove = ['x']", "decisions.approve", "Did you mean approved?"),
        ("[decisions]\napproved = ['']", "decisions.approved[0]", ""),
        (
            "[decisions]\npending = ['ok', ' –. ']",
            "decisions.pending[1]: ' –. ' holds no",
            "whole text",
        ),
        (
            "[decisions]\napproved = ['Freie Fahrt']\nrejected = ['x', 'FREIE  FÄHRT!']",
            "decisions.rejected[1]: the text 'FREIE  FÄHRT!' also stands at decisions.approved[0]",
            "a text has one meaning",
        ),
        ("a = ", "is not TOML", ""),
    ],
)
def test_refused(text, said, hint):
    error = refused(text)
    assert said in error.what
    assert str(FILE) in error.what
    assert error.state == "No settings were loaded."
    assert hint in error.hint
    assert error.exit_code == 2


def test_one_account_of_two_people_is_refused_unless_passed_on():
    two = (
        "[[people]]\nid = 'a'\naccounts = ['X ']\n{}\n[[people]]\nid = 'b'\naccounts = ['x']\n{}\n"
    )
    assert "'x' also belongs to people[0] (a)" in refused(two.format("", "")).what
    passed_on = two.format("until = 2026-01-31", "from = 2026-02-01")
    assert len(parse_config(passed_on, FILE).people) == 2
    assert "also belongs" in refused(two.format("until = 2026-02-01", "from = 2026-02-01")).what


def test_one_person_may_have_an_entry_per_span():
    text = (
        "[[people]]\nid = 'a'\naccounts = ['x']\n{}\n[[people]]\nid = 'a'\naccounts = ['x']\n{}\n"
    )
    spans = text.format("until = 2026-01-31", "from = 2026-02-01")
    assert [person.id for person in parse_config(spans, FILE).people] == ["a", "a"]
    assert "'a' is also people[0]" in refused(text.format("", "from = 2026-02-01")).what


_ANN = "[[people]]\nid = 'ann'\nroles = ['owner']\n"
_BOT = "[[people]]\nid = 'bot'\nroles = ['robot']\nservice = true\n"
_BODY = "[[bodies]]\nid = 'mrc'\nroles = ['committee']\nmembers = ['ann']\n"
_MAY = "[[authorities]]\nrole = 'committee'\nmay = ['approve']\n"
_EMPTY = "Write it, or leave it out."
_A_SPAN = (
    "One entry holds everything of a span of time; set from and until where something changed."
)
_A_TIME = (
    "A spelling belongs to one person or body at a time; set from and until where it was passed on."
)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        (
            _ANN + "[[bodies]]\nid = 'mrc'",
            "bodies[0]: the body 'mrc' has no members.",
            "members takes the ids of people, at least one: a body decides through them.",
        ),
        (
            _ANN + "[[bodies]]\nid = 'mrc'\nmembers = []",
            "bodies[0]: the body 'mrc' has no members.",
            "members takes the ids of people, at least one: a body decides through them.",
        ),
        (
            _ANN + _BODY.replace("'ann'", "'ann', 'Anne'"),
            "bodies[0].members[1]: 'Anne' is no id of a person.",
            "Did you mean ann?",
        ),
        (
            _ANN + _BODY + "secretary = 'nobody'",
            "bodies[0].secretary: 'nobody' is no id of a person.",
            "It takes ids of [[people]].",
        ),
        (
            _ANN + _BODY + "[[bodies]]\nid = 'board'\nmembers = ['mrc']",
            "bodies[1].members[0]: 'mrc' is no id of a person.",
            "It takes ids of [[people]].",
        ),
        (
            _ANN + _BOT + _BODY + "secretary = 'bot'",
            "bodies[0].secretary: 'bot' is a service account.",
            "Only a person has a seat in a body.",
        ),
        (
            _ANN + _BODY.replace("'ann'", "'ann', 'ann'"),
            "bodies[0].members[1]: 'ann' is listed twice.",
            "",
        ),
        (_ANN + "accounts = ['annlee', ' ']", "people[0].accounts[1]: it is empty.", _EMPTY),
        (_ANN + "name = ''", "people[0].name: it is empty.", _EMPTY),
        (_ANN + "[[people]]\nid = ' '", "people[1].id: it is empty.", _EMPTY),
        (_ANN + _BODY + "accounts = ['']", "bodies[0].accounts[0]: it is empty.", _EMPTY),
        (_ANN + _BODY.replace("'committee'", "' '"), "bodies[0].roles[0]: it is empty.", _EMPTY),
        (_ANN + _ANN, "people[1]: 'ann' is also people[0], at the same time.", _A_SPAN),
        (_ANN + _BODY + _BODY, "bodies[1]: 'mrc' is also bodies[0], at the same time.", _A_SPAN),
        (
            _ANN + _BODY + "accounts = [' ANN ']",
            "bodies[0]: the account 'ann' also belongs to people[0] (ann).",
            _A_TIME,
        ),
        (
            _ANN + _BODY + "name = 'Ann'",
            "bodies[0]: the name 'ann' also belongs to people[0] (ann).",
            _A_TIME,
        ),
        (
            "[[people]]\nid = 'mrc'\nuntil = 2020-12-31\n" + _ANN + _BODY + "from = 2021-01-01",
            "bodies[0]: the id 'mrc' is also that of people[0].",
            "A body and a person are two: each has an id of its own.",
        ),
        (
            _ANN + "from = 2026-02-01\nuntil = 2026-01-31",
            "people[0]: until is before from.",
            "",
        ),
        (
            _ANN + _BODY + "from = 2026-02-01\nuntil = 2026-01-31",
            "bodies[0]: until is before from.",
            "",
        ),
        (
            _ANN + _BODY + _MAY.replace("committee", "comittee"),
            "authorities[0].role: no person and no body holds the role 'comittee'.",
            "Did you mean committee?",
        ),
        (
            _ANN + _BOT + _MAY.replace("committee", "robot"),
            "authorities[0].role: no person and no body holds the role 'robot'.",
            "Roles held: owner.",
        ),
        (
            _MAY,
            "authorities[0].role: no person and no body holds the role 'committee'.",
            "Give it to somebody under roles of [[people]] or [[bodies]].",
        ),
        (
            _ANN + _BODY + _MAY + "ratings = ['high', 'hihg']",
            "authorities[0].ratings[1]: the rating 'hihg' has no review cadence.",
            "Did you mean high?",
        ),
        (
            _ANN + _BODY + _MAY + "ratings = ['tier 1']",
            "authorities[0].ratings[0]: the rating 'tier 1' has no review cadence.",
            "review.cadence_days names the ratings: high, low, medium.",
        ),
        (
            _ANN + _BODY + _MAY.replace("approve", "aprove"),
            "authorities[0].may[0]: Invalid enum value 'aprove'.",
            "It takes approve and validate.",
        ),
        (
            _ANN + _BODY + "[[authorities]]\nrole = 'committee'",
            "authorities[0]: the key may is missing.",
            "See `auditreg config schema` for what each key takes.",
        ),
        (
            "[review]\ncadence_days = { low = 1, high = 0 }",
            "review.cadence_days.high: Expected a whole number >= 1.",
            "See `auditreg config schema` for what each key takes.",
        ),
        (
            "[[source]]\n[source.workspace.a.review]\ncadence_days = { 'tier 1' = -1 }",
            "source[0].workspace.a.review.cadence_days.tier 1: Expected a whole number >= 1.",
            "See `auditreg config schema` for what each key takes.",
        ),
    ],
)
def test_bad_people_bodies_and_authorities_are_named_with_their_place(text, said, hint):
    error = refused(text)
    assert (error.what, error.hint) == (f"auditreg.toml at {said}", hint)
    assert error.exit_code == 2


def test_a_rating_of_one_workspace_is_a_rating():
    text = _ANN + _BODY + _MAY + "ratings = ['Tier 1']\n[[source]]\n"
    text += "[source.workspace.a.review]\ncadence_days = { 'tier 1' = 30 }"
    assert parse_config(text, FILE).authorities[0].ratings == ("Tier 1",)


def test_a_body_may_have_an_entry_per_composition():
    text = _ANN + _BODY + "until = 2026-01-31\n" + _BODY + "from = 2026-02-01\n" + _MAY
    assert [body.id for body in parse_config(text, FILE).bodies] == ["mrc", "mrc"]


# -- what is sealed, and the schema -------------------------------------------------------------


def test_effective_settings_are_plain_json():
    import json

    sealed = effective_settings(parse_config(FULL, FILE))
    assert json.loads(json.dumps(sealed)) == sealed
    assert sealed["timezone"] == "Europe/London"
    assert sealed["policy_effective"] == "2026-11-22"
    assert sealed["cadence_high"] == 180
    assert sealed["live.stages"] == ["Production", "Live"]
    assert sealed["description-present.minimum_length"] == 40
    assert sealed["people"][0]["accounts"] == ["Jane Smith", "jane", "jsmith"]
    assert sealed["bodies"] == [
        {
            "id": "mrc",
            "name": "Model Risk Committee",
            "accounts": ["MRC", "mrc", "the committee"],
            "roles": ["approver"],
            "from": None,
            "until": "2027-12-31",
            "members": ["jane"],
            "secretary": "jane",
            "minutes": "Records, series MRC",
        }
    ]
    assert sealed["authorities"] == [
        {"role": "approver", "may": ["approve"], "ratings": ["high", "tier 1"]},
        {"role": "validator", "may": ["validate"], "ratings": []},
    ]
    assert not {"bodies", "authorities"} & effective_settings(Config()).keys()
    assert "PRICING_DB" not in json.dumps(sealed)
    assert "life.db" not in json.dumps(sealed)


def test_texts_of_decisions_are_sealed_by_text():
    text = "[decisions]\napproved = ['Freie Fahrt!', 'freie fahrt']\nrejected = ['Zurück (1)']"
    sealed = effective_settings(parse_config(text, FILE))
    assert sealed["decisions"] == {"freie fahrt": "approved", "zuruck 1": "rejected"}
    assert "decisions" not in effective_settings(Config())


def test_fields_are_sealed_where_they_differ():
    sealed = effective_settings(parse_config(FULL, FILE))
    assert sealed["fields"] == {"owner": ["team", "owner"], "shadow_price": ["shadow.price"]}
    assert effective_settings(Config())["fields"] == {}
    assert effective_settings(Config())["policy_effective"] is None


def test_schema_accepts_what_is_accepted_and_refuses_what_is_refused():
    import tomllib

    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    accepted = tomllib.loads(FULL)
    # Editors see dates as text.
    accepted["policy"]["effective"] = "2026-11-22"
    accepted["people"][0]["from"] = "2026-01-01"
    accepted["bodies"][0]["until"] = "2027-12-31"
    validator.validate(accepted)
    no_members = {"bodies": [{"id": "mrc", "members": []}]}
    for wrong in (no_members, {"lve": {}}, {"live": {"stage": []}}, {"calendar": {"timezone": 1}}):
        assert not validator.is_valid(wrong)


def test_every_setting_is_described():
    def undescribed(node, at):
        for name, value in node.get("properties", {}).items():
            if "$ref" not in value and not value.get("description"):
                yield f"{at}.{name}"

    schema = json_schema()
    missing = [key for title, part in schema["$defs"].items() for key in undescribed(part, title)]
    assert missing == []
    assert set(schema["properties"]) == set(ConfigFile.__struct_encode_fields__)


# -- the calendar -------------------------------------------------------------------------------

ZONES = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
zones = st.sampled_from(ZONES)
days = st.dates(min_value=date(1970, 1, 2), max_value=date(2037, 12, 30))
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def local(utc: datetime, tz: str) -> datetime:
    return utc.replace(tzinfo=UTC).astimezone(zoneinfo.ZoneInfo(tz))


@given(day=days, tz=zones)
@settings(max_examples=300, deadline=None)
def test_a_day_begins_on_that_day_and_not_before(day, tz):
    start = day_start(day, tz)
    assert local(start, tz).date() >= day
    assert local(start - SECOND, tz).date() < day
    # A date as a moment is the beginning of the next day, so days leave no gap between them.
    assert moment(day.isoformat(), tz) == day_start(day + DAY, tz)
    assert start <= moment(day.isoformat(), tz)


@given(day=days, tz=zones)
@settings(max_examples=300, deadline=None)
def test_the_end_of_a_day_falls_on_that_day(day, tz):
    found = local_day(moment(day, tz), tz)
    # Only a day that was skipped as a whole (Samoa, 30 December 2011) is not found again.
    assert found == day or day_start(day, tz) == day_start(day + DAY, tz)


@given(
    at=st.datetimes(datetime(1971, 1, 1), datetime(2037, 1, 1)), tz=zones, start=st.integers(1, 12)
)
@settings(max_examples=300, deadline=None)
def test_a_quarter_contains_its_moment_and_reads_back(at, tz, start):
    quarter = quarter_of(at, tz, start)
    assert quarter.start_utc < at <= quarter.end_utc
    name = quarter.label.removeprefix("fiscal ")
    assert period(name, tz, start) == quarter
    assert 88 <= (quarter.last_day - quarter.first_day).days <= 91
    assert quarter.first_day.day == 1


@given(year=st.integers(1971, 2036), tz=zones, start=st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_the_quarters_of_a_year_make_up_the_year(year, tz, start):
    whole = period(str(year), tz, start)
    parts = [period(f"{year}-Q{n}", tz, start) for n in (1, 2, 3, 4)]
    assert parts[0].start_utc == whole.start_utc
    assert parts[-1].end_utc == whole.end_utc
    for one, following in itertools.pairwise(parts):
        assert one.end_utc == following.start_utc
    assert whole.last_day.year == year


@given(at=st.datetimes(datetime(1971, 1, 1), datetime(2037, 1, 1)), tz=zones)
@settings(max_examples=200, deadline=None)
def test_a_local_time_is_its_instant_or_refused(at, tz):
    wall = local(at, tz).replace(tzinfo=None)
    info = zoneinfo.ZoneInfo(tz)
    if wall.replace(tzinfo=info).utcoffset() == wall.replace(tzinfo=info, fold=1).utcoffset():
        assert moment(wall.isoformat(), tz) == at
        return
    # Shown twice by the clocks: both instants are offered, the right one among them.
    with pytest.raises(UsageError) as caught:
        moment(wall.isoformat(), tz)
    assert at.isoformat() in caught.value.hint


@pytest.mark.parametrize(
    ("text", "tz", "utc"),
    [
        ("2026-09-30", "UTC", "2026-10-01T00:00:00"),
        ("2026-09-30", "Europe/London", "2026-09-30T23:00:00"),
        ("2026-12-31", "America/Toronto", "2027-01-01T05:00:00"),
        ("2026-09-30T17:00", "Europe/London", "2026-09-30T16:00:00"),
        ("2026-09-30T17:00:00Z", "Europe/London", "2026-09-30T17:00:00"),
        ("2026-09-30 17:00:00+02:00", "UTC", "2026-09-30T15:00:00"),
        # Samoa had no 30 December 2011: its end is the instant at which it was skipped.
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00"),
        ("2011-12-29", "Pacific/Apia", "2011-12-30T10:00:00"),
        # Beirut skips from midnight to one o'clock.
        ("2026-03-28", "Asia/Beirut", "2026-03-28T22:00:00"),
    ],
)
def test_moments(text, tz, utc):
    assert moment(text, tz).isoformat() == utc


def test_a_midnight_inside_a_gap_begins_at_the_jump():
    # Toronto in 1919: the clocks went from
    # 23:30 to 00:30, and midnight was never shown.
    start = day_start(date(1919, 3, 31), "America/Toronto")
    assert local(start, "America/Toronto").isoformat() == "1919-03-31T00:30:00-04:00"


@pytest.mark.parametrize(
    "text",
    ["30.09.2026", "2026-9-30", "12/08/2025", "20260930", "2026-W40", "2026-02-30", "", "now"]
    + ["2026-09-30T25:00", "2026-09-30T1"],
)
def test_not_a_moment(text):
    with pytest.raises(UsageError, match="is not a date or a moment"):
        moment(text)


def test_a_time_the_clocks_skip_or_repeat_is_refused():
    with pytest.raises(UsageError, match="does not exist"):
        moment("2026-03-29T01:30", "Europe/London")
    with pytest.raises(UsageError, match="comes twice") as caught:
        moment("2026-10-25T01:30", "Europe/London")
    assert "2026-10-25T00:30:00Z or 2026-10-25T01:30:00Z" in caught.value.hint


def test_out_of_range():
    with pytest.raises(UsageError, match="out of range"):
        moment("9999-12-31")
    with pytest.raises(UsageError, match="out of range"):
        moment("0001-01-01T00:00", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("text", "start", "first", "last", "label"),
    [
        ("2026-Q3", 1, "2026-07-01", "2026-09-30", "2026-Q3"),
        ("2026q3", 1, "2026-07-01", "2026-09-30", "2026-Q3"),
        ("2026-Q1", 4, "2025-04-01", "2025-06-30", "fiscal 2026-Q1"),
        ("2026", 11, "2025-11-01", "2026-10-31", "fiscal 2026"),
        ("2026", 1, "2026-01-01", "2026-12-31", "2026"),
        ("2024-02", 4, "2024-02-01", "2024-02-29", "2024-02"),
        ("2026-07-01..2026-09-30", 4, "2026-07-01", "2026-09-30", "2026-07-01 to 2026-09-30"),
    ],
)
def test_periods(text, start, first, last, label):
    found = period(text, "UTC", start)
    assert (str(found.first_day), str(found.last_day), found.label) == (first, last, label)
    assert found.days == f"{first} to {last}"
    assert found == Period(
        datetime.fromisoformat(first),
        datetime.fromisoformat(last) + DAY,
        date.fromisoformat(first),
        date.fromisoformat(last),
        label,
    )


@pytest.mark.parametrize(
    "text",
    ["2026-Q5", "2026-13", "Q3", "2026-09-30..2026-07-01", "2026-07-01..", "0000", "9999-Q4"]
    + ["2026-02-30..2026-03-01", "last quarter"],
)
def test_not_a_period(text):
    with pytest.raises(UsageError):
        period(text)


def test_the_end_of_a_quarter_belongs_to_it():
    config = parse_config(FULL, FILE)
    end = config.moment("2026-09-30")
    assert config.quarter_of(end).last_day == date(2026, 9, 30)
    assert config.quarter_of(end) == config.period("2027-Q2")
    assert config.quarter_of(end + SECOND).first_day == date(2026, 10, 1)


def test_a_field_is_of_the_version_or_of_the_model():
    text = "[fields.approver]\ntags = ['approved_by']\nof = 'model'"
    sealed = effective_settings(parse_config(text, FILE))
    assert sealed["fields.approver.of"] == "model"
    assert sealed["fields"]["approver"] == ["approved_by"]
    assert "Invalid enum value" in refused(text.replace("'model'", "'run'")).what
