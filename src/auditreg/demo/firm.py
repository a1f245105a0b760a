"""The firm of the demo: its people, its rules for itself, and the two files it writes for auditreg.

Harbour & Vale is invented, and so is everybody who works there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditreg.demo.events import Event

ENTITY = "Harbour & Vale Insurance plc"
"""The legal entity in whose name the demo's reports are written."""

MAIL_DOMAIN = "harbourvale.example"
"""A domain reserved for examples, so that no address of the demo can belong to anybody."""

CHAMPION = "champion"
"""The alias the rating engine loads."""

CHALLENGER = "challenger"
"""The alias of the version that is scored in parallel, without effect on a price."""

LIVE_STAGE = "Production"
"""The registry stage that means: this version sets prices."""


@dataclass(frozen=True)
class FirmPerson:
    """Somebody, or a service account, who acts in the demo."""

    id: str
    name: str
    accounts: tuple[str, ...]
    roles: tuple[str, ...]
    since: date
    until: date | None = None
    service: bool = False
    title: str = ""


def _person(
    id: str,  # noqa: A002 - the name the configuration file uses
    name: str,
    title: str,
    *roles: str,
    since: date,
    until: date | None = None,
) -> FirmPerson:
    first, last = name.split(" ", 1)
    mail = f"{first}.{last}@{MAIL_DOMAIN}".lower()
    return FirmPerson(id, name, (id, f"{last}, {first}", mail), roles, since, until, title=title)


PEOPLE: tuple[FirmPerson, ...] = (
    _person(
        "hashworth", "Helen Ashworth", "Head of Motor Pricing", "owner", since=date(2019, 3, 1)
    ),
    _person(
        "gpike",
        "Graham Pike",
        "Head of Household Pricing",
        "owner",
        since=date(2012, 9, 1),
        until=date(2026, 6, 30),
    ),
    _person("rbevan", "Rhys Bevan", "Head of Household Pricing", "owner", since=date(2026, 6, 15)),
    _person("isolberg", "Ingrid Solberg", "Chief Actuary", "approver", since=date(2017, 1, 9)),
    _person(
        "adesouza", "Anita de Souza", "Deputy Chief Actuary", "approver", since=date(2022, 5, 3)
    ),
    _person("sosei", "Samuel Osei", "Head of Model Risk", "validator", since=date(2020, 10, 1)),
    _person("lbrandt", "Leonie Brandt", "Model Validator", "validator", since=date(2023, 2, 6)),
    _person("pshah", "Priya Shah", "Senior Pricing Analyst", "developer", since=date(2024, 1, 1)),
    _person("tellwood", "Tom Ellwood", "Pricing Analyst", "developer", since=date(2021, 8, 2)),
    _person(
        "mkowalczyk", "Marta Kowalczyk", "Data Scientist", "developer", since=date(2022, 11, 14)
    ),
    _person("dokafor", "Daniel Okafor", "Graduate Analyst", "developer", since=date(2025, 9, 8)),
    FirmPerson(
        "svc-mlflow-ci",
        "MLflow build pipeline",
        ("svc-mlflow-ci",),
        (),
        date(2023, 6, 1),
        service=True,
    ),
    FirmPerson(
        "svc-rating-deploy",
        "Rating engine deployment",
        ("svc-rating-deploy",),
        (),
        date(2023, 6, 1),
        service=True,
    ),
)
"""Everybody who acts in the demo, service accounts last."""


_HABITS = {
    "Found": "hashworth",
    "TagModel": "hashworth",
    "Rename": "gpike",
    "DeleteModel": "dokafor",
    "DeleteVersion": "mkowalczyk",
    "DeleteRun": "tellwood",
    "Prompt": "mkowalczyk",
    "Challenge": "mkowalczyk",
    "Stage": "pshah",
    "RollBack": "svc-rating-deploy",
}
"""Who does what, where an event does not say."""


