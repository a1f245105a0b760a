"""Conventions of a registry or a workspace: they replace the general ones there, and only there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditreg.errors import SourceError
from auditreg.ledger.policies import Policy
from auditreg.ledger.workspaces import Workspaces
from auditreg.models import Status
from auditreg.rules.parse import builtin_rules
from tests.ledger.book import Book
from tests.ledger.reading import MemoryReading, Registry, Rows, run_rows, together

SETTINGS: dict[str, Any] = {
    "live.stages": ["Production"],
    "live.aliases": ["champion"],
    "cadence_high": 365,
    "fields": {"owner": ["gov.owner"]},
    "conventions": {
        "pricing": {"live.aliases": ["best"], "cadence_low": 10},
        "pricing/claims": {
            "live.stages": [],
            "fields": {"owner": ["team"], "colour": ["colour"]},
            "cadence_high": 30,
        },
        "other/claims": {"live.aliases": []},
    },
}


def policies(settings: dict[str, Any]) -> list[Policy]:
    return [Policy("settings", "settings", json.dumps(settings))]


def rows(*workspaces: str) -> Rows:
    """The same model in each workspace: version 1 in Production, 2 champion, 3 best."""
    registry = Registry()
    registry.create("motor", **{"gov.owner": "general", "team": "claims team", "colour": "red"})
    for _ in range(3):
        registry.version("motor")
    registry.stage("motor", 1, "Production")
    registry.alias("motor", "champion", 2)
    registry.alias("motor", "best", 3)
    found = registry.rows()
    return together(
        *(
            {table: [{**row, "workspace": name} for row in of] for table, of in found.items()}
            for name in workspaces
        )
    )


AT = 1_767_300_000_000
LIVE = "select registry, workspace, version from {} order by all"
OWNER = (
    "select distinct registry, workspace, value from {} where field = 'owner' and rank = 1 "
    "order by all"
)
LIVE_NOW = [
    ("other", "claims", 1),
    ("other", "motor", 1),
    ("other", "motor", 2),
    ("pricing", "claims", 3),
    ("pricing", "motor", 1),
    ("pricing", "motor", 3),
]
OWNERS = [
    ("other", "claims", "general"),
    ("other", "motor", "general"),
    ("pricing", "claims", "claims team"),
    ("pricing", "motor", "general"),
]


@pytest.fixture
def told(book: Book) -> Book:
    """Two registries with the same workspaces, read twice."""
    for moment in (AT, AT + 60_000):
        for registry in ("pricing", "other"):
            book.take(
                MemoryReading(rows("motor", "claims"), moment),
                registry=registry,
                policies=policies(SETTINGS),
            )
    return book


def test_what_is_live_follows_the_workspace(told: Book):
    assert told.rows(LIVE.format("live_versions")) == LIVE_NOW
    assert told.rows(LIVE.format("promotions")) == LIVE_NOW
    live = list(told.rows("select registry, workspace, version, live from inventory"))
    assert sorted(row[:3] for row in live if row[3]) == LIVE_NOW


def test_and_so_does_the_past(told: Book):
    then = f"(make_timestamp({AT + 30_000} * 1000))"
    assert told.rows(LIVE.format(f"live_versions_as_of{then}")) == LIVE_NOW
    assert told.rows(LIVE.format(f"promotions_as_of{then}")) == LIVE_NOW
    assert told.rows(OWNER.format(f"fields_as_of{then}")) == OWNERS


def test_fields_are_looked_for_in_the_workspaces_own_tags(told: Book):
    assert told.rows(OWNER.format("fields")) == OWNERS
    own = told.rows("select distinct registry, workspace from fields where field = 'colour'")
    assert own == [("pricing", "claims")]


def test_the_most_specific_entry_stands_alone(told: Book):
    asked = "select conventions_of(?, ?)"
    for place, found in {
        ("pricing", "claims"): "pricing/claims",
        ("pricing", "motor"): "pricing",
        ("other", "claims"): "other/claims",
        ("other", "motor"): "",
        ("unknown", None): "",
        (None, None): "",
    }.items():
        assert told.rows(asked, *place) == [(found,)], place
    cadences = told.rows(
        "select applies_to, name, value from settings where name in ('cadence_high', 'cadence_low') "
        "order by all"
    )
    assert cadences == [
        ("", "cadence_high", "365"),
        ("", "cadence_low", "1095"),
        ("other/claims", "cadence_high", "365"),
        ("other/claims", "cadence_low", "1095"),
        ("pricing", "cadence_high", "365"),
        ("pricing", "cadence_low", "10"),
        ("pricing/claims", "cadence_high", "30"),
        ("pricing/claims", "cadence_low", "10"),
    ]
    assert told.rows("select setting('cadence_high'), setting('live.stages')") == [
        ("365", '["Production"]')
    ]


def test_they_are_sealed_and_rebuilt(told: Book):
    assert told.tables() == told.rebuilt()


def test_a_review_is_due_by_the_workspaces_own_cadence(book: Book):
    registry = Registry()
    registry.create("motor")
    registry.version(
        "motor",
        **{
            "gov.validation.date": "2025-11-01",
            "gov.validation.by": "x",
            "gov.risk.rating": "high",
        },
    )
    registry.stage("motor", 1, "Production")
    found = registry.rows()
    both = together(
        *(
            {table: [{**row, "workspace": name} for row in of] for table, of in found.items()}
            for name in ("motor", "claims")
        )
    )
    settings = {"conventions": {"default/claims": {"cadence_high": 30}}}
    book.take(MemoryReading(both, AT), policies=policies(settings))
    [rule] = [one for one in builtin_rules() if one.id == "validation-current"]
    answers = book.rows(
        f"select p.workspace, r.status, r.cadence_days from ({rule.sql}) r "
        "join population_live_version p using (subject) order by 1"
    )
    assert answers == [("claims", Status.FAIL.value, 30), ("motor", Status.PASS.value, 365)]


# -- workspaces that are not read -----------------------------------------------------------------


def with_runs() -> Rows:
    """Two workspaces with an experiment, a run and a version of it each."""
    parts: list[Any] = [rows("motor"), rows("secret")]
    for place, name in enumerate(("motor", "secret")):
        run = run_rows(f"{place}" * 32, params={"who": name}, tags={"t": name})
        run["runs"][0]["experiment_id"] = str(place)
        parts += [
            run,
            {"experiments": [{"experiment_id": str(place), "workspace": name, "name": name}]},
        ]
    return together(*parts)


@pytest.mark.parametrize(
    "chosen", [Workspaces(only=("motor",)), Workspaces(excluded=("secret", "nothing"))]
)
def test_other_workspaces_leave_nothing_but_their_number(book: Book, chosen: Workspaces):
    done = book.take(MemoryReading(with_runs(), AT), workspaces=chosen)
    assert done.complete
    assert done.completeness.left_out == {
        "models in workspaces that are not read": 1,
        "versions in workspaces that are not read": 3,
    }
    assert done.completeness.options == {"workspaces": str(chosen)}
    entries = " ".join(str(entry) for (entry,) in book.rows("select entry from ledger.log"))
    named = [word for word in ("secret",) if f'"{word}"' in entries.replace(str(chosen), "")]
    assert named == []
    assert book.rows("select distinct workspace from model_versions") == [("motor",)]
    assert book.rows("select value from run_params") == [("motor",)]
    assert book.rows("select value from run_tags") == [("motor",)]
    again = book.take(MemoryReading(with_runs(), AT + 1000), workspaces=chosen)
    assert (again.changes, again.new) == ({}, {})


def test_what_a_workspace_without_models_holds_is_left_out_from_the_beginning(book: Book):
    """Its rights used to be taken in, and to be called removed once it had a model."""
    others: Rows = {
        "principals": [{"workspace": "secret", "kind": "role", "principal": "writers"}],
        "permissions": [
            {"workspace": "secret", "resource_type": "registered_model", "resource": "*",
             "principal_kind": "role", "principal": "writers", "permission": "EDIT"}
        ],
    }  # fmt: skip
    chosen = Workspaces(only=("motor",))
    book.take(MemoryReading(together(rows("motor"), others), AT), workspaces=chosen)
    assert book.rows("select * from permissions union all by name select * from principals") == []
    later = together(rows("motor"), rows("secret"), others)
    assert book.take(MemoryReading(later, AT + 1000), workspaces=chosen).changes == {}


def test_the_choice_of_a_registry_stays(book: Book):
    book.take(MemoryReading(with_runs(), AT))
    before = book.log()
    with pytest.raises(SourceError, match="was read with workspaces: all; now it is only motor"):
        book.take(MemoryReading(with_runs(), AT + 1), workspaces=Workspaces(only=("motor",)))
    assert book.log() == before
    book.take(
        MemoryReading(with_runs(), AT + 1), registry="b", workspaces=Workspaces(only=("motor",))
    )
    with pytest.raises(SourceError, match="only motor; now it is all"):
        book.take(MemoryReading(with_runs(), AT + 2), registry="b")