def account_of(event: Event) -> str:
    """The account an event is done with: as it says, or by habit."""
    said = str(getattr(event, "account", "") or getattr(event, "by", ""))
    named = {
        spelling: person.id for person in PEOPLE for spelling in (person.name, *person.accounts)
    }
    return named.get(said, said) or _HABITS.get(type(event).__name__, "mlflow")


@dataclass(frozen=True)
class FirmWaiver:
    """One entry of waivers.toml; what is None is not written."""

    rule: str
    models: tuple[str, ...]
    status: str
    reason: str
    ticket: str
    approver: str | None = None
    expires: date | None = None
    owner: str | None = None
    due: date | None = None


WAIVERS: tuple[FirmWaiver, ...] = (
    FirmWaiver(
        "description-present",
        ("household-subsidence-tweedie",),
        "accepted",
        "The vendor's documentation pack stands in for a description until the model is replaced.",
        "MRC-218",
        approver="Ingrid Solberg",
        expires=date(2026, 12, 31),
    ),
    FirmWaiver(
        "validation-current",
        ("motor-telematics-score",),
        "under_repair",
        "Re-validation on twelve months of box data is booked with Model Risk.",
        "MRC-241",
        owner="Marta Kowalczyk",
        due=date(2026, 11, 30),
    ),
    # Expired before the demo's last reading, and nobody has looked at it since.
    FirmWaiver(
        "working-tree-clean",
        ("van-frequency",),
        "accepted",
        "Emergency rebuild of the van model; the diff was reviewed by hand.",
        "MRC-233",
        approver="Anita de Souza",
        expires=date(2026, 9, 15),
    ),
    # Accepted by the owner of the very model it excuses.
    FirmWaiver(
        "alias-stage-consistent",
        ("motor-windscreen-tweedie",),
        "accepted",
        "The rating engine loads the alias; the stage will follow with the next release.",
        "MRC-246",
        approver="Helen Ashworth",
        expires=date(2026, 12, 31),
    ),
)
"""What the firm has excused: two in order, one expired, one granted by the model's own owner."""


def _toml(value: object) -> str:
    """A value as TOML; a JSON string of printable text is also a TOML basic string."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _entry(table: str, pairs: Iterable[tuple[str, object]]) -> str:
    lines = [f"{key} = {_toml(value)}" for key, value in pairs if value is not None]
    return "\n".join([f"[[{table}]]", *lines, ""])


_HEAD = f"""\
# How {ENTITY} reads its own registry.

[report]
entity = "{ENTITY}"
prepared_by = "Model Risk"
addressee = "Pricing Risk Committee"

[calendar]
timezone = "Europe/London"
fiscal_year_start_month = 1

[live]
stages = ["{LIVE_STAGE}"]
aliases = ["{CHAMPION}"]

[policy]
effective = 2026-01-01

# The firm's tags follow auditreg's own convention; these two are spelt out for its readers.
[fields]
owner = ["gov.owner"]
approver = ["gov.approval.by"]

[review]
cadence_days = {{ high = 365, medium = 730, low = 1095 }}
"""


def config_text() -> str:
    """The text of auditreg.toml."""
    people = [
        _entry(
            "people",
            (
                ("id", person.id),
                ("name", person.name),
                ("accounts", person.accounts),
                ("roles", person.roles),
                ("from", person.since),
                ("until", person.until),
                ("service", True if person.service else None),
            ),
        )
        for person in PEOPLE
    ]
    return "\n".join([_HEAD, *people])


def waivers_text() -> str:
    """The text of waivers.toml."""
    entries = [
        _entry(
            "waiver",
            (
                ("rule", waiver.rule),
                ("models", waiver.models),
                ("status", waiver.status),
                ("reason", waiver.reason),
                ("approver", waiver.approver),
                ("owner", waiver.owner),
                ("ticket", waiver.ticket),
                ("expires", waiver.expires),
                ("due", waiver.due),
            ),
        )
        for waiver in WAIVERS
    ]
    return "\n".join([f"# Findings {ENTITY} has accepted or is repairing.\n", *entries])
